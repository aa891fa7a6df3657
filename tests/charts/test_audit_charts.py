"""Charts of the audit, the datasheet and the queue: findings follow the data, nothing invents a number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.charts.audit_curves import decision_curves, reliability
from core.charts.audit_forest import group_palette, metric_forest
from core.charts.audit_matrix import verdict_matrix
from core.charts.audit_threshold import at_threshold, sliding
from core.charts.audit_volcano import volcano
from core.charts.calibration import smooth_calibration
from core.charts.cohort_availability import availability
from core.charts.cohort_mosaic import group_label_mosaic
from core.charts.figure import Figure
from core.charts.scores_by_outcome import score_distribution
from core.charts.text import percent
from core.charts.theme import DARK, LIGHT
from core.charts.training_curves import training_curves
from core.report.svg import chart_svg
from tests.charts.altair_draws import assert_altair_draws_the_same


def drawable(figure: Figure) -> None:
    """Every panel is drawn in both looks, and as Altair draws it."""
    for look in (LIGHT, DARK):
        assert "<svg" in chart_svg(figure.chart(look))
    assert_altair_draws_the_same(figure, LIGHT)


def verdicts(*words: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"attribute": ["race", "sex", "age"][: len(words)], "metric": "auc", "verdict": list(words), "reason": "r",
         "evidence": [1.0, 3.0, None][: len(words)], "p": [0.1, 0.001, None][: len(words)], "gap": [0.1, 0.02, None][: len(words)]}
    )  # fmt: skip


def test_the_matrix_says_what_is_shown_and_what_is_open() -> None:
    figure = verdict_matrix(verdicts("disparity", "no disparity found", "not enough data"))
    assert figure.title == "1 disparity (race); 1 gap is shown to lie within the tolerance, and for 1 there is not enough data."
    drawable(figure)
    assert "No disparity is shown" in verdict_matrix(verdicts("not enough data", "no disparity found")).title
    assert verdict_matrix(verdicts("no disparity found")).title.startswith("No disparity: every gap")
    assert verdict_matrix(verdicts()).empty


def test_what_was_asked_beforehand_is_counted_apart() -> None:
    table = verdicts("disparity", "no disparity found", "not enough data").assign(metric=["auc", "tpr", "tpr"], primary=[True, False, False])
    figure = verdict_matrix(table)
    assert figure.title == "Asked beforehand: 1 disparity (race). Exploratory: 1 within the tolerance, 1 without enough data."
    assert figure.note.endswith("Asked beforehand: AUC; the rest is exploratory.")
    assert verdict_matrix(table.assign(primary=True)).title.startswith("1 disparity (race)")
    assert verdict_matrix(table, "new").title == f"new: {figure.title}", "where several models stand beside one another"


def forest_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {"model": "m", "group": ["a", "b", "missing"], "n_pos": [40, 30, 2], "n_neg": [60, 70, 5], "value": [0.9, 0.7, 0.99], "low": [0.85, 0.6, 0.9],
         "high": [0.95, 0.8, 1.0], "estimable": [True, True, False], "reason": [None, None, "2 positives, 5 are needed"]}
    )  # fmt: skip


def test_a_forest_hides_what_is_not_judged_and_names_the_ends() -> None:
    figure = metric_forest(forest_rows(), pd.DataFrame({"model": ["m"], "value": [0.8]}), "race", "auc")
    assert figure.title == "AUC is lowest for b, .700 [.600, .800], and highest for a, .900 [.850, .950]."
    assert np.isnan(figure.data.loc[2, "value"])
    assert "missing: not estimable" in figure.alt
    drawable(figure)
    fpr = metric_forest(forest_rows(), pd.DataFrame({"model": ["m"], "value": [0.8]}), "race", "fpr")
    assert fpr.title.startswith("FPR is highest for a")
    none = forest_rows().assign(estimable=False)
    assert metric_forest(none, pd.DataFrame({"model": [], "value": []}), "race", "auc").empty


def test_the_missing_group_shifts_nobodys_colour() -> None:
    assert group_palette(LIGHT, ["missing", "white", "black"])["white"] == LIGHT.group_colors(["black", "white"])["white"]
    assert group_palette(LIGHT, ["missing"])["missing"] == LIGHT.no_estimate


def test_the_volcano_counts_what_was_tested() -> None:
    rest = pd.DataFrame(
        {"attribute": "x", "group": list("abcd"), "metric": ["auc"] * 3 + ["tpr"], "n": 100, "difference": [0.2, -0.1, 0.01, 0.0],
         "p": [0.0001, 0.04, 0.8, 0.9], "p_adjusted": [0.0004, 0.08, 0.9, 0.9], "worth_a_look": [True, False, False, False]}
    )  # fmt: skip
    figure = volcano(rest, "auc")
    assert figure.title == "1 group of 3 is worth a look in AUC against all others, corrected for 4 tests: x = a."
    drawable(figure)
    assert volcano(rest.assign(p_adjusted=0.5, worth_a_look=False), "auc").title.startswith("None of 3 groups stands out in AUC")
    assert volcano(rest.head(0), "auc").empty


def test_the_forest_speaks_of_the_chosen_model() -> None:
    """With the second model chosen its title still was the first one's."""
    first, second = forest_rows(), forest_rows().assign(model="n", value=[0.6, 0.8, 0.99])
    everybody = pd.DataFrame({"model": ["m", "n"], "value": [0.8, 0.7]})
    both = pd.concat([first, second], ignore_index=True)
    assert metric_forest(both, everybody, "race", "auc").title.startswith("m: AUC is lowest for b")
    figure = metric_forest(both, everybody, "race", "auc", chosen="n")
    assert figure.title.startswith("n: AUC is lowest for a") and [panel.heading for panel in figure.panels] == ["m", "n"]
    assert (
        metric_forest(both.assign(estimable=both["model"] == "m"), everybody, "race", "auc", chosen="n").title == "n: AUC can be estimated in no group by race."
    )


