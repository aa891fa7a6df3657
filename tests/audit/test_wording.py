"""How sentences and numbers are written; `tests/charts/test_text.py` holds the rest."""

from __future__ import annotations

import pytest

from core.audit.wording import whole_sentence


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("collect more patients", "Collect more patients."), ("skin_type: 3 rows", "skin_type: 3 rows."), ("sex: 3 rows!", "sex: 3 rows!"),
        ("sex = f has 3 rows", "sex = f has 3 rows."), ("is it?", "Is it?"), ("and so on…", "And so on…"), ("done.", "Done."), ("a x b = c", "A x b = c."),
    ],
)  # fmt: skip
def test_whole_sentences(words: str, written: str) -> None:
    assert whole_sentence(words) == written
