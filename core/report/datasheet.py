"""The datasheet of a cohort in a report: who is in it, what each column was taken for, what the checks found."""

from __future__ import annotations

import pandas as pd

from core.charts.text import count, percent, plural
from core.cohort.cohort import Cohort, load
from core.cohort.composition import group_counts
from core.errors import DamagedFile, UserError
from core.report import contents
from core.report.document import Section, TableBlock
from core.workspace import Workspace

SPLITS = ("train", "validation", "test")


def datasheet_section(workspace: Workspace, cohort_id: str, attribute: str | None) -> Section:
    """The section; a cohort that is no longer there, or is damaged, is said."""
    try:
        cohort = load(workspace, cohort_id)
        return Section(contents.DATASHEET, _sentence(cohort), _tables(cohort, attribute), _notes(cohort))
    except (UserError, DamagedFile, OSError) as error:
        return Section(contents.DATASHEET, f"The cohort cannot be read any more: {error}")


def _sentence(cohort: Cohort) -> str:
    return (
        f"{plural(cohort.n, 'sample')} of {plural(cohort.n_patients, 'patient')}, {count(int(cohort.positive.sum()))} with the outcome"
        f" ({percent(float(cohort.positive.mean()))}); {plural(len(cohort.set_aside), 'row')} of the table could not be used."
    )


def _notes(cohort: Cohort) -> tuple[str, ...]:
    """Whose data it is with its known traps, and how the splits came about."""
    made = cohort.manifest.get("splits_made", False)
    how = "made here, by patient, with labels and groups in equal shares" if made else f"those of the column {cohort.roles.split}"
    folds = f" There are {cohort.n_folds} folds of cross-validation." if cohort.n_folds else ""
    known = tuple(f"{f.message[:1].upper()}{f.message[1:]}." for f in cohort.findings if f.code == "known-layout")
    return (*known, f"The splits are {how}; no patient is in two of them.{folds}")


def _tables(cohort: Cohort, attribute: str | None) -> tuple[TableBlock, ...]:
    blocks = [TableBlock("cohort_splits", "Splits", split_counts(cohort))]
    if attribute is not None:
        counts = group_counts(cohort, attribute)[["group", "n_pos", "n_neg"]] if attribute in cohort.roles.attributes else _crossed(cohort, attribute)
        blocks.append(TableBlock("cohort_groups", f"Samples by {cohort.roles.title(attribute)}", counts))
    # Reasons and messages quote values and ids of patients; a report is passed on.
    columns = pd.DataFrame([[c["column"], c["role"]] for c in cohort.columns], columns=pd.Index(["column", "role"]))
    blocks.append(TableBlock("cohort_columns", "Columns of the table, and what each was taken for", columns, folded=True))
    titles = {check["code"]: check["title"] for check in cohort.checks}
    found = [[f.severity, f.code, titles.get(f.code, f.code.replace("-", " ").capitalize()), f.rows] for f in cohort.findings]
    if found:
        frame = pd.DataFrame(found, columns=pd.Index(["severity", "code", "title", "rows"]))
        blocks.append(TableBlock("cohort_findings", "What the checks of the cohort found", frame, folded=True))
    return tuple(blocks)


def split_counts(cohort: Cohort) -> pd.DataFrame:
    """Columns split, samples, patients, positives, share (missing for an empty split)."""
    rows = []
    for split in SPLITS:
        part = cohort.table[cohort.table["split"] == split]
        positives = int((part["y"] > 0).sum())
        rows.append(
            {
                "split": split,
                "samples": len(part),
                "patients": int(part["patient_id"].nunique()),
                "positives": positives,
                "share": positives / len(part) if len(part) else None,
            }
        )
    return pd.DataFrame(rows)


def _crossed(cohort: Cohort, attribute: str) -> pd.DataFrame:
    frame = pd.DataFrame({"group": cohort.group_values(attribute), "y": cohort.positive}).dropna(subset=["group"])
    counts = frame.groupby("group")["y"].agg(n_pos="sum", n="size").reset_index()
    return counts.assign(n_neg=counts["n"] - counts["n_pos"])[["group", "n_pos", "n_neg"]]
