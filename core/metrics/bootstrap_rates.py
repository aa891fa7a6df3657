"""Bootstrap of rates: confusion tables are resampled as cell counts.

Drawn within groups; labels vary unless `by_label`, because selection rate, PPV and accuracy depend on
how many positives there happen to be.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.bootstrap import Prepared, Resampling
from core.metrics.rates import FN, FP, TN, TP

Floats = NDArray[np.float64]


def bootstrap_confusion(
    y: ArrayLike,
    prediction: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    **how: Unpack[Resampling],
) -> Floats:
    """Bootstrap confusion tables, (R, G, 4), ready for `rates.rate` and `rates.rate_summaries`."""
    one = Prepared.of(y, group, n_groups, how, by_label=False)
    selected = _decisions(prediction, one)
    kind = np.where(one.positive, np.where(selected, TP, FN), np.where(selected, FP, TN))
    draws = one.draws(one.group * 4 + kind, one.n_groups * 4)
    return np.concatenate(one.over_replicates(draws, lambda cells: cells)).reshape(-1, one.n_groups, 4)


def bootstrap_pair_confusion(
    y: ArrayLike,
    predictions: tuple[ArrayLike, ArrayLike],
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    **how: Unpack[Resampling],
) -> tuple[Floats, Floats]:
    """Bootstrap confusion tables of two models' decisions, (R, G, 4) each, from the same drawn patients."""
    one = Prepared.of(y, group, n_groups, how, by_label=False)
    a, b = (_decisions(prediction, one) for prediction in predictions)
    # Label and both decisions make eight cells per group; each model's table sums over the other's decision.
    draws = one.draws(one.group * 8 + one.positive * 4 + a * 2 + b, one.n_groups * 8)
    counts = np.concatenate(one.over_replicates(draws, lambda cells: cells))
    table = counts.reshape(-1, one.n_groups, 2, 2, 2)
    order = [(1, 1), (0, 1), (1, 0), (0, 0)]  # label, decision: TP, FP, FN, TN
    of_a, of_b = table.sum(axis=4), table.sum(axis=3)
    return (
        np.stack([of_a[:, :, label, decision] for label, decision in order], axis=-1),
        np.stack([of_b[:, :, label, decision] for label, decision in order], axis=-1),
    )


def _decisions(prediction: ArrayLike, one: Prepared) -> NDArray[np.bool_]:
    selected = validate.labels(prediction)
    if selected.size != one.keep.size:
        raise ValueError(validate.LENGTHS_DIFFER.format(what="prediction", got=selected.size, expected=one.keep.size))
    return selected[one.keep]
