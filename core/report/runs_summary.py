"""The first page, the limits and the way to make it again of a report of runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core import __version__
from core.charts.audit_matrix import DISPARITY, NONE, UNKNOWN
from core.charts.text import count, listing, missing, p_value, plural, positives
from core.metrics.catalogue import short
from core.report import contents
from core.report.audit_cohort import FEW
from core.report.document import Section, TableBlock
from core.report.paper_tables import PAIRED
from core.report.runs_disclosure import Disclosure
from core.report.runs_view import with_limits

MOST_VERDICTS = 10
ORDER = {DISPARITY: 0, NONE: 1, UNKNOWN: 2}
SEEDS_WANTED = 3


def in_order(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Verdicts in order of evidence: disparities first, what is open last."""
    ranked = verdicts.assign(_rank=verdicts["verdict"].map(ORDER))
    return ranked.sort_values(["_rank", "p"], kind="stable", na_position="last", ignore_index=True).drop(columns="_rank")


def summary_section(
    cohort: str,
    names: Mapping[str, str],
    attribute: str | None,
    verdicts: pd.DataFrame,
    everybody: pd.DataFrame,
    groups: pd.DataFrame,
    methods: TableBlock | None,
) -> Section:
    """verdicts : rows of `core.results.cohort_claims.claims`, everybody and groups : rows of `group_performance`, methods : the table of a paper."""
    found = in_order(verdicts)
    points = [
        ("Question", _question(attribute)),
        ("Patients", _patients(cohort, everybody)),
        ("Methods", _methods(methods, len(names))),
        ("Verdicts", _tally(found) if len(found) else "None: there is no sensitive attribute to compare by."),
        ("Could not be judged", _open(found, names)),
        ("What to do", _to_do(found, groups, attribute)),
    ]
    blocks = [TableBlock("summary", "The comparison in short", pd.DataFrame(points, columns=pd.Index(["what", "answer"])))]
    judged = found[found["verdict"] != UNKNOWN].head(MOST_VERDICTS)
    if len(judged):
        shown = pd.DataFrame(
            {
                "run": judged["run_id"].map(names),
                "verdict": judged["verdict"],
                "evidence, corrected": [p_value(p) if not missing(p) else "no test" for p in judged["p"]],
                "in words": judged["reason"],
            }
        )
        blocks.append(TableBlock("summary_verdicts", "Verdicts in order of evidence", with_limits(judged), shown))
    tag = str(found["verdict"].iloc[0]) if len(found) else ""
    return Section(contents.SUMMARY, "", tuple(blocks), tag=tag, first=True)


def _question(attribute: str | None) -> str:
    if attribute is None:
        return "Which method ranks the test patients best?"
    return f"Does a method serve groups of {attribute} differently in AUC, and is one method ahead of another on the same patients?"


def _patients(cohort: str, everybody: pd.DataFrame) -> str:
    if everybody.empty:
        return f"Test patients of {cohort}."
    first = everybody.iloc[0]
    return f"{plural(int(first['n_pos'] + first['n_neg']), 'test sample')} of {cohort}, {count(int(first['n_pos']))} with the outcome."


def _methods(methods: TableBlock | None, runs: int) -> str:
    """What the table of a paper supports by paired differences, and no more."""
    if methods is None:
        return f"{plural(runs, 'run')}."
    table = methods.display
    ahead = [f"{table.iloc[y, 0]!s} is ahead of every other in {table.columns[x]!s}" for y, x in sorted(methods.bold)]
    if ahead:
        return f"{listing(ahead)}, paired on the same patients, corrected p below .05."
    if len(table) < 2:
        return f"{table.iloc[0, 0]!s} alone: there is nothing to compare it with."
    return f"Of {plural(len(table), 'method')} none is shown to be ahead of every other in {listing([short(name) for name in PAIRED])}."


def _tally(found: pd.DataFrame) -> str:
    return f"Of {plural(len(found), 'run')} " + "; ".join(f"{kind}: {count(int((found['verdict'] == kind).sum()))}" for kind in ORDER) + "."


def _open(found: pd.DataFrame, names: Mapping[str, str]) -> str:
    unknown = found[found["verdict"] == UNKNOWN]
    if unknown.empty:
        return "Nothing: every run has an answer." if len(found) else "Nothing was asked by group."
    return f"Too few patients to say for {listing([names[str(run)] for run in unknown['run_id']], 6)}."


