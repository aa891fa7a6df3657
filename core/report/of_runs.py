"""The comparison report of finished runs: the analysis pages' tables and figures in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from core.charts import contribution, gradients, modality_auc
from core.charts.audit_forest import metric_forest
from core.charts.figure import Figure
from core.charts.gradient_pairs import group_magnitudes
from core.charts.text import count, interval, listing, missing, p_value, plural, positives
from core.charts.theme import method_rank
from core.errors import UserError
from core.metrics.catalogue import short
from core.report import contents, paper_tables
from core.report.datasheet import datasheet_section
from core.report.document import ChartBlock, Report, Section, TableBlock
from core.report.guidelines import checklist_section
from core.report.terms import glossary_section
from core.results import cohort_claims, group_tables
from core.results.predictions import group_names
from core.store import Store
from core.versions import now
from core.workspace import read_json

TERMS = (
    "auc",
    "group_auc",
    "interval",
    "es_auc",
    "worst_group",
    "max_gap",
    "null",
    "ratio",
    "phi",
    "unimodal",
    "take_away",
    "cosine",
    "share_negative",
    "factor",
    "relative_update",
)
MOST_NAMED = 8
RANK = {"disparity": 2, "not enough data": 1, "no disparity found": 0}


def runs_report(
    store: Store,
    run_ids: Sequence[str],
    attribute: str | None = None,
    name: str = "comparison",
    created: datetime | None = None,
    answers: Mapping[str, str] | None = None,
) -> Report:
    """Compose the report of `run_ids`, all finished and of one cohort.

    `attribute` defaults to the one that most of the runs were trained for.

    Raises
    ------
    UserError
        For runs that are not finished, not there, or of several cohorts, and for an unknown attribute.
    """
    runs = _runs(store, run_ids)
    names = dict(zip(runs["run_id"], runs["name"], strict=True))
    cohort = next(c for c in store.cohorts().to_dict("records") if c["cohort_id"] == runs["cohort_id"].iloc[0])
    cohort_id = str(cohort["cohort_id"])
    modalities = tuple(cohort["modalities"])
    attribute = _attribute(attribute, runs, tuple(cohort["attributes"]), str(cohort["name"]))
    sections: list[Section] = []
    if attribute is not None:
        sections.append(_groups(store, names, cohort_id, attribute))
        sections.append(Section(contents.METHODS, "", (paper_tables.of_runs(store, runs, attribute),)))
    sections.append(_modalities(store, names, modalities, cohort_id, attribute))
    sections.append(_gradients(store, names, modalities, cohort_id, attribute))
    checklist = checklist_section(_evidence(cohort, attribute), answers or {})
    sections += [_settings(runs), datasheet_section(store.workspace, cohort_id, attribute), checklist, glossary_section(TERMS)]
    facts = (
        ("Cohort", str(cohort["name"])),
        ("Patients", count(int(cohort["n_patients"]))),
        ("Samples", count(int(cohort["n"]))),
        ("Modalities", ", ".join(modalities)),
        ("Compared by", attribute or "no attribute"),
        ("Runs", count(len(runs))),
    )
    return Report(
        name=name,
        title=f"Comparison of {plural(len(runs), 'run')} on {cohort['name']}",
        subtitle=listing(list(names.values()), 8),
        created=(created or now()).strftime("%Y-%m-%d %H:%M"),
        facts=facts,
        sections=tuple(sections),
        provenance={"cohort_id": cohort_id, "runs": {run_id: _provenance(store, run_id) for run_id in names}},
    )


def _evidence(cohort: Mapping[Any, Any], attribute: str | None) -> dict[str, str]:
    """What a comparison of runs computes for the items of reporting guidelines."""
    found = {
        "splits": "the cohort's own training, validation and test patients; all estimates are of test patients",
        "clusters": f"{count(int(cohort['n_patients']))} patients with {count(int(cohort['n']))} samples: samples of one patient are taken together",
        "analysis": f"“{contents.TRAINED}” and “{contents.WORDS}”",
    }
    if attribute is None:
        return found
    return found | {"performance": f"“{contents.METHODS}”", "subgroups": f"“{contents.by_attribute(attribute, real=True)}”"}


def _runs(store: Store, run_ids: Sequence[str]) -> pd.DataFrame:
    wanted = list(dict.fromkeys(run_ids))
    if not wanted:
        raise UserError("no run is chosen; `multifair runs` lists them")
    frame = store.runs()
    frame = frame[frame["run_id"].isin(wanted)]
    gone = [run for run in wanted if run not in set(frame["run_id"])]
    if gone:
        raise UserError(f"no run is named {gone[0]!r}; `multifair runs` lists those there are")
    unfinished = frame[frame["status"] != "done"]
    if len(unfinished):
        raise UserError(f"{unfinished['run_id'].iloc[0]} is {unfinished['status'].iloc[0]}: only finished runs can be reported")
    if frame["cohort_id"].nunique() > 1:
        raise UserError("the runs are of several cohorts: choose runs of one cohort, as results on different patients cannot be compared")
    frame = frame.assign(_rank=[method_rank(str(m)) for m in frame["method"]]).sort_values(["_rank", "label", "seed", "run_id"], ignore_index=True)
    name = frame["label"].astype(str)
    for extra in (" · seed " + frame["seed"].astype(str), " · " + frame["key"].astype(str).str[:6]):
        twice = name.duplicated(keep=False)
        name = name.where(~twice, name + extra)
    return frame.drop(columns="_rank").assign(name=name)


def _attribute(wanted: str | None, runs: pd.DataFrame, known: tuple[str, ...], cohort: str) -> str | None:
    if wanted is not None:
        if wanted not in known:
            raise UserError(f"cohort {cohort!r} has no sensitive attribute {wanted!r}; it has: {', '.join(known) or 'none'}")
        return wanted
    trained = [a for a in runs["attribute"].dropna() if a in known]
    return max(trained, key=trained.count) if trained else (known[0] if known else None)


def _charts(*figures: tuple[str, Figure]) -> list[ChartBlock | TableBlock]:
    blocks = (ChartBlock.of(figure, name) for name, figure in figures)
    return [block for block in blocks if block is not None]


def _groups(store: Store, names: dict[str, str], cohort_id: str, attribute: str) -> Section:
    groups = group_tables.group_performance(store, names, attribute)
    groups = groups.assign(model=groups["run_id"].map(names), estimable=groups["value"].notna())
    everybody, by_group = groups[groups["group"].isna()], groups[groups["group"].notna()]
    verdicts = cohort_claims.of_runs(store, cohort_id, names, attribute).drop(columns="pair", errors="ignore")
    summaries = group_tables.summaries(store, names, attribute)
    blocks = _charts(("group_auc", metric_forest(by_group, everybody, attribute, "auc")))
    blocks.append(TableBlock("summaries", "Methods side by side", summaries.assign(run=summaries["run_id"].map(names)), _summary_text(summaries, names)))
    shown = pd.DataFrame(
        {
            "run": by_group["model"],
            "group": by_group["group"],
            "positives / negatives": [positives(p, q) for p, q in zip(by_group["n_pos"], by_group["n_neg"], strict=True)],
            "AUC": [interval(v, lo, hi) for v, lo, hi in zip(by_group["value"], by_group["low"], by_group["high"], strict=True)],
            "note": by_group["reason"].fillna(""),
        }
    )
    blocks.append(TableBlock("group_auc_table", "AUC of each group", groups.drop(columns=["estimable"]), shown))
    words = pd.DataFrame(
        {
            "run": verdicts["run_id"].map(names),
            "verdict": verdicts["verdict"],
            "evidence, corrected": [p_value(p) if not missing(p) else "no test" for p in verdicts["p"]],
            "why": verdicts["reason"],
        }
    )
    blocks.append(TableBlock("verdicts", "Is the gap real?", verdicts, words))
    worst = verdicts.assign(_rank=verdicts["verdict"].map(RANK)).sort_values(["_rank", "p"], ascending=[False, True], kind="stable").head(1)
    sentence = f"{names[str(worst['run_id'].iloc[0])]}: {worst['reason'].iloc[0]}" if len(worst) else "No run has test predictions."
    tag = str(worst["verdict"].iloc[0]) if len(worst) else ""
    return Section(contents.by_attribute(attribute, real=True), sentence, tuple(blocks), tag=tag)


def _summary_text(summaries: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """A row per run, a column per summary."""
    rows = []
    for run_id, name in names.items():
        row = {"run": name}
        part = summaries[summaries["run_id"] == run_id]
        for metric, value, low, high in zip(part["metric"], part["value"], part["low"], part["high"], strict=True):
            row[short(metric)] = interval(value, low, high)
        rows.append(row)
    return pd.DataFrame(rows)


def _modalities(store: Store, names: dict[str, str], modalities: Sequence[str], cohort_id: str, attribute: str | None) -> Section:
    telemetry = store.telemetry(names, ["contribution.ratio", "contribution.phi"])
    figures = [("contribution", contribution.over_epochs(telemetry, names, modalities))]
    if attribute is not None:
        groups = group_names(store, cohort_id, attribute)
        last = telemetry[telemetry["epoch"] == telemetry.groupby("run_id")["epoch"].transform("max")]
        performance = group_tables.modality_performance(store, names, attribute)
        alone, without = performance[performance["kind"] == "unimodal"], performance[performance["kind"].isin(["all", "without"])]
        figures += [
            ("contribution_by_group", contribution.by_group(last, names, modalities, groups, attribute)),
            ("unimodal_auc", modality_auc.unimodal(alone, names, modalities, groups, attribute)),
            ("take_away", modality_auc.take_away(without, names, modalities, groups, attribute)),
        ]
    blocks = _charts(*figures)
    if len(telemetry):
        blocks.append(TableBlock("contribution_table", "Contributions, epoch by epoch", telemetry, folded=True))
    return Section(contents.MODALITIES, "", tuple(blocks))


def _gradients(store: Store, names: dict[str, str], modalities: Sequence[str], cohort_id: str, attribute: str | None) -> Section:
    telemetry = store.telemetry(names, ["conflict.", "magnitude.", "effect.", "method."])
    trained = telemetry.loc[telemetry["epoch"] >= 0, "epoch"]
    if trained.empty:
        return Section(contents.GRADIENTS, "These runs recorded no gradients: a network with one modality has none to compare.")
    last = int(trained.max()) + 1
    groups = group_names(store, cohort_id, attribute) if attribute is not None else ()
    figure = gradients.conflict(telemetry, names, modalities, groups, (max(1, last - 2), last))
    blocks = _charts(("conflict", figure), ("magnitude", gradients.magnitudes(telemetry, names, modalities)))
    if attribute is not None:
        blocks += _charts(("magnitude_groups", group_magnitudes(gradients.prepared(telemetry, names), names, attribute)))
    blocks.append(TableBlock("gradients_table", "Gradients, epoch by epoch", telemetry, folded=True))
    return Section(contents.GRADIENTS, "", tuple(blocks))


def _settings(runs: pd.DataFrame) -> Section:
    """What was trained how: a row per run, and a row per value of each setting in which they differ."""
    parts = [
        {**json.loads(b or "{}"), **json.loads(n or "{}"), **json.loads(s or "{}")}
        for s, n, b in zip(runs["settings"], runs["network"], runs["budget"], strict=True)
    ]
    shown = runs[["name", "run_id", "seed", "attribute", "preset", "device"]].rename(columns={"name": "run"}).assign(seconds=runs["seconds"].round(1))
    blocks = [TableBlock("runs", "Runs", runs, shown)]
    differ = _differences(runs, parts)
    note = "Settings that are the same in all runs are under “How these numbers were made”."
    if len(differ):
        text = differ.assign(runs=[listing(names, MOST_NAMED) for names in differ["runs"]])
        blocks.append(TableBlock("settings", "Settings in which they differ", differ.assign(runs=differ["runs"].map(", ".join)), text))
    else:
        note = "No setting differs; they are under “How these numbers were made”."
    return Section(contents.TRAINED, "", tuple(blocks), (note,) if len(runs) > 1 else ())


def _differences(runs: pd.DataFrame, parts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Columns setting, value, runs (names, one for all runs of a label that agree); what a method does not have is no difference."""
    rows = []
    for key in dict.fromkeys(key for part in parts for key in part):
        written = [json.dumps(part[key], sort_keys=True) if key in part else None for part in parts]
        if len(set(written)) == 1:
            continue
        for value in dict.fromkeys(text for text in written if text is not None):
            having = runs[[text == value for text in written]]
            whole = [str(label) for label, part in having.groupby("label", sort=False) if len(part) == (runs["label"] == label).sum()]
            single = having.loc[~having["label"].isin(whole), "name"].astype(str)
            rows.append([key, _plain(json.loads(value)), [*whole, *single]])
    return pd.DataFrame(rows, columns=pd.Index(["setting", "value", "runs"]))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float)) else json.dumps(value)


def _provenance(store: Store, run_id: str) -> dict[str, Any]:
    folder = store.folder(run_id)
    environment = read_json(folder.environment) if folder.environment.exists() else None
    return {"specification": folder.read_spec(), "environment": environment}
