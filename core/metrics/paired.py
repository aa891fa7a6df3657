"""Two models on the same patients: differences of AUCs, rates and every fairness summary.

Single estimates are compared by joining both models' own limits with their correlation (core.metrics.paired_limits),
summaries by the joint distribution of both models' estimates (core.metrics.summary_differences). Differences that need
resampling are in paired_resampling.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.calibration import BINS
from core.metrics.calibration_error import CalibrationErrorDifferences, calibration_error_intervals
from core.metrics.comparisons import GroupEstimates
from core.metrics.joint_estimates import joint_aucs, joint_rates, selected
from core.metrics.paired_limits import compare_models
from core.metrics.summary_differences import (
    UNDEFINED,
    JointErrors,
    ModelEstimates,
    PairedSummary,
    difference_of_summaries,
)
from core.metrics.summary_intervals import Family
from core.metrics.summary_members import SINGLE, WORST_GROUP, es_auc_of, largest_difference_of, smallest_ratio_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RATES = ("tpr", "fpr", "selection_rate")
OF_ESTIMATES = "score limits of both models joined, paired, Student's t"
OF_ERRORS = "both models' intervals of the true error joined"
NOTHING = PairedSummary(None, None, None, None, None, None, UNDEFINED)


@dataclass(frozen=True)
class Pair:
    """Scores, probabilities or decisions of models a and b for the same samples, and the groups these are compared in.

    y : (n,); a, b : (n,), or (S, n) of S trainings of each whose mean is compared; group : (n,) indices, -1 left out;
    usable : (G,) groups that enter summaries, all where None.
    """

    y: ArrayLike
    a: ArrayLike
    b: ArrayLike
    group: ArrayLike
    n_groups: int | None = None
    usable: ArrayLike | None = None

    @property
    def count(self) -> int:
        return validate.groups(self.group, np.asarray(self.y).size, self.n_groups)[1]

    @property
    def chosen(self) -> NDArray[np.bool_]:
        return np.ones(self.count, dtype=bool) if self.usable is None else np.asarray(self.usable, dtype=bool)

    @property
    def both(self) -> Floats:
        """(2, n) values of both models; (2 S, n) of S trainings of each, those of a first."""
        sides = [np.atleast_2d(np.asarray(side, dtype=np.float64)) for side in (self.a, self.b)]
        if sides[0].shape != sides[1].shape:
            raise ValueError(f"{sides[0].shape[0]} trainings of a and {sides[1].shape[0]} of b: as many of both are needed")
        return np.concatenate(sides)


def compare_aucs(pair: Pair, *, level: float = 0.95, cluster: ArrayLike | None = None, weight: ArrayLike | None = None) -> dict[str, PairedSummary]:
    """Paired differences of "auc" (of everybody with a group), "es_auc", "max_gap", "worst_group".

    Parameters
    ----------
    pair : scores of both models
    cluster, weight : (n,) patients, sampling weights
    """
    estimates = joint_aucs(pair.y, pair.both, pair.group, pair.n_groups, cluster=cluster, weight=weight)
    size = pair.count + 1
    usable = _known_in_all(estimates, size, np.append(pair.chosen, True))
    places = np.flatnonzero(usable[:-1])
    found = {"auc": _of_everybody(estimates, size, level)}
    names = ("es_auc", "max_gap", "worst_group")
    if places.size == 0 or not usable[-1]:
        return found | dict.fromkeys(names, NOTHING)
    columns, groups = np.append(places, pair.count), np.arange(places.size)
    a, b = _JointDraws.of(estimates, size, columns).models((groups,))
    summaries = {"worst_group": WORST_GROUP}
    if places.size >= 2:
        summaries |= {"es_auc": es_auc_of(a, b), "max_gap": largest_difference_of((groups,))}
    return found | {name: difference_of_summaries(summaries[name], a, b, level) if name in summaries else NOTHING for name in names}


def compare_group_aucs(pair: Pair, *, level: float = 0.95, cluster: ArrayLike | None = None, weight: ArrayLike | None = None) -> tuple[PairedSummary, ...]:
    """Paired differences of the AUC in every group, (G,): the same pivot as between groups, with both models' correlation."""
    estimates = joint_aucs(pair.y, pair.both, pair.group, pair.n_groups, cluster=cluster, weight=weight)
    return _estimate_differences(estimates, pair.count + 1, np.arange(pair.count), level)


def compare_group_rates(
    pair: Pair, names: Sequence[str] = RATES, *, level: float = 0.95, cluster: ArrayLike | None = None, weight: ArrayLike | None = None
) -> dict[str, tuple[PairedSummary, ...]]:
    """Paired differences of rates of `rates.CELLS` in every group, (G,) each; `pair` holds decisions."""
    estimates = joint_rates(pair.y, pair.both, pair.group, names, pair.n_groups, cluster=cluster, weight=weight)
    size = pair.count * len(names)
    return {name: _estimate_differences(estimates, size, np.arange(pair.count) + i * pair.count, level) for i, name in enumerate(names)}


