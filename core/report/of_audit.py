"""The report of an audit of predictions, from its document (`multifair audit --json`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from core.charts.audit_curves import decision_curves, reliability
from core.charts.audit_forest import metric_forest
from core.charts.audit_matrix import DISPARITY, NONE, UNKNOWN, verdict_matrix
from core.charts.audit_threshold import sliding
from core.charts.audit_volcano import volcano
from core.charts.calibration import smooth_calibration
from core.charts.consequences import cross_group
from core.charts.scores_by_outcome import score_distribution
from core.charts.text import count, decimal, interval, missing, p_value, plural, positives
from core.metrics.catalogue import short
from core.report import contents, paper_tables
from core.report.audit_cohort import cohort_section, limits_section
from core.report.audit_comparisons import comparison_section
from core.report.audit_evidence import audit_evidence
from core.report.audit_headline import Headline, headline
from core.report.audit_summary import summary_section
from core.report.audit_tables import (
    MAIN_METRICS,
    MORE_METRICS,
    OVERALL,
    cross_group_table,
    curve_table,
    groups_table,
    models,
    power_table,
    rest_table,
    summaries_table,
    tests_table,
    too_small,
    verdicts_table,
)
from core.report.declared import declared_section
from core.report.document import ChartBlock, Report, Section, TableBlock
from core.report.guidelines import checklist_section
from core.report.over_time import over_time_section
from core.report.provenance import provenance_section
from core.report.terms import glossary_section
from core.versions import now

FORESTS = ("auc", "tpr", "fpr")
SHOWN_TESTS = 60
UNFOLDED = 6
RANK = {DISPARITY: 2, UNKNOWN: 1, NONE: 0}


def audit_report(
    document: Mapping[str, Any],
    name: str = "audit",
    created: datetime | None = None,
    answers: Mapping[str, str] | None = None,
    earlier: Mapping[str, Any] | None = None,
) -> Report:
    """Compose the report.

    answers : to the questions of `core.report.answers`, by key. earlier : an audit of the same model at another date, to say what has changed.

    Raises
    ------
    UserError
        When `document` is not an audit.
    """
    parts = models(document)
    verdicts = verdicts_table(document)
    groups = groups_table(document)
    tests = tests_table(document)
    several = len(parts) > 1
    source = str(document.get("source", "predictions"))
    found = _found(verdicts, list(parts), headline(document))
    sections: list[Section | None] = [summary_section(document, found.sentence, found.tag), declared_section(document), cohort_section(document), found]
    singles = [a for a, v in next(iter(parts.values()))["attributes"].items() if len(v.get("attributes") or (1,)) == 1]
    sections += [_attribute(document, a, groups, tests, verdicts, summaries_table(document), parts, several) for a in singles]
    sections += [_against_rest(document, parts), *_intersections(tests, verdicts, parts), comparison_section(document)]
    sections += [
        None if earlier is None else over_time_section(earlier, document),
        _warnings(document),
        limits_section(document),
        checklist_section(audit_evidence(document), answers or {}),
        provenance_section(document),
        glossary_section(["auc", "group_auc", "interval", "es_auc", "max_gap", "null", "p", "dpd", "deodds", "tpr", "fpr", "ece"]),
    ]
    options = document.get("options") or {}
    point = next(iter(parts.values())).get("operating_point") or {}
    facts = [
        ("Rows", count(document.get("n") or next(iter(parts.values()))["overall"]["n"])),
        ("Patients", count(document["n_patients"]) if document.get("n_patients") else "one per row"),
        ("Models", ", ".join(parts)),
        ("Tolerance", decimal(options.get("tolerance"), 2) if options.get("tolerance") is not None else "not recorded"),
        (
            "Threshold",
            f"{decimal(point['threshold'])} ({point.get('source')})" if point.get("threshold") is not None else str(point.get("reason") or "not recorded"),
        ),
    ]
    if document.get("suppression"):
        facts.append(("Not shown", str(document["suppression"]["note"])))
    return Report(
        name=name,
        title="Fairness audit of predictions",
        subtitle=source,
        created=(created or now()).strftime("%Y-%m-%d %H:%M"),
        facts=tuple(facts),
        sections=tuple(section for section in sections if section is not None),
        provenance=document.get("provenance") or {"source": source, "options": options, "operating_point": point},
        data={"audit": document, "answers": dict(answers or {}), **({} if earlier is None else {"earlier": earlier})},
    )


def worst_verdict(verdicts: pd.DataFrame) -> str:
    """The word to put beside an attribute: a disparity outweighs an open question, that a clear answer."""
    return max(verdicts["verdict"], key=RANK.__getitem__, default="")


def _found(verdicts: pd.DataFrame, names: list[str], answer: Headline) -> Section:
    blocks: list[ChartBlock | TableBlock] = []
    for index, model in enumerate(names):
        block = ChartBlock.of(
            verdict_matrix(verdicts[(verdicts["model"] == model) & (verdicts["depth"] == 1)], model if len(names) > 1 else ""), f"verdicts_{index + 1}"
        )
        if block is not None:
            blocks.append(block)
    shown = pd.DataFrame(
        {
            **({"model": verdicts["model"]} if len(names) > 1 else {}),
            "attribute": verdicts["attribute"],
            "metric": verdicts["metric"].map(short),
            "verdict": verdicts["verdict"],
            "why": verdicts["reason"],
        }
    )
    blocks.append(TableBlock("verdicts", "Every verdict with its reason", verdicts.drop(columns="depth"), shown, folded=True))
    return Section(contents.FOUND, answer.sentence, tuple(blocks), (answer.exploratory,) if answer.exploratory else (), tag=answer.word or "")


def sentence_case(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _attribute(
    document: Mapping[str, Any],
    attribute: str,
    groups: pd.DataFrame,
    tests: pd.DataFrame,
    verdicts: pd.DataFrame,
    summaries: pd.DataFrame,
    parts: Mapping[str, Any],
    several: bool,
) -> Section:
    own = groups[groups["attribute"] == attribute]
    overall = groups[groups["attribute"] == OVERALL]
    judged = verdicts[verdicts["attribute"] == attribute]
    stem = _stem(attribute, parts)
    blocks = _estimates(document, attribute, own, overall, summaries[summaries["attribute"] == attribute], stem, several)
    model = next(iter(parts))
    blocks += _curves(document, attribute, own[own["model"] == model], parts, stem)
    enough = power_table(document)
    enough = enough[(enough["attribute"] == attribute) & (enough["model"] == model)]
    if len(enough):
        blocks.append(TableBlock(f"{stem}_power", "Is there enough data?", enough, power_text(enough)))
    pairs = tests[tests["attribute"] == attribute]
    if len(pairs):
        caption = f"The {SHOWN_TESTS} with the strongest evidence of {plural(len(pairs), 'comparison')}." if len(pairs) > SHOWN_TESTS else ""
        blocks.append(
            TableBlock(f"{stem}_tests", "Pairs of groups", pairs.drop(columns=["attribute", "depth"]), pair_text(pairs, several), caption, folded=True)
        )
    judged = judged[judged["primary"]] if judged["primary"].any() else judged
    strongest = judged[judged["verdict"] == worst_verdict(judged)].sort_values("metric", key=lambda m: m != "auc", kind="stable").head(1)
    sentence = sentence_case(str(strongest["reason"].iloc[0])) if len(strongest) else ""
    values = next(iter(parts.values()))["attributes"][attribute]
    notes = [f"{plural(int(values['missing']), 'row')} without a value of {attribute}."] if values.get("missing") else []
    return Section(contents.by_attribute(attribute), sentence, tuple(blocks), tuple(notes), tag=worst_verdict(judged))


def _estimates(
    document: Mapping[str, Any], attribute: str, own: pd.DataFrame, overall: pd.DataFrame, summaries: pd.DataFrame, stem: str, several: bool
) -> list[ChartBlock | TableBlock]:
    """Forests, group tables and summaries of one attribute; all frames are its own but `overall`, of everybody."""
    blocks: list[ChartBlock | TableBlock] = []
    for metric in FORESTS:
        part = own[own["metric"] == metric]
        if part.empty:
            continue
        block = ChartBlock.of(metric_forest(part, overall[overall["metric"] == metric], attribute, metric), f"{stem}_{metric}")
        if block is not None:
            blocks.append(block)
    blocks.append(paper_tables.of_audit(document, attribute, f"{stem}_paper"))
    blocks.append(TableBlock(f"{stem}_groups", "Estimates by group", own.drop(columns="attribute"), group_text(own[own["metric"].isin(MAIN_METRICS)], several)))
    more = own[own["metric"].isin(MORE_METRICS)]
    if len(more):
        blocks.append(
            TableBlock(
                f"{stem}_more",
                "Precision-recall areas, calibration and net benefit by group",
                more.drop(columns="attribute"),
                group_text(more, several),
                folded=True,
            )
        )
    if len(summaries):
        blocks.append(
            TableBlock(
                f"{stem}_summaries", "Summaries, and how large each comes out by chance", summaries.drop(columns="attribute"), summary_text(summaries, several)
            )
        )
    return blocks


def _curves(document: Mapping[str, Any], attribute: str, own: pd.DataFrame, parts: Mapping[str, Any], stem: str) -> list[ChartBlock]:
    """What is drawn of the first model alone; `own`: its group estimates by the attribute."""
    model = next(iter(parts))
    fitted = curve_table(document, model, attribute, "smooth")
    calibrated = smooth_calibration(fitted, _ratios(own))
    if calibrated.empty:
        calibrated = reliability(curve_table(document, model, attribute, "reliability"), fitted)
    gone = too_small(document, model, attribute)
    useful = decision_curves(curve_table(document, model, attribute, "decision"), gone)
    point = parts[model]["attributes"][attribute].get("operating_point") or {}
    spread = score_distribution(curve_table(document, model, attribute, "scores"), point.get("threshold"))
    slid = sliding(curve_table(document, model, attribute, "sliding"), attribute, point.get("threshold"), gone)
    between = cross_group(cross_group_table(document, attribute), {m: m for m in parts}, list(parts[model]["attributes"][attribute]["groups"]), attribute)
    drawn = (
        ChartBlock.of(figure, f"{stem}_{name}")
        for name, figure in (("scores", spread), ("thresholds", slid), ("calibration", calibrated), ("decision", useful), ("cross_group", between))
    )
    return [block for block in drawn if block is not None]


def _ratios(own: pd.DataFrame) -> dict[str, str]:
    """O:E of each group with its interval, as it stands beside a calibration curve."""
    part = own[(own["metric"] == "oe_ratio") & own["estimable"]]
    return {str(g): interval(v, lo, hi) for g, v, lo, hi in zip(part["group"], part["value"], part["low"], part["high"], strict=True)}


def group_text(own: pd.DataFrame, several: bool) -> pd.DataFrame:
    """Groups down, metrics across, `value [low, high]` in the cells, counts beside the group."""
    rows = []
    for (model, group), part in own.groupby(["model", "group"], sort=False):
        row: dict[str, Any] = {"model": model} if several else {}
        row |= {"group": group, "positives / negatives": positives(part["n_pos"].iloc[0], part["n_neg"].iloc[0])}
        for metric, value, low, high, known in zip(part["metric"], part["value"], part["low"], part["high"], part["estimable"], strict=True):
            row[short(metric)] = interval(value, low, high) if known else "not estimable"
        rows.append(row)
    return pd.DataFrame(rows)


def metric_text(own: pd.DataFrame) -> pd.DataFrame:
    """One model's metrics down, groups across with their counts, `value [low, high]` in the cells."""
    heads = {group: f"{group} ({positives(part['n_pos'].iloc[0], part['n_neg'].iloc[0])})" for group, part in own.groupby("group", sort=False)}
    cells = [interval(v, lo, hi) if known else "not estimable" for v, lo, hi, known in own[["value", "low", "high", "estimable"]].itertuples(index=False)]
    wide = own.assign(cell=cells, head=own["group"].map(heads)).pivot(index="metric", columns="head", values="cell")
    wide = wide.loc[list(dict.fromkeys(own["metric"])), list(heads.values())]
    wide.insert(0, "metric", [short(metric) for metric in wide.index])
    return wide.rename_axis(columns=None).reset_index(drop=True)


