"""An audit's document for readers outside: no count below a limit is in it, or can be worked out from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.audit.estimates.grouping import JOINT_GROUP
from core.errors import UserError
from core.report.disclosure import EVERYBODY, Hidden, Node, group_values, hidden

RATES = ("tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy", "net_benefit")
RATE_SUMMARIES = ("dpd", "dp_ratio", "deodds", "eodds_ratio", "equal_opportunity_difference", "equal_opportunity_ratio")
LEAST = 2
USUAL = 11
"""Hidden by default in files: counts of 1 to 10, as statistics offices and health agencies do."""
ALL = "(all)"

_COUNT = re.compile(r"(?<![\w.,:=])\d+(?=\+/\d|[-−]\)|\s+(?:positive|negative|row|sample|patient|more))")

Document = dict[str, Any]


def suppressed(document: Mapping[str, Any], limit: int) -> Document:
    """The document with small counts, and all that would reveal them, left out.

    Groups with fewer than `limit` positives, negatives or patients are removed with everything that is said of them, and as many others
    as it takes for sums not to give them away (`core.report.disclosure`). Where a cell of the 2 x 2 table at the operating
    point is small, the group loses its rates. Summaries that speak of a hidden group, and counts of missing
    and left-out rows beside one, become null. `suppression` says what was done.

    Raises
    ------
    UserError
        When the limit is below 2, or nothing could be shown.
    """
    if limit < LEAST:
        raise UserError(f"--suppress {limit}: give a count of {LEAST} or more; smaller counts are then hidden")
    found = hidden(document, limit)
    models = {name: _Part(found, name, limit).of(part) for name, part in document["models"].items()}
    first = models[document["model"]]
    kept = {name: value for name, value in document.items() if name != "seeds"}
    names = sorted({f"{JOINT_GROUP.join(attributes)} = {JOINT_GROUP.join(values)}" for attributes, values in found.groups})
    return {
        **kept,
        "overall": first["overall"],
        "attributes": first["attributes"],
        "models": models,
        "comparisons": [_comparison(pair, document, found) for pair in document["comparisons"]],
        "findings": [_finding(finding, names, limit) for finding in document["findings"]],
        **({"provenance": _provenance(document["provenance"], limit)} if document.get("provenance") else {}),
        "suppression": {"below": limit, "groups": names, "note": f"Counts below {limit}, and what would reveal them, are not shown."},
    }


class _Part:
    """One model's part of the document."""

    def __init__(self, found: Hidden, model: str, limit: int) -> None:
        self.found, self.limit = found, limit
        self.no_rates = found.rates.get(model, set())
        self.why = f"not shown: it would reveal a count below {limit}"

    def of(self, part: Mapping[str, Any]) -> Document:
        attributes = {name: self._attribute(values) for name, values in part["attributes"].items()}
        gone = {(name, group) for name, values in part["attributes"].items() for group in values["groups"] if group not in attributes[name]["groups"]}
        blind = {(name, group) for name, values in part["attributes"].items() for group in values["groups"] if _node(values, group) in self.no_rates}
        rest = [
            row
            for row in part["against_rest"]
            if (row["attribute"], row["group"]) not in gone
            and not (row["metric"] in RATES and (row["attribute"], row["group"]) in blind)
            and not any(name == row["attribute"] for name, _ in gone)
        ]
        overall = self._without_rates(part["overall"]) if EVERYBODY in self.no_rates else part["overall"]
        return {**part, "overall": overall, "attributes": attributes, "against_rest": rest}

    def _attribute(self, values: Mapping[str, Any]) -> Document:
        nodes = {group: _node(values, group) for group in values["groups"]}
        gone = {group for group, node in nodes.items() if node in self.found.groups}
        blind = gone | {group for group, node in nodes.items() if node in self.no_rates}
        groups = {group: self._without_rates(numbers) if group in blind else numbers for group, numbers in values["groups"].items() if group not in gone}
        left_out = values["left_out"]
        small = any(0 < count < self.limit for count in (values["missing"], left_out["rows"]))
        # The same rows may be missing in another family, where groups are hidden beside them.
        hide_rest = small or bool(self.found.groups)
        # Curves hold counts of every bin and rates at every threshold.
        values = {name: value for name, value in values.items() if name != "curves"}
        if not blind and not hide_rest:
            return dict(values)
        result = {
            **values,
            "groups": groups,
            "tests": [t for t in values["tests"] if not {t["group_a"], t["group_b"]} & (blind if t["metric"] in RATES else gone)],
            "power": [p for p in values.get("power", ()) if not {p["group"], p["reference"]} & (blind if p["metric"] in RATES else gone)],
            "missing": None if hide_rest and values["missing"] else values["missing"],
            "left_out": {"groups": left_out["groups"], "rows": None if hide_rest and left_out["rows"] else left_out["rows"]},
            "excluded": [name for name in values.get("excluded", ()) if name not in gone],
        }
        for name in ("cross_group", "cross_group_auc") if gone else ():
            result.pop(name, None)
        self._summaries(result, values, gone, blind)
        result["verdicts"] = {metric: self._verdict(verdict, bool(blind if metric in RATES else gone)) for metric, verdict in values["verdicts"].items()}
        return result

    def _summaries(self, result: Document, values: Mapping[str, Any], gone: set[str], blind: set[str]) -> None:
        """Nulls for what speaks of a hidden group; other summaries lose the counts in their words."""
        summaries = {}
        for name, summary in values["summaries"].items():
            if blind if name in RATE_SUMMARIES else gone:
                summaries[name] = {key: self.why if key == "reason" else None for key in summary}
                result[name] = None
            else:
                summaries[name] = {key: self._words(value) if isinstance(value, str) else value for key, value in summary.items()}
        result["summaries"] = summaries
        if gone:
            result["worst_group"] = None

    def _verdict(self, verdict: Mapping[str, Any], touched: bool) -> Document:
        if not touched:
            return {**verdict, "reason": self._words(verdict["reason"])}
        word = verdict["verdict"]
        return {
            key: word if key == "verdict" else f"{word}; the groups are {self.why}" if key == "reason" else value if key == "primary" else None
            for key, value in verdict.items()
        }

    def _without_rates(self, numbers: Mapping[str, Any]) -> Document:
        result = {**numbers, **({"confusion": None} if "confusion" in numbers else {})}
        for metric in RATES:
            for name in (metric, f"{metric}_ci", f"{metric}_se"):
                if name in result:
                    result[name] = None
        result["reasons"] = {**numbers["reasons"], **{metric: self.why for metric in RATES if metric in numbers}}
        return result

    def _words(self, text: str) -> str:
        return scrubbed(text, self.limit)


