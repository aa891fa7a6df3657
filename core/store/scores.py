"""Scores of the modality classifiers, and of the model with one modality taken away."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq

from core.runs.folder import RunFolder

PREFIXES = {"score__": "unimodal", "without__": "without"}


def modality_scores(folder: RunFolder, split: str | None = None) -> pd.DataFrame:
    """One row per sample, kind and modality, straight from the run's Parquet file.

    These columns are wide, rarely asked for and only ever for one run, so they stay
    out of the database. Columns: run_id, sample_id, split, kind, modality, score.
    """
    columns = ["run_id", "sample_id", "split", "kind", "modality", "score"]
    if not folder.predictions.exists():
        return pd.DataFrame({name: pd.Series(dtype="float64" if name == "score" else "str") for name in columns})
    with pq.ParquetFile(folder.predictions) as file:
        names = [name for name in file.schema_arrow.names if name.startswith(tuple(PREFIXES))]
        wide = file.read(columns=["sample_id", "split", *names]).to_pandas()
    if split is not None:
        wide = wide[wide["split"] == split]
    parts = []
    for name in names:
        prefix = next(p for p in PREFIXES if name.startswith(p))
        part = wide[["sample_id", "split"]].copy()
        part.insert(0, "run_id", folder.run_id)
        part["kind"], part["modality"], part["score"] = PREFIXES[prefix], name.removeprefix(prefix), wide[name]
        parts.append(part)
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="float64" if name == "score" else "str") for name in columns})
    return pd.concat(parts, ignore_index=True)
