"""A study's results as a Markdown table for people."""

from __future__ import annotations

import pandas as pd

from core.metrics.catalogue import short, title
from core.study.runner import METRICS

HEADINGS = {**{name: title(name) for name in METRICS}, "max_gap": short("max_gap")}


def markdown(title: str, conditions: list[str], tidy: pd.DataFrame, differences: pd.DataFrame, reference: str) -> str:
    """Rows by falling ES-AUC: mean (sd) per metric, ES-AUC difference to the reference with both intervals, tuned values."""
    wide = tidy.pivot(index="label", columns="metric", values=["mean", "sd"])
    ranked = wide["mean"]["es_auc"].sort_values(ascending=False).index
    lines = [f"# {title}", "", *(f"- {c}" for c in conditions), ""]
    heading = ["method", *HEADINGS.values(), f"ES-AUC - {reference} [over seeds] [over patients]", f"AUC - {reference} [over seeds]", "tuned"]
    lines += [_row(heading), _row(["---"] * len(heading))]
    chosen = tidy.drop_duplicates("label").set_index("label")["chosen"]
    for label in ranked:
        cells = [label, *(_mean(wide["mean"][m][label], wide["sd"][m][label]) for m in METRICS)]
        cells += [_difference(differences, label, reference, "es_auc", True), _difference(differences, label, reference, "auc", False), chosen[label]]
        lines.append(_row(cells))
    others = differences[(differences.metric == "es_auc") & (differences.reference != reference)]
    if len(others):
        lines += ["", "Other paired differences of ES-AUC:", "", _row(["method", "reference", "difference [over seeds] [over patients]"]), _row(["---"] * 3)]
        for label, compared in zip(others["label"], others["reference"], strict=True):
            lines.append(_row([label, compared, _difference(differences, label, compared, "es_auc", True)]))
    return "\n".join(lines) + "\n"


def _difference(table: pd.DataFrame, label: str, reference: str, metric: str, patients: bool) -> str:
    if label == reference:
        return "reference"
    found = table[(table.label == label) & (table.reference == reference) & (table.metric == metric)]
    if found.empty or pd.isna(found.iloc[0].difference):
        return "not estimable"
    one = found.iloc[0]
    text = f"{one.difference:+.3f} [{_limit(one.low)}, {_limit(one.high)}]"
    return text + (f" [{_limit(one.patients_low)}, {_limit(one.patients_high)}]" if patients else "")


def _limit(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:+.3f}"


def _mean(mean: float, sd: float) -> str:
    if pd.isna(mean):
        return "not estimable"
    return f"{mean:.3f}" + ("" if pd.isna(sd) else f" ({sd:.3f})")


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
