"""Every group against all others of its attribute together, with the same pivot as pairs of groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from core.metrics.comparisons import GroupEstimates, PairComparisons, compare_pairs

Ints = NDArray[np.int64]


def one_vs_rest(estimate: Callable[[Ints, int], GroupEstimates], group: Ints, n_groups: int, chosen: Iterable[int] | None = None) -> dict[int, PairComparisons]:
    """One comparison (T = 1) for each chosen group: its estimate minus that of all other groups' rows together.

    Of two groups there is none: a group against the rest would be the same test as the pair.

    Parameters
    ----------
    estimate : from sides (n,) of the rows (0 the group, 1 the others, -1 neither) and their number, 2, to both estimates
    group : (n,) indices, -1 missing
    chosen : groups to compare, all where None

    Examples
    --------
    >>> one_vs_rest(lambda sides, count: group_auc_estimates(y, score, sides, count), group, 3)  # doctest: +SKIP
    """
    if n_groups < 3:
        return {}
    wanted = range(n_groups) if chosen is None else chosen
    return {g: compare_pairs(estimate(np.where(group < 0, -1, (group != g).astype(np.int64)), 2), [(0, 1)]) for g in wanted}
