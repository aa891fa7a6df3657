"""Where a gain ends: how far mixing the same unimodal classifiers can go when the weights are fitted on the test patients themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from core.methods import get, of_one_modality
from core.methods.mixing import fit_mixing
from core.metrics.auc import auc
from core.metrics.equity import es_auc
from core.study.runner import Outcome, Runner
from core.training.evaluate import ranking_metrics

ORACLE = "late fusion fitted on the test labels (peeks)"
LIMIT = "late fusion with the highest ES-AUC on the test labels (peeks)"
BOUNDS = (ORACLE, LIMIT)
EVALUATIONS = 1500
"""Of the search for the highest ES-AUC, from each start."""


def late_fusion(by_label: Mapping[str, list[Outcome]]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Each seed, and the scores (M, n) of unimodal classifiers that were trained alone.

    Of the first row that mixes such experts; without one, those of the rows of one modality each.
    """
    for found in by_label.values():
        if found and found[0].modality_score is not None and get(found[0].entry.method).joint_classifiers and get(found[0].entry.method).fits_held_out:
            yield from ((one.seed, one.modality_score) for one in found if one.modality_score is not None)
            return
    alone = [found for found in by_label.values() if found and found[0].entry.method in of_one_modality()]
    if len(alone) > 1:
        yield from ((seeds[0].seed, np.stack([one.score for one in seeds])) for seeds in zip(*alone, strict=True))


def bounds(runner: Runner, modality_score: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Test metrics by name in `BOUNDS` of these classifiers (M, n) mixed per recorded group with weights that peek.

    ORACLE : weights fitted to the test labels by cross-entropy, so about the most in AUC and ES-AUC together.
    LIMIT : the highest ES-AUC that a search finds, from ORACLE's weights and from each modality alone, so at least as high as
    all of these. No method that mixes these classifiers of these patients, group known, is shown to go beyond; its AUC may be low.
    """
    cohort = runner.cohort
    rows, names = cohort.rows("test"), cohort.groups(runner.attribute)
    group, y = cohort.group_index(runner.attribute)[rows], cohort.y[rows].astype(np.int64)
    odds = _log_odds(modality_score[:, rows])
    fitted = _fitted(odds, y, group, len(names))
    starts = [fitted, *(np.concatenate([np.tile(one, (len(names), 1)), np.zeros((len(names), 1))], 1) for one in np.eye(len(odds)))]
    best = max((_climbed(start, odds, y, group) for start in starts), key=lambda weights: _es_auc(_mixed(weights, odds, group), y, group))
    return {name: _metrics(_mixed(weights, odds, group), y, group, names) for name, weights in ((ORACLE, fitted), (LIMIT, best))}


def _fitted(odds: NDArray[np.float64], y: NDArray[np.int64], group: NDArray[np.int64], n_groups: int) -> NDArray[np.float64]:
    """Weights (C, M + 1) by cross-entropy, every group counting the same; the last column is the group's offset."""
    margins = torch.from_numpy(odds.T)
    experts = torch.stack([torch.zeros_like(margins), margins], 2)
    member = torch.from_numpy((group[:, None] == np.arange(n_groups)).astype(np.float64))
    weight = 1 / (n_groups * member.mean(0).clamp_min(1e-6))
    mixing, offset = fit_mixing(experts, member, torch.from_numpy(y), member @ weight, 0.01)
    return np.concatenate([mixing.numpy(), (offset[:, 1:] - offset[:, :1]).numpy()], 1)


def _mixed(weights: NDArray[np.float64], odds: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Margins (n,); patients of unknown group (-1) get the mean weights."""
    own = np.concatenate([weights, weights.mean(0, keepdims=True)])[group]
    return (own[:, :-1] * odds.T).sum(1) + own[:, -1]


def _climbed(start: NDArray[np.float64], odds: NDArray[np.float64], y: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Nelder and Mead's search for a higher ES-AUC, which has no gradient; never worse than its start."""

    def loss(flat: NDArray[np.float64]) -> float:
        return -_es_auc(_mixed(flat.reshape(start.shape), odds, group), y, group)

    spread = np.vstack([start.ravel(), start.ravel() + 0.5 * np.eye(start.size)])
    found = minimize(loss, start.ravel(), method="Nelder-Mead", options={"maxfev": EVALUATIONS, "initial_simplex": spread, "adaptive": True})
    return np.asarray(found.x if found.fun <= loss(start.ravel()) else start).reshape(start.shape)


def _es_auc(score: NDArray[np.float64], y: NDArray[np.int64], group: NDArray[np.int64]) -> float:
    """By the catalogue's own functions, without the guard for small groups, which the planted cohorts do not need."""
    return float(es_auc(auc(y, score), [auc(y[group == g], score[group == g]) for g in range(int(group.max()) + 1)]))


def _metrics(score: NDArray[np.float64], y: NDArray[np.int64], group: NDArray[np.int64], names: Any) -> dict[str, float]:
    found = ranking_metrics(y, score, group, names)
    values = {"auc": found.auc, "es_auc": found.es_auc, "worst_group_auc": found.worst_group_auc, "max_gap": found.max_gap}
    return {name: float("nan") if value is None else value for name, value in values.items()}


def _log_odds(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of probabilities; 0, no evidence, where the modality is missing."""
    clipped = np.clip(np.nan_to_num(score, nan=0.5), 1e-7, 1 - 1e-7)
    return np.log(clipped) - np.log1p(-clipped)
