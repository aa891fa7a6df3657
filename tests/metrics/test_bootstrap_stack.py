"""Many models drawn at once: the same replicates as one by one, paired over calls, within bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import core.metrics.draws as draws_module
from core.metrics import bootstrap_stack as module
from core.metrics.auc import auc, group_aucs
from core.metrics.bootstrap import Resampling, bootstrap_models, replicate_interval
from core.metrics.bootstrap_stack import bootstrap_stack

MODELS = 5


def _data(n: int, *, repeated: bool = False, ties: bool = False, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """y (n,), scores (MODELS, n), group (n,) with some missing, patients (n,) or None."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.35).astype(np.int8)
    scores = y * np.linspace(0.3, 1.5, MODELS)[:, None] + rng.normal(size=(MODELS, n))
    group = rng.choice(np.array([-1, 0, 1, 2]), n, p=[0.05, 0.5, 0.4, 0.05])
    return y, np.round(scores) if ties else scores, group, np.arange(n) // 3 if repeated else None


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("by_label", [False, True])
def test_replicates_are_those_of_each_model_alone(ties: bool, repeated: bool, weighted: bool, by_label: bool) -> None:
    y, scores, group, patient = _data(700, repeated=repeated, ties=ties)
    weight = np.random.default_rng(1).uniform(0.2, 3, y.size) if weighted else None
    how: Resampling = {"replicates": 60, "seed": 3, "cluster": patient, "weight": weight, "by_label": by_label, "max_levels": 64}
    for own, score in zip(bootstrap_stack(y, scores, group, 3, **how), scores, strict=True):
        alone = bootstrap_models(y, score, group, 3, **how)[0]
        np.testing.assert_allclose(own.overall, alone.overall, rtol=1e-12)
        np.testing.assert_allclose(own.groups, alone.groups, rtol=1e-12)


def test_a_group_without_positives_has_no_auc() -> None:
    y, scores, group, _ = _data(300)
    y[group == 2] = 0
    for own in bootstrap_stack(y, scores, group, 4, replicates=20):
        assert np.isnan(own.groups[:, 2:]).all(), "group 2 has no positive, group 3 nobody"
        assert np.isfinite(own.groups[:, :2]).all() and np.isfinite(own.overall).all()


def test_other_models_get_the_same_patients_in_any_number_of_chunks_and_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    y, scores, group, _ = _data(400)
    monkeypatch.setattr(draws_module, "CHUNK_ELEMENTS", 400 * 7)
    monkeypatch.setattr(module, "MODELS_AT_ONCE", 400 * 2)
    together = bootstrap_stack(y, scores, group, 3, replicates=40, workers=2)
    for own, score in zip(together, scores, strict=True):
        alone = bootstrap_stack(y, score, group, 3, replicates=40, workers=1)[0]
        np.testing.assert_array_equal(own.overall, alone.overall)
        np.testing.assert_array_equal(own.groups, alone.groups)


def test_intervals_are_those_of_plain_resampling() -> None:
    """Against the definition: draw samples within group and label, compute the AUC anew, and so on."""
    y, scores, group, _ = _data(500, seed=4)
    keep = group >= 0
    y, score, group = y[keep], scores[2][keep], group[keep]
    rng = np.random.default_rng(5)
    strata = [np.flatnonzero((group == g) & (y == label)) for g in range(3) for label in (0, 1)]
    plain = np.empty((800, 4))
    for row in plain:
        drawn = np.concatenate([rng.choice(stratum, stratum.size) for stratum in strata])
        row[:] = auc(y[drawn], score[drawn]), *group_aucs(y[drawn], score[drawn], group[drawn], 3)
    own = bootstrap_stack(y, score, group, 3, replicates=4000)[0]
    stacked = np.column_stack([own.overall, own.groups])
    spread = plain.std(axis=0, ddof=1)
    # Monte Carlo error of 800 replicates: of their mean 3.5 % of the spread, of the spread itself 2.5 %, of a limit 9.4 %.
    assert np.abs(stacked.mean(axis=0) - plain.mean(axis=0)) == pytest.approx(0, abs=4 * 0.036 * spread.max())
    assert stacked.std(axis=0, ddof=1) / spread == pytest.approx(1, abs=4 * 0.028)
    for found, expected in zip(replicate_interval(stacked), replicate_interval(plain), strict=True):
        assert np.abs(found - expected) / spread == pytest.approx(0, abs=4 * 0.1)


@pytest.mark.parametrize(("models", "samples", "replicates"), [(200, 20_000, 20), (3, 1_000, 4_000)])
def test_memory_is_bounded(models: int, samples: int, replicates: int) -> None:
    """One chunk of replicates and the matrices of some models are held, not all at once."""
    rng = np.random.default_rng(0)
    y = (rng.random(samples) < 0.3).astype(np.int8)
    scores = rng.normal(size=(models, samples))
    group = rng.integers(0, 3, samples)
    tracemalloc.start()
    bootstrap_stack(y, scores, group, 3, replicates=replicates, workers=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400e6, f"{peak / 1e6:.0f} MB"
