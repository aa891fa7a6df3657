"""Several seeds of a method as one: mean and range, and the gap between groups in single seeds."""

from __future__ import annotations

import pandas as pd
import pytest

from core.charts import groups
from core.charts.group_names import group_label, group_order, labelled
from core.charts.seeds import gaps, over_seeds
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
