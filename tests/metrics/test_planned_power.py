"""Planned power against closed forms and against all tables of two binomials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm, t

from core.metrics.auc_comparisons import group_auc_estimates
from core.metrics.comparisons import GroupEstimates, compare_pairs
from core.metrics.planned_power import PlannedGroups, disparity_power, equivalence_power, first_at
from core.metrics.score_limits import WilsonLimits
from core.metrics.variance_function import GRID


def rates(value: list[float], size: list[float]) -> GroupEstimates:
    p, n = np.array(value), np.array(size)
    return GroupEstimates(p, np.full(p.size, np.inf), WilsonLimits(p, n))


def constant(se: list[float]) -> PlannedGroups:
    """Groups whose estimates have one variance, whatever their value."""
    return PlannedGroups(np.full(len(se), 0.5), np.full(len(se), 1e9), np.tile(np.square(se)[:, None], (1, GRID.size)))


def test_the_variance_is_read_from_the_limits() -> None:
    plan = PlannedGroups.of(rates([0.2, 0.9], [50, 80]), np.array([0, 1]))
    true = np.array([0.3, 0.7])
    assert plan.at(np.array([0, 1]), true, np.ones(2)) == pytest.approx(true * (1 - true) / [50, 80], rel=0.01)
    assert plan.at(np.array([0, 1]), true, np.full(2, 4.0)) == pytest.approx(true * (1 - true) / [200, 320], rel=0.01)


def test_two_groups_have_the_power_of_the_normal_test() -> None:
    plan, gaps = constant([0.03, 0.04]), np.array([0.05, 0.1, 0.15, 0.2])
    one = np.ones((4, 2))
    assert disparity_power(plan, 0, gaps, one, 0.0, 0.05) == pytest.approx(norm.cdf(gaps / 0.05 - 1.959964), abs=1e-6)
    assert disparity_power(plan, 0, gaps, one, 0.12, 0.05) == pytest.approx(norm.cdf(np.minimum(gaps / 0.05 - 1.959964, (gaps - 0.12) / 0.05)), abs=1e-6)
    assert disparity_power(plan, 0, gaps, 4 * one, 0.0, 0.05) == pytest.approx(norm.cdf(gaps / 0.025 - 1.959964), abs=1e-6)
    assert equivalence_power(plan, 9 * one[:1], 0.05) == pytest.approx(2 * norm.cdf(3 - 1.959964) - 1, abs=1e-6)
    assert equivalence_power(plan, one[:1], 0.05).tolist() == [0.0]


def test_few_degrees_of_freedom_cost_power() -> None:
    plan = PlannedGroups(np.full(2, 0.5), np.full(2, 6.0), np.tile(np.square([[0.03], [0.03]]), (1, GRID.size)))
    needed, gap = t.isf(0.025, 12), 0.15
    expected = norm.cdf((gap / np.hypot(0.03, 0.03) - needed) / np.sqrt(1 + needed**2 / 24))
    assert disparity_power(plan, 0, [gap], np.ones((1, 2)), 0.0, 0.05)[0] == pytest.approx(expected, abs=1e-6)


def test_several_groups_have_the_power_of_any_pair() -> None:
    plan, rng = constant([0.03, 0.05, 0.08, 0.02]), np.random.default_rng(0)
    error = rng.normal(size=(400_000, 4)) * [0.03, 0.05, 0.08, 0.02]
    for group, gap in ((0, 0.1), (3, 0.1), (2, 0.2)):
        se = np.hypot([0.03, 0.05, 0.08, 0.02], [0.03, 0.05, 0.08, 0.02][group])
        others = np.arange(4) != group
        called = ((gap - error[:, [group]] + error)[:, others] > 2.638 * se[others]).any(axis=1).mean()
        assert disparity_power(plan, group, [gap], np.ones((1, 4)), 0.0, 2 * norm.sf(2.638))[0] == pytest.approx(called, abs=0.02)
    factors = np.full((1, 4), 9.0)
    difference = np.abs(error[:, :, None] - error[:, None]) / 3
    room = 0.1 - 1.959964 * np.hypot.outer([0.03, 0.05, 0.08, 0.02], [0.03, 0.05, 0.08, 0.02]) / 3
    off = ~np.eye(4, dtype=bool)
    assert equivalence_power(plan, factors, 0.1)[0] == pytest.approx((difference <= room)[:, off].all(axis=1).mean(), abs=0.03)


@pytest.mark.parametrize(("sizes", "rate"), [((60, 60), 0.5), ((200, 60), 0.8), ((300, 80), 0.9), ((80, 200), 0.1), ((400, 50), 0.05)])
def test_a_promise_of_80_percent_is_kept_by_all_tables_of_two_binomials(sizes: tuple[int, int], rate: float) -> None:
    """Exact: the chance under two binomials that the verdict's test and the tolerance both speak, summed over all tables."""
    plan = PlannedGroups.of(rates([rate, rate], list(map(float, sizes))), np.array([0, 1]))
    gaps = np.geomspace(0.02, 0.9 if rate < 0.95 else 0.5, 40)
    gaps = gaps[gaps < max(rate, 1 - rate)]
    gap = first_at(gaps, disparity_power(plan, 1, gaps, np.ones((gaps.size, 2)), 0.05, 0.05), 0.83)
    assert gap is not None
    way = plan.unfavourable(1, rate, gap)
    k0, k1 = (axis.ravel() for axis in np.meshgrid(np.arange(sizes[0] + 1), np.arange(sizes[1] + 1), indexing="ij"))
    value = np.concatenate([k0 / sizes[0], k1 / sizes[1]])
    every = GroupEstimates(value, np.full(value.size, np.inf), WilsonLimits(value, np.repeat(np.array(sizes, dtype=float), k0.size)))
    found = compare_pairs(every, np.column_stack([np.arange(k0.size), np.arange(k0.size) + k0.size]))
    called = (found.p < 0.05) & (np.abs(found.difference) >= 0.05)
    mass = binom.pmf(k0, sizes[0], rate) * binom.pmf(k1, sizes[1], rate + way * gap)
    assert 0.77 <= float(mass[called].sum()) <= 0.90


