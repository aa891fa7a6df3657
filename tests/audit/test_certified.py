"""The tool prints the numbers that the shipped study was run on.

Not an independent answer (those are in the other files): it fails when a number or a sentence moves that nobody meant to move, and says
that the study has to be run again when it was meant.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.audit.certified import CASES, KEPT, numbers

SIMULATED = ("p_adjusted", "simultaneous", "p_null", "null")
"""Shares of simulated draws: where a draw lies on the edge, rounding may put it on either side."""


@pytest.fixture(scope="module")
def kept() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_those_that_were_studied(name: str, kept: dict[str, dict[str, Any]]) -> None:
    now = numbers(name)
    assert now.keys() == kept[name].keys()
    moved = [
        (path, before, now[path])
        for path, before in kept[name].items()
        if now[path] != (pytest.approx(before, rel=1e-5, abs=2e-3 if any(word in path for word in SIMULATED) else 1e-6) if _number(before) else before)
    ]
    assert not moved, f"run `multifair study audit --check` on this code, ship its table, then `python -m tests.audit.certified`: {moved[:5]}"


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def test_every_case_is_kept(kept: dict[str, dict[str, Any]]) -> None:
    assert kept.keys() == CASES.keys()