def test_a_sliding_threshold_says_who_is_found() -> None:
    cuts = np.linspace(0, 1, 11)
    frame = pd.concat(
        [
            pd.DataFrame({"group": g, "threshold": cuts, "tpr": 1 - cuts * slope, "fpr": 0.5 - cuts / 2, "ppv": 0.5, "selection_rate": 0.4, "selected": 4})
            for g, slope in (("a", 1.0), ("b", 0.5))
        ]
    )
    figure = sliding(frame, "sex", 0.42)
    assert figure.title == f"At a threshold of .42, {percent(0.5)} of the positives of a are found and {percent(0.75)} of those of b."
    assert at_threshold(frame, 0.42)["threshold"].tolist() == pytest.approx([0.5, 0.5]), "the next threshold selects the same people"
    assert at_threshold(frame, 7.0)["threshold"].tolist() == [1.0, 1.0]
    drawable(figure)
    drawable(sliding(frame, "sex", None))
    assert sliding(frame.head(0), "sex", 0.5).empty


def test_curves_say_for_whom() -> None:
    grid = np.linspace(0.05, 0.6, 12)
    frame = pd.DataFrame(
        {"group": ["a"] * 12 + ["b"] * 12, "threshold": [*grid, *grid], "net_benefit": [0.3] * 12 + [0.0] * 12, "treat_all": 0.1, "treat_none": 0.0}
    )
    figure = decision_curves(frame)
    assert "for a at thresholds from .05 to .60, for b at no threshold." in figure.title
    gap = frame.assign(net_benefit=[0.3] * 4 + [0.05] * 2 + [0.3] * 6 + [0.0] * 12)
    assert "for a at most thresholds from .05 to .60" in decision_curves(gap).title
    drawable(figure)
    bins = pd.DataFrame({"group": ["a", "b"], "n": [50, 50], "predicted": [0.5, 0.5], "observed": [0.52, 0.9], "low": [0.4, 0.8], "high": [0.6, 0.96]})
    calibrated = reliability(bins)
    assert calibrated.title == "Predicted probabilities differ from the observed frequencies for b."
    drawable(calibrated)
    assert decision_curves(pd.DataFrame(columns=frame.columns)).empty


def test_the_mosaic_sees_missing_values_that_tell_the_label() -> None:
    figure = group_label_mosaic(pd.DataFrame({"group": ["f", "m", None], "n_pos": [30, 40, 0], "n_neg": [20, 30, 90]}), "sex")
    assert figure.title == "sex is not recorded for 90 samples, and every one of them is without the outcome."
    assert figure.data["share"].tolist() == [0.6, 4 / 7, 0.0]
    drawable(figure)
    thin = group_label_mosaic(pd.DataFrame({"group": ["f", "m"], "n_pos": [30, 2], "n_neg": [20, 30]}), "sex")
    assert thin.title.startswith("Too few samples to judge m")


def test_availability_names_the_widest_difference() -> None:
    frame = pd.DataFrame({"modality": ["image", "image", "note", "note"], "group": ["f", None, "f", None], "n": [10, 10, 10, 10], "present": [10, 10, 9, 3]})
    figure = availability(frame, "sex")
    assert "note is available for 30%" in figure.title and "without a known sex" in figure.title
    drawable(figure)
    assert availability(frame.assign(present=10), "sex").empty == "Every modality is available for everybody."


@pytest.mark.parametrize("status", ["running", "done"])
def test_training_curves_name_the_best(status: str) -> None:
    runs = pd.DataFrame({"run_id": ["a", "b"], "method": ["erm", "multifair"], "label": ["ERM", "MultiFair"], "seed": [1, 1], "status": [status, "done"]})
    epochs = pd.DataFrame(
        [{"run_id": r, "epoch": e, "train_loss": 0.6, "validation_loss": 0.5, "validation_auc": v} for r, v in (("a", 0.7), ("b", 0.8)) for e in (-1, 0, 1)]
    )
    figure = training_curves(epochs, runs)
    said = "so far is" if status == "running" else "was"
    assert f"best validation AUC {said} .800 (MultiFair, seed 1, epoch 1)" in figure.title
    assert ("under way" in figure.title) == (status == "running")
    assert figure.data["epoch"].min() == 1
    drawable(figure)
    assert training_curves(epochs[epochs["epoch"] < 0], runs).empty


