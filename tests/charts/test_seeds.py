"""Several seeds of a method as one: mean and range, and the gap between groups in single seeds."""

from __future__ import annotations

import pandas as pd
import pytest

from core.charts import groups
from core.charts.consequences import equity
from core.charts.group_names import group_label, group_order, labelled
from core.charts.seeds import OF_SEEDS, gaps, nulls_over_seeds, over_seeds
from core.charts.theme import LIGHT

AUCS = {"a1": (0.80, 0.713), "a2": (0.78, 0.742), "a3": (0.75, 0.749)}
METHOD_OF = {"a1": "a1", "a2": "a1", "a3": "a1"}


def _frame() -> pd.DataFrame:
    rows = [
        {"run_id": run, "group": group, "value": value, "low": value - 0.1, "high": value + 0.1, "n_pos": 20, "n_neg": 30, "reason": None}
        for run, (female, male) in AUCS.items()
        for group, value in ((None, (female + male) / 2), ("female", female), ("male", male))
    ]
    return pd.DataFrame(
        [*rows, {"run_id": "a1", "group": "other", "value": None, "low": None, "high": None, "n_pos": 2, "n_neg": 3, "reason": "2 positives, 5 are needed"}]
    )


def test_mean_and_range_over_seeds() -> None:
    found = over_seeds(_frame(), METHOD_OF).set_index("group")
    assert found.loc["female", "value"] == pytest.approx((0.80 + 0.78 + 0.75) / 3)
    assert (found.loc["female", "low"], found.loc["female", "high"]) == (0.75, 0.80)
    assert pd.isna(found.loc["other", "value"]) and found.loc["other", "reason"] == "2 positives, 5 are needed"
    assert (found["run_id"] == "a1").all() and len(found) == 4


def test_gaps_of_single_seeds() -> None:
    """.087, .038 and .001, as they are between the sexes under plain training on the sample."""
    row = gaps(_frame(), METHOD_OF).iloc[0]
    assert (row["low"], row["high"], row["seeds"]) == (pytest.approx(0.001), pytest.approx(0.087), 3)


def test_the_forest_of_a_method_shows_its_seeds_and_says_how_far_they_are_apart() -> None:
    figure = groups.forest(_frame(), {"a1": "ERM · 3 seeds"}, ("female", "male", "other"), "sex", METHOD_OF)
    assert figure.title.startswith("Male has the lowest AUC under ERM · 3 seeds: .735 against .777 for female")
    assert "In single seeds the gap is .001 to .087 under ERM · 3 seeds" in figure.title
    assert "means over seeds" in figure.note and "interval" not in figure.note
    spec = str(figure.chart(LIGHT).to_dict())
    assert all(str(value) in spec for pair in AUCS.values() for value in pair), "every seed is a dot"


def _nulls() -> pd.DataFrame:
    rows = [
        {"run_id": run, "left": left, "right": left + 0.005, "share": share, "observed": observed, "p": 0.3, "q95": q95, "draws": 100}
        for run, observed, q95, shares in (("a1", 0.087, 0.10, (0.5, 0.5)), ("a2", 0.038, 0.12, (0.2, 0.3, 0.5)), ("a3", 0.001, 0.11, (1.0,)))
        for left, share in zip((0.0, 0.005, 0.010), shares, strict=False)
    ]
    return pd.DataFrame(rows)


def test_gaps_by_chance_of_a_method_are_those_of_all_its_seeds() -> None:
    """The chart showed seed 1, .087, beside a mean over seeds of .042."""
    found = nulls_over_seeds(_nulls(), METHOD_OF)
    assert found["share"].to_list() == pytest.approx([(0.5 + 0.2 + 1.0) / 3, (0.5 + 0.3) / 3, 0.5 / 3])
    assert found["share"].sum() == pytest.approx(1)
    first = found.iloc[0]
    assert (first["observed"], first["observed_low"], first["observed_high"]) == (pytest.approx(0.042), 0.001, 0.087)
    assert (first["q95"], first["seeds"], first["draws"]) == (pytest.approx(0.11), 3, 300)
    figure = groups.gap_null(_nulls(), {"a1": "ERM · 3 seeds"}, "sex", METHOD_OF)
    assert "mean over seeds: .042 (.001 to .087) under ERM · 3 seeds (chance alone reaches .110)" in figure.title
    assert "p (this run alone)" not in figure.table.values(), "no seed's own p is the method's"
    spec = str(figure.chart(LIGHT).to_dict())
    assert all(str(gap) in spec for gap in (0.087, 0.038, 0.001)), "every seed is a dot"
    assert nulls_over_seeds(_nulls(), {}).empty


def test_es_auc_of_a_method_is_the_mean_of_its_seeds() -> None:
    rows = [
        {"run_id": run, "metric": metric, "value": value + more, "low": value - 0.1, "high": value + 0.1, "excluded": "", "reason": None}
        for run, value in (("a1", 0.7), ("a2", 0.8), ("a3", 0.75))
        for metric, more in (("auc", 0.05), ("es_auc", 0.0), ("worst_group_auc", 0.02), ("max_gap", -0.6))
    ]
    figure = equity(pd.DataFrame(rows), {"a1": "ERM"}, "sex", METHOD_OF)
    row = figure.data.set_index("what").loc["ES-AUC"]
    assert (row["value"], row["low"], row["high"]) == (pytest.approx(0.75), 0.7, 0.8)
    assert ".750 [.700, .800], mean over seeds and the range of its seeds" in figure.title
    assert OF_SEEDS in figure.note and "interval" not in figure.note


def test_bands_are_in_the_order_of_their_edges() -> None:
    """By the alphabet `<40` came last."""
    assert group_order(["75+", "40-59", "<40", "60-74"]) == ("<40", "40-59", "60-74", "75+")
    assert group_order(["under 18", "65 and over", "18 to 64"]) == ("under 18", "18 to 64", "65 and over")
    assert group_order(["10", "9", "2"]) == ("2", "9", "10")
    assert group_order(["male", "female", "2"]) == ("2", "female", "male")
    assert group_order([]) == ()


def test_a_bare_number_carries_its_attribute() -> None:
    assert group_label("skin_type", "2") == "skin type 2"
    assert group_label("age_band", "<40") == "<40" and group_label("sex", "female") == "female"
    named = labelled(pd.DataFrame({"group": ["2", None], "value": [0.5, 0.6]}), "skin_type")
    assert named["group"].iloc[0] == "skin type 2" and pd.isna(named["group"].iloc[1])