def summary_text(numbers: pd.DataFrame, several: bool) -> pd.DataFrame:
    """Summaries with interval, and the chance null beside them."""
    shown = pd.DataFrame(
        {
            "summary": [short(m) for m in numbers["metric"]],
            "value": [interval(v, lo, hi) for v, lo, hi in zip(numbers["value"], numbers["low"], numbers["high"], strict=True)],
            "usual among groups alike": [decimal(v) if not missing(v) else "" for v in numbers["null_median"]],
            # The p of the groups being alike stands at the gaps, whose size it goes with.
            "evidence": [p_value(p) if not missing(p) and not missing(q) else "" for p, q in zip(numbers["p_null"], numbers["null_q95"], strict=True)],
            "note": numbers["reason"].fillna(""),
        }
    )
    if several:
        shown.insert(0, "model", list(numbers["model"]))
    return shown


def pair_text(pairs: pd.DataFrame, several: bool) -> pd.DataFrame:
    """Comparisons of two groups, the strongest evidence first."""
    ordered = pairs.sort_values("p_adjusted", kind="stable", na_position="last").head(SHOWN_TESTS)
    shown = pd.DataFrame(
        {
            "metric": ordered["metric"].map(short),
            "groups": ordered["group_a"].astype(str) + " − " + ordered["group_b"].astype(str),
            "difference": [interval(d, lo, hi, signed=True) for d, lo, hi in zip(ordered["difference"], ordered["low"], ordered["high"], strict=True)],
            "evidence": [p_value(p) if not missing(p) else "no test" for p in ordered["p"]],
            "adjusted": [p_value(p) if not missing(p) else "no test" for p in ordered["p_adjusted"]],
            "method": ordered["method"],
        }
    )
    if several:
        shown.insert(0, "model", list(ordered["model"]))
    return shown