def _to_do(found: pd.DataFrame, groups: pd.DataFrame, attribute: str | None) -> str:
    said = []
    if (found["verdict"] == DISPARITY).any():
        said.append(f"Find the cause of the disparities by {attribute} before such a model is used for these groups.")
    if (found["verdict"] == UNKNOWN).any() and len(groups):
        least = groups.iloc[int(groups[["n_pos", "n_neg"]].min(axis=1).argmin())]
        said.append(f"Judge on more patients: the smallest group, {least['group']}, has {positives(least['n_pos'], least['n_neg'])} in the test split.")
    return " ".join(said) or "Nothing follows from these runs alone; repeat the comparison when patients or methods change."


def limits_section(runs: pd.DataFrame, groups: pd.DataFrame, methods: TableBlock | None, disclosure: Disclosure) -> Section:
    """Limits that follow from these runs, each with the number behind it."""
    said = [("One cohort", "All estimates are of the test patients of one cohort; patients of other places may differ.")]
    seeds = runs.groupby("label")["seed"].nunique()
    few = seeds[seeds < SEEDS_WANTED]
    if len(few):
        said.append(("Few trainings", f"Fewer than {SEEDS_WANTED} seeds of {listing(list(few.index), 6)}: chance of the training is hardly accounted for."))
    size = groups["n_pos"] + groups["n_neg"]
    small = [f"{g} ({count(int(n))})" for g, n in dict(zip(groups["group"], size, strict=True)).items() if n < FEW]
    if small:
        said.append(("Small groups", f"Fewer than {FEW} test samples: {'; '.join(small)}. Their estimates may lie far from the truth; read the intervals."))
    trained = runs["attribute"].dropna().nunique()
    if trained > 1:
        said.append(
            (
                "Different aims",
                f"The runs were trained for {count(int(trained))} attributes; a method is judged here by an attribute it may not have been trained for.",
            )
        )
    if methods is not None and len(methods.display) > 1:
        said.append(("Many comparisons", "Differences between methods are corrected for all pairs; DPD, DEOdds and group AUCs have no paired test over seeds."))
    said.append(("Cause", "Differences between groups are described, not explained: case mix, measurement of the label and access to care can all cause them."))
    if disclosure.note:
        said.append(("Hidden counts", disclosure.note))
    return Section(contents.LIMITS, "", (TableBlock("limits", "Limits that follow from these runs", pd.DataFrame(said, columns=pd.Index(["what", "limit"]))),))


def again_section(runs: pd.DataFrame, cohort_id: str, provenance: Mapping[str, Mapping[str, Any]]) -> Section:
    """Cohort, versions and the commands that train the runs again; each run's full specification is in the JSON."""
    rows = [("Cohort", cohort_id), ("Tool", f"multifair {__version__}")]
    versions: dict[str, set[str]] = {}
    for one in provenance.values():
        for name, value in ((one.get("environment") or {}).get("versions") or {}).items():
            versions.setdefault(str(name), set()).add(str(value))
    rows += [(name, ", ".join(sorted(values))) for name, values in sorted(versions.items())]
    rows.append(("Devices", listing(sorted({str(d) for d in runs["device"].dropna()})) or "not recorded"))
    rows += [("Command", command) for command in _commands(runs, cohort_id)]
    note = (
        "Settings beyond the preset are in each run's specification, under “How these numbers were made” and in the JSON; a run's key is the hash of all of it."
    )
    return Section(contents.AGAIN, "", (TableBlock("again", "Cohort, versions, commands", pd.DataFrame(rows, columns=pd.Index(["what", "answer"]))),), (note,))


def _commands(runs: pd.DataFrame, cohort_id: str) -> Sequence[str]:
    made = []
    for (method, attribute, preset), part in runs.groupby(["method", "attribute", "preset"], sort=False, dropna=False):
        seeds = ",".join(str(seed) for seed in sorted(set(part["seed"].astype(int))))
        words = ["multifair", "train", "--cohort", cohort_id, "--method", str(method), *(() if missing(attribute) else ("--attribute", str(attribute)))]
        # A single number would mean that many seeds.
        made.append(shlex.join([*words, "--seeds", seeds if "," in seeds else f"{seeds},", "--preset", str(preset)]))
    return made
