"""Bootstrap of the calibration error.

Scores enter a replicate as the mean of their cell (group, bin, label): inside a bin of width .1 the score varies far less than the label does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.bootstrap import Prepared, Resampling
from core.metrics.calibration import BINS, Reliability, bin_of_score, ece, reliability

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def calibration_cells(group: Ints, count: int, positive: NDArray[np.bool_], score: Floats, bins: int) -> tuple[Ints, Floats]:
    """Cell (group, bin, label) of each sample, (n,), and the mean score of every cell, (count * bins * 2,)."""
    cell = (group * bins + bin_of_score(score, bins)) * 2 + positive
    size = np.bincount(cell, minlength=count * bins * 2)
    total = np.bincount(cell, weights=score, minlength=count * bins * 2)
    return cell, np.divide(total, size, out=np.zeros(size.size), where=size > 0)


def curves_of_cells(table: Floats, mean_score: Floats, bins: int, per_weight: Floats | None = None) -> Reliability:
    """Reliability of every replicate and group, one below the other, from cell sums of weights (R, G * bins * 2).

    per_weight : (G, bins) effective size of a unit of weight; None: 1
    """
    cells = table.reshape(-1, bins, 2)
    scores = (table * mean_score).reshape(-1, bins, 2).sum(axis=2)
    weight = cells.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        predicted, observed = scores / weight, cells[:, :, 1] / weight
    nan = np.full_like(weight, np.nan)
    size = weight if per_weight is None else (weight.reshape(-1, *per_weight.shape) * per_weight).reshape(weight.shape)
    return Reliability(np.linspace(0, 1, bins + 1), weight, predicted, observed, nan, nan, size)


def bootstrap_errors(
    y: ArrayLike,
    scores: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    bins: int = BINS,
    error: Callable[[Reliability], Floats] = ece,
    **resampling: Unpack[Resampling],
) -> tuple[Floats, ...]:
    """Replicates (R, G) of a calibration error of each of several models, (k, n) scores, all from the same draws.

    error : `calibration.ece` or `calibration.debiased_ece`. Labels vary unless `by_label`.
    """
    one = Prepared.of(y, group, n_groups, resampling, by_label=False)
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    kept = [validate.probabilities(row, one.keep.size)[one.keep] for row in rows]
    models = [calibration_cells(one.group, one.n_groups, one.positive, row, bins) for row in kept]
    width = one.n_groups * bins * 2
    sizes = [_size_per_weight(y, row, group, n_groups, bins, resampling) for row in rows]

    def errors(sums: Floats) -> list[Floats]:
        tables = [sums[:, i * width : (i + 1) * width] for i in range(len(models))]
        return [error(curves_of_cells(t, m, bins, s)).reshape(-1, one.n_groups) for t, (_, m), s in zip(tables, models, sizes, strict=True)]

    cells = [cell for cell, _ in models]
    draws = one.draws(cells[0], width) if len(cells) == 1 else one.joint_draws(cells, [width] * len(cells))
    chunks = one.over_replicates(draws, errors)
    return tuple(np.concatenate([chunk[i] for chunk in chunks]) for i in range(len(models)))


def _size_per_weight(y: ArrayLike, score: Floats, group: ArrayLike | None, n_groups: int | None, bins: int, resampling: Resampling) -> Floats:
    """Effective size of a unit of weight in every bin, (G, bins), 1 where rows are independent and weigh the same."""
    curve = reliability(y, score, group, n_groups, bins=bins, weight=resampling.get("weight"), cluster=resampling.get("cluster"))
    return np.divide(curve.size, curve.weight, out=np.ones_like(curve.size), where=curve.weight > 0)