def power_text(enough: pd.DataFrame) -> pd.DataFrame:
    """The smallest gap that could be seen, and what a smaller one would take."""
    answers = {"each group needs to show it": enough["to_show_disparity"], "each group needs to show none": enough["to_show_none"]}
    more = ["enough" if m == 0 else f"{count(m)} more" if not missing(m) else "" for m in enough["more_patients"]]
    return pd.DataFrame(
        {
            "metric": enough["metric"].map(short),
            "group": enough["group"],
            "against": enough["reference"],
            "smallest gap seen at 80 %": [decimal(d) for d in enough["detectable"]],
            "patients for a gap of": [decimal(g, 2) for g in enough["gap"]],
            "needed": more,
            **{name: [count(n) if not missing(n) else "" for n in values] for name, values in answers.items()},
            "note": enough["reason"].fillna(""),
        }
    )


def _against_rest(document: Mapping[str, Any], parts: Mapping[str, Any]) -> Section | None:
    rest = rest_table(document)
    rest = rest[rest["model"] == next(iter(parts))]
    if rest.empty:
        return None
    figures = [volcano(rest, metric) for metric in FORESTS]
    blocks = [b for b in (ChartBlock.of(figure, f"rest_{figure.name}") for figure in figures) if b is not None]
    table = TableBlock("against_rest", "Every group against all others", rest, rest_text(rest), folded=True)
    return Section(contents.REST, figures[0].title, (*blocks, table))


