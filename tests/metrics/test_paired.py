"""Two models on the same patients: size at equality, intervals and p of one pivot, bounds that hold for every summary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtri

from core.metrics.delong import delong, difference
from core.metrics.joint_estimates import joint_aucs, joint_rates
from core.metrics.paired import Pair, compare_aucs, compare_group_aucs, compare_group_rates, compare_rates
from core.metrics.rates import SUMMARIES
from core.metrics.summary_differences import Extremum, JointErrors, ModelEstimates, PairedSummary
from core.metrics.summary_members import WORST_GROUP, es_auc_of, largest_difference_of, smallest_ratio_of
from core.metrics.variance_function import GRID

AUC_SUMMARIES = ("auc", "es_auc", "max_gap", "worst_group")


def two_models(
    rng: np.random.Generator, sizes: list[int], first: float | list[float] = 0.85, second: float | list[float] = 0.85, together: float = 0.6,
    prevalence: float = 0.4, rows: int = 1,
) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray | None]:  # fmt: skip
    """Labels, scores of two models with AUCs by group, groups, patients (None where each has one row)."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    y = np.repeat(rng.random(group.size) < prevalence, rows)
    shared = np.repeat(rng.normal(size=group.size), rows)
    patient, group = np.repeat(np.arange(group.size), rows), np.repeat(group, rows)
    scores = []
    for auc in (first, second):
        shift = ndtri(np.broadcast_to(auc, len(sizes)))[group] * np.sqrt(2)
        scores.append(np.sqrt(together) * shared + np.sqrt(1 - together) * rng.normal(size=y.size) + shift * y)
    return y, scores[0], scores[1], group, None if rows == 1 else patient


@pytest.mark.parametrize(("sizes", "auc", "prevalence", "rows"), [([60, 40, 40], 0.85, 0.4, 1), ([40, 40, 40], 0.97, 0.4, 1), ([14, 20, 30], 0.8, 0.5, 3)])
def test_models_that_are_alike_are_rejected_in_at_most_5_percent(sizes: list[int], auc: float, prevalence: float, rows: int) -> None:
    """The percentile bootstrap rejected ES-AUC in 13.5 % of cohorts with three small groups, ratios of rates in 21 %."""
    rng = np.random.default_rng(3)
    rejected: dict[str, list[bool]] = {}
    for _ in range(40):
        y, a, b, group, cluster = two_models(rng, sizes, auc, auc, prevalence=prevalence, rows=rows)
        pair, decided = Pair(y, a, b, group, len(sizes)), Pair(y, a > 0.9, b > 0.9, group, len(sizes))
        found = compare_aucs(pair, cluster=cluster) | compare_rates(decided, cluster=cluster)
        for name, one in found.items():
            if one.p is not None:
                assert one.low is not None and one.high is not None and -1 <= one.low <= one.difference <= one.high <= 1  # type: ignore[operator]
                assert one.high > one.low
                rejected.setdefault(name, []).append(one.p < 0.05)
    assert set(rejected) == {*AUC_SUMMARIES, *SUMMARIES}
    for name, hits in rejected.items():
        assert sum(hits) <= 0.05 * len(hits) + 3 * np.sqrt(0.05 * 0.95 * len(hits)), name


def test_a_gap_is_covered_where_one_model_has_one_and_the_other_none() -> None:
    """Here the gap of the model without one is too large by chance, and the intervals of resampled differences miss."""
    rng, covered = np.random.default_rng(8), []
    for _ in range(60):
        y, a, b, group, _ = two_models(rng, [300, 80], [0.85, 0.75], 0.85)
        found = compare_aucs(Pair(y, a, b, group))
        covered.append([found["max_gap"].low <= 0.1 <= found["max_gap"].high, found["worst_group"].low <= -0.1 <= found["worst_group"].high])  # type: ignore[operator]
    assert np.all(np.mean(covered, axis=0) >= 0.93 - 3 * np.sqrt(0.05 * 0.95 / 60))


