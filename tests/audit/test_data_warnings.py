"""Each guard fires where it must and stays silent where it must."""

from __future__ import annotations

import numpy as np
import pytest

from core.audit import AuditOptions, Predictions, Target, audit
from core.audit.estimates.summaries import TOO_FEW
from core.audit.output.text import render
from core.errors import UserError
from tests.audit.cohorts import simulated

PLAIN = AuditOptions(bootstrap=0)
SOUND = {"a": 400, "b": 400}
CERTAIN = {"a": 2000, "b": 2000}


def codes(predictions: Predictions, options: AuditOptions = PLAIN) -> set[str]:
    return {finding.code for finding in audit(predictions, options).findings}


def test_sound_predictions_raise_nothing() -> None:
    assert codes(simulated(CERTAIN)) == set()


def test_scores_that_are_labels() -> None:
    y = np.tile([0, 1], 50)
    group = np.repeat(["a", "b"], 50)
    assert "score_is_label" in codes(Predictions.build(y, y.astype(float), {"g": group}))
    assert "score_is_label" in codes(Predictions.build(y, 1.0 - y, {"g": group}))
    flipped = y.astype(float)
    flipped[0] = 1
    assert "score_is_label" not in codes(Predictions.build(y, flipped, {"g": group}))


def test_perfect_and_inverted_scores() -> None:
    y = np.tile([0, 1], 50)
    score = (y + np.linspace(0, 0.5, 100)) / 2
    group = np.repeat(["a", "b"], 50)
    assert "perfect_auc" in codes(Predictions.build(y, score, {"g": group}))
    assert "inverted_score" in codes(Predictions.build(y, 1 - score, {"g": group}))
    few = slice(0, 20)
    assert "perfect_auc" not in codes(Predictions.build(y[few], score[few], {"g": group[few]})), "ten of a class prove nothing"


def test_one_class() -> None:
    assert "one_class" in codes(Predictions.build(np.zeros(20), np.linspace(0, 1, 20), {"g": ["a", "b"] * 10}))


def test_small_groups_and_wide_intervals() -> None:
    found = codes(simulated({"a": 400, "b": 60, "c": 8}))
    assert {"wide_interval", "not_estimable"} <= found
    [wide] = [f for f in audit(simulated({"a": 400, "b": 60}), AuditOptions(bootstrap=0)).findings if f.code == "wide_interval"]
    assert wide.message.startswith("model: by group, the interval of the AUC is wider than the tolerance of .050 in all 2 judged groups (widest: b, .")
    assert wide.rows == 460
    assert "wide_interval" not in codes(simulated({"a": 400, "b": 60}), AuditOptions(bootstrap=0, tolerance=0.3))


def test_one_group() -> None:
    assert "one_group" in codes(simulated({"a": 200}))


def test_in_sample_target_is_said() -> None:
    options = AuditOptions(bootstrap=0, target=Target("sensitivity", 0.9))
    assert "in_sample_threshold" in codes(simulated(SOUND), options)
    split = np.tile(["validation", "test"], 400)
    result = audit(simulated(SOUND, split=split), options)
    assert "in_sample_threshold" not in {f.code for f in result.findings}
    assert (result.n, result.models[0].point.source) == (400, "validation")


def test_target_is_met_on_validation_and_not_fitted_on_test() -> None:
    predictions = simulated({"a": 2000, "b": 2000}, split=np.tile(["validation", "test"], 2000))
    result = audit(predictions, AuditOptions(bootstrap=0, target=Target("sensitivity", 0.9)))
    threshold = result.models[0].point.threshold
    validation = predictions.take(predictions.split == "validation")
    chosen = validation.scores["model"] >= threshold
    assert chosen[validation.y == 1].mean() == pytest.approx(0.9, abs=0.002)
    test = float(result.models[0].tables["tpr"].value[0])
    assert test != pytest.approx(0.9, abs=1e-6) and test == pytest.approx(0.9, abs=0.05)


