"""The comparison report of finished runs: the analysis pages' tables and figures in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd

from core.charts import contribution, gradients, modality_auc
from core.charts.audit_forest import metric_forest
from core.charts.gradient_pairs import group_magnitudes
from core.charts.synergy import synergy
from core.charts.text import count, decimal, interval, listing, missing, p_value, plural, positives
from core.charts.theme import method_rank
from core.cohort.cohort import Cohort, load
from core.errors import UserError
from core.json_reading import read_json
from core.metrics.catalogue import short
from core.report import contents, paper_tables
from core.report.document import ChartBlock, Report, Section, TableBlock, charts
from core.report.guidelines import checklist_section
from core.report.runs_cohort import patients_section
from core.report.runs_curves import curves_section, shown_by
from core.report.runs_disclosure import disclosure
from core.report.runs_summary import again_section, limits_section, summary_section
from core.report.runs_view import View, with_limits
from core.report.terms import glossary_section
from core.results import group_tables
from core.results.answers import gradients_answer, groups_answer, modalities_answer
from core.store import Store
from core.versions import now

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
    "synergy",
    "cosine",
    "share_negative",
    "factor",
    "relative_update",
    "curvature",
)
MOST_NAMED = 8
CURVATURE = "effect.curvature"


def runs_report(
    store: Store,
    run_ids: Sequence[str],
    attribute: str | None = None,
    name: str = "comparison",
    created: datetime | None = None,
    answers: Mapping[str, str] | None = None,
    suppress: int = 0,
) -> Report:
    """Compose the report of `run_ids`, all finished and of one cohort.

    `attribute` defaults to the one that most of the runs were trained for. `suppress`: hide counts below this and what
    would reveal them, for readers outside; curves by group are then left out, as their steps count patients.

    Raises
    ------
    UserError
        For runs that are not finished, not there, or of several cohorts, and for an unknown attribute.
    """
    runs = _runs(store, run_ids)
    names = dict(zip(runs["run_id"], runs["name"], strict=True))
    cohort = load(store.workspace, str(runs["cohort_id"].iloc[0]))
    attribute = _attribute(attribute, runs, cohort.roles.attributes, cohort.name)
    shown = disclosure(store, list(names), attribute, suppress)
    view = View(store, runs, cohort, attribute, shown)
    methods = None if attribute is None else paper_tables.of_runs(store, runs, attribute, shown)
    everybody, groups, verdicts = view.performance()
    sections = [summary_section(cohort.name, names, attribute, verdicts, everybody, groups, methods), patients_section(cohort, attribute, shown)]
    if methods is not None:
        sections += [_groups(view, everybody, groups, verdicts), Section(contents.METHODS, "", (methods,))]
        curves = curves_section(view)
        sections += [] if curves is None else [curves]
    made = {run_id: _provenance(store, run_id) for run_id in names}
    sections += [
        _modalities(view),
        _gradients(view),
        _settings(runs),
        limits_section(runs, groups, methods, shown),
        checklist_section(_evidence(cohort, attribute) | shown_by(sections), answers or {}),
        again_section(runs, cohort.cohort_id, made),
        glossary_section(TERMS),
    ]
    return Report(
        name=name,
        title=f"Comparison of {plural(len(runs), 'run')} on {cohort.name}",
        subtitle=listing(list(names.values()), 8),
        created=(created or now()).strftime("%Y-%m-%d %H:%M"),
        facts=_facts(view),
        sections=tuple(sections),
        provenance={"cohort_id": cohort.cohort_id, "runs": made},
        data={"answers": dict(answers or {}), "suppressed_below": shown.limit or None},
    )


def _facts(view: View) -> tuple[tuple[str, str], ...]:
    return (
        ("Cohort", view.cohort.name),
        ("Patients", count(view.cohort.n_patients)),
        ("Samples", count(view.cohort.n)),
        ("Modalities", ", ".join(view.modalities)),
        ("Compared by", view.attribute or "no attribute"),
        ("Runs", count(len(view.runs))),
        *((("Drawn", view.note),) if view.note else ()),
        *((("Not shown", view.shown.note),) if view.shown.note else ()),
    )


def _evidence(cohort: Cohort, attribute: str | None) -> dict[str, str]:
    """What a comparison of runs computes for the items of reporting guidelines."""
    found = {
        "splits": "the cohort's own training, validation and test patients; all estimates are of test patients",
        "clusters": f"{count(cohort.n_patients)} patients with {count(cohort.n)} samples: samples of one patient are taken together",
        "analysis": f"“{contents.AGAIN}”, “{contents.TRAINED}” and “{contents.WORDS}”",
        "participants": f"“{contents.PATIENTS}”",
        "missing": f"“{contents.PATIENTS}”: rows without a value of each attribute, and rows that are not in the cohort",
        "flow": f"“{contents.PATIENTS}”: rows that are not in the cohort",
        "prevalence": f"“{contents.PATIENTS}”",
        "outcome": f"{cohort.roles.label}, positive: {cohort.roles.positive}",
        "findings": f"“{contents.PATIENTS}”: findings of the checks",
        "limits": f"“{contents.LIMITS}”",
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
        raise UserError(f"no run is named {gone[0]!r}; `multifair runs` lists them")
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


def _groups(view: View, everybody: pd.DataFrame, by_group: pd.DataFrame, verdicts: pd.DataFrame) -> Section:
    assert view.attribute is not None
    names, shown = view.names, view.shown
    summaries = group_tables.summaries(view.store, names, view.attribute)
    if shown.gone:
        summaries = summaries[summaries["metric"] == "auc"]
    sentence, word, detail = groups_answer(by_group, verdicts, view)
    drawn = by_group[by_group["run_id"].isin(list(view.drawn))]
    blocks: list[ChartBlock | TableBlock] = [*charts(("group_auc", metric_forest(drawn, everybody, view.attribute, "auc")))]
    blocks.append(
        TableBlock(
            "summaries",
            "AUC and its differences between groups, run by run",
            summaries.assign(run=summaries["run_id"].map(names)),
            _summary_text(summaries, names),
        )
    )
    text = pd.DataFrame(
        {
            "run": by_group["model"],
            "group": by_group["group"],
            "positives / negatives": [positives(p, q) for p, q in zip(by_group["n_pos"], by_group["n_neg"], strict=True)],
            "AUC": [interval(v, lo, hi) for v, lo, hi in zip(by_group["value"], by_group["low"], by_group["high"], strict=True)],
            "note": by_group["reason"].fillna(""),
        }
    )
    groups = pd.concat([everybody, by_group]).drop(columns=["estimable"])
    blocks.append(TableBlock("group_auc_table", "AUC of each group", groups, text))
    words = pd.DataFrame(
        {
            "run": verdicts["run_id"].map(names),
            "verdict": verdicts["verdict"],
            "evidence, corrected": [p_value(p) if not missing(p) else "no test" for p in verdicts["p"]],
            "why": verdicts["reason"],
        }
    )
    blocks.append(TableBlock("verdicts", "Is the gap real?", with_limits(verdicts), words))
    said = (shown.words(sentence), shown.words(detail)) if shown.limit else (sentence, detail)
    return Section(contents.by_attribute(view.attribute, real=True), said[0], tuple(blocks), (said[1],) if said[1] else (), tag=word or "")


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


def _modalities(view: View) -> Section:
    names, modalities, attribute, by = view.drawn, view.modalities, view.attribute, view.groups
    telemetry, together = view.contributions(), view.contributions("contribution.synergy")
    figures, performance = [("contribution", contribution.over_epochs(telemetry, names, modalities))], None
    if attribute is not None:
        performance = view.shown.visible(group_tables.modality_performance(view.store, view.names, attribute))
        alone, without = performance[performance["kind"] == "unimodal"], performance[performance["kind"].isin(["all", "without"])]
        figures += [
            ("contribution_by_group", contribution.by_group(_last(telemetry), names, modalities, by, attribute)),
            ("unimodal_auc", modality_auc.unimodal(alone, names, modalities, by, attribute)),
            ("take_away", modality_auc.take_away(without, names, modalities, by, attribute)),
        ]
    figures.append(("synergy", synergy(_last(together), names, by, attribute or "")))
    blocks: list[ChartBlock | TableBlock] = [*charts(*figures)]
    if len(telemetry):
        told = pd.concat([telemetry, together], ignore_index=True) if len(together) else telemetry
        blocks.append(TableBlock("contribution_table", "Contributions, epoch by epoch", told, folded=True))
    sentence, _, detail = modalities_answer(telemetry, view, performance)
    return Section(contents.MODALITIES, view.shown.words(sentence), tuple(blocks), (detail,) if detail else ())


def _last(telemetry: pd.DataFrame) -> pd.DataFrame:
    """The rows of each run's last epoch."""
    return telemetry[telemetry["epoch"] == telemetry.groupby("run_id")["epoch"].transform("max")]


