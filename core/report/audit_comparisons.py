"""Several models of one audit against each other, and one method's trainings together, as readable tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.charts.text import count, decimal, interval, missing, p_value
from core.metrics.catalogue import short
from core.report import contents
from core.report.audit_headline import comparison_headline
from core.report.audit_tables import OVERALL, comparisons_table, seeds_table
from core.report.document import Section, TableBlock


def comparison_section(document: Mapping[str, Any]) -> Section | None:
    """Paired differences of every further model to the first one; None for a single model."""
    rows = comparisons_table(document)
    if rows.empty:
        return None
    blocks = [TableBlock("comparisons", "For everybody, and summaries over groups", rows, comparison_text(rows[is_first(rows)]))]
    inside = rows[~is_first(rows)]
    if len(inside):
        blocks.append(TableBlock("comparisons_groups", "Within groups", inside, comparison_text(inside), folded=True))
    over = seeds_table(document)
    if len(over):
        blocks.append(TableBlock("seeds", "Mean over trainings, with the spread between them", over, seeds_text(over), folded=True))
    return Section(contents.BETTER, comparison_headline(rows), tuple(blocks))


def is_first(rows: pd.DataFrame) -> pd.Series:
    """What is read first: everybody, and the summaries of each attribute; not single groups."""
    return rows["group"] == OVERALL


def comparison_text(rows: pd.DataFrame) -> pd.DataFrame:
    """Differences with interval and evidence as text."""
    where = ["everybody" if a == OVERALL else str(a) if g == OVERALL else f"{a} = {g}" for a, g in zip(rows["attribute"], rows["group"], strict=True)]
    return pd.DataFrame(
        {
            "models": rows["model_a"].astype(str) + " − " + rows["model_b"].astype(str),
            "where": where,
            "metric": [short(m) for m in rows["metric"]],
            "values": [
                f"{decimal(a)} and {decimal(b)}" if not (missing(a) or missing(b)) else "not estimable"
                for a, b in zip(rows["value_a"], rows["value_b"], strict=True)
            ],
            "difference": [
                interval(d, lo, hi, signed=True) if not missing(d) else "" for d, lo, hi in zip(rows["difference"], rows["low"], rows["high"], strict=True)
            ],
            "evidence": [p_value(p) if not missing(p) else "no test" for p in rows["p"]],
            "corrected": [p_value(p) if not missing(p) else "no test" for p in rows["p_adjusted"]],
            "method": rows["method"],
            "note": rows["reason"].fillna(""),
        }
    )


def seeds_text(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean, interval and standard deviation over seeds as text."""
    where = ["everybody" if a == OVERALL else str(a) if g == OVERALL else f"{a} = {g}" for a, g in zip(rows["attribute"], rows["group"], strict=True)]
    return pd.DataFrame(
        {
            "method": rows["method"],
            "where": where,
            "metric": [short(m) for m in rows["metric"]],
            "mean over seeds": [
                interval(m, lo, hi) if not missing(m) else "not estimable" for m, lo, hi in zip(rows["mean"], rows["low"], rows["high"], strict=True)
            ],
            "SD between seeds": [decimal(s) if not missing(s) else "" for s in rows["sd"]],
            "seeds": [count(n) for n in rows["seeds"]],
            "note": rows["reason"].fillna(""),
        }
    )
