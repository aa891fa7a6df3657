"""Pages speak of their own controls, never of flags."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import core
from core.cohort.checks import CHECKS
from core.tables.labels import question
from dashboard.page_advice import on_page


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.code)
def test_no_remedy_of_a_check_names_a_flag(check: object) -> None:
    assert "--" not in on_page(check.remedy)  # type: ignore[attr-defined]


@pytest.mark.parametrize("values", [["0", "1", "2"], ["A", "B"], ["Edema", "Edema|Mass", "Mass|Edema|Nodule"]])
def test_questions_about_labels(values: list[str]) -> None:
    said = on_page(question(values, "y"))
    assert "--" not in said and "positive?" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("which column is the label? Say so with --label COL; the table has: a, b", "which column is the label? Give its column the role 'label'."),
        ("Drop it (--drop age) unless it is known.", "Drop it (the role 'not used') unless it is known."),
        ("--merge 'sex=F:f,Female' makes them one.", "Ticking it below the roles makes them one."),
        ("no flag -- here", "no flag -- here"),
    ],
)
def test_in_words(text: str, said: str) -> None:
    assert on_page(text) == said


def _literals(folder: str) -> list[str]:
    """Every text in the code of a room that names a flag, with names in place of what is filled in."""
    found = []
    for path in sorted((Path(core.__file__).parent / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "age" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return [text for text in found if re.search(r"(?<![\w`-])--[a-z]", text) and "multifair" not in text and "\n" not in text.strip()]


# Of the command line alone: a layout that is named, refusal of cohorts, checks in continuous integration; flags of which a page has only the good form.
COMMAND_ONLY = re.compile(
    r"^--(layout|cross|join|merge|bins|site) |without --strict|--fail-on|--editable|^--$|--tolerance age|--target age|need a target|^--[a-z]+$"
)


@pytest.mark.parametrize("folder", ["cohort", "tables", "audit"])
def test_no_text_of_the_core_that_a_page_may_show_names_a_flag(folder: str) -> None:
    audit = folder == "audit"
    named = [text for text in _literals(folder) if not COMMAND_ONLY.search(text) and re.search(r"(?<![\w-])--[a-z]", on_page(text, audit=audit))]
    assert named == []


def test_advice_about_an_audit_names_the_controls_of_its_page() -> None:
    assert on_page("--merge 'sex=F:f' makes them one.", audit=True) == "Ticking it below the columns makes them one."
    assert on_page("choose other edges, for example --bins age=18,40", audit=True) == "choose other edges, for example the bands below the columns"
    assert on_page("--threshold X or --target sensitivity=.9", audit=True) == "'Predicted positive at': a threshold, or a sensitivity"
    assert on_page("patients belong to --patient, samples to --id", audit=True) == "patients belong to 'Patient id', samples to 'Sample id'"