def smooth(risk: float) -> pd.DataFrame:
    """A group whose observed risk lies `risk` above the predicted one, and one without a curve."""
    at = [0.1, 0.3, 0.5, 0.7]
    curve = pd.DataFrame({"group": "a", "predicted": at, "observed": [p + risk for p in at], "reason": None})
    curve = curve.assign(low=curve["observed"] - 0.05, high=curve["observed"] + 0.05)
    return pd.concat([curve, pd.DataFrame([{"group": "b", "reason": "too few events"}])], ignore_index=True)


def test_smooth_calibration_names_who_is_off_and_who_has_no_curve() -> None:
    figure = smooth_calibration(smooth(0.2), {"a": "1.200 [1.1, 1.3]"})
    drawable(figure)
    assert figure.title == "Predicted risks are too low for a." and "b (too few events)" in figure.note
    assert [panel.heading for panel in figure.panels] == ["a, O:E 1.200 [1.1, 1.3]"]
    assert "too high for a" in smooth_calibration(smooth(-0.2)).title
    assert "No group's" in smooth_calibration(smooth(0.0)).title
    assert smooth_calibration(smooth(0.0).tail(1)).empty == "No calibration curve: too few events."
    assert smooth_calibration(smooth(0.0).head(0)).empty


def test_scores_lie_above_and_below_the_line() -> None:
    rows = [("a", 1, 0.5, 0.55, 3, 1.0), ("a", 0, 0.1, 0.15, 4, 0.8), ("a", 0, 0.2, 0.25, 1, 0.2)]
    frame = pd.DataFrame(rows, columns=["group", "outcome", "bin_low", "bin_high", "n", "share"])
    for threshold in (0.5, None):
        figure = score_distribution(frame, threshold)
        drawable(figure)
        assert ("Dashed" in figure.note) == (threshold is not None)
    assert score_distribution(frame.head(0)).empty


def _rates(**tpr: float) -> pd.DataFrame:
    return pd.DataFrame(
        [{"group": g, "threshold": t, "tpr": v, "fpr": 0.1, "ppv": 0.5, "selection_rate": 0.3, "selected": 9} for g, v in tpr.items() for t in (0.4, 0.5)]
    )


def test_a_threshold_says_nothing_of_groups_that_cannot_be_judged() -> None:
    """Four positives of a clinic, not estimable in every table, were "100% of those of Lille clinic"."""
    frame = _rates(a=0.6, b=0.9, small=1.0)
    figure = sliding(frame, "clinic", 0.5, {"small": "4 positives, 5 are needed"})
    drawable(figure)
    assert figure.title == "At a threshold of .50, 60% of the positives of a are found and 90% of those of b."
    assert set(figure.data["group"]) == {"a", "b"} and "Not drawn: small (4 positives, 5 are needed)." in figure.note
    assert sliding(frame.tail(2), "clinic", 0.5, {"small": "4 positives, 5 are needed"}).empty.endswith("Not drawn: small (4 positives, 5 are needed).")
    assert sliding(_rates(a=1.0, b=1.0), "clinic", 0.5).title == "At a threshold of .50, 100% of the positives of every group are found."


def _benefit(**benefit: float) -> pd.DataFrame:
    rows = [(g, t, b, 0.3 - t, 0.0) for g, b in benefit.items() for t in (0.1, 0.2, 0.3)]
    return pd.DataFrame(rows, columns=["group", "threshold", "net_benefit", "treat_all", "treat_none"])


def test_so_does_net_benefit_and_all_groups_alike_are_said_once() -> None:
    """Of three groups with the same thresholds the first alone was named."""
    figure = decision_curves(_benefit(a=0.4, b=0.4))
    assert figure.title.endswith("nobody for every group at thresholds from .10 to .30.")
    figure = decision_curves(_benefit(a=0.4, b=0.15, small=-0.1), {"small": "4 positives, 5 are needed"})
    drawable(figure)
    assert "small" not in figure.title and figure.note.endswith("Not drawn: small (4 positives, 5 are needed).")
    assert decision_curves(_benefit(small=0.4), {"small": "too few"}).empty


def test_a_group_without_dots_is_drawn_by_its_curve_or_named() -> None:
    """Groups with no bin of ten samples were left out without a word, those with a curve among them."""
    bins = pd.DataFrame({"group": ["a"], "n": [20], "predicted": [0.3], "observed": [0.35], "low": [0.2], "high": [0.5]})
    curve = smooth(0.0).replace({"group": {"a": "c"}})
    figure = reliability(bins, curve)
    drawable(figure)
    assert [panel.heading for panel in figure.panels] == ["a", "c"] and "Not drawn: b, with fewer than 10 samples in every bin." in figure.note
