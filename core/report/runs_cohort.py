"""Who the patients of a comparison of runs are: by split and group, and what was left out of the cohort and why."""

from __future__ import annotations

import pandas as pd

from core.charts.group_names import group_order
from core.charts.text import count, listing, missing, percent, plural
from core.cohort.cohort import Cohort
from core.cohort.composition import split_table
from core.report import contents
from core.report.audit_cohort import NO_VALUE
from core.report.datasheet import columns_table, notes
from core.report.document import Section, TableBlock
from core.report.runs_disclosure import Disclosure, cells_to_show

HIDDEN = "not shown"


def patients_section(cohort: Cohort, attribute: str | None, disclosure: Disclosure) -> Section:
    """Table 1, rows that are not in the cohort, and what its checks found; no sentence names a patient."""
    table = cells_to_show(_ordered(split_table(cohort)), disclosure, attribute)
    table = table.assign(prevalence=(table["n_pos"].astype("Float64") / table["n"].astype("Float64").mask(table["n"] == 0)).astype("float64"))
    blocks = [
        TableBlock("table_one", "Patients by split and group", table, _text(table), "Samples and patients of the cohort. The outcome is the positive label."),
        TableBlock("left_out", "Rows that are not in the cohort", *_left_out(cohort, disclosure)),
    ]
    if cohort.findings:
        blocks.append(
            TableBlock("findings", f"{plural(len(cohort.findings), 'finding')} of the checks", *_findings(cohort, disclosure, _withheld(table)), folded=True)
        )
    blocks.append(columns_table(cohort))
    sentence = f"{plural(cohort.n_patients, 'patient')} with {plural(cohort.n, 'sample')}."
    return Section(contents.PATIENTS, sentence, tuple(blocks), (*notes(cohort), *((disclosure.note,) if disclosure.note else ())))


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Bands by their edges, as on charts; rows without a value last."""
    place = {
        (str(name), group): y for name, part in table.groupby("attribute", sort=False) for y, group in enumerate(group_order(part["group"].dropna().unique()))
    }
    keys = [place.get((str(a), g), len(table)) if isinstance(g, str) else len(table) for a, g in zip(table["attribute"], table["group"], strict=True)]
    block = (table[["split", "attribute"]].fillna("") != table[["split", "attribute"]].fillna("").shift()).any(axis=1).cumsum()
    return table.assign(_block=block, _key=keys).sort_values(["_block", "_key"], kind="stable", ignore_index=True).drop(columns=["_block", "_key"])


def _text(table: pd.DataFrame) -> pd.DataFrame:
    groups = ["everybody" if missing(a) else NO_VALUE if missing(g) else str(g) for a, g in zip(table["attribute"], table["group"], strict=True)]
    counts = {head: [HIDDEN if pd.isna(v) else count(int(v)) for v in table[name]] for head, name in HEADS.items()}
    share = ["" if missing(value) else percent(value, 1) for value in table["prevalence"]]
    return pd.DataFrame({"split": table["split"], "attribute": table["attribute"].fillna(""), "group": groups, **counts, "share with it": share})


HEADS = {"samples": "n", "patients": "n_patients", "with the outcome": "n_pos", "without": "n_neg"}


def _left_out(cohort: Cohort, disclosure: Disclosure) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the user's table by the reason why they were set aside."""
    reasons = pd.Series([str(row.get("code") or "other") for row in cohort.set_aside], dtype="object").value_counts(sort=False)
    frame = pd.DataFrame({"reason": reasons.index.astype(object), "rows": reasons.to_numpy()}).astype({"rows": "Int64"})
    frame = pd.concat([frame, pd.DataFrame({"reason": ["none left out" if reasons.empty else "all"], "rows": [int(reasons.sum())]})], ignore_index=True)
    if disclosure.limit and frame["rows"].between(1, disclosure.limit - 1).any():
        frame["rows"] = pd.NA
    return frame, frame.assign(rows=[HIDDEN if pd.isna(n) else count(int(n)) for n in frame["rows"]])


def _withheld(table: pd.DataFrame) -> frozenset[str]:
    """Attributes of which Table 1 does not show all counts."""
    return frozenset(str(name) for name in table.loc[table["n"].isna() & table["attribute"].notna(), "attribute"])


def _findings(cohort: Cohort, disclosure: Disclosure, withheld: frozenset[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the checks found, by kind: their sentences may name patients and stay with the cohort.

    withheld : attributes some of whose counts are hidden. How many rows lack a value of one, over all splits, would tell how many do in the split
    that hides it, and by that the size of the one group that is hidden beside them.
    """
    rows = [[f.severity, f.code, ", ".join(f.columns), f.rows, f.remedy] for f in cohort.findings]
    frame = pd.DataFrame(rows, columns=pd.Index(["severity", "code", "columns", "rows", "remedy"])).astype({"rows": "Int64"})
    small = frame["rows"].between(1, disclosure.limit - 1) if disclosure.limit else pd.Series(data=False, index=frame.index)
    telling = pd.Series([bool(withheld & set(f.columns)) for f in cohort.findings], index=frame.index)
    frame["rows"] = frame["rows"].mask(small | telling)
    few = f"fewer than {disclosure.limit}"
    titles = {check["code"]: check["title"] for check in cohort.checks}
    shown = pd.DataFrame(
        {
            "severity": frame["severity"],
            "what": [titles.get(code, code.replace("-", " ").capitalize()) for code in frame["code"]],
            "columns": [listing(f.columns, 6) for f in cohort.findings],
            "rows": [HIDDEN if told else few if pd.isna(n) else count(int(n)) for n, told in zip(frame["rows"], telling, strict=True)],
            "remedy": frame["remedy"],
        }
    )
    return frame, shown
