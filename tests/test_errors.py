"""What is printed as a remedy can be typed as it stands, whatever a user's columns, groups and folders are called."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from core.audit.input.banding import _at
from core.audit.input.predictions import Attribute
from core.cli import main
from core.cohort.checks.groups import TinyGroups
from core.cohort.column_facts import ColumnFacts
from core.errors import command, option
from core.study.tuning import Best
from core.study.tuning import command as tuned_command
from core.tables.groups import group_findings
from core.tables.labels import question
from dashboard.page_advice import on_page

NASTY = ["patient's sex", "a b", "$(reboot)", "`id`", 'say "no"', "a;b", "-n", "--now", "Größe", "", "x'\"'\"'y", "*", "a\nb", "~"]


@pytest.mark.parametrize("text", NASTY)
def test_a_shell_gives_back_what_was_quoted(text: str) -> None:
    words = shlex.split(option("--drop", text))
    assert words in (["--drop", text], [f"--drop={text}"])
    assert (len(words) == 1) == text.startswith("-")
    assert shlex.split(command("delete", "run", name=text))[-1] == text
    assert ("--" in shlex.split(command("delete", "run", name=text))) == text.startswith("-")


def test_plain_words_are_left_plain() -> None:
    assert option("--drop", "fold_1") == "--drop fold_1"
    assert option("--merge", "sex=F:f") == "--merge 'sex=F:f'"
    assert command("retry", "--fresh", name="erm-s1-1") == "multifair retry --fresh erm-s1-1"


def first_option(text: str, flag: str) -> str:
    """The value of the first such flag in a sentence, as a shell reads it."""
    words = shlex.split(text[text.index(flag) :])
    return (words[0].partition("=")[2] if words[0].startswith(f"{flag}=") else words[1]).rstrip(".,)")


def test_remedies_about_groups() -> None:
    (finding,) = group_findings(pd.Series(["Crohn's", "Crohn's", "crohn's", "Colitis"], dtype=object), "family's disease")
    assert first_option(finding.remedy, "--merge") == "family's disease=Crohn's:crohn's"
    assert on_page(finding.remedy) == "Ticking it below the roles makes them one."
    check = cast(Any, TinyGroups())
    assert first_option(check._merge("patient's sex", ["a b", "it's"]), "--merge") == "patient's sex=other:a b,it's"
    assert "--" not in on_page(check._merge("patient's sex", ["a b", "it's"]))


def test_remedies_about_labels_and_folds() -> None:
    said = question(["Crohn's", "Crohn's|Edema", "Edema|Crohn's|Mass"], "y")
    assert first_option(said, "--positive").startswith("contains ") and "'\"'\"'" in said
    assert "--" not in on_page(said)
    facts = SimpleNamespace(values=pd.Series(["1", "2", "3", "4", "5"]), name="doctor's fold")
    said = ColumnFacts._how_to_use_folds(cast(ColumnFacts, facts))
    assert first_option(said, "--fold") == first_option(said, "--split") == "doctor's fold"


def test_bands_of_an_audit() -> None:
    attribute = Attribute.of(np.array(["1.5", "2.5", "3.5"], dtype=object))
    _, (finding, *_) = _at("years' sum", attribute, np.array([1.5, 2.5, 3.5]), [2.0], "at its quantiles")
    assert first_option(str(finding.remedy), "--bins") == "years' sum=2"


def test_the_command_of_a_search_is_one_line_of_a_shell() -> None:
    given = cast(Any, SimpleNamespace(cohort=SimpleNamespace(cohort_id="1234"), attribute="patient's sex", preset="quick"))
    words = shlex.split(tuned_command(Best("erm", "", 0.5, {"lr": 0.00123456789, "encoder.text": "a's model"}, 1, 0), given))
    assert words[:2] == ["multifair", "train"] and words[words.index("--attribute") + 1] == "patient's sex"
    assert words[-4:] == ["--set", "lr=0.00123457", "--set", "encoder.text=a's model"]


def test_the_next_step_after_a_simulation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--out", str(tmp_path / "it's here"), "--patients", "60"]) == 0
    err = capsys.readouterr().err
    assert shlex.split(err[err.index("multifair ingest") :].splitlines()[0]) == ["multifair", "ingest", str(tmp_path / "it's here" / "cohort.csv")]