def scrubbed(text: str, limit: int) -> str:
    """A sentence whose counts below the limit are put as "fewer than" it."""

    def masked(found: re.Match[str]) -> str:
        return f"fewer than {limit}" if 0 < int(found.group()) < limit else found.group()

    return _COUNT.sub(masked, text)


def _node(values: Mapping[str, Any], group: str) -> Node:
    names = tuple(values["attributes"])
    return names, group_values(group, len(names))


def _comparison(pair: Mapping[str, Any], document: Mapping[str, Any], found: Hidden) -> Document:
    """Without rows of hidden groups, and without rates where either model's are hidden."""
    attributes = document["models"][document["model"]]["attributes"]
    blind = found.rates.get(pair["model_a"], set()) | found.rates.get(pair["model_b"], set())
    rows = []
    for row in pair["differences"]:
        rate = row["metric"] in (*RATES, *RATE_SUMMARIES)
        hide = found.groups | (blind if rate else set())
        if row["attribute"] == ALL:
            nodes: set[Node] = {EVERYBODY}
        elif row["group"] == ALL:
            nodes = {_node(attributes[row["attribute"]], group) for group in attributes[row["attribute"]]["groups"]}
        else:
            nodes = {_node(attributes[row["attribute"]], row["group"])}
        if not nodes & hide:
            rows.append(row)
    return {**pair, "differences": rows}


def _finding(finding: Mapping[str, Any], names: list[str], limit: int) -> Document:
    """Findings about a hidden group or few rows say only that they are."""
    if any(name in finding["message"] for name in names):
        return {**finding, "message": f"a finding about a group that is not shown, to hide counts below {limit}", "rows": 0}
    if 0 < finding["rows"] < limit:
        return {**finding, "message": f"a finding of the kind '{finding['code']}' about fewer than {limit} rows", "rows": 0}
    return {**finding, "message": scrubbed(finding["message"], limit)}


def _provenance(made: Mapping[str, Any], limit: int) -> Document:
    """Rows read and left out, unless one of these counts is small: then none of them, as the others would give it away."""
    if not any(0 < part["rows"] < limit for part in made["left_out"]):
        return dict(made)
    return {**made, "rows_read": None, "left_out": [{**part, "rows": None} for part in made["left_out"]]}
