"""`multifair study report`: STUDIES.md from the tables in sample_data/results, so that no number in it is written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from core.methods import of_one_modality, ours, reference
from core.methods.absent import absent_methods
from core.study.contest import conditions
from core.study.contest_bound import BOUNDS, LIMIT, ORACLE
from core.study.contest_table import markdown, of_arm, over_draws
from core.study.programme import Held, held, planned
from core.study.splits import STEM as DIVISIONS

ALPHA = 0.05
INTRODUCTION = """# Studies

Made by `multifair study report` from the tables in `sample_data/results`; a test keeps both in step.
Nothing here is written by hand but the purposes of the contests and the last two sections.
"""
LIMITS = """## What these studies do not show

- Planted cohorts are simulated images. A gain there is a gain on a bias of that kind, not on patients.
- The defaults are compared unless the table says that rows were tuned; a tuned contest may order them otherwise.
- Few draws give wide intervals between draws. A row whose adjusted p is not below .05 is not shown to differ.
- Tables that are not of the contest (`study_planted*`, `study_744c9eb7bb8e*`) were made by earlier versions of fin, fis, agm, opm, pmr, group-dro, \
multifair-released and multifair-plus (which then had weights per group wherever a group head was trained). They are kept as records; the contest supersedes \
them.
"""


def document(folder: Path) -> str:
    """The text of STUDIES.md. Raises UserError where the contest's tables are not in `folder`."""
    contests = held(folder)
    count = sum(int(one.differences["p_family"].notna().sum()) for one in contests)
    short = [line for one in contests for line in [f"**{one.planned.title}**", "", *findings(one.runs, one.differences, one.planned.contest.challenger), ""]]
    tables = [
        markdown(one.runs, one.differences, [one.planned.purpose, *conditions(one.runs, one.planned.contest)], f"## {one.planned.title}", "in this document")
        for one in contests
    ]
    family = (
        f"All {count} comparisons of ES-AUC that have an interval between draws are one family: every p in this document is Holm-adjusted over them together.\n"
    )
    return "\n".join(
        [
            INTRODUCTION,
            "## In short\n",
            family,
            *short,
            where_gains_end(contests),
            dose_response(contests),
            *tables,
            _divisions(folder),
            _others(folder),
            _not_held(contests),
            absent(),
            LIMITS,
        ]
    )