def _gradients(view: View) -> Section:
    names, attribute = view.drawn, view.attribute
    telemetry = view.telemetry(["conflict.", "magnitude.", "effect.", "method."])
    trained = telemetry.loc[telemetry["epoch"] >= 0, "epoch"]
    if trained.empty:
        return Section(contents.GRADIENTS, "These runs recorded no gradients: a network with one modality has none to compare.")
    last = int(trained.max()) + 1
    marked = (max(1, last - 2), last)
    figure = gradients.conflict(telemetry, names, view.modalities, view.groups, marked)
    blocks: list[ChartBlock | TableBlock] = [
        *charts(("conflict", replace(figure, columns=min(2, figure.columns))), ("magnitude", gradients.magnitudes(telemetry, names, view.modalities)))
    ]
    if attribute is not None:
        blocks += charts(("magnitude_groups", group_magnitudes(gradients.prepared(telemetry, names), names, attribute)))
    bend = _last(telemetry[(telemetry["name"] == CURVATURE) & telemetry["value"].notna()])
    if len(bend):
        blocks.append(
            TableBlock("curvature", "How sharply the loss bends along each encoder's own gradient, after training", bend, _bend_text(bend, view.names))
        )
    blocks.append(TableBlock("gradients_table", "Gradients, epoch by epoch", telemetry, folded=True))
    sentence, _, detail = gradients_answer(telemetry, view, marked)
    return Section(contents.GRADIENTS, sentence, tuple(blocks), (detail,) if detail else ())


def _bend_text(bend: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """A row per run, a column per modality."""
    rows = []
    for run_id, name in names.items():
        part = bend[bend["run_id"] == run_id]
        if len(part):
            rows.append({"run": name, **{m: decimal(v) for m, v in zip(part["modality"], part["value"], strict=True)}})
    return pd.DataFrame(rows).fillna("")


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
