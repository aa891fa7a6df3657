"""The tables that a paper prints: methods or models down, AUC, ES-AUC, each group's AUC, DPD and DEOdds across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.charts.text import interval, missing
from core.metrics.catalogue import lower_is_better, short
from core.report.audit_headline import ALPHA
from core.report.audit_tables import OVERALL, comparisons_table, models
from core.report.document import TableBlock
from core.report.method_table import NOTHING, mean_sd
from core.report.runs_disclosure import Disclosure
from core.results.compare_runs import lead, pairs
from core.results.method_table import by_method
from core.results.paired_differences import MEASURES
from core.results.summary import test_summary
from core.store import Store

BEFORE, AFTER = ("auc", "es_auc"), ("dpd", "deodds")
PAIRED = tuple(name for name in (*BEFORE, *AFTER) if name in MEASURES)
BOLD = "In bold: best, and ahead of every other one by a paired difference whose corrected p is below .05. Other columns have no paired test over seeds."


def of_runs(store: Store, runs: pd.DataFrame, attribute: str, disclosure: Disclosure | None = None) -> TableBlock:
    """Mean and standard deviation over the seeds of each method; runs that differ in nothing but the seed are one row.

    disclosure : what may be shown; summaries that speak of a hidden group, or follow from hidden 2 x 2 tables, have no column.
    """
    shown = disclosure or Disclosure()
    before, after = BEFORE[:1] if shown.gone else BEFORE, AFTER if shown.rates else ()
    told = {run_id: test_summary(store, run_id, attribute) for run_id in runs["run_id"]}
    groups = [group for group in dict.fromkeys(group for one in told.values() for group in one["group_auc"]) if group not in shown.gone]
    keys = [*before, *(f"group_{place}" for place in range(len(groups))), *after]
    rows = [[run_id, *(one[k] for k in before), *(one["group_auc"].get(group) for group in groups), *(one[k] for k in after)] for run_id, one in told.items()]
    table = by_method(store, runs, pd.DataFrame(rows, columns=pd.Index(["run_id", *keys])), attribute)
    heads = {key: short(key) for key in (*before, *after)} | {f"group_{place}": f"AUC, {group}" for place, group in enumerate(groups)}
    written = [pd.Series(table["variant"], name="method"), pd.Series(table["seeds"].astype(str), name="seeds")]
    written += [pd.Series([mean_sd(m, s) for m, s in zip(table[key], table[f"{key}_sd"], strict=True)], name=heads[key]) for key in keys]
    bold = set()
    for key in (name for name in PAIRED if name in keys and len(table) > 1):
        ahead = lead(table[["variant", key]].dropna(), pairs(store, runs, attribute, key), key, axis=key)
        if ahead is not None and ahead.clear:
            bold.add((list(table["variant"]).index(ahead.best), 2 + keys.index(key)))
    means = [
        [row["variant"], row["seeds"], "auc" if key.startswith("group_") else key, about, row[key], row[f"{key}_sd"]]
        for row in table.to_dict("records")
        for key, about in [*((k, "(all)") for k in (*before, *after)), *((f"group_{place}", group) for place, group in enumerate(groups))]
    ]
    frame = pd.DataFrame(means, columns=pd.Index(["method", "seeds", "metric", "group", "mean", "sd"]))
    caption = f"Test patients, groups by {attribute}: mean over seeds (standard deviation between them). {BOLD}" + (f" {shown.note}" if shown.note else "")
    return TableBlock("methods", "Methods side by side", frame, pd.concat(written, axis=1), caption, bold=frozenset(bold), paper=True)


def of_audit(document: Mapping[str, Any], attribute: str, name: str) -> TableBlock:
    """A row per model: estimates with their intervals, as the audit holds them."""
    parts = models(document)
    groups = list(dict.fromkeys(group for part in parts.values() for group in part["attributes"][attribute]["groups"]))
    rows, shown = [], []
    for model, part in parts.items():
        own = part["attributes"][attribute]
        told = [(short("auc"), *_estimate(part["overall"], "auc")), (short("es_auc"), *_summary(own, "es_auc"))]
        told += [(f"AUC, {group}", *_estimate(own["groups"].get(group, {}), "auc")) for group in groups]
        told += [(short(metric), *_summary(own, metric)) for metric in AFTER]
        rows += [[model, head, value, low, high] for head, value, low, high in told]
        shown.append([model, *(NOTHING if missing(value) else interval(value, low, high) for _, value, low, high in told)])
    heads = ["model", short("auc"), short("es_auc"), *(f"AUC, {group}" for group in groups), *(short(metric) for metric in AFTER)]
    frame = pd.DataFrame(rows, columns=pd.Index(["model", "column", "value", "low", "high"]))
    table = pd.DataFrame(shown, columns=pd.Index(heads))
    caption = f"Groups by {attribute}; brackets: 95 % intervals." if _level(document) == 95 else f"Groups by {attribute}; brackets: intervals."
    several = len(parts) > 1
    bold = _supported(document, attribute, list(parts), table) if several else frozenset()
    return TableBlock(
        name, "Models side by side" if several else "The model in one line", frame, table, f"{caption} {BOLD}" if several else caption, bold=bold, paper=True
    )


def _level(document: Mapping[str, Any]) -> int:
    return round(100 * (1 - float((document.get("options") or {}).get("alpha", ALPHA))))


def _estimate(values: Mapping[str, Any], metric: str) -> tuple[Any, Any, Any]:
    reason = (values.get("reasons") or {}).get(metric) or values.get("reason")
    value = values.get(metric) if not reason else None
    low, high = values.get(f"{metric}_ci") or (None, None)
    return (value, low, high) if value is not None else (None, None, None)


def _summary(own: Mapping[str, Any], metric: str) -> tuple[Any, Any, Any]:
    told = (own.get("summaries") or {}).get(metric)
    if told is None:
        return own.get(metric), None, None
    low, high = told.get("ci") or (None, None)
    return told.get("value"), low, high


def _supported(document: Mapping[str, Any], attribute: str, names: Sequence[str], table: pd.DataFrame) -> frozenset[tuple[int, int]]:
    """Where one model is shown to be ahead of every other one: each of them has to be compared with it."""
    rows = comparisons_table(document)
    found = set()
    for column, (where, metric) in enumerate(((OVERALL, "auc"), (attribute, "es_auc"), *((attribute, m) for m in AFTER))):
        own = rows[(rows["attribute"] == where) & (rows["group"] == OVERALL) & (rows["metric"] == metric)]
        place = 1 + column if column < 2 else table.shape[1] - len(AFTER) + column - 2
        won: dict[str, set[str]] = {name: set() for name in names}
        for row in own.to_dict("records"):
            if not missing(row["p_adjusted"]) and row["p_adjusted"] < ALPHA and row["difference"]:
                a_wins = (row["difference"] > 0) != lower_is_better(metric)
                won[row["model_a"] if a_wins else row["model_b"]].add(row["model_b"] if a_wins else row["model_a"])
        found |= {(names.index(name), place) for name, beaten in won.items() if len(beaten) == len(names) - 1}
    return frozenset(found)
