"""The contest's arithmetic: who is compared, over what, and what may be said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp
from statsmodels.stats.multitest import multipletests

from core.errors import UserError
from core.methods import get, names, ours, reference
from core.study import contest
from core.study.contest import Contest, conditions, pairs
from core.study.contest_bound import LIMIT, ORACLE, bounds, late_fusion
from core.study.contest_table import across, markdown, one_family
from core.study.programme import planned
from core.study.runner import Entry, Outcome, Runner, entries
from core.study.search import Tuned, tuning_noise


def compared(values: dict[str, list[float]]) -> pd.DataFrame:
    lines = []
    for label, found in values.items():
        for draw, value in enumerate(found):
            for metric in ("es_auc", "auc"):
                lines.append(
                    {
                        "scenario": "s",
                        "draw": draw,
                        "protocol": "a",
                        "optimizer": "adamw",
                        "label": label,
                        "reference": "erm",
                        "metric": metric,
                        "difference": value,
                        "low": value - 0.01,
                        "high": value + 0.01,
                        "p": 0.5,
                        "seeds": 1,
                    }
                )
    return pd.DataFrame(lines)


def test_intervals_between_draws_and_one_family_for_all() -> None:
    values = {"x": [0.02, 0.03, 0.05], "y": [0.001, -0.002, 0.0005], "z": [0.04, 0.041, 0.039]}
    table = across(compared(values))
    own = table[table["metric"] == "es_auc"].set_index("label")
    raw = []
    for label, found in values.items():
        test = ttest_1samp(found, 0.0)
        interval = test.confidence_interval(0.95)
        assert own.loc[label, "low"] == pytest.approx(interval.low) and own.loc[label, "high"] == pytest.approx(interval.high)
        assert own.loc[label, "draws_without_0"] == sum(abs(v) > 0.01 for v in found)
        raw.append(test.pvalue)
    adjusted = multipletests(raw, method="holm")[1]
    np.testing.assert_allclose([own.loc[label, "p_family"] for label in values], adjusted)
    assert table[table["metric"] == "auc"]["p_family"].isna().all()


def test_one_draw_has_no_interval_between_draws() -> None:
    (line,) = [row for row in across(compared({"x": [0.02]})).to_dict("records") if row["metric"] == "es_auc"]
    assert line["low"] is None or np.isnan(line["low"])
    assert np.isnan(line["p_family"])


def test_every_row_meets_the_reference_and_ours_meets_every_row() -> None:
    base, own = reference(), ours()
    assert pairs([base, own, "x"]) == [(own, base), ("x", base), (own, "x")]
    assert pairs(["x", "y"]) == []


def test_rows_that_fit_nothing_are_the_same_under_both_protocols() -> None:
    for name in names():
        entry = contest._under(Entry(name, name, {}), "b")
        assert entry.fixed == ({"fit_on": "training"} if get(name).fits_held_out or get(name).fits_decision else {})
        assert contest._under(Entry(name, name, {}), "a").fixed == {}


def test_a_methods_file_names_its_further_rows() -> None:
    cohort: Any = SimpleNamespace(modality_names=("a", "b"))
    labels = [entry.label for entry in entries(cohort, ("unimodal", "stacking"), several=True)]
    assert labels == ["unimodal: a", "unimodal: b", "stacking", "stacking: group-balanced", "stacking: per inferred group"]
    assert [entry.label for entry in entries(cohort, ("stacking",))] == ["stacking"]


class PlantedCohort:
    """The first modality serves group 0 alone, the second both."""

    modality_names = ("a", "b")
    sampling_weights = None

    def __init__(self, n: int = 4000) -> None:
        rng = np.random.default_rng(0)
        self.y = rng.integers(0, 2, n).astype(np.int8)
        self._group = (rng.random(n) < 0.2).astype(np.int64)
        sign = 2.0 * self.y - 1
        logits = np.stack([np.where(self._group == 0, 1.5 * sign, 0) + rng.normal(size=n), sign + rng.normal(size=n)]) * 2
        self.scores = 1 / (1 + np.exp(-logits))

    def rows(self, split: str) -> np.ndarray:
        return np.arange(len(self.y))

    def groups(self, attribute: str) -> tuple[str, ...]:
        return ("f", "m")

    def group_index(self, attribute: str) -> np.ndarray:
        return self._group


def test_the_bounds_are_not_beaten_by_any_fixed_mixture(tmp_path) -> None:
    cohort: Any = PlantedCohort(1500)
    runner = Runner(cohort, "sex", {}, tmp_path)
    outcome = Outcome(Entry("stacking", "stacking", {}), 3, {}, cohort.scores[1], 0.0, 0, cohort.scores)
    ((seed, scores),) = late_fusion({"stacking": [outcome]})
    assert seed == 3 and scores is cohort.scores
    found = bounds(runner, scores)
    odds = np.log(cohort.scores) - np.log1p(-cohort.scores)
    for weight in np.linspace(0, 1, 11):
        mixed = Outcome(outcome.entry, 3, {}, weight * odds[0] + (1 - weight) * odds[1], 0.0, 0)
        assert runner.metrics(mixed, "test")["es_auc"] < found[ORACLE]["es_auc"] + 0.004
        assert runner.metrics(mixed, "test")["es_auc"] <= found[LIMIT]["es_auc"]
    assert found[ORACLE]["es_auc"] <= found[LIMIT]["es_auc"] and found[ORACLE]["auc"] >= found[LIMIT]["auc"] - 0.002


def test_rows_of_one_modality_each_give_the_bounds_where_no_row_mixes() -> None:
    alone = {f"unimodal: {m}": [Outcome(Entry("unimodal", f"unimodal: {m}", {}), 1, {}, np.full(3, 0.1 * k), 0.0, 0)] for k, m in enumerate("ab")}
    ((seed, scores),) = late_fusion(alone)
    assert seed == 1 and scores.tolist() == [[0.0] * 3, [0.1] * 3]
    assert list(late_fusion({"erm": [Outcome(Entry("erm", "erm", {}), 1, {}, np.zeros(3), 0.0, 0)]})) == []


def test_one_family_over_several_contests() -> None:
    first, second = across(compared({"x": [0.02, 0.03, 0.05], "y": [0.01, -0.02, 0.0]})), across(compared({"z": [0.04, 0.041, 0.039], "one draw": [0.2]}))
    adjusted = one_family([first, second])
    raw = np.concatenate([table.loc[table["metric"] == "es_auc", "p"].to_numpy() for table in (first, second)])
    known = ~np.isnan(raw)
    expected = np.full(len(raw), np.nan)
    expected[known] = multipletests(raw[known], method="holm")[1]
    np.testing.assert_allclose(np.concatenate([table.loc[table["metric"] == "es_auc", "p_family"].to_numpy() for table in adjusted]), expected)
    assert known.sum() == 3


def test_the_tunings_noise_is_that_of_resampled_validation_patients(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort: Any = PlantedCohort(800)
    cohort.table = pd.DataFrame({"patient_id": np.arange(800)})
    runner = Runner(cohort, "sex", {}, tmp_path)
    entry, choices = Entry("erm", "erm", {}), [{"lr": 1.0}, {"lr": 2.0}, {"lr": 3.0}]
    noisy = cohort.scores[1] + 1e-6 * np.random.default_rng(0).normal(size=800)
    scores = {1.0: cohort.scores[1], 2.0: cohort.scores[0], 3.0: noisy}
    monkeypatch.setattr(runner, "outcome", lambda entry, seed, chosen: Outcome(entry, seed, chosen, scores[chosen["lr"]], 0.0, 0))
    # One candidate is far ahead: other patients would have chosen it as well.
    assert tuning_noise(runner, Tuned(entry, choices[0], 0.9, ((choices[0], 0.9), (choices[1], 0.5))), 1) == pytest.approx(0, abs=1e-12)
    assert tuning_noise(runner, Tuned(entry, choices[0], 0.9, ((choices[0], 0.9),)), 1) is None
    near = tuning_noise(runner, Tuned(entry, choices[0], 0.9, ((choices[0], 0.9), (choices[2], 0.9))), 1)
    both = [runner.metrics(Outcome(entry, 1, {}, scores[k], 0.0, 0), "test")["es_auc"] for k in (1.0, 3.0)]
    assert near is not None and 0 <= near <= abs(both[0] - both[1]) / 2 + 1e-12


def test_the_shipped_contests_can_be_held() -> None:
    contests = [one.contest for one in planned()]
    assert contests[0].name == "" and len({one.stem for one in contests}) == len(contests)
    assert all(one.title and one.purpose for one in planned())
    blind = next(one for one in contests if one.challenger)
    assert pairs(["erm", blind.challenger, "x"], blind.challenger) == [(blind.challenger, "erm"), ("x", "erm"), (blind.challenger, "x")]


def test_table_for_people_names_no_winner_beyond_its_p() -> None:
    runs = pd.DataFrame(
        [
            {
                "scenario": "s",
                "draw": d,
                "protocol": "a",
                "optimizer": "adamw",
                "label": label,
                "method": label,
                "seed": 1,
                "auc": v,
                "es_auc": v,
                "worst_group_auc": v,
                "max_gap": 0.1,
            }
            for d in (1, 2, 3)
            for label, v in (("erm", 0.8), ("x", 0.83))
        ]
    )
    text = markdown(runs.assign(tuning_sd=[None, 0.0123] * 3), across(compared({"x": [0.02, 0.03, 0.05]})), conditions(runs, Contest(budget=3, tuned="rates")))
    assert "| x | 0.830 | 0.830 | 0.830 | 0.100 | +0.033 [" in text and "| erm |" in text
    assert text.index("| x |") < text.index("| erm |")
    assert "only where the adjusted p is below .05" in text
    assert "learning rates alone" in text and "| 0.012 |" in text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"methods": ("nope",)}, "known: "),
        ({"protocols": ("c",)}, "a and b"),
        ({"optimizers": ("adam",)}, "adamw and sgd"),
        ({"draws": ()}, "a draw"),
        ({"tuned": "some"}, "all or rates"),
        ({"challenger": "nope"}, "known: "),
        ({"name": "A b"}, "small letters"),
    ],
)
def test_bad_contests_name_what_there_is(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Contest(**wrong)
