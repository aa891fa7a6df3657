"""The first thing that an audit says: of what it was declared to look for, and of nothing else; what else was seen comes after it, as a lead.

The chance that a fair file is called a disparity here is held over the whole primary family (core.audit.inference.claims). The page,
the report, the command and the Python API say the same sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.audit.inference.verdicts import VERDICTS, Word
from core.audit.wording import count, decimal, interval, listing, missing, p_value, plural, sentence
from core.metrics.catalogue import title
from core.report.audit_tables import OVERALL, comparisons_table, models, verdicts_table

DISPARITY, NONE, UNKNOWN = VERDICTS
ALPHA = 0.05


@dataclass(frozen=True)
class Headline:
    """`sentence` and `word` speak of the primary family; `exploratory` of all else. model, attribute, metric : whose evidence the sentence quotes."""

    sentence: str
    word: Word | None
    exploratory: str
    model: str | None = None
    attribute: str | None = None
    metric: str | None = None


def headline(document: Mapping[str, Any]) -> Headline:
    """The answer of an audit document."""
    verdicts = verdicts_table(document)
    several = len(models(document)) > 1
    asked, others = verdicts[verdicts["primary"]], verdicts[~verdicts["primary"]]
    changes = " ".join(changed_gaps(comparisons_table(document))) if several else ""
    if asked.empty:
        return Headline(changes or "No question was asked of these predictions beforehand.", None, _exploratory(others))
    word: Word = next(kind for kind in (DISPARITY, UNKNOWN, NONE) if (asked["verdict"] == kind).any())
    first = asked[asked["verdict"] == word].sort_values("p", kind="stable", na_position="last").iloc[0]
    said = _opened(first, several) + (_others_like_it(asked, word) if word == DISPARITY else _already_answered(asked) if word == UNKNOWN else "")
    return Headline(f"{changes} {said}".strip(), word, _exploratory(others), str(first["model"]), str(first["attribute"]), str(first["metric"]))


def _opened(row: pd.Series, several: bool) -> str:
    under, head = f", under {row['model']}" if several else "", f"{sentence(title(row['metric']))}: "
    if row["reason"].startswith(head):
        return f"{head[:-2]} by {row['attribute']}{under}: {row['reason'].removeprefix(head)}"
    return f"By {row['attribute']}{under}: {row['reason']}"


def _others_like_it(asked: pd.DataFrame, word: Word) -> str:
    more = int((asked["verdict"] == word).sum()) - 1
    return "" if not more else f" {count(more)} more of the {plural(len(asked), 'question')} asked beforehand {'shows' if more == 1 else 'show'} one."


def _already_answered(asked: pd.DataFrame) -> str:
    none = int((asked["verdict"] == NONE).sum())
    return "" if not none else f" For {count(none)} of the {plural(len(asked), 'question')} asked beforehand no disparity is found."


def _exploratory(others: pd.DataFrame) -> str:
    """How many of the other comparisons differ, and the strongest of them."""
    if others.empty:
        return ""
    real = others[others["verdict"] == DISPARITY].sort_values("p", kind="stable", na_position="last")
    if real.empty:
        return f"Exploratory: none of {count(len(others))} other comparisons shows a difference."
    named = listing([f"{title(row['metric'])} by {row['attribute']}" for row in real.drop_duplicates(["metric", "attribute"]).to_dict("records")], 3)
    shows = "shows a difference" if len(real) == 1 else "show a difference"
    return f"Exploratory, leads rather than findings: {count(len(real))} of {count(len(others))} other comparisons {shows} ({named})."


def comparison_headline(rows: pd.DataFrame) -> str:
    """What each model changes against the first: the gap between groups first, then what that costs in AUC."""
    sentences = []
    for (a, b), part in rows.groupby(["model_a", "model_b"], sort=False):
        gaps = part[(part["attribute"] != OVERALL) & (part["group"] == OVERALL) & (part["metric"] == "max_gap")]
        shown = gaps[gaps["p_adjusted"] < ALPHA]
        said = [_changed_gap(row, str(b)) for row in shown.to_dict("records")]
        if not said and len(gaps):
            by = listing([str(name) for name in gaps["attribute"]])
            said = [f"is not shown to change the gap in AUC by {by}"]
        sentences.append(f"{a} {'; it '.join([*said, _auc_against(part, str(b))])}.")
    return " ".join(sentences)


def changed_gaps(rows: pd.DataFrame) -> list[str]:
    """A sentence for each further model that is shown to change the gap in AUC by an attribute, with what that costs; none where nothing is shown."""
    if rows.empty:
        return []
    shown = rows[(rows["attribute"] != OVERALL) & (rows["group"] == OVERALL) & (rows["metric"] == "max_gap") & (rows["p_adjusted"] < ALPHA)]
    pairs = set(zip(shown["model_a"], shown["model_b"], strict=True))
    return [comparison_headline(part) for (a, b), part in rows.groupby(["model_a", "model_b"], sort=False) if (a, b) in pairs]


def _changed_gap(row: Mapping[Any, Any], against: str) -> str:
    verb = "narrows" if row["difference"] < 0 else "widens"
    change = interval(row["difference"], row["low"], row["high"], signed=True)
    return (
        f"{verb} the gap in AUC by {row['attribute']} from {decimal(row['value_b'])} under {against} to {decimal(row['value_a'])} ({change}, "
        f"corrected {p_value(row['p_adjusted'])})"
    )


def _auc_against(part: pd.DataFrame, against: str) -> str:
    whole = part[(part["attribute"] == OVERALL) & (part["metric"] == "auc")]
    if not len(whole) or missing(whole["difference"].iloc[0]):
        return f"cannot be compared with {against} in AUC"
    one = whole.iloc[0]
    shown = not missing(one["p_adjusted"]) and one["p_adjusted"] < ALPHA
    change = f"{interval(one['difference'], one['low'], one['high'], signed=True)}" + (
        f", corrected {p_value(one['p_adjusted'])}" if not missing(one["p_adjusted"]) else ""
    )
    return (
        f"has {'a higher' if one['difference'] > 0 else 'a lower'} AUC than {against} ({change})"
        if shown
        else f"is not shown to differ from {against} in AUC ({change})"
    )