def rest_text(rest: pd.DataFrame) -> pd.DataFrame:
    """Groups against all others, the strongest evidence first."""
    ordered = rest.sort_values("p_adjusted", kind="stable", na_position="last").head(SHOWN_TESTS)
    return pd.DataFrame(
        {
            "group": ordered["attribute"].astype(str) + " = " + ordered["group"].astype(str),
            "metric": ordered["metric"].map(short),
            "rows": [count(n) for n in ordered["n"]],
            "difference to all others": [decimal(d, signed=True) for d in ordered["difference"]],
            "evidence": [p_value(p) if not missing(p) else "no test" for p in ordered["p"]],
            "adjusted": [p_value(p) if not missing(p) else "no test" for p in ordered["p_adjusted"]],
            "worth a look": ["yes" if w else "" for w in ordered["worth_a_look"]],
        }
    )


def _intersections(tests: pd.DataFrame, verdicts: pd.DataFrame, parts: Mapping[str, Any]) -> list[Section]:
    model, part = next(iter(parts.items()))
    joint = tests[(tests["depth"] > 1) & (tests["model"] == model)]
    names = [a for a, v in part["attributes"].items() if len(v.get("attributes") or (1,)) > 1]
    if not names:
        return []
    left_out = sum(int((part["attributes"][a].get("left_out") or {}).get("groups", 0)) for a in names)
    note = f"{plural(left_out, 'subgroup')} left out: too few positives or negatives." if left_out else "No subgroup was left out."
    table = TableBlock("intersections_tests", "Pairs of subgroups", joint, pair_text(joint, False), folded=True)
    judged = verdicts[(verdicts["depth"] > 1) & (verdicts["model"] == model)]
    return [Section(contents.TOGETHER, "", (table,), (note,), tag=worst_verdict(judged))]


def _warnings(document: Mapping[str, Any]) -> Section | None:
    findings = document.get("findings") or []
    if not findings:
        return None
    frame = pd.DataFrame([{k: f.get(k) for k in ("severity", "message", "rows", "remedy")} for f in findings])
    return Section(contents.BEFORE, "", (TableBlock("findings", plural(len(frame), "finding"), frame, folded=len(frame) > UNFOLDED),))


def _stem(attribute: str, parts: Mapping[str, Any]) -> str:
    """A file stem that is unique although attributes may differ in signs only."""
    position = list(next(iter(parts.values()))["attributes"]).index(attribute) + 1
    letters = "".join(c if c.isalnum() else "-" for c in attribute.lower()).strip("-")
    return f"{position:02d}_{letters}"
