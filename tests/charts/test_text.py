"""Numbers are written one way everywhere."""

from __future__ import annotations

import pytest

from core.charts import text


@pytest.mark.parametrize(
    ("value", "signed", "expected"),
    [
        (0.842, False, ".842"),
        (-0.031, False, "−.031"),
        (1.0, False, "1.000"),
        (0.05, True, "+.050"),
        (-0.0001, False, ".000"),
        (None, False, "not estimable"),
        (float("nan"), False, "not estimable"),
    ],
)
def test_decimal(value: float | None, signed: bool, expected: str) -> None:
    assert text.decimal(value, 3, signed) == expected


def test_interval_and_its_absence() -> None:
    assert text.interval(0.842, 0.81, 0.871) == ".842 [.810, .871]"
    assert text.interval(0.842, None, None) == ".842"
    assert text.interval(None, 0.1, 0.2) == text.NOT_ESTIMABLE
    assert text.interval(float("nan"), 0.1, 0.2) == text.NOT_ESTIMABLE


def test_counts_have_thin_spaces() -> None:
    assert text.count(1234567) == "1\u2009234\u2009567"
    assert text.positives(41, 1312) == "41\u2009+ / 1\u2009312\u2009−"


def test_p_values_never_reach_zero() -> None:
    assert text.p_value(1e-9) == "p < .001"
    assert text.p_value(0.032) == "p = .032"
    assert text.p_value(None) == "p not estimable"


def test_listing_stops_before_it_is_long() -> None:
    assert text.listing(["a"]) == "a"
    assert text.listing(["a", "b", "c"]) == "a, b and c"
    assert text.listing(list("abcdef"), 4) == "a, b, c and 3 more"


def test_same_verb_joins_by_subject() -> None:
    assert text.same_verb([("image", "85%", "ERM"), ("image", "50%", "MultiFair")], "carries") == "Image carries 85% under ERM and 50% under MultiFair"
