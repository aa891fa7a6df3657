"""The document of an audit (what `multifair audit --json` prints) as tidy tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.errors import UserError
from core.metrics.catalogue import CALIBRATION

MAIN_METRICS = ("auc", "tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy", "brier", "ece")
MORE_METRICS = ("average_precision", "auprg", "balanced_brier", "ece_debiased", "calibration_intercept", "calibration_slope", "oe_ratio", "net_benefit")
METRICS = (*MAIN_METRICS, *MORE_METRICS)
GROUPS = ["model", "attribute", "group", "n", "n_pos", "n_neg", "metric", "value", "low", "high", "estimable", "reason"]
TESTS = ["model", "attribute", "depth", "metric", "group_a", "group_b", "difference", "low", "high", "p", "p_adjusted", "method"]
SUMMARIES = ["model", "attribute", "metric", "value", "low", "high", "p_null", "null_median", "null_q95", "reason"]
VERDICTS = ["model", "attribute", "depth", "metric", "verdict", "gap", "p", "evidence", "reason", "primary"]
POWER = ["model", "attribute", "group", "metric", "reference", "detectable", "gap", "more_patients", "to_show_disparity", "to_show_none", "reason"]
REST = ["model", "attribute", "group", "metric", "n", "difference", "p", "p_adjusted", "method", "worth_a_look"]
CROSS = ["run_id", "positive", "negative", "value", "low", "high", "n_pos", "n_neg", "reason"]
COMPARISONS = [
    "model_a",
    "model_b",
    "attribute",
    "group",
    "metric",
    "n",
    "value_a",
    "value_b",
    "difference",
    "low",
    "high",
    "p",
    "p_adjusted",
    "method",
    "reason",
]
SEEDS = ["method", "attribute", "group", "metric", "mean", "sd", "low", "high", "seeds", "left_out", "reason"]
OVERALL = "(all)"


def models(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Model name -> its part of the document.

    Raises
    ------
    UserError
        When the document is not an audit.
    """
    found = document.get("models")
    if isinstance(found, Mapping) and found and all(isinstance(part, Mapping) and "attributes" in part for part in found.values()):
        return dict(found)
    if isinstance(document.get("attributes"), Mapping) and isinstance(document.get("overall"), Mapping):
        return {str(document.get("model", "model")): document}
    raise UserError("this file is not an audit: it has no 'overall' and 'attributes'; make one with multifair audit ... --json")


def groups_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `GROUPS`: an estimate per model, attribute, group and metric; everybody is `(all)`."""
    rows = []
    for model, part in models(document).items():
        families = {OVERALL: {OVERALL: part["overall"]}, **{a: v["groups"] for a, v in part["attributes"].items()}}
        for attribute, groups in families.items():
            for group, values in groups.items():
                rows += [_estimate(model, attribute, group, metric, values) for metric in METRICS if metric in values]
    return _frame(rows, GROUPS)


def _estimate(model: str, attribute: str, group: str, metric: str, values: Mapping[str, Any]) -> list[Any]:
    low, high = _pair(values.get(f"{metric}_ci"))
    reason = (values.get("reasons") or {}).get(metric) or (values.get("reason") if metric == "auc" else None)
    estimable = values.get(metric) is not None and (reason is None)
    counts = [values.get(name) for name in ("n", "n_pos", "n_neg")]
    return [model, attribute, group, *counts, metric, values.get(metric), low, high, estimable, reason]


def tests_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `TESTS`: a row per pair of groups and metric; `depth` counts the attributes that are crossed."""
    rows = []
    for model, part in models(document).items():
        for attribute, values in part["attributes"].items():
            for test in values.get("tests", ()):
                low, high = _pair(test.get("ci"))
                head = [model, attribute, _depth(values), test["metric"], test["group_a"], test["group_b"]]
                rows.append([*head, test["difference"], low, high, test.get("p"), test.get("p_adjusted"), test.get("method")])
    return _frame(rows, TESTS)


