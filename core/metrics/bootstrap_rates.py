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
    **resampling: Unpack[Resampling],
) -> Floats:
    """Bootstrap confusion tables, (R, G, 4), ready for `rates.rate` and `rates.rate_summaries`."""
    one = Prepared.of(y, group, n_groups, resampling, by_label=False)
    selected = _decisions(prediction, one)
    kind = np.where(one.positive, np.where(selected, TP, FN), np.where(selected, FP, TN))
    draws = one.draws(one.group * 4 + kind, one.n_groups * 4)
    return np.concatenate(one.over_replicates(draws, lambda cells: cells)).reshape(-1, one.n_groups, 4)


def _decisions(prediction: ArrayLike, one: Prepared) -> NDArray[np.bool_]:
    selected = validate.labels(prediction)
    if selected.size != one.keep.size:
        raise ValueError(validate.LENGTHS_DIFFER.format(what="prediction", got=selected.size, expected=one.keep.size))
    return selected[one.keep]
