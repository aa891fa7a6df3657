"""Pages speak of their own controls, never of flags."""

from __future__ import annotations

import pytest

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
