"""Runs with more than two classes: each class against the rest, and the mean over classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from core.audit.engine import audit
from core.audit.input.predictions import Predictions
from core.audit.result import ModelAudit
from core.cohort_folders import read_manifest
from core.metrics.catalogue import short
from core.metrics.estimate import finite_or_none
from core.results.cache import per_run
from core.results.predictions import cohort_of, from_run
from core.results.run_audits import OPTIONS
from core.store import Store

PREFIX = "probability__"
RANKING = ("es_auc", "worst_group_auc", "max_gap")
MEASURES = ("auc", *RANKING)


def class_names(store: Store, run_id: str) -> tuple[str, ...]:
    """The classes of a run's cohort, the one without disease first; empty where the label is positive or not."""
    return tuple(read_manifest(store.workspace.cohorts / cohort_of(store, run_id))["roles"].get("classes", ()))


def class_performance(store: Store, run_ids: Iterable[str], attribute: str | None) -> pd.DataFrame:
    """AUC, ES-AUC, worst-group AUC and gap of every class against the rest on the test split, and their means.

    Columns: run_id, class (missing: the mean over classes, macro), auc, es_auc, worst_group_auc, max_gap, n_pos, n_neg,
    reason. Each class is audited as a label of its own, with the audit's guards. A mean is over all classes: where one
    cannot be estimated it is missing, since leaving that class out would compare other classes. Runs with two classes have no rows.
    """
    table = per_run(store, "classes", run_ids, attribute or "", lambda run_id: _rows(store, run_id, attribute))
    columns = ["run_id", "class", *MEASURES, "n_pos", "n_neg", "reason"]
    return table if len(table.columns) else pd.DataFrame(columns=pd.Index(columns))


def in_words(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """`class_performance` for people, without the runs that are not in `names` (run_id -> name)."""
    rows = table[table["run_id"].isin(list(names))]
    shown = {measure: short(measure)[:1].upper() + short(measure)[1:] for measure in MEASURES} | {
        "n_pos": "Samples of the class",
        "n_neg": "Others",
        "reason": "Why not",
    }
    named = rows.assign(
        Run=rows["run_id"].map(dict(names)),
        Class=rows["class"].fillna("mean over classes"),
        n_pos=rows["n_pos"].astype("Int64"),
        n_neg=rows["n_neg"].astype("Int64"),
    )
    if named["reason"].isna().all():
        del shown["reason"]
    return named[["Run", "Class", *shown]].rename(columns=shown)


def class_audit(store: Store, run_id: str, attribute: str | None, code: int) -> ModelAudit:
    """The audit of one class against the rest."""
    own = from_run(store, run_id, () if attribute is None else attribute, ("test",))
    with pq.ParquetFile(store.folder(run_id).predictions) as file:
        wide = file.read(columns=["sample_id", "y", f"{PREFIX}{code}"]).to_pandas().set_index("sample_id")
    wide = wide.loc[own.sample_id]
    one = Predictions(
        sample_id=own.sample_id,
        y=(wide["y"] == code).to_numpy(dtype=np.int8),
        scores={"model": wide[f"{PREFIX}{code}"].to_numpy(dtype=np.float64)},
        attributes=own.attributes,
        patient=own.patient,
        weights=own.weights,
        split=own.split,
        source=own.source,
    )
    return audit(one, OPTIONS).model()


def _rows(store: Store, run_id: str, attribute: str | None) -> list[dict[str, Any]]:
    rows = [{"class": name, **_measured(class_audit(store, run_id, attribute, code), attribute)} for code, name in enumerate(class_names(store, run_id))]
    if not rows:
        return []
    mean: dict[str, Any] = {"class": None, "n_pos": None, "n_neg": None, "reason": None}
    for measure in MEASURES:
        undefined = [row["class"] for row in rows if row[measure] is None]
        mean[measure] = None if undefined else float(np.mean([row[measure] for row in rows]))
        if undefined and measure in ("auc", "es_auc") and (measure == "auc" or attribute is not None):
            mean["reason"] = f"not estimable for {', '.join(undefined)}"
    return [*rows, mean]


def _measured(model: ModelAudit, attribute: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"auc": finite_or_none(model.tables["auc"].judged_values[0]), **dict.fromkeys(RANKING)}
    reason = model.tables["auc"].reason[0]
    if attribute is not None:
        summaries = {s.metric: s for s in model.attribute(attribute).point_summaries}
        ranked = {name: finite_or_none(summaries[name].value) for name in RANKING}
        # Of a single group that can be judged there is no worst: the means over classes would mix different groups.
        found |= ranked if ranked["es_auc"] is not None else {}
        reason = reason or summaries["es_auc"].reason
    return {**found, "n_pos": int(model.counts.n_pos[0]), "n_neg": int(model.counts.n_neg[0]), "reason": reason}