def test_a_narrowed_gap_is_found() -> None:
    y, a, b, group, _ = two_models(np.random.default_rng(1), [2000, 1500], [0.9, 0.65], 0.86)
    found = compare_aucs(Pair(y, a, b, group))
    assert found["max_gap"].difference == pytest.approx(0.25, abs=0.05)
    assert found["max_gap"].low > 0.1 and found["max_gap"].p < 0.001 and found["worst_group"].p < 0.001  # type: ignore[operator]


def test_large_samples_agree_with_paired_delong() -> None:
    for noise in (0.05, 0.3, 1.0):
        rng = np.random.default_rng(4)
        y, a, _, group, _ = two_models(rng, [2500, 500])
        b = a + noise * rng.normal(size=y.size)
        ours = compare_aucs(Pair(y, a, b, group))["auc"]
        known = difference(delong(y, np.stack([a, b])))
        assert ours.difference == pytest.approx(known.value)
        assert (ours.low, ours.high) == pytest.approx((known.low, known.high), abs=0.02 * known.se)  # type: ignore[operator]
        within = compare_group_aucs(Pair(y, a, b, group))[1]
        own = difference(delong(y[group == 1], np.stack([a, b])[:, group == 1]))
        assert (within.low, within.high) == pytest.approx((own.low, own.high), abs=0.08 * own.se)  # type: ignore[operator]


@pytest.mark.parametrize("rows", [1, 3])
def test_p_is_the_level_at_which_the_interval_leaves_0(rows: int) -> None:
    y, a, b, group, cluster = two_models(np.random.default_rng(6), [80, 60, 40], 0.9, [0.85, 0.75, 0.7], rows=rows)
    pair, decided = Pair(y, a, b, group), Pair(y, a > 0.9, b > 0.9, group)
    for level in (0.5, 0.8, 0.95, 0.99):
        found = {**compare_aucs(pair, level=level, cluster=cluster), **compare_rates(decided, level=level, cluster=cluster)}
        single = [*compare_group_aucs(pair, level=level, cluster=cluster), *compare_group_rates(decided, level=level, cluster=cluster)["tpr"]]
        for one in [*found.values(), *single]:
            assert one.low is not None and one.high is not None and one.p is not None
            if abs(one.p - (1 - level)) > 1e-3:
                assert (one.p < 1 - level) == (one.low > 0 or one.high < 0)


def test_the_other_way_round_is_the_same_with_the_sign_turned() -> None:
    y, a, b, group, _ = two_models(np.random.default_rng(2), [90, 70, 50], 0.9, 0.8)
    one, other = compare_aucs(Pair(y, a, b, group)), compare_aucs(Pair(y, b, a, group))
    for name in AUC_SUMMARIES:
        assert other[name].difference == pytest.approx(-one[name].difference)  # type: ignore[operator]
        assert (other[name].low, other[name].high) == pytest.approx((-one[name].high, -one[name].low), abs=0.02)  # type: ignore[operator]


def test_one_model_twice() -> None:
    y, a, _, group, _ = two_models(np.random.default_rng(5), [60, 50, 40])
    found: dict[str, PairedSummary] = compare_aucs(Pair(y, a, a, group)) | compare_rates(Pair(y, a > 1, a > 1, group))
    for name, one in found.items():
        assert (one.difference, one.p) == (0.0, 1.0), name
        assert one.low is not None and one.high is not None and one.low < 0 < one.high, name
    perfect = compare_aucs(Pair(y, y, y + 0.1, group))
    assert all(one.difference == 0 and one.low < -0.001 and one.high > 0.001 for one in perfect.values())  # type: ignore[operator]