def summaries_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `SUMMARIES`: ES-AUC, gap, DPD and the like, with interval and chance null."""
    rows = []
    for model, part in models(document).items():
        for attribute, values in part["attributes"].items():
            for metric, summary in (values.get("summaries") or {}).items():
                low, high = _pair(summary.get("ci"))
                rows.append([model, attribute, metric, summary.get("value"), low, high, *(summary.get(k) for k in SUMMARIES[6:])])
    return _frame(rows, SUMMARIES)


def verdicts_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `VERDICTS`, disparities first, then by evidence; `primary`: asked beforehand, so that the headline speaks of it.

    Calibration stands there once, as the two parts that it is judged by: each with its own difference.
    """
    rows = []
    for model, part in models(document).items():
        for attribute, values in part["attributes"].items():
            verdicts = values.get("verdicts") or {}
            for metric, verdict in verdicts.items():
                if metric == "ece" and verdicts.keys() >= set(CALIBRATION):
                    continue
                rows.append(
                    [model, attribute, _depth(values), metric, verdict["verdict"], *(verdict.get(k) for k in VERDICTS[5:-1]), _primary(verdict, metric, values)]
                )
    frame = _frame(rows, VERDICTS).astype({"primary": bool})
    rank = frame["verdict"].map({"disparity": 0, "no disparity found": 1, "not enough data": 2})
    return (
        frame.assign(_rank=rank)
        .sort_values(["_rank", "evidence"], ascending=[True, False], kind="stable", na_position="last", ignore_index=True)
        .drop(columns="_rank")
    )


def _primary(verdict: Mapping[str, Any], metric: str, values: Mapping[str, Any]) -> bool:
    """Documents of before the families were declared asked for the AUC by every single attribute."""
    known = verdict.get("primary")
    return bool(known) if known is not None else metric == "auc" and _depth(values) == 1


def power_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `POWER`: what this data could detect, and how many more patients a stated gap needs."""
    rows = []
    for model, part in models(document).items():
        for attribute, values in part["attributes"].items():
            rows += [[model, attribute, *(row.get(k) for k in POWER[2:])] for row in values.get("power") or ()]
    return _frame(rows, POWER)


def rest_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `REST`: every group of every attribute and intersection against all others, corrected over all of them."""
    return _frame([[model, *(row.get(k) for k in REST[1:])] for model, part in models(document).items() for row in part.get("against_rest") or ()], REST)


def cross_group_table(document: Mapping[str, Any], attribute: str) -> pd.DataFrame:
    """Columns `CROSS`: how often a positive of one group outranks a negative of another; `run_id` is the model."""
    rows = []
    for model, part in models(document).items():
        for row in part["attributes"][attribute].get("cross_group") or ():
            rows.append([model, row["positive"], row["negative"], row["value"], *_pair(row.get("ci")), row["n_pos"], row["n_neg"], row.get("reason")])
    return _frame(rows, CROSS)


def comparisons_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `COMPARISONS`: paired differences of models on the same samples."""
    rows = []
    for pair in document.get("comparisons") or ():
        for row in pair["differences"]:
            low, high = _pair(row.get("ci"))
            values = {**row, "model_a": pair["model_a"], "model_b": pair["model_b"], "low": low, "high": high}
            rows.append([values.get(k) for k in COMPARISONS])
    return _frame(rows, COMPARISONS)


def seeds_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `SEEDS`: mean over the trainings of one method with the spread between them."""
    return _frame([[row.get(k) for k in SEEDS] for row in document.get("seeds") or ()], SEEDS)


def curve_table(document: Mapping[str, Any], model: str, attribute: str, curve: str) -> pd.DataFrame:
    """Points of one curve (`reliability`, `smooth`, `decision`, `sliding`, `scores`) of one model; empty when it was not asked for."""
    curves = models(document)[model]["attributes"][attribute].get("curves") or {}
    return pd.DataFrame(curves.get(curve) or [])


def too_small(document: Mapping[str, Any], model: str, attribute: str) -> dict[str, str]:
    """Groups that are too small to be judged, with the reason: whoever draws their curves says so instead."""
    groups = models(document)[model]["attributes"][attribute]["groups"]
    return {group: str(values["reason"]) for group, values in groups.items() if values.get("reason")}


def _depth(values: Mapping[str, Any]) -> int:
    return len(values.get("attributes") or (1,))


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if value else (None, None)


def _frame(rows: list[list[Any]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=pd.Index(columns))
    for name in (
        "value",
        "low",
        "high",
        "difference",
        "p",
        "p_adjusted",
        "p_null",
        "null_median",
        "null_q95",
        "gap",
        "evidence",
        "detectable",
        "more_patients",
        "to_show_disparity",
        "to_show_none",
        "value_a",
        "value_b",
        "mean",
        "sd",
    ):
        if name in frame:
            frame[name] = frame[name].astype("float64")
    return frame