def where_gains_end(contests: Sequence[Held]) -> str:
    """Per scenario, optimizer and protocol, in ES-AUC: what was reached, and the most that mixing the same unimodal classifiers could."""
    lines = [
        "## Where a gain ends",
        "",
        f"ES-AUC, means over draws. *Mixed*: {ORACLE}. *Most*: {LIMIT}. Both look at the test labels, so neither is a method: they say how much is "
        "left for any that mixes",
        "the decisions of these encoders, trained on these patients. A method above *mixed* has better encoders than those trained alone, or gives "
        "up AUC for ES-AUC.",
        "The modality alone is another training of the same kind, so that chance can put it above *most*.",
        "",
        f"| contest | scenario | {reference()} | best fused method | best modality alone | mixed | most | left to gain |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in contests:
        for (scenario, optimizer, protocol), part in one.runs.groupby(["scenario", "optimizer", "protocol"], sort=False):
            if not set(BOUNDS) <= set(part["label"]):
                continue
            means = over_draws(part)["es_auc"]
            alone = _alone(part)
            fused = means.drop(list(BOUNDS)).drop(alone, errors="ignore")
            best = str(fused.idxmax())
            single = max(alone, key=lambda label: means[label]) if alone else ""
            cells = [
                one.planned.title, f"{scenario}, {optimizer}, {protocol}", _value(means.get(reference())), f"{best} {fused[best]:.3f}",
                f"{single.partition(': ')[2]} {means[single]:.3f}" if single else "",
                _value(means[ORACLE]), _value(means[LIMIT]), f"{means[LIMIT] - fused[best]:+.3f}",
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def dose_response(contests: Sequence[Held]) -> str:
    """ES-AUC over plain training by the strength of the bias, for every scenario that was run at several; empty where none was."""
    lines: list[str] = []
    for one in contests:
        runs = one.runs.assign(
            strength=[float(str(name).partition("@")[2] or 1) for name in one.runs["scenario"]],
            base=[str(name).partition("@")[0] for name in one.runs["scenario"]],
        )
        for (base, optimizer, protocol), part in runs.groupby(["base", "optimizer", "protocol"], sort=False):
            strengths = sorted(part["strength"].unique())
            if len(strengths) < 2:
                continue
            means = part.groupby(["label", "strength", "draw"])["es_auc"].mean().groupby(["label", "strength"]).mean().unstack()
            gains = means - means.loc[reference()] if reference() in means.index else means
            lines += [
                "", f"{base}, {optimizer}, protocol {protocol}, {part['draw'].nunique()} draws:", "",
                "| method | " + " | ".join(f"strength {dose:g}" for dose in strengths) + " |", "| --- |" + " --- |" * len(strengths),
                f"| {reference()} (ES-AUC) | " + " | ".join(_value(means.at[reference(), dose]) for dose in strengths) + " |",
            ]  # fmt: skip
            lines += [
                "| " + str(label) + " | " + " | ".join("" if pd.isna(row[dose]) else f"{row[dose]:+.3f}" for dose in strengths) + " |"
                for label, row in gains.iterrows()
                if label != reference()
            ]
    return (
        ""
        if not lines
        else "\n".join(
            ["## By the strength of the bias", "", f"ES-AUC minus {reference()}'s; 1 is the scenario itself, 0 the same with all groups alike.", *lines]
        )
        + "\n"
    )


def _value(found: Any) -> str:
    return "" if found is None or pd.isna(found) else f"{found:.3f}"


def _alone(part: pd.DataFrame) -> list[str]:
    """The rows of one modality alone."""
    return sorted({label for label, method in zip(part["label"], part["method"], strict=True) if method in of_one_modality()})


def findings(runs: pd.DataFrame, differences: pd.DataFrame, challenger: str = "") -> list[str]:
    """Sentences that follow from a contest's tables, one list item each."""
    lines, own = [], challenger or ours()
    for (scenario, optimizer, protocol), part in runs.groupby(["scenario", "optimizer", "protocol"], sort=False):
        means = over_draws(part)["es_auc"]
        bound = means.get(ORACLE)
        means = means.drop(list(BOUNDS), errors="ignore")
        best, alone = str(means.idxmax()), _alone(part)
        text = f"- {scenario}, {optimizer}, protocol {protocol}: highest mean ES-AUC {best} ({means[best]:.3f})"
        text += "".join(f"; {name} {means[name]:.3f}" for name in (reference(), own) if name in means and name != best)
        if alone:
            single = max(alone, key=lambda label: means[label])
            text += f"; best modality alone ({single}) {means[single]:.3f}"
        if bound is not None:
            text += f"; the same encoders mixed with weights fitted on the test labels {bound:.3f}"
        lines.append(text + ".")
        known = of_arm(differences, str(scenario), str(optimizer), str(protocol))
        lines += _shown(known[known.reference == reference()], part["draw"].nunique())
        lines += _of_challenger(known, own) if challenger else []
    return [*lines, *_between_protocols(runs)]


def _shown(known: pd.DataFrame, draws: int) -> list[str]:
    if draws < 2:
        return ["  One draw: no interval between draws, so no order of methods is claimed."]
    names = ", ".join(f"{row.label} ({row.difference:+.3f})" for row in known[known.p_family < ALPHA].itertuples())
    told = f"differ from {reference()} beyond chance: {names}" if names else f"no row is shown to differ from {reference()} beyond chance"
    return [f"  With {draws} draws, Holm-adjusted over all comparisons, {told}."]


def _of_challenger(known: pd.DataFrame, challenger: str) -> list[str]:
    """The challenger against every other row, with the interval between draws."""
    own = known[known["label"] == challenger]
    columns = (own[name].tolist() for name in ("reference", "difference", "low", "high"))
    told = [f"{other} {mean:+.3f}" + ("" if pd.isna(low) else f" [{low:+.3f}, {high:+.3f}]") for other, mean, low, high in zip(*columns, strict=True)]
    return [f"  {challenger} minus {', '.join(told)}."] if told else []


def _between_protocols(runs: pd.DataFrame) -> list[str]:
    """What this project's method loses where validation only selects."""
    own = runs[runs["label"] == ours()].groupby(["scenario", "optimizer", "protocol"])["es_auc"].mean().unstack()
    if not {"a", "b"} <= set(own.columns):
        return []
    base: dict[Any, Any] = runs[runs["label"] == reference()].groupby(["scenario", "optimizer"])["es_auc"].mean().to_dict()
    found = {protocol: own[protocol].to_dict() for protocol in ("a", "b")}
    lines = []
    for place, plain in base.items():
        gains = [float(found[protocol][place]) - float(plain) for protocol in ("a", "b")]
        lines.append(
            f"- {', '.join(map(str, place))}: {ours()} over {reference()} is {gains[0]:+.3f} where it may fit on validation and "
            f"{gains[1]:+.3f} where validation only selects (means over draws)."
        )
    return lines


def _not_held(contests: Sequence[Held]) -> str:
    """The contests of the programme that have no tables yet."""
    known = {one.planned.contest.stem for one in contests}
    missing = [one for one in planned() if one.contest.stem not in known]
    if not missing:
        return ""
    lines = [f"- {one.title}: {one.purpose}" for one in missing]
    return "\n".join(["## Planned and not run yet", "", "`multifair study contest --all` runs these as well.", "", *lines]) + "\n"


def _divisions(folder: Path) -> str:
    """The cohort that was divided anew, where it was."""
    path = folder / f"{DIVISIONS}.md"
    return path.read_text(encoding="utf-8").replace("# ", "## ", 1) if path.is_file() else ""


def _others(folder: Path) -> str:
    names = sorted(path.name for path in folder.glob("study_*.md"))
    return "## Other tables\n\n" + "\n".join(f"- `sample_data/results/{name}`" for name in names) + "\n"


def absent() -> str:
    """The rivals that are not here, each with the reason (`core/methods/absent.py`)."""
    lines = [f"- {one.name} ({one.paper}): {one.reason}" for one in absent_methods()]
    return "\n".join(["## Rivals that are not in the contest, and why", "", *lines]) + "\n"
