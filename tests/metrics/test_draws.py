"""Bootstrap and permutation: the fast routes against plain ones, and answers that threads do not change."""

from __future__ import annotations

import numpy as np
import pytest

import core.metrics.draws as draws_module
from core.metrics.auc import auc, group_aucs
from core.metrics.bootstrap import bootstrap_aucs, bootstrap_confusion, bootstrap_models, bootstrap_statistic, replicate_interval
from core.metrics.delong import group_delong
from core.metrics.paired import Pair, compare_aucs, compare_rates
from core.metrics.precision_recall import average_precision, table_average_precision
from core.metrics.rates import rates
from tests.metrics.support import cohort


def _plain_bootstrap(y: np.ndarray, score: np.ndarray, group: np.ndarray, replicates: int) -> np.ndarray:
    """Group AUCs of samples redrawn within group and label, one replicate after the other."""
    rng = np.random.default_rng(3)
    strata = [np.flatnonzero((group == g) & (y == label)) for g in range(group.max() + 1) for label in (0, 1)]
    draws = [np.concatenate([rng.choice(s, s.size) for s in strata]) for _ in range(replicates)]
    return np.array([[*group_aucs(y[d], score[d], group[d]), auc(y[d], score[d])] for d in draws])


@pytest.mark.parametrize("levels", [32, 256, 5000])
def test_bootstrap_agrees_with_the_plain_one(levels: int) -> None:
    y, score, group = cohort(1200, 3, 1)
    plain = _plain_bootstrap(y, score, group, 1500)
    fast = bootstrap_aucs(y, score, group, replicates=1500, seed=4, max_levels=levels)
    both = np.column_stack([fast.groups, fast.overall])
    error = plain.std(axis=0)
    assert np.all(np.abs(both.mean(axis=0) - plain.mean(axis=0)) < 5 * error / np.sqrt(1500))
    assert both.std(axis=0) == pytest.approx(error, rel=0.1)
    assert np.corrcoef(both.T) == pytest.approx(np.corrcoef(plain.T), abs=0.12)


def test_all_routes_of_the_draw_have_the_same_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    y, score, group = cohort(3000, 2, 2)
    options = {"replicates": 1200, "seed": 1, "max_levels": 16}
    cells = bootstrap_aucs(y, score, group, **options)  # type: ignore[arg-type]
    monkeypatch.setattr(draws_module, "COST_OF_BINOMIAL", 10**9)
    singles = bootstrap_aucs(y, score, group, **options)  # type: ignore[arg-type]
    weighted = bootstrap_aucs(y, score, group, weight=np.ones(3000), **options)  # type: ignore[arg-type]
    assert not np.array_equal(cells.groups, singles.groups), "the two routes were meant to differ"
    for other in (singles, weighted):
        assert other.groups.std(axis=0) == pytest.approx(cells.groups.std(axis=0), rel=0.1)


def test_patients_are_drawn_whole() -> None:
    y, score, group = cohort(600, 2, 4)
    twice = [np.tile(v, 2) for v in (y, score, group)]
    patient = np.tile(np.arange(600), 2)
    whole = bootstrap_aucs(*twice, cluster=patient, replicates=800, seed=1).groups.std(axis=0)
    apart = bootstrap_aucs(*twice, replicates=800, seed=1).groups.std(axis=0)
    assert whole == pytest.approx(group_delong(*twice, cluster=patient).se, rel=0.12)
    assert np.all(apart < 0.8 * whole)


def test_rates_resampled_as_counts() -> None:
    y, score, group = cohort(900, 3, 5)
    guess = score > 0.4
    drawn = rates(bootstrap_confusion(y, guess, group, replicates=2000, seed=2))
    for g in range(3):
        own = guess[group == g]
        expected = np.sqrt(own.mean() * (1 - own.mean()) / own.size)
        assert drawn["selection_rate"][:, g].std() == pytest.approx(expected, rel=0.1)
        assert drawn["selection_rate"][:, g].mean() == pytest.approx(own.mean(), abs=5 * expected / np.sqrt(2000))
    low, high = replicate_interval(drawn["tpr"])
    assert np.all(low < high)


def test_average_precision_resampled() -> None:
    y, score, group = cohort(800, 2, 6)
    drawn = bootstrap_statistic(y, score, table_average_precision, group, replicates=400, seed=1, max_levels=800)
    exact = average_precision(y, score, group)
    assert np.all(np.abs(drawn.mean(axis=0) - exact) < drawn.std(axis=0))


def test_threads_do_not_change_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws_module, "CHUNK_ELEMENTS", 20_000)  # many chunks
    y, score, group = cohort(500, 3, 7)
    patient = np.arange(500) // 2
    for cluster in (None, patient):
        one, four = (bootstrap_aucs(y, score, group, cluster=cluster, replicates=200, seed=9, workers=w) for w in (1, 4))
        assert np.array_equal(one.groups, four.groups) and np.array_equal(one.overall, four.overall)
    different = bootstrap_aucs(y, score, group, replicates=200, seed=10)
    assert not np.array_equal(different.groups, bootstrap_aucs(y, score, group, replicates=200, seed=9).groups)


def test_paired_models_share_their_draws() -> None:
    y, score, group = cohort(800, 3, 9)
    noisy = score + np.random.default_rng(0).normal(0, 0.02, 800)
    a, b = bootstrap_models(y, [score, noisy], group, replicates=300, seed=2)
    assert np.corrcoef(a.overall, b.overall)[0, 1] > 0.9
    same = compare_aucs(Pair(y, score, score, group))
    assert all(s.difference == 0 and s.p == 1 for s in same.values())
    worse = score + np.random.default_rng(0).normal(0, 0.5, 800)
    assert compare_aucs(Pair(y, score, worse, group))["auc"].p < 0.05  # type: ignore[operator]
    alike = compare_rates(Pair(y, score > 0.5, score > 0.5, group))
    assert all(s.difference == 0 for s in alike.values())


def test_interval_kinds() -> None:
    draws = np.random.default_rng(0).normal(2, 1, (4000, 2))
    for kind in ("percentile", "basic"):
        low, high = replicate_interval(draws, [2.0, 2.0], kind=kind)
        assert low == pytest.approx([0.04, 0.04], abs=0.15) and high == pytest.approx([3.96, 3.96], abs=0.15)
    draws[:1000, 0] = np.nan
    assert np.isnan(replicate_interval(draws)[0]).tolist() == [True, False]
    with pytest.raises(ValueError, match="unknown"):
        replicate_interval(draws, kind="other")


def test_rankings_are_resampled_within_labels() -> None:
    """One positive among 40: drawn without regard to the label it would be missing in 36 of 100 replicates, which then have no AUC."""
    y = np.arange(40) == 7
    found = bootstrap_models(y, np.random.default_rng(3).random(40), replicates=200)[0]
    assert np.isfinite(found.overall).all()
