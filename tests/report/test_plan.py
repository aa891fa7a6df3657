"""A plan is dated and hashed, fixes the audit's choices, and the report says what was declared and where the audit departs from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest

from core.audit.output.schema import audit_schema
from core.cli import main
from core.report import contents
from core.report.declared import declared_section, departures, plan_of
from core.report.of_audit import audit_report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    frame = pd.DataFrame({"y": y, "p": np.clip(0.3 * y + rng.random(300) * 0.7, 0, 1), "sex": rng.choice(["F", "M"], 300), "site": rng.choice(["a", "b"], 300)})
    frame.to_csv(tmp_path / "p.csv", index=False)
    return tmp_path


def plan(folder: Path, *more: str) -> int:
    return main(["plan-audit", "--attributes", "sex", "--metrics", "auc,tpr", "--tolerance", ".04,tpr=.1", "--threshold", ".4", "--out",
                 str(folder / "plan.json"), *more])  # fmt: skip


def audited(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    capsys.readouterr()
    given = ["audit", str(folder / "p.csv"), "--label", "y", "--score", "p", "--attributes", "sex,site", "--bootstrap", "0", "--json", *more]
    assert main(given) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_a_plan_has_date_and_hash_and_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert plan(folder) == 0
    value = json.loads((folder / "plan.json").read_text())
    assert value["declared"] == "2023-11-14T22:13:20+00:00"
    assert capsys.readouterr().out.strip() == value["sha256"]
    assert plan(folder) == 2 and "not replaced" in capsys.readouterr().err


def test_the_plan_fixes_the_audit_and_the_report_says_what_was_declared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(folder)
    found = audited(folder, capsys, "--plan", str(folder / "plan.json"))
    jsonschema.Draft202012Validator(audit_schema()).validate(found)
    options = found["options"]
    assert (options["threshold"], options["tolerance"], options["tolerances"]) == (0.4, 0.04, {"tpr": 0.1})
    assert (options["primary_attributes"], options["primary_metrics"]) == (["sex"], ["auc", "tpr"])
    section = declared_section(found)
    assert section is not None and "keeps to its plan" in section.sentence
    table = next(block.frame for block in section.blocks if block.name == "declared")
    declared = table[table["declared"]]
    assert sorted(zip(declared["attribute"], declared["metric"], strict=True)) == [("sex", "auc"), ("sex", "tpr")]
    report = audit_report(found)
    assert report.sections[1].title == contents.DECLARED
    assert tuple(s.title for s in report.sections) == contents.audit_contents(found)


def test_departures_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(folder)
    found = audited(folder, capsys, "--threshold", ".5")
    found["plan"] = json.loads((folder / "plan.json").read_text())
    found["provenance"]["date"] = "2001-01-01T00:00:00+00:00"
    declared = plan_of(found)
    assert declared is not None
    said = " ".join(departures(found, declared))
    for words in ("tolerance: 0.05 instead of 0.04", "threshold: 0.5 instead of 0.4", "metrics", "before the plan"):
        assert words in said


def test_a_changed_plan_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(folder)
    path = folder / "plan.json"
    path.write_text(path.read_text().replace('"tolerance": 0.04', '"tolerance": 0.2'))
    assert main(["audit", str(folder / "p.csv"), "--label", "y", "--score", "p", "--attributes", "sex", "--plan", str(path)]) == 2
    assert "changed after it was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--tolerance", ".1"], "fixes --tolerance"), (["--primary-metrics", "auc"], "fixes --primary-metrics"), (["--target", "youden"], "fixes --target")],
)
def test_what_the_plan_fixes_is_not_given_twice(folder: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    plan(folder)
    assert main(["audit", str(folder / "p.csv"), "--label", "y", "--score", "p", "--attributes", "sex", "--plan", str(folder / "plan.json"), *more]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--metrics", "nonsense"], ["--tolerance", "2"], ["--target", "youden"]])
def test_a_plan_that_no_audit_could_keep_is_refused(folder: Path, more: list[str]) -> None:
    assert plan(folder, *more) == 2
    assert not (folder / "plan.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"form": 9}'])
def test_what_is_no_plan_is_refused(folder: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.json").write_text(content)
    assert main(["audit", str(folder / "p.csv"), "--label", "y", "--score", "p", "--attributes", "sex", "--plan", str(folder / "x.json")]) == 2
    assert "x.json" in capsys.readouterr().err
