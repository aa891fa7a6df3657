"""The plan for a saved cohort."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from core.errors import UserError
from core.study.real import cohort_plan


def _cohort(n: int) -> SimpleNamespace:
    return SimpleNamespace(
        name="small",
        roles=SimpleNamespace(attributes=("sex",)),
        rows=lambda split: np.arange(n),
        groups=lambda attribute: ("female", "male"),
        group_index=lambda attribute: np.arange(n) % 2,
        y=(np.arange(n) // 2 % 2).astype(np.int8),
    )


def test_small_test_split_is_said_in_the_table() -> None:
    plan = cohort_plan(_cohort(100), None, "quick", ("erm",), (1,), 2)  # type: ignore[arg-type]
    assert plan.attribute == "sex"
    assert any("intervals over patients are wide" in text for text in plan.conditions)
    assert any("female 50 (25 positive)" in text for text in plan.conditions)
    large = cohort_plan(_cohort(1000), "sex", "quick", ("erm",), (1,), 2)  # type: ignore[arg-type]
    assert not any("wide" in text for text in large.conditions)


def test_unknown_attribute_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="it has: sex"):
        cohort_plan(_cohort(10), "race", "quick", ("erm",), (1,), 1)  # type: ignore[arg-type]
