"""What the values of a label mean: known pairs, else asked; never the alphabet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.errors import UserError
from core.tables.labels import (
    PAIRS,
    LabelRule,
    apply_rule,
    grades,
    joined_findings,
    known_positive,
    label_findings,
    positive_choices,
    question,
    rule_for,
)


def meaning(values: list[str | None], **said: str) -> list[float | None]:
    """Per value 1, 0 or None (set aside) under the rule that is said."""
    series = pd.Series(values, dtype=object)
    y = apply_rule(series, rule_for(series.unique(), "y", "t.csv", **said))
    return [None if np.isnan(v) else v for v in y]


@pytest.mark.parametrize(("low", "high"), PAIRS)
def test_known_pairs_need_no_word(low: str, high: str):
    assert known_positive([high, low]) == high
    assert meaning([low.upper(), high.title()]) == [0, 1]


@pytest.mark.parametrize(
    "values",
    [
        ["mild", "severe"],
        ["A", "B"],
        ["0", "1", "2"],
        ["1", "2"],
        ["0", "1", "2", "3", "4"],
        ["glaucoma", "amd"],
        ["NEV", "BCC"],
        ["Effusion", "Effusion|Edema", "Edema|Nodule"],
    ],
)
def test_all_else_is_asked(values: list[str]):
    assert known_positive(values) is None
    with pytest.raises(UserError, match=r"t\.csv: column 'y' holds .*which value is positive"):
        rule_for(values, "y", "t.csv")


def test_a_third_word_is_negative_and_said():
    values = ["benign", "malignant", "non-neoplastic"]
    assert meaning(values) == [0, 1, 0]
    (finding,) = label_findings(values, rule_for(values, "y", "t.csv"), "y")
    assert finding.code == "label-not-binary" and "'non-neoplastic'" in finding.message


@pytest.mark.parametrize(("uncertain", "minus_one"), [("exclude", None), ("negative", 0), ("positive", 1)])
@pytest.mark.parametrize(("blank", "empty"), [("exclude", None), ("negative", 0)])
def test_uncertain_and_blank(uncertain: str, minus_one: float | None, blank: str, empty: float | None):
    assert meaning(["1.0", "0.0", "-1.0", None], uncertain=uncertain, blank=blank) == [1, 0, minus_one, empty]


def test_minus_one_is_a_class_where_there_is_no_zero():
    assert meaning(["-1", "1"]) == [0, 1]


def test_grades():
    values = ["0", "1", "2", "3", "4"]
    assert grades(values) == [0, 1, 2, 3, 4] and grades(["0", "1", "5"]) is None
    assert meaning(values, positive=">=2") == [0, 0, 1, 1, 1]
    assert meaning(values, positive="> 2") == [0, 0, 0, 1, 1]
    assert meaning(values, positive="3|4") == [0, 0, 0, 1, 1]
    assert ">=2" in positive_choices(values)
    with pytest.raises(UserError, match="holds no number from 5 on"):
        rule_for(values, "y", "t.csv", ">=5")


def test_lists_of_findings():
    values = ["No Finding", "Effusion", "Edema|Effusion", "Edema|Pleural Effusion", "Nodule|Edema"]
    assert joined_findings(values)[0] == "Edema"
    # A finding is the whole word between the bars: "Pleural Effusion" is another one.
    assert meaning(values, positive="Effusion") == [0, 1, 1, 0, 0]
    assert meaning(values, positive="contains Edema") == [0, 0, 1, 1, 1]
    with pytest.raises(UserError, match="no cell of column 'y' contains 'Mass'"):
        rule_for(values, "y", "t.csv", "contains Mass")
    assert joined_findings(["a/b", "c"]) == []


def test_a_value_that_never_occurs_is_refused():
    with pytest.raises(UserError, match="never holds 'none'; it holds 2 values"):
        rule_for(["a", "b"], "y", "t.csv", "none")


def test_rules_survive_as_text():
    values = ["0", "1", "2"]
    for rule in (LabelRule(("2",)), LabelRule(("1", "2")), LabelRule(at_least=1.0)):
        assert rule_for(values, "y", "t", str(rule)) == rule
    with pytest.raises(UserError, match="must be one of"):
        LabelRule(("1",), uncertain="perhaps")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["Effusion", "Effusion|Edema", "Edema", "Mass, Effusion", "No Finding"], ["Edema", "Effusion"]),
        (["Normal", "Edema;Mass", "Mass"], ["Mass"]),
        (["A/B", "B/C", "C"], ["B", "C"]),
        (["Pleural/Scar|Edema", "Edema", "Pleural/Scar"], ["Edema"]),
        (["3+3", "3+4", "4+3", "4+4"], []),
        (["2/3", "1/3", "0/3"], []),
        (["Smith, John", "Doe, Jane"], []),
        (["mild", "moderate/severe"], []),
    ],
)
def test_lists_of_findings_are_told_from_names_and_grades(values: list[str], found: list[str]) -> None:
    assert sorted(joined_findings(values)) == found


def test_a_single_list_among_single_findings_counts_with_what_it_holds() -> None:
    values = ["Effusion", "Effusion|Edema", "Edema", "Mass, Effusion", "No Finding"]
    assert meaning(values, positive="Effusion") == [1, 1, 0, 1, 0]


def test_a_sign_within_a_finding_divides_nothing() -> None:
    assert meaning(["Pleural/Scar|Edema", "Edema", "Pleural/Scar"], positive="contains Pleural/Scar") == [1, 0, 1]
    assert meaning(["Edema/Mass", "Mass", "Edema/Scar"], positive="contains Edema") == [1, 0, 1]


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["DR", "No DR"], "DR"),
        (["without AMD", "with AMD"], "with AMD"),
        (["HER2-positive", "HER2-negative"], "HER2-positive"),
        (["tumor absent", "tumor present"], "tumor present"),
        (["non-responder", "responder"], None),
        (["no", "x"], None),
    ],
)
def test_a_word_and_its_denial_need_no_question(values: list[str], positive: str | None) -> None:
    assert known_positive(values) == positive


def test_words_for_not_known_are_not_called_negative() -> None:
    values = ["positive", "negative", "unknown", "pending"]
    assert meaning(values) == [1, 0, None, None]
    [finding] = [f for f in label_findings(values, rule_for(values, "y", "t.csv"), "y") if f.code == "label-not-binary"]
    assert "'negative' as negative" in finding.message and "'unknown', 'pending' say that the label is not known: the rows are set aside" in finding.message


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["COVID-19", "Normal"], "COVID-19"),
        (["gesund", "Pneumonie"], "Pneumonie"),
        (["MCI", "control"], "MCI"),
        (["患病", "健康"], "患病"),
        (["healthy", "suspect", "glaucoma"], "glaucoma"),
        (["AD", "CN"], None),
        (["Normal", "unknown"], None),
        (["normal", "3"], None),
    ],
)
def test_beside_a_word_for_health_the_other_one_is_positive(values: list[str], positive: str | None) -> None:
    assert known_positive(values) == positive


def test_a_suspect_is_uncertain_and_a_grade_from_one_is_asked_from_two_on() -> None:
    rule = rule_for(["healthy", "suspect", "glaucoma"], "y", "t")
    assert np.isnan(apply_rule(pd.Series(["suspect", "healthy", "glaucoma"]), rule)[0])
    assert ">=2" in question(["1", "2", "3"], "y")


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (("nem", "igen"), "igen"), (("ne", "ano"), "ano"), (("nej", "ja"), "ja"), (("なし", "あり"), "あり"), (("음성", "양성"), "양성"),
        (("NonGlaucoma", "Glaucoma"), "Glaucoma"), (("non-COVID-19", "COVID-19"), "COVID-19"), (("not detected", "detected"), "detected"),
        (("未患病", "患病"), "患病"), (("egészséges", "beteg"), "beteg"), (("normal", "not normal"), "not normal"), (("frisk", "sjuk"), "sjuk"),
        (("response", "no response"), None), (("non-responder", "responder"), None), (("stable", "unstable"), None), (("uncontrolled", "controlled"), None),
        (("High", "Low"), None), (("AD", "CN"), None), (("양성", "악성"), None),
    ],
)  # fmt: skip
def test_pairs_in_other_languages_are_known_or_asked_and_never_by_the_alphabet(values: tuple[str, ...], positive: str | None) -> None:
    assert known_positive(values) == positive == known_positive(values[::-1])


@pytest.mark.parametrize(
    "cell", ["Effusion&Edema", "Effusion、Edema", "Effusion，Edema", "Effusion；Edema", "Effusion\\Edema", "Effusion#Edema", "Effusion+Edema"]
)
def test_findings_joined_by_other_signs_are_lists(cell: str) -> None:
    values = [cell, "Effusion", "Edema", "No Finding", cell.replace("Edema", "Mass"), "Mass"]
    rule = rule_for(values, "findings", "the table", "Edema")
    assert rule.contains == "Edema" and apply_rule(values, rule).tolist() == [1, 0, 1, 0, 0, 0]
    with pytest.raises(UserError, match="list several findings"):
        rule_for(values, "findings", "the table")


@pytest.mark.parametrize("code", ["9", "-9", "99", "-999", "9.0"])
def test_codes_beside_zero_and_one_say_that_the_label_is_not_known(code: str) -> None:
    assert meaning(["0", "1", code, "1"]) == [0, 1, None, 1] == meaning(["0", "1", code, "1"], positive="1")
    assert meaning(["0", "1", code], blank="negative") == [0, 1, 0]
    rule = rule_for(["0", "1", code], "y", "the table")
    assert any(f.code == "label-not-binary" and "not known" in f.message for f in label_findings(["0", "1", code], rule, "y"))
    with pytest.raises(UserError, match="which value is positive"):
        rule_for(["0", "1", "2", code], "y", "the table")


def test_one_cell_that_joins_two_known_findings_is_a_list() -> None:
    values = ["No Finding", "Edema&Mass", "Mass", "Edema"]
    assert apply_rule(values, rule_for(values, "finding", "the table", "Edema")).tolist() == [0, 1, 0, 1]
    assert joined_findings(["3+3", "3+4", "4+3", "3", "4"]) == [] == joined_findings(["A&E", "ward"])
