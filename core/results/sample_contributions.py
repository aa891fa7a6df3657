"""What each modality gave to the score of a single sample: the score beside that with the modality taken away."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from core.store import Store

COLUMNS = ("run_id", "sample_id", "split", "y", "score", "modality", "without", "change", "reason")


def sample_contributions(store: Store, run_ids: Iterable[str], split: str = "test") -> pd.DataFrame:
    """One row per run, sample and modality, in the cohort's row order.

    `without`: the score with the modality replaced by its mean training feature. `change`: score less
    `without`, in probability: positive where the modality raised the score. Changes of several modalities need
    not add up to anything, because modalities act together. A sample that lacks the modality has neither, with the
    `reason`. A run of one modality has no rows: there is nothing to take away.
    """
    parts = [_of_run(store, run_id, split) for run_id in run_ids]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=pd.Index(COLUMNS))


def _of_run(store: Store, run_id: str, split: str) -> pd.DataFrame:
    scores = store.modality_scores(run_id, split)
    taken = scores[scores["kind"] == "without"].rename(columns={"score": "without"})
    if taken["modality"].nunique() < 2:
        return pd.DataFrame(columns=pd.Index(COLUMNS))
    own = scores[scores["kind"] == "unimodal"].rename(columns={"score": "own"})
    whole = store.predictions(run_id, split)[["sample_id", "y", "score"]]
    found = taken.merge(own[["sample_id", "modality", "own"]], on=["sample_id", "modality"], how="left").merge(whole, on="sample_id")
    # A modality's own classifier has no score where the sample lacks the modality.
    lacks = found["own"].isna()
    found["without"] = found["without"].astype(float).mask(lacks)
    found["change"] = found["score"].astype(float) - found["without"]
    found["reason"] = [f"the sample lacks {name}" if lack else None for name, lack in zip(found["modality"], lacks, strict=True)]
    order = {sample: i for i, sample in enumerate(whole["sample_id"])}
    return found.sort_values("sample_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True)[list(COLUMNS)]