def test_thresholds_per_group() -> None:
    predictions = simulated({"a": 2000, "b": 2000}, {"a": 0.9, "b": 0.7}, split=np.tile(["validation", "test"], 2000))
    target = Target("sensitivity", 0.8)
    one, own = (audit(predictions, AuditOptions(bootstrap=0, target=target, per_group_threshold=g)).models[0].attributes[0] for g in (False, True))
    assert own.point.by_group is not None and own.point.by_group["a"] != own.point.by_group["b"]
    assert np.ptp(own.tables["tpr"].value) < np.ptp(one.tables["tpr"].value)


def test_scores_that_are_no_probabilities() -> None:
    """Deciles rank well, have no meaning at .5, and no calibration."""
    y = np.tile([0, 1, 1, 0], 50)
    score = np.tile([2.0, 9.0, 5.0, 4.0], 50)
    predictions = Predictions.build(y, score, {"g": np.repeat(["a", "b"], 100)})
    overall = audit(predictions, PLAIN).to_dict()["overall"]
    assert overall["auc"] == 1.0 and overall["tpr"] is None and overall["ece"] is None
    assert "threshold" in overall["reasons"]["tpr"] and "probabilities" in overall["reasons"]["ece"]
    stated = audit(predictions, AuditOptions(bootstrap=0, threshold=5)).to_dict()["overall"]
    assert (stated["tpr"], stated["fpr"], stated["ece"]) == (1.0, 0.0, None)


def test_given_labels_are_used_for_rates() -> None:
    y, score = np.tile([0, 1], 50), np.tile([0.1, 0.2], 50)
    predictions = Predictions.build(y, score, {"g": np.repeat(["a", "b"], 50)}, prediction=y)
    overall = audit(predictions, PLAIN).to_dict()["overall"]
    assert (overall["tpr"], overall["fpr"], overall["net_benefit"]) == (1.0, 0.0, None)


def test_missing_values_form_a_group_or_are_left_out() -> None:
    y = np.tile([0, 1], 60)
    score = np.random.default_rng(0).random(120)
    predictions = Predictions.build(y, score, {"g": (["a"] * 40 + ["b"] * 40 + [None] * 40)})
    kept = audit(predictions, AuditOptions(bootstrap=0, missing="group")).to_dict()["attributes"]["g"]
    left = audit(predictions, PLAIN).to_dict()["attributes"]["g"]
    assert (set(kept["groups"]), kept["missing"]) == ({"a", "b", "missing"}, 40)
    assert (set(left["groups"]), left["missing"]) == ({"a", "b"}, 40)


def test_intersections_count_what_they_leave_out() -> None:
    rng = np.random.default_rng(0)
    n = 400
    sex, age = rng.choice(["F", "M"], n), np.where(np.arange(n) < 6, "old", "young")
    y = rng.integers(0, 2, n)
    result = audit(Predictions.build(y, rng.random(n), {"sex": sex, "age": age}), AuditOptions(bootstrap=0, intersections=2))
    found = result.to_dict()["attributes"]
    assert set(found) == {"sex", "age", "sex x age"}
    assert set(found["sex x age"]["groups"]) == {"F & young", "M & young"}
    assert found["sex x age"]["left_out"]["rows"] == 6
    assert found["sex"]["left_out"] == {"groups": 0, "rows": 0}


def test_an_attribute_without_any_group_is_said_and_breaks_nothing() -> None:
    y = np.tile([0, 1], 30)
    predictions = Predictions.build(y, np.linspace(0, 1, 60), {"empty": [None] * 60, "g": ["a", "b"] * 30, "tiny": [f"t{i}" for i in range(60)]})
    options = AuditOptions(bootstrap=100, missing="exclude", intersections=2)
    found = audit(predictions, options).to_dict()["attributes"]
    for name in ("empty", "g x tiny"):
        assert found[name]["groups"] == {} and found[name]["es_auc"] is None
        assert found[name]["verdicts"]["auc"]["verdict"] == "not enough data"
    assert found["empty"]["missing"] == 60
    assert found["g x tiny"]["left_out"] == {"groups": 60, "rows": 60}


