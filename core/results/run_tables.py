"""What finished runs reach, as tidy tables by name: for the command line and the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import pandas as pd

from core.errors import UserError
from core.results.classes import class_performance
from core.results.group_tables import group_performance
from core.results.method_table import by_method
from core.results.sample_contributions import sample_contributions
from core.results.summary import SUMMARIES, test_summary
from core.store import Store
from core.tables.crossing import crossed_name, crossed_parts

RunTable = Literal["summary", "methods", "groups", "classes", "epochs", "telemetry", "predictions", "contributions"]
TABLES: tuple[RunTable, ...] = get_args(RunTable)
METRICS = ("auc", *SUMMARIES)


def run_table(
    store: Store,
    runs: pd.DataFrame,
    name: RunTable,
    attribute: str | None = None,
    *,
    series: Iterable[str] | None = None,
    reference: str | None = None,
    measure: str = "es_auc",
) -> pd.DataFrame:
    """One tidy table of runs.

    Parameters
    ----------
    runs : as `Store.runs` gives them; only finished ones are in `summary`, `groups` and `methods`.
    name : "summary" (one row per run), "methods" (one per method: mean and standard deviation over seeds), "groups" (one
        per run and group), "classes" (one per run and class against the rest, and their mean, where there are more than two), "epochs" (losses and AUC on
        validation), "telemetry", "predictions" or "contributions" (one row per run, test sample and modality: the score
        without the modality, and by how much the modality changed it).
    attribute : groups of this attribute (default: the one each run was trained with).
    series : telemetry: only these names; one that ends in a dot is a prefix.
    reference, measure : methods: the method that others are paired with, and what the difference is of.

    Raises
    ------
    UserError
        For an unknown table, an attribute that the cohort lacks, or methods of several cohorts or attributes.
    """
    if attribute is not None and "," in attribute and len(runs):
        attribute = crossed_name(attribute, store.attributes(runs["cohort_id"].iloc[0])["attribute"].unique().tolist())
    run_ids = runs["run_id"].tolist()
    done = runs[runs["status"] == "done"]
    if name == "epochs":
        return store.epochs(run_ids)
    if name == "telemetry":
        return store.telemetry(run_ids, series)
    if name == "predictions":
        return store.predictions(run_ids)
    if name == "contributions":
        return sample_contributions(store, done["run_id"].tolist())
    if name == "classes":
        return _classes(store, done, attribute)
    if name == "methods":
        return _methods(store, done, attribute, reference, measure)
    if name not in TABLES:
        raise UserError(f"runs have no table '{name}'; there are {', '.join(TABLES)}")
    return _summaries(store, done, attribute, name == "groups")


def _classes(store: Store, runs: pd.DataFrame, attribute: str | None) -> pd.DataFrame:
    parts = []
    for own, part in runs.groupby(runs["attribute"].where(runs["attribute"].notna(), None), dropna=False, sort=False):
        chosen = attribute or (None if pd.isna(own) else str(own))
        table = class_performance(store, part["run_id"].tolist(), chosen)
        parts.append(part[["run_id", "method", "label", "seed"]].assign(attribute=chosen).merge(table, on="run_id"))
    return pd.concat(parts, ignore_index=True) if parts else class_performance(store, [], attribute)


def _methods(store: Store, runs: pd.DataFrame, attribute: str | None, reference: str | None, measure: str) -> pd.DataFrame:
    if runs["cohort_id"].nunique() > 1:
        raise UserError("the finished runs are of several cohorts; choose one with --cohort")
    attributes = [attribute] if attribute else runs["attribute"].dropna().unique().tolist()
    if len(runs) and len(attributes) != 1:
        raise UserError(f"the runs were trained for {', '.join(attributes) or 'no attribute'}; choose one with --attribute")
    summaries = _summaries(store, runs, attribute, False)
    return by_method(store, runs, summaries[["run_id", *METRICS]], attributes[0], reference, measure) if len(runs) else summaries


def _summaries(store: Store, runs: pd.DataFrame, attribute: str | None, by_group: bool) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for run in runs.to_dict(orient="records"):
        known = store.attributes(run["cohort_id"])["attribute"].unique().tolist()
        if attribute is not None and not crossed_parts(attribute, known):
            raise UserError(f"cohort {run['cohort_id']} has no sensitive attribute {attribute!r}; it has: {', '.join(known) or 'none'}")
        test = test_summary(store, run["run_id"], attribute)
        shown = attribute or (None if pd.isna(run["attribute"]) else run["attribute"])
        about = {"run_id": run["run_id"], "method": run["method"], "label": run["label"], "seed": run["seed"], "attribute": shown}
        if by_group:
            known_groups = group_performance(store, [run["run_id"]], shown) if shown else pd.DataFrame(columns=pd.Index(["group"]))
            columns_of = ["group", "value", "low", "high", "n_pos", "n_neg", "reason"]
            rows += [
                about | {str(k): v for k, v in row.items()}
                for row in known_groups.loc[known_groups["group"].notna()].reindex(columns=columns_of).to_dict("records")
            ]
        else:
            rows.append(about | {name: test[name] for name in (*METRICS, "n", "n_pos")})
    columns = ["run_id", "method", "label", "seed", "attribute"]
    if by_group:
        named = pd.DataFrame(rows, columns=pd.Index([*columns, "group", "value", "low", "high", "n_pos", "n_neg", "reason"]))
        return named.rename(columns={"value": "auc", "low": "auc_low", "high": "auc_high"})
    return pd.DataFrame(rows, columns=pd.Index([*columns, *METRICS, "n", "n_pos"]))
