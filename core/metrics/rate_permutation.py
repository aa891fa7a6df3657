"""Permutation null of the fairness summaries of rates: how large a gap chance alone gives with these group sizes.

Every rate is shuffled within its own denominator: TPR among positives and FPR among negatives (so stratified by
label), selection rate among everybody or, by choice, within labels, which then asks whether groups are selected
differently beyond what their prevalence explains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.draws import chunk_sizes, over_chunks
from core.metrics.permutation import NullTest
from core.metrics.rates import FN, FP, TN, TP, confusion, rate_summaries

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def permute_rates(
    y: ArrayLike,
    prediction: ArrayLike,
    group: ArrayLike,
    n_groups: int | None = None,
    *,
    permutations: int = 1000,
    seed: int = 0,
    selection_by_label: bool = False,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    usable: ArrayLike | None = None,
    workers: int | None = None,
) -> dict[str, NullTest]:
    """Null of every summary in `rates.SUMMARIES`; for ratios small is extreme. p-values are mid-p: counts are coarse.

    Parameters
    ----------
    y, prediction : (n,) 0/1
    group : (n,) indices, -1 (missing) left out
    selection_by_label : shuffle within labels for demographic parity too
    cluster : (n,) patients, shuffled as a whole (among patients with like label counts)
    usable : (G,) bool, groups to be compared; the others are shuffled along
    """
    positive, selected = validate.labels(y), validate.labels(prediction)
    index, count = validate.groups(group, positive.size, n_groups)
    keep = index >= 0
    positive, selected, index = positive[keep], selected[keep], index[keep]
    w = validate.weights(weight, keep.size)
    w = None if w is None else w[keep]
    patients = validate.clusters(None if cluster is None else np.asarray(cluster)[keep], positive.size)
    chosen = np.ones(count, dtype=bool) if usable is None else np.asarray(usable, dtype=bool)
    observed = confusion(positive, selected, index, count, w)

    def nulls(by_label: bool, stream: int) -> Floats:
        if patients is None and w is None:
            sizes = chunk_sizes(permutations, count * 4)
            draw = _counts(positive, selected, index, count, by_label)
        else:
            sizes = chunk_sizes(permutations, positive.size)
            draw = _shuffles(positive, selected, index, count, by_label, patients, w)
        own_seed = int(np.random.SeedSequence([seed, stream]).generate_state(1)[0])
        return np.concatenate(over_chunks(sizes, own_seed, draw, workers))

    within = nulls(True, 0)
    overall = within if selection_by_label else nulls(False, 1)
    seen = rate_summaries(observed[chosen])
    odds, parity = rate_summaries(within[:, chosen]), rate_summaries(overall[:, chosen])
    return {
        name: NullTest.of(
            float(value),
            (parity if name.startswith("demographic") else odds)[name],
            small_is_extreme=name.endswith("ratio"),
            mid=True,
        )
        for name, value in seen.items()
    }


def _counts(positive: NDArray, selected: NDArray, index: Ints, count: int, by_label: bool):  # type: ignore[no-untyped-def]
    """Draws of tables (R, G, 4): the selected of each stratum fall to groups hypergeometrically."""
    strata = (positive, ~positive) if by_label else (np.ones_like(positive),)
    cells = ((TP, FN), (FP, TN)) if by_label else ((TP, FN),)
    sizes = [np.bincount(index[s], minlength=count) for s in strata]
    chosen = [int(selected[s].sum()) for s in strata]

    def draw(size: int, rng: np.random.Generator) -> Floats:
        table = np.zeros((size, count, 4))
        for (hit, miss), of_group, total in zip(cells, sizes, chosen, strict=True):
            fallen = rng.multivariate_hypergeometric(of_group, total, size=size, method="marginals")
            table[..., hit], table[..., miss] = fallen, of_group - fallen
        return table

    return draw


def _shuffles(  # type: ignore[no-untyped-def]
    positive: NDArray,
    selected: NDArray,
    index: Ints,
    count: int,
    by_label: bool,
    patients: tuple[Ints, int] | None,
    weight: Floats | None,
):
    """Draws of tables (R, G, 4) by shuffling the groups of patients (or of weighted samples)."""
    n = positive.size
    member, n_units = (np.arange(n), n) if patients is None else patients
    owner = np.empty(n_units, dtype=np.int64)
    owner[member[::-1]] = index[::-1]
    size_of = np.minimum(np.bincount(member, minlength=n_units), 6)
    pos_of = np.minimum(np.bincount(member[positive], minlength=n_units), 3)
    neg_of = np.minimum(np.bincount(member[~positive], minlength=n_units), 3)
    stratum = pos_of * 4 + neg_of if by_label else size_of
    members = tuple(np.flatnonzero(stratum == s) for s in np.unique(stratum))
    kind = np.where(positive, np.where(selected, TP, FN), np.where(selected, FP, TN))

    def draw(size: int, rng: np.random.Generator) -> Floats:
        owners = np.empty((size, n_units), dtype=np.int64)
        for units in members:
            owners[:, units] = rng.permuted(np.tile(owner[units], (size, 1)), axis=1)
        key = owners[:, member] * 4 + kind + np.arange(size)[:, None] * (count * 4)
        weights = None if weight is None else np.tile(weight, size)
        return np.bincount(key.ravel(), weights, size * count * 4).astype(np.float64).reshape(size, count, 4)

    return draw