def compare_rates(
    pair: Pair,
    *,
    level: float = 0.95,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    judged: Mapping[str, ArrayLike] | None = None,
) -> dict[str, PairedSummary]:
    """Paired differences of every summary in `rates.SUMMARIES` between two models' decisions.

    Parameters
    ----------
    pair : decisions of both models
    cluster, weight : (n,) patients, sampling weights
    judged : (G,) groups that enter summaries of "tpr", "fpr", "selection_rate", over `pair.usable`
    """
    estimates = joint_rates(pair.y, pair.both, pair.group, RATES, pair.n_groups, cluster=cluster, weight=weight)
    count, size = pair.count, pair.count * len(RATES)
    chosen = np.concatenate([pair.chosen & np.asarray((judged or {}).get(name, True), dtype=bool) for name in RATES])
    usable = _known_in_all(estimates, size, chosen)
    columns = np.flatnonzero(usable)
    blocks = {name: np.flatnonzero(columns // count == i) for i, name in enumerate(RATES)}
    drawn = _JointDraws.of(estimates, size, columns)
    found = {}
    for title, names in {"demographic_parity": RATES[2:], "equalized_odds": RATES[:2], "equal_opportunity": RATES[:1]}.items():
        own = tuple(blocks[name] for name in names)
        a, b = drawn.models(own)
        for kind, summary in (("difference", largest_difference_of(own)), ("ratio", smallest_ratio_of(own))):
            if min(block.size for block in own) < 2:
                found[f"{title}_{kind}"] = NOTHING
                continue
            found[f"{title}_{kind}"] = difference_of_summaries(summary, a, b, level)
    return found


def compare_errors(
    pair: Pair, *, bins: int = BINS, level: float = 0.95, cluster: ArrayLike | None = None, weight: ArrayLike | None = None
) -> tuple[PairedSummary, ...]:
    """Paired differences of the debiased calibration error in every group, (G,). Scores must lie in [0, 1].

    Both models' intervals are joined as those of independent samples are: that two models on the same patients go together is not used, so
    that the interval is on the careful side. It reaches from 0 where both are calibrated.
    """
    found = [calibration_error_intervals(pair.y, s, pair.group, pair.n_groups, bins=bins, weight=weight, cluster=cluster) for s in pair.both]
    index = np.arange(pair.count)
    both = CalibrationErrorDifferences(np.column_stack([index, index]), *found)
    low, high = both.interval(level)
    result = []
    for a, b, lower, upper, p in zip(both.a.debiased, both.b.debiased, low, high, both.p, strict=True):
        if not np.isfinite(a - b):
            result.append(PairedSummary(None, None, None, None, None, None, UNDEFINED, OF_ERRORS))
        else:
            result.append(PairedSummary(float(a), float(b), float(a - b), float(lower), float(upper), float(p), None, OF_ERRORS))
    return tuple(result)


def _known_in_all(estimates: GroupEstimates, size: int, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(size,) estimates that every model has, of those chosen."""
    known = np.isfinite(estimates.value) & np.isfinite(estimates.se)
    return np.asarray(known.reshape(-1, size).all(axis=0) & chosen)


@dataclass(frozen=True)
class _JointDraws:
    """Estimates of all models (and trainings) with errors drawn jointly, of which summaries take blocks.

    own : models * k estimates. value : (models, k). errors : of each model.
    """

    own: GroupEstimates
    value: Floats
    errors: tuple[JointErrors, ...]

    @classmethod
    def of(cls, estimates: GroupEstimates, size: int, columns: Ints) -> _JointDraws:
        models, k = estimates.value.size // size, columns.size
        own = selected(estimates, (np.arange(models)[:, None] * size + columns).ravel())
        errors = JointErrors.of(own)
        return cls(own, own.value.reshape(models, k), tuple(errors.of_estimates(slice(m * k, (m + 1) * k)) for m in range(models)))

    def models(self, blocks: tuple[Ints, ...]) -> tuple[ModelEstimates, ModelEstimates]:
        """Model a and model b; a block holds the columns of one metric's groups."""
        count, k = self.value.shape
        alike = np.array([self._alike(model * k, blocks) for model in range(count)])
        a, b = slice(0, count // 2), slice(count // 2, None)
        return ModelEstimates(self.value[a], self.errors[a], alike[a], blocks), ModelEstimates(self.value[b], self.errors[b], alike[b], blocks)

    def _alike(self, offset: int, blocks: tuple[Ints, ...]) -> float:
        p = [Family.of(selected(self.own, offset + block)).p for block in blocks]
        return min((v for v in p if v is not None), default=1.0)


def _of_everybody(estimates: GroupEstimates, size: int, level: float) -> PairedSummary:
    return _estimate_differences(estimates, size, np.array([size - 1]), level)[0]


def _estimate_differences(estimates: GroupEstimates, size: int, columns: Ints, level: float) -> tuple[PairedSummary, ...]:
    """Of single estimates: the limits of both models joined with their correlation; of several trainings, drawn errors."""
    models = estimates.value.size // size
    if models > 2:
        return tuple(_trained_difference(estimates, size, int(column), level) for column in columns)
    found = compare_models(estimates, columns, columns + size)
    low, high = found.interval(level)
    result = []
    for i, column in enumerate(columns):
        a, b = (float(v) if np.isfinite(v) else None for v in (estimates.value[column], estimates.value[column + size]))
        if a is None or b is None or not np.isfinite(found.p[i]):
            result.append(PairedSummary(a, b, None if a is None or b is None else a - b, None, None, None, UNDEFINED, OF_ESTIMATES))
        else:
            result.append(PairedSummary(a, b, a - b, max(float(low[i]), -1.0), min(float(high[i]), 1.0), float(found.p[i]), None, OF_ESTIMATES))
    return tuple(result)


def _trained_difference(estimates: GroupEstimates, size: int, column: int, level: float) -> PairedSummary:
    a, b = _JointDraws.of(estimates, size, np.array([column])).models(())
    return difference_of_summaries(SINGLE, a, b, level)