def test_groups_worth_a_look_are_corrected_over_all_tests() -> None:
    rest = audit(simulated({"a": 600, "b": 600, "c": 600}, {"a": 0.9, "b": 0.9, "c": 0.6}), AuditOptions(bootstrap=0)).models[0].against_rest
    assert len(rest) == 12
    assert rest[0].worth_a_look and rest[0].group == "c"
    assert {t.group for t in rest if t.metric == "auc" and t.worth_a_look} == {"a", "b", "c"}
    assert all(test.p_adjusted is None or test.p is None or test.p_adjusted >= test.p for test in rest)
    quiet = audit(simulated({"a": 600, "b": 600, "c": 600}), AuditOptions(bootstrap=0)).models[0].against_rest
    assert not any(test.worth_a_look for test in quiet if test.metric == "auc")


@pytest.mark.parametrize(
    "choice",
    [
        {"tolerance": 0.0},
        {"tolerances": {"auc": 1.5}},
        {"threshold": float("nan")},
        {"threshold": 0.5, "target": Target("youden")},
        {"per_group_threshold": True},
        {"bootstrap": 7},
        {"min_positives": 1},
        {"intersections": 0},
        {"alpha": 0.7},
        {"gap": 2.0},
    ],
)
def test_options_that_make_no_sense(choice: dict[str, object]) -> None:
    with pytest.raises(UserError):
        AuditOptions(**choice)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["sensitivity", "sensitivity=2", "youden=.5", "speed=.5", "sensitivity=high"])
def test_targets_that_make_no_sense(text: str) -> None:
    with pytest.raises(UserError):
        Target.parse(text)


@pytest.mark.parametrize(
    "choice",
    [
        {"tolerance": 1.0},
        {"seed": -1},
        {"bootstrap": -1},
        {"calibration_bins": 1},
        {"power": 0.4},
        {"min_negatives": 0},
        {"missing": "drop"},
        {"bands": {"age": (40.0, 18.0)}},
        {"bands": {"age": ()}},
        {"bands": {"age": (float("inf"),)}},
        {"primary_metrics": ("speed",)},
        {"primary_metrics": ()},
    ],
)
def test_more_options_that_make_no_sense(choice: dict[str, object]) -> None:
    with pytest.raises(UserError):
        AuditOptions(**choice)  # type: ignore[arg-type]


def test_scores_without_a_meaning_at_half_are_said() -> None:
    predictions = Predictions.build(np.tile([0, 1], 50), np.linspace(0, 9, 100), {"g": ["a", "b"] * 50})
    assert "no_operating_point" in codes(predictions)
    assert "no_operating_point" not in codes(predictions, AuditOptions(bootstrap=0, threshold=4))


def test_a_group_too_small_for_a_threshold_of_its_own() -> None:
    predictions = simulated({"a": 800, "b": 12}, split=np.tile(["validation", "test"], 406))
    options = AuditOptions(bootstrap=0, target=Target("sensitivity", 0.8), per_group_threshold=True)
    result = audit(predictions, options)
    assert "group_threshold" in {f.code for f in result.findings}
    point = result.models[0].attributes[0].point
    assert point.by_group is not None and set(point.by_group) == {"a"}, "b is decided at the common threshold"
    assert "group_threshold" not in codes(simulated(SOUND, split=np.tile(["validation", "test"], 400)), options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"y": [], "score": [], "g": []}, "no row is left"),
        ({"y": [0, 2], "score": [0.1, 0.2], "g": ["a", "b"]}, "labels must be 0 or 1"),
        ({"y": [0, 1], "score": [0.1, np.nan], "g": ["a", "b"]}, "must be finite"),
        ({"y": [0, 1], "score": [0.1, 0.2], "g": ["a"]}, "has 1 rows"),
        ({"y": [0, 1], "score": [0.1, 0.2], "g": ["a", "b"], "weights": [0.0, 0.0]}, "weights"),
        ({"y": [0, 1], "score": [0.1, 0.2], "g": ["a", "b"], "weights": [1.0, -1.0]}, "weights"),
    ],
)
def test_unusable_predictions(columns: dict[str, list[object]], message: str) -> None:
    more = {"weights": np.array(columns["weights"])} if "weights" in columns else {}
    with pytest.raises(UserError, match=message):
        Predictions.build(np.array(columns["y"], dtype=int), np.array(columns["score"], dtype=float), {"g": columns["g"]}, **more)  # type: ignore[dict-item]


