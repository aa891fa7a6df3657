"""The predictions that a finished training leaves: every sample, every way of scoring it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from core.cohort.folds import LOCKED
from core.training.data import CohortLike
from core.training.engine import Engine
from core.training.evaluate import Evaluator, Outputs


def predictions_frame(cohort: CohortLike, engine: Engine, evaluator: Evaluator, fitting: Outputs | None = None) -> pd.DataFrame:
    """One row per sample in cohort order.

    Columns: sample_id, patient_id, split, y, score = P(positive), prediction (int8, null
    unless the method fits a decision rule on the outputs `fitting`, those of validation where None), `score__<modality>` (its own
    classifier; null where the sample lacks it), `without__<modality>` (score with the
    modality replaced by its mean training feature). With more than two classes a score is that of any
    class but the first, and `probability__<class>` holds each one's.
    """
    table, data = cohort.table, engine.data
    outputs = evaluator.run(torch.arange(len(table), device=data.device))
    mean = mean_features(outputs, data.rows["train"])
    score = _positive(outputs.logits)
    columns = {
        "sample_id": table["sample_id"].to_numpy(),
        "patient_id": table["patient_id"].to_numpy(),
        "split": table["split"].to_numpy(),
        "y": outputs.y.cpu().numpy().astype(np.int8),
        "score": score,
        "prediction": _decisions(engine, table["split"].to_numpy(dtype=object), outputs, score, fitting),
    }
    present = outputs.present.cpu().numpy()
    count = len(engine.network.modalities)
    for m, name in enumerate(engine.network.modalities):
        columns[f"score__{name}"] = np.where(present[:, m], _positive(outputs.modality_logits[:, m]), np.nan)
        columns[f"without__{name}"] = _positive(evaluator.keeping(outputs, mean, tuple(k != m for k in range(count))))
    if engine.n_classes > 2:
        columns |= {f"probability__{k}": column for k, column in enumerate(outputs.logits.softmax(-1).double().cpu().numpy().T)}
    frame = pd.DataFrame(columns)
    # Rows of a locked test set are not scored by the runs of folds.
    return frame[frame["split"] != LOCKED].reset_index(drop=True)


def mean_features(outputs: Outputs, rows: torch.Tensor) -> torch.Tensor:
    """(M, D) mean feature over the samples at `rows` that have the modality."""
    weight = outputs.present[rows].to(outputs.features.dtype)[..., None]
    return (outputs.features[rows] * weight).sum(0) / weight.sum(0).clamp_min(1)


def _positive(logits: torch.Tensor) -> np.ndarray:
    return logits.softmax(-1)[:, 1:].sum(-1).double().cpu().numpy()


def _decisions(engine: Engine, split: np.ndarray, outputs: Outputs, score: np.ndarray, fitting: Outputs | None) -> pd.array:  # type: ignore[valid-type]
    names = np.array([*engine.data.groups, None], dtype=object)
    group = names[outputs.group.cpu().numpy()]
    if fitting is None:
        rows = split == "validation"
        given = score[rows], outputs.y.cpu().numpy()[rows], group[rows]
    else:
        given = _positive(fitting.logits), fitting.y.cpu().numpy(), names[fitting.group.cpu().numpy()]
    decision = engine.method.fit_decision(*given)
    if decision is None:
        return pd.array([pd.NA] * len(score), dtype="Int8")
    return pd.array(np.asarray(decision.predict(score, group, engine.spec.seed)), dtype="Int8")
