"""What may not change an answer: row order, group names, monotone transforms, repetition against weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.metrics.auc import auc, group_aucs
from core.metrics.calibration import brier, debiased_ece, ece, reliability
from core.metrics.delong import group_delong
from core.metrics.equity import es_auc, max_gap
from core.metrics.precision_recall import auprg, average_precision
from core.metrics.rates import confusion

SIZE = 40
labels = arrays(np.int64, SIZE, elements=st.integers(0, 1))
scores = arrays(np.float64, SIZE, elements=st.integers(0, 12).map(lambda v: v / 12))
groups = arrays(np.int64, SIZE, elements=st.integers(-1, 2))
weights = arrays(np.int64, SIZE, elements=st.integers(0, 4))
FUNCTIONS = (group_aucs, average_precision, auprg)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, equal_nan=True, atol=1e-10))


@settings(max_examples=60, deadline=None)
@given(labels, scores, groups, st.randoms(use_true_random=False))
def test_row_order_and_group_names(y: np.ndarray, score: np.ndarray, group: np.ndarray, random: object) -> None:
    order = np.array(sorted(range(SIZE), key=lambda _: random.random()))  # type: ignore[attr-defined]
    renamed = np.where(group >= 0, (group + 1) % 3, -1)
    for function in FUNCTIONS:
        plain = function(y, score, group, 3)
        assert same(function(y[order], score[order], group[order], 3), plain)
        assert same(function(y, score, renamed, 3), np.roll(plain, 1))
    assert same(group_delong(y, score, renamed, 3).se, np.roll(group_delong(y, score, group, 3).se, 1))
    assert same(max_gap(group_aucs(y, score, renamed, 3)), max_gap(group_aucs(y, score, group, 3)))
    for error in (ece, debiased_ece):
        assert same(error(reliability(y[order], score[order], group[order], 3)), error(reliability(y, score, group, 3)))


@settings(max_examples=60, deadline=None)
@given(labels, scores, groups)
def test_monotone_transforms(y: np.ndarray, score: np.ndarray, group: np.ndarray) -> None:
    moved = np.exp(3 * score) - 5
    for function in FUNCTIONS:
        assert same(function(y, moved, group, 3), function(y, score, group, 3))
    assert same(group_delong(y, moved, group, 3).covariance, group_delong(y, score, group, 3).covariance)
    assert same(group_aucs(y, -score, group, 3), 1 - group_aucs(y, score, group, 3))
    assert same(group_aucs(1 - y, -score, group, 3), group_aucs(y, score, group, 3))


@settings(max_examples=60, deadline=None)
@given(labels, scores, groups, weights)
def test_weights_equal_repetition(y: np.ndarray, score: np.ndarray, group: np.ndarray, weight: np.ndarray) -> None:
    long = [np.repeat(v, weight) for v in (y, score, group)]
    for function in FUNCTIONS:
        assert same(function(y, score, group, 3, weight), function(long[0], long[1], long[2], 3))
    guess = score > 0.5
    assert same(confusion(y, guess, group, 3, weight), confusion(long[0], np.repeat(guess, weight), long[2], 3))
    a, b = reliability(y, score, group, 3, weight=weight), reliability(long[0], long[1], long[2], 3)
    assert same(ece(a), ece(b))
    one, two = brier(y, score, group, 3, weight=weight), brier(long[0], long[1], long[2], 3)
    assert same(one[0], two[0]) and same(one[2], two[2])


@settings(max_examples=40, deadline=None)
@given(labels, scores, groups, st.integers(2, 4))
def test_duplicated_rows(y: np.ndarray, score: np.ndarray, group: np.ndarray, times: int) -> None:
    long = [np.tile(v, times) for v in (y, score, group)]
    for function in FUNCTIONS:
        assert same(function(long[0], long[1], long[2], 3), function(y, score, group, 3))


@given(arrays(np.float64, 5, elements=st.floats(0, 1) | st.just(np.nan)), st.floats(0, 1))
def test_es_auc_never_exceeds_auc(areas: np.ndarray, overall: float) -> None:
    value = float(es_auc(overall, areas))
    assert np.isnan(value) == np.isnan(areas).all()
    assert np.isnan(value) or value <= overall
    gap = float(max_gap(areas))
    assert np.isnan(gap) == (np.isfinite(areas).sum() < 2)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        auc([0, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="finite"):
        auc([0, 1], [0.1, np.nan])
    with pytest.raises(ValueError, match="entries"):
        auc([0, 1], [0.1])
    with pytest.raises(ValueError, match="group indices"):
        group_aucs([0, 1], [0.1, 0.2], [0, 3], 2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        reliability([0, 1], [0.1, 1.2])
    with pytest.raises(ValueError, match="weights"):
        auc([0, 1], [0.1, 0.2], [1, -1])
    assert np.isnan(auc([1, 1], [0.1, 0.2])), "one class has no AUC, not an AUC of 0"
    assert np.isnan(auc([], []))


def test_a_weighted_auc_never_leaves_0_and_1() -> None:
    """Sums of weights are rounded; a perfect ranking must still be 1 exactly."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = int(rng.integers(6, 40))
        group, weight, y = rng.integers(0, 3, size), rng.random(size) + 0.1, rng.integers(0, 2, size)
        for score in (y.astype(float), 1.0 - y):
            found = group_aucs(y, score, group, 3, weight)
            assert ((found >= 0) & (found <= 1) | np.isnan(found)).all()
