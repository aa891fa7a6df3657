"""Numbers as people write them are numbers, and what was read otherwise than written is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tables.numbers import NumberColumn, parse_numbers, why_no_numbers

PLAIN = [f"{x:.1f}" for x in np.arange(1, 21, 0.7)]


def parse(*values: str | None) -> NumberColumn | None:
    return parse_numbers(pd.Series(list(values), dtype=object), "crp")


def last(*values: str) -> tuple[list[float], list[bool], str]:
    """The values after `PLAIN`, their flags, and what the findings say."""
    read = parse(*PLAIN, *values)
    assert read is not None
    n = len(PLAIN)
    assert read.values[:n].tolist() == [float(v) for v in PLAIN] and not read.flagged[:n].any()
    return read.values[n:].tolist(), read.flagged[n:].tolist(), " ".join(f.message for f in read.findings)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<5", 5),
        ("< 0.5", 0.5),
        ("≤5", 5),
        ("> 89", 89),
        (">=90", 90),
        ("90+", 90),
        ("89 or older", 89),
        ("1,234.5", 1234.5),
        ("12 mg/l", 12),
        ("12.5 H", 12.5),
        ("3.1*", 3.1),
        ("2.2 (L)", 2.2),
        ("1 250", 1250),
    ],
)
def test_one_text_among_numbers_is_read_flagged_and_said(text: str, value: float):
    values, flagged, said = last(text)
    assert (values, flagged) == ([value], [True])
    assert text in said


@pytest.mark.parametrize(
    "text", [".", "-", "n.d.", "#DIV/0!", "unknown", "<LOD", "below detection limit", "not detected", "haemolysed", "-999", "-99", "9999", "-9"]
)
def test_marks_and_codes_for_no_value_are_missing_and_said(text: str):
    values, flagged, said = last(text, text)
    assert np.isnan(values).all() and all(flagged)
    assert text in said


def test_a_rare_word_is_missing_and_said_but_a_frequent_one_makes_categories():
    values, _, said = last("sample lost")
    assert np.isnan(values).all() and "sample lost" in said
    assert parse(*PLAIN, *["high"] * 5) is None


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["0,5", "1,25", "3"], [0.5, 1.25, 3]),
        (["1.234,5", "1.234", "900"], [1234.5, 1234, 900]),
        (["1,234", "2,500", "900"], [1234, 2500, 900]),
        (["058Y", "006M", "026W"], [58, 0.5, 26 * 7 / 365.25]),
        (["58 years", "6 months"], [58, 0.5]),
        (["12%", "40 %"], [0.12, 0.4]),
        (["70 kg", "81.5 kg"], [70, 81.5]),
        (["True", "False"], [1, 0]),
        (["1e3", "-2"], [1000, -2]),
    ],
)
def test_columns_in_one_notation(texts: list[str], values: list[float]):
    read = parse(*texts)
    assert read is not None
    assert read.values.tolist() == pytest.approx(values)


@pytest.mark.parametrize(
    "texts", [["20-29", "30-49", "50+"], ["1+", "2+", "neg"], ["70 kg", "154 lb"], ["a", "b"], ["1", "x"], ["1", "2", "unknown"], ["1", "inf"], ["A+", "B-"]]
)
def test_categories_stay_categories(texts: list[str]):
    assert parse(*texts) is None


def test_what_is_lost_is_named():
    assert "'12 kg'" in str(why_no_numbers(pd.Series(["12 kg", "30 lb", "14", "15"])))
    assert why_no_numbers(pd.Series(["a", "b"])) is None


def test_codes_are_values_where_others_lie_around_them():
    # Minus nine is a base excess; 99 is an age.
    assert not parse(*[str(v) for v in range(-20, 20)]).flagged.any()  # type: ignore[union-attr]
    assert not parse(*[str(v) for v in range(60, 100)], "99").flagged.any()  # type: ignore[union-attr]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6).filter(lambda v: v not in (-1.0, -9.0)), min_size=1, max_size=40))
def test_plain_numbers_are_themselves(numbers: list[float]):
    read = parse(*[repr(v) for v in numbers])
    assert read is not None
    assert read.values[~read.flagged].tolist() == [v for v, f in zip(numbers, read.flagged, strict=True) if not f]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=12) | st.none(), min_size=1, max_size=30))
def test_no_text_breaks_the_parser(texts: list[str | None]):
    read = parse(*texts)
    assert read is None or (len(read.values) == len(texts) and not np.isinf(read.values).any())


def test_about_a_number_is_that_number_and_said() -> None:
    read = parse_numbers(pd.Series(["4.5", "~4.4", "ca. 5", "3.9", "about 6", "5.1"] * 3), "x")
    assert read is not None and read.values[:6].tolist() == [4.5, 4.4, 5, 3.9, 6, 5.1]
    assert [f.message for f in read.findings] and "about a number" in read.findings[0].message


@pytest.mark.parametrize("word", ["older than 89", "90 plus", "mehr als 89", "mayor de 89", "89 and over", "89 y más"])
def test_limits_in_words(word: str):
    values, flagged, said = last(word)
    assert values[0] in (89, 90) and flagged[0] and "above a limit" in said


@pytest.mark.parametrize("word", ["n.n.", "nicht nachweisbar", "non détecté", "negativ"])
def test_not_detected_in_other_languages(word: str):
    values, _, said = last(word)
    assert np.isnan(values).all() and "not detected" in said


def test_one_mark_of_the_laboratory_costs_no_column_however_often_it_stands():
    read = parse(*PLAIN, *["see comment"] * 8)
    assert read is not None and np.isnan(read.values[-8:]).all() and read.flagged[-8:].all()


def test_nobody_is_older_than_a_hundred_and_twenty():
    ages = [str(20 + i) for i in range(60)]
    read = parse_numbers(pd.Series([*ages, "411", "300", "300"]), "Patient Age")
    assert read is not None and np.isnan(read.values[-3:]).all() and "ages below 0 or above 120" in read.findings[0].message
    for name in ("age (days)", "crp"):
        other = parse_numbers(pd.Series([*ages, "411"]), name)
        assert other is not None and other.values[-1] == 411


def test_thousands_among_points_are_said_as_such():
    read = parse_numbers(pd.Series([*PLAIN, "1,234.5"]), "crp")
    assert read is not None and read.values[-1] == 1234.5 and "thousands" in read.findings[0].message


PLAIN = [f"{v / 10:.1f}" for v in range(300, 360)]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["0,5 mg/L", "3.2 mg/l", "6 MG / L"], [0.5, 3.2, 6.0]),
        (["−3.2", "– 4.1", "- 4"], [-3.2, -4.1, -4.0]),
        (["1.5.2"], [np.nan]),
        (["1.234.567"], [1234567.0]),
        (["-999", "-999", "-99"], [np.nan] * 3),
    ],
)
def test_odd_cells_among_numbers(texts: list[str], values: list[float]) -> None:
    read = parse_numbers(pd.Series([*PLAIN, *texts], dtype=object), "crp")
    assert read is not None and read.findings
    np.testing.assert_array_equal(read.values[len(PLAIN) :], values)


def test_two_units_are_no_numbers() -> None:
    for texts in (["37.2 C", "98.6 F"], ["37.2C", "98.6F"], ["70 kg", "154 lb"]):
        assert parse_numbers(pd.Series([*PLAIN, *texts], dtype=object), "temp") is None


def test_true_and_false_beside_one_and_zero_are_one_answer() -> None:
    read = parse_numbers(pd.Series(["1", "0", "TRUE", "false", "yes"], dtype=object), "smoker")
    assert read is not None and read.values.tolist() == [1, 0, 1, 0, 1]
    assert parse_numbers(pd.Series(["1", "2", "TRUE"], dtype=object), "smoker") is None


def test_no_age_is_negative_and_codes_stand_out_among_numbers_of_both_signs() -> None:
    ages = parse_numbers(pd.Series([*map(str, range(20, 80)), "-3"], dtype=object), "age")
    assert ages is not None and np.isnan(ages.values[-1]) and "ages below 0" in ages.findings[0].message
    lab = parse_numbers(pd.Series([f"{v / 20 - 1.5:.2f}" for v in range(60)] + ["-99", "99", "99", "-9", "9"], dtype=object), "z")
    assert lab is not None and np.isnan(lab.values[-5:]).tolist() == [True, True, True, False, False]