def test_a_cell_of_an_intersection_needs_enough_of_both_classes() -> None:
    """All of its rows are enough, its 2 positives or 2 negatives are not."""
    base = simulated({"a": 300, "b": 300}, seed=4)
    other = np.tile(["x", "y"], 300)
    group = base.attributes["group"].values()
    for lacking in (0, 1):
        y = base.y.copy()
        inside = np.flatnonzero((group == "a") & (other == "x"))
        y[inside], y[inside[:2]] = lacking, 1 - lacking
        cells = audit(Predictions.build(y, base.scores["model"], {"g": group, "h": other}), AuditOptions(bootstrap=0, intersections=2)).models[0].attributes[-1]
        assert cells.grouping.depth == 2 and not any("a" in name and "x" in name for name in cells.groups) and len(cells.groups) == 3
        assert (cells.grouping.left_out_groups, cells.grouping.left_out_rows) == (1, inside.size)


def test_ranking_between_groups_says_whose_counts_are_too_few() -> None:
    y = np.r_[np.ones(3), np.zeros(40), np.tile([0, 1], 30)]
    group = np.r_[np.repeat("few", 43), np.repeat("many", 60)]
    table = audit(Predictions.build(y, np.linspace(0.1, 0.9, y.size), {"g": group}), PLAIN).models[0].attributes[0].cross_group
    assert table is not None
    assert table.reason[0][1] == "3 positives, 5 are needed" and table.reason[1][0] is None
    turned = audit(Predictions.build(1 - y, np.linspace(0.1, 0.9, y.size), {"g": group}), PLAIN).models[0].attributes[0].cross_group
    assert turned is not None and turned.reason[1][0] == "3 negatives, 5 are needed" and turned.reason[0][1] is None


def test_summaries_of_fewer_than_two_judged_groups_say_so() -> None:
    alone = audit(simulated({"a": 300, "b": 6}), PLAIN).models[0].attributes[0]
    assert alone.summary("max_gap").reason == alone.summary("es_auc").reason == TOO_FEW
    both = audit(simulated({"a": 300, "b": 200}), PLAIN).models[0].attributes[0]
    assert both.summary("max_gap").reason is None and both.summary("es_auc").reason is None


def test_the_text_of_a_summary_names_the_worst_group_and_who_is_left_out() -> None:
    said = render(audit(simulated({"a": 300, "b": 200, "c": 6}), PLAIN))
    worst, gap = (next(line for line in said.splitlines() if line.strip().startswith(name)) for name in ("worst_group_auc", "max_gap"))
    assert "; without c (" in worst and worst.rstrip().endswith(")") and "(without c (" in gap
    assert " is usual, " in gap and " or more in 5 of 100 (p " in gap and " is usual" in worst and "5 of 100" not in worst, "the p stands at the gap"


def test_groups_are_counted_without_any_decision_too() -> None:
    y, group = np.tile([0, 1, 0], 100), np.repeat(["a", "b", "b"], 100)
    attribute = audit(Predictions.build(y, np.linspace(-3, 3, 300), {"g": group}), PLAIN).models[0].attributes[0]
    assert attribute.counts.n.tolist() == [100, 200] and attribute.tables["tpr"].reason[0] is not None
    assert attribute.counts.n_neg.tolist() == [int(((group == name) & (y == 0)).sum()) for name in "ab"]
