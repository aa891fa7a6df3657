"""Who an audit is about and how it decides: groups with missing values, the flow of rows, the operating point, 2 x 2 tables; and what it cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.charts.text import count, decimal, missing, percent
from core.report import contents
from core.report.audit_tables import OVERALL, models, verdicts_table
from core.report.document import Section, TableBlock
from core.report.provenance import operating_points, row_flow

GROUPS = ["attribute", "group", "n", "n_patients", "n_pos", "n_neg", "prevalence"]
CELLS = ["model", "attribute", "group", "tp", "fp", "fn", "tn"]
NO_VALUE = "(no value)"
FEW = 100


def cohort_section(document: Mapping[str, Any]) -> Section:
    """Rows by group, rows read and left out, where the line is drawn, and what it decides."""
    groups, cells = groups_table(document), cells_table(document)
    blocks = [TableBlock("cohort", "Rows by group", groups, _groups_text(groups))]
    made = document.get("provenance")
    if isinstance(made, Mapping):
        blocks.append(TableBlock("row_flow", "Rows read and left out", row_flow(made)))
        blocks.append(TableBlock("decision", "Outcome and operating point", operating_points(made)))
    if len(cells):
        caption = "Rows. Positive: the score is at least the threshold."
        blocks.append(TableBlock("two_by_two", "What was decided: 2 × 2 tables at the operating point", cells, cells_text(cells), caption))
    return Section(contents.WHO, "", tuple(blocks))


def groups_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `GROUPS`: everybody, then the groups of each single attribute, and the rows without a value of it."""
    part = next(iter(models(document).values()))
    rows = [[OVERALL, OVERALL, *_counts(part["overall"])]]
    for attribute, values in part["attributes"].items():
        if len(values.get("attributes") or (1,)) > 1:
            continue
        rows += [[attribute, group, *_counts(numbers)] for group, numbers in values["groups"].items()]
        if values.get("missing"):
            rows.append([attribute, NO_VALUE, values["missing"], None, None, None, None])
    frame = pd.DataFrame(rows, columns=pd.Index(GROUPS))
    return frame.astype({name: "Int64" for name in ("n", "n_patients", "n_pos", "n_neg")}).astype({"prevalence": "float64"})


def _counts(numbers: Mapping[str, Any]) -> list[Any]:
    return [numbers.get(name) for name in GROUPS[2:]]


def _groups_text(groups: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "attribute": groups["attribute"].replace(OVERALL, "everybody"),
            "group": groups["group"].replace(OVERALL, ""),
            **{
                head: ["" if pd.isna(value) else count(int(value)) for value in groups[name]]
                for head, name in (("rows", "n"), ("patients", "n_patients"), ("with the outcome", "n_pos"), ("without", "n_neg"))
            },
            "share with it": ["" if missing(value) else percent(value, 1) for value in groups["prevalence"]],
        }
    )


def cells_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Columns `CELLS`, of every model, for everybody and each group of single attributes; audits of before lack them."""
    rows = []
    for model, part in models(document).items():
        families = {OVERALL: {OVERALL: part["overall"]}, **{a: v["groups"] for a, v in part["attributes"].items() if len(v.get("attributes") or (1,)) == 1}}
        for attribute, groups in families.items():
            rows += [[model, attribute, group, *(g["confusion"][cell] for cell in CELLS[3:])] for group, g in groups.items() if g.get("confusion")]
    return pd.DataFrame(rows, columns=pd.Index(CELLS))


def cells_text(cells: pd.DataFrame, head: str = "model") -> pd.DataFrame:
    """2 x 2 tables as they are read, a row per group; `head`: what the first column is called where there are several models."""
    where = ["everybody" if a == OVERALL else f"{a} = {g}" for a, g in zip(cells["attribute"], cells["group"], strict=True)]
    heads = {
        "tp": "found (true positive)",
        "fn": "missed (false negative)",
        "fp": "false alarm (false positive)",
        "tn": "correctly not flagged (true negative)",
    }
    shown = pd.DataFrame({"where": where, **{title: [count(int(n)) for n in cells[name]] for name, title in heads.items()}})
    if cells["model"].nunique() > 1:
        shown.insert(0, head, list(cells["model"]))
    return shown


def limits_section(document: Mapping[str, Any]) -> Section:
    """Limits that follow from the audit itself, each with the number behind it."""
    part = next(iter(models(document).values()))
    said = [*_of_patients(part), *_of_decision(part), *_of_statistics(document, part)]
    frame = pd.DataFrame(said, columns=pd.Index(["what", "limit"]))
    return Section(contents.LIMITS, "", (TableBlock("limits", "Limits that follow from the data and the choices", frame),))


def _of_patients(part: Mapping[str, Any]) -> list[tuple[str, str]]:
    said = []
    singles = {a: v for a, v in part["attributes"].items() if len(v.get("attributes") or (1,)) == 1}
    small = [f"{a} = {g} ({count(n['n'])})" for a, v in singles.items() for g, n in v["groups"].items() if n["n"] < FEW]
    if small:
        said.append(("Small groups", f"Fewer than {FEW} rows: {'; '.join(small)}. Their estimates may lie far from the truth; read the intervals."))
    gone = [f"{a}: {', '.join(v['excluded'])}" for a, v in singles.items() if v.get("excluded")]
    if gone:
        said.append(("Groups left out", f"Summaries such as ES-AUC leave out groups with too few positives or negatives: {'; '.join(gone)}."))
    with_missing = [f"{a} ({count(v['missing'])})" for a, v in singles.items() if v.get("missing")]
    if with_missing:
        said.append(
            ("Missing attributes", f"Rows without a value take no part in comparisons by {', '.join(with_missing)}; these patients may differ from the others.")
        )
    banded = [a for a, v in singles.items() if v.get("bands")]
    if banded:
        said.append(("Bands", f"{', '.join(banded)} is cut into bands; other edges give other groups."))
    return said


def _of_decision(part: Mapping[str, Any]) -> list[tuple[str, str]]:
    point = part.get("operating_point") or {}
    if point.get("source") == "in-sample":
        return [
            (
                "Operating point",
                f"The threshold {decimal(point.get('threshold'))} was chosen on the audited rows themselves: rates at it look better than they will be.",
            )
        ]
    if point.get("reason"):
        return [("Operating point", str(point["reason"]))]
    return []


def _of_statistics(document: Mapping[str, Any], part: Mapping[str, Any]) -> list[tuple[str, str]]:
    said = []
    options = document.get("options") or {}
    verdicts = verdicts_table({**document, "models": {"": part}})
    said.append(
        (
            "Many questions",
            f"{int(verdicts['primary'].sum())} of {len(verdicts)} verdicts answer what was asked beforehand; "
            "the others are exploratory and need new patients to confirm them.",
        )
    )
    why = part["overall"].get("reasons", {}).get("ece")
    if why:
        said.append(("Calibration", f"Not judged: {why}."))
    note = (document.get("notes") or {}).get("es_auc")
    if note:
        said.append(("ES-AUC", str(note)))
    if options.get("alpha") is not None:
        said.append(("Certainty", f"Verdicts are wrong in up to {percent(options['alpha'])} of audits of a fair model, and intervals miss the truth as often."))
    said.append(("Cause", "Differences between groups are described, not explained: case mix, measurement of the label and access to care can all cause them."))
    if document.get("suppression"):
        said.append(("Hidden counts", str(document["suppression"]["note"])))
    return said