def test_where_power_first_is_enough() -> None:
    x = np.array([1.0, 2.0, 4.0])
    assert first_at(x, np.array([0.1, 0.5, 0.9]), 0.5) == pytest.approx(2.0)
    assert first_at(x, np.array([0.9, 0.95, 0.99]), 0.8) == 1.0
    assert first_at(x, np.array([0.1, 0.2, 0.3]), 0.8) is None
    between = first_at(x, np.array([0.1, 0.5, 0.9]), 0.8)
    assert between is not None and 2 < between < 4


def test_a_group_ranked_without_fault_is_not_known_exactly() -> None:
    """Its variance at its own AUC of 1 is 0: taken for the truth, 50 patients would be enough to show that groups are alike."""
    rng = np.random.default_rng(2)
    y = np.concatenate([rng.random(2000) < 0.15, np.arange(50) < 7])
    score = rng.normal(size=2050) + 1.9 * y
    score[2000:2007] = score.max() + 1
    group = np.repeat([0, 1], [2000, 50])
    plan = PlannedGroups.of(group_auc_estimates(y, score, group, 2), np.array([0, 1]))
    assert plan.value[1] == 1 and abs(plan.common() - plan.value[0]) < 0.02
    assert equivalence_power(plan, [[1.0, 1.0]], 0.05)[0] < 0.05


@pytest.mark.parametrize(("centre", "gap", "way"), [(0.3, 0.1, 1.0), (0.7, 0.1, -1.0), (0.97, 0.1, -1.0), (0.03, 0.1, 1.0), (0.6, 0.8, -1.0), (0.4, 0.8, 1.0)])
def test_a_group_is_planned_to_be_off_the_way_in_which_it_varies_more(centre: float, gap: float, way: float) -> None:
    """Rates vary most at one half; beyond 0 and 1 there is nothing to be off to."""
    groups = PlannedGroups(np.array([centre]), np.array([1e9]), (GRID * (1 - GRID))[None])
    assert groups.unfavourable(0, centre, gap) == way