@given(st.integers(0, 10_000), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_a_summary_is_the_extremum_of_its_members(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    value = rng.random((3, count + 1)) * 0.5 + 0.4
    block = np.arange(count)
    error = rng.normal(0, 0.05, (8, count + 1))
    errors = [JointErrors(error, error, np.full((count + 1, GRID.size), 0.0025), own) for own in value]
    model = ModelEstimates(value, errors, np.ones(3), (block,))
    for summary in (largest_difference_of((block,)), smallest_ratio_of((block,)), WORST_GROUP, es_auc_of(model, model)):
        assert isinstance(summary, Extremum) and summary.members is not None
        members = summary.members(value)
        extreme = members.min(axis=-1) if summary.smallest else members.max(axis=-1)
        assert extreme == pytest.approx(summary.value(value))


def test_trainings_add_their_spread() -> None:
    rng = np.random.default_rng(7)
    y, a, b, group, _ = two_models(rng, [200, 150])
    once = compare_aucs(Pair(y, a, b, group))["auc"]
    repeated = compare_aucs(Pair(y, np.stack([a] * 3), np.stack([b] * 3), group))["auc"]
    assert repeated.difference == pytest.approx(once.difference)
    assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=0.08)  # type: ignore[operator]
    trained = [np.stack([s + rng.normal(0, 1, y.size) * k for k in (0.1, 0.6, 1.5)]) for s in (a, b)]
    spread = compare_aucs(Pair(y, trained[0], trained[1][::-1], group))["auc"]
    assert spread.high - spread.low > 2 * (repeated.high - repeated.low)  # type: ignore[operator]
    with pytest.raises(ValueError, match="as many of both"):
        compare_aucs(Pair(y, np.stack([a] * 3), b, group))


def test_intervals_over_trainings_cover_and_reject_as_promised() -> None:
    """Three trainings of two methods alike: patients and trainings both vary."""
    rng, rejected = np.random.default_rng(10), []
    for _ in range(30):
        y, a, b, group, _ = two_models(rng, [80, 60])
        sides = [np.stack([s + 0.5 * rng.normal(size=y.size) + rng.normal(0, 0.5) * y for _ in range(3)]) for s in (a, b)]
        found = compare_aucs(Pair(y, *sides, group))
        rejected.append([found[name].p < 0.05 for name in AUC_SUMMARIES])  # type: ignore[operator]
    assert np.all(np.mean(rejected, axis=0) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 30))


def test_joint_correlations_are_those_of_the_bootstrap() -> None:
    rng = np.random.default_rng(12)
    y, a, b, group, cluster = two_models(rng, [150, 120], rows=2)
    joint = joint_aucs(y, [a, b], group, cluster=cluster)
    rates = joint_rates(y, [a > 1, b > 1], group, ("tpr", "selection_rate"), cluster=cluster)
    drawn = []
    patients = [np.flatnonzero(np.isin(np.arange(270), np.unique(cluster[group == g]))) for g in (0, 1)]
    for _ in range(400):
        chosen = np.concatenate([rng.choice(own, own.size) for own in patients])
        rows = np.stack([2 * chosen, 2 * chosen + 1], axis=1).ravel()
        drawn.append(
            np.concatenate(
                [
                    joint_aucs(y[rows], [a[rows], b[rows]], group[rows]).value,
                    joint_rates(y[rows], [a[rows] > 1, b[rows] > 1], group[rows], ("tpr", "selection_rate")).value,
                ]
            )
        )
    seen = np.corrcoef(np.array(drawn).T)
    assert joint.correlation == pytest.approx(seen[:6, :6], abs=0.2)
    assert rates.correlation == pytest.approx(seen[6:, 6:], abs=0.2)
    assert joint.correlation is not None and joint.correlation[0, 3] > 0.3 and abs(joint.correlation[0, 1]) < 1e-9


def test_summaries_need_a_usable_group_and_a_usable_whole() -> None:
    rng = np.random.default_rng(3)
    y, group = np.tile([0, 1], 60), np.repeat([0, 1], 60)
    a, b = rng.random(120) + y, rng.random(120) + y
    none = compare_aucs(Pair(y, a, b, group, 2, np.zeros(2, dtype=bool)))
    assert none["auc"].difference is not None and none["max_gap"].difference is None and none["worst_group"].reason is not None
    one_class = compare_aucs(Pair(np.ones(120, dtype=int), a, b, group, 2))
    assert all(found.difference is None and found.reason is not None for found in one_class.values())
