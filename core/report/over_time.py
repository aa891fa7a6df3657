"""Two audits of one model at different dates: what has changed for whom.

The two are taken as audits of different patients: intervals of changes join those of the two audits (MOVER, `core.metrics.intervals`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from core.charts.text import count, interval, listing, missing, plural
from core.errors import UserError
from core.metrics.catalogue import short
from core.metrics.intervals import difference_interval
from core.report import contents
from core.report.audit_tables import MAIN_METRICS, OVERALL, groups_table, models, summaries_table
from core.report.document import Section, TableBlock

COLUMNS = ["model", "attribute", "group", "metric", "before", "now", "change", "low", "high", "n_before", "n_now"]
KEY = ["model", "attribute", "group", "metric"]
SUMMARIES = ("es_auc", "worst_group_auc", "max_gap", "dpd", "deodds")


def changes(earlier: Mapping[str, Any], document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `COLUMNS`, of models and groups that both audits have; summaries stand at the group `(all)` of their attribute.

    Raises
    ------
    UserError
        When the audits have no model or no estimate in common.
    """
    common = [name for name in models(document) if name in models(earlier)]
    if not common:
        raise UserError(f"the audits have no model in common: {listing(list(models(earlier)))} then, {listing(list(models(document)))} now")
    then, now = _estimates(earlier), _estimates(document)
    both = then.merge(now, on=KEY, suffixes=("_before", "_now"))
    both = both[both["model"].isin(common)]
    if both.empty:
        raise UserError("the audits have no group in common: they must be by the same attributes, with the same names of groups")
    ends = ("value_now", "low_now", "high_now", "value_before", "low_before", "high_before")
    low, high = difference_interval(*(both[name].to_numpy(dtype=np.float64) for name in ends))
    table = both.assign(before=both["value_before"], now=both["value_now"], change=both["value_now"] - both["value_before"], low=low, high=high)
    return table[COLUMNS].reset_index(drop=True)


def _estimates(document: Mapping[str, Any]) -> pd.DataFrame:
    groups = groups_table(document)
    groups = groups[groups["metric"].isin(MAIN_METRICS) & groups["estimable"]].drop_duplicates(KEY)
    groups = groups[[*KEY, "value", "low", "high", "n"]]
    summaries = summaries_table(document)
    summaries = summaries[summaries["metric"].isin(SUMMARIES) & summaries["value"].notna()].assign(group=OVERALL, n=np.nan)
    return pd.concat([groups, summaries[[*KEY, "value", "low", "high", "n"]]], ignore_index=True)


def over_time_section(earlier: Mapping[str, Any], document: Mapping[str, Any]) -> Section:
    """What has changed, changes whose interval leaves out zero first."""
    table = changes(earlier, document)
    shown_to_change = (table["low"] > 0) | (table["high"] < 0)
    ordered = table.assign(_shown=shown_to_change, _auc=table["metric"] == "auc")
    ordered = ordered.sort_values(["_shown", "_auc"], ascending=False, kind="stable", ignore_index=True).drop(columns="_auc")
    certain = ordered[ordered["_shown"]]
    named = [f"{short(m)} of {_where(a, g)}" for m, a, g in zip(certain["metric"], certain["attribute"], certain["group"], strict=True)]
    sentence = (
        f"{plural(len(certain), 'change')} of {count(len(table))} have an interval that leaves out zero, uncorrected for their number: {listing(named, 6)}."
        if named
        else f"None of {plural(len(table), 'change')} has an interval that leaves out zero; the intervals say how large a change they leave open."
    )
    frame = ordered.drop(columns="_shown")
    text = pd.DataFrame(
        {
            **({"model": frame["model"]} if frame["model"].nunique() > 1 else {}),
            "where": [_where(a, g) for a, g in zip(frame["attribute"], frame["group"], strict=True)],
            "metric": frame["metric"].map(short),
            "before": [interval(v, None, None) for v in frame["before"]],
            "now": [interval(v, None, None) for v in frame["now"]],
            "change": [interval(c, lo, hi, signed=True) for c, lo, hi in zip(frame["change"], frame["low"], frame["high"], strict=True)],
            "rows then and now": [
                "" if missing(a) or missing(b) else f"{count(a)} and {count(b)}" for a, b in zip(frame["n_before"], frame["n_now"], strict=True)
            ],
        }
    )
    dates = [str((d.get("provenance") or {}).get("date") or "no date recorded")[:10] for d in (earlier, document)]
    caption = f"Audits of {dates[0]} ({earlier.get('source', 'predictions')}) and {dates[1]} ({document.get('source', 'predictions')})."
    notes = (
        "The two audits are taken as being of different patients; with the same patients in both, intervals are wider than need be.",
        *_unlike(earlier, document),
    )
    return Section(contents.CHANGED, sentence, (TableBlock("over_time", "Then and now", frame, text, caption),), notes)


def _where(attribute: str, group: str) -> str:
    return "everybody" if attribute == OVERALL else attribute if group == OVERALL else f"{attribute} = {group}"


def _unlike(earlier: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """Choices that differ, which can move numbers by themselves."""
    then, now = earlier.get("options") or {}, document.get("options") or {}
    differ = [name for name in ("threshold", "target", "missing", "bands", "calibration_bins", "alpha") if then.get(name) != now.get(name)]
    return [f"The audits were made with different choices of {listing(differ)}."] if differ else []
