"""The sentences that answer the questions of pages and reports: estimate, interval, counts, certainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from core.audit import wording as text
from core.audit.inference.verdicts import VERDICTS, Word
from core.metrics.catalogue import title
from core.results.compare_runs import Lead
from core.tables.group_names import group_label

Answer = tuple[str, Word | None, str]
"""The sentence, the verdict it carries (None for none), and what stands below it in small print."""


class Shown(Protocol):
    """What a page or a report shows: runs by name, groups of the attribute, modalities."""

    @property
    def run_ids(self) -> list[str]: ...
    @property
    def names(self) -> dict[str, str]: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def modalities(self) -> tuple[str, ...]: ...
    @property
    def attribute(self) -> str | None: ...


WORDS = {str(word): word for word in VERDICTS}
STRENGTH = {"disparity": 2, "not enough data": 1, "no disparity found": 0}
UNRELATED = 0.5
"""Share of steps with a negative cosine between directions that have nothing to do with each other."""


def modalities_answer(telemetry: pd.DataFrame, view: Shown, performance: pd.DataFrame | None = None) -> Answer:
    """Which modality leads, for which group it adds least, how sure that is, and which other would serve that group.

    `performance`: as `core.results.views.modality_performance` gives it.
    """
    ratio = telemetry[telemetry["name"] == "contribution.ratio"]
    leads = leaning(ratio, view.names)
    if leads.empty:
        return "These runs use one modality each, so there is nothing to lean on.", None, ""
    top = leads.iloc[0]
    share = 1 / max(len(view.modalities), 1)
    if pd.isna(top["low"]):
        sure = "no interval was recorded"
    elif top["low"] > share:
        sure = f"the interval lies above an equal share of {text.percent(share)}"
    else:
        sure = f"the interval includes an equal share of {text.percent(share)}, so the lean may be chance"
    sentence = f"{top['run']} leans on {top['modality']}: {text.interval(top['value'], top['low'], top['high'])} of the contribution"
    groups = telemetry[(telemetry["name"] == "contribution.phi") & (telemetry["run_id"] == top["run_id"]) & (telemetry["modality"] == top["modality"])]
    groups = groups[groups["group"].isin(view.groups) & (groups["epoch"] == top["epoch"]) & groups["value"].notna()]
    if len(groups) > 1:
        best, least = groups.loc[groups["value"].idxmax()], groups.loc[groups["value"].idxmin()]
        apart = "intervals apart" if least["high"] < best["low"] else "intervals overlap"
        adds = [
            f"{text.decimal(row['value'], 3, True)} {what}for {group_label(view.attribute or '', str(row['group']))} (n\u00a0=\u00a0{text.count(row['n'])})"
            for row, what in ((best, "AUC "), (least, ""))
        ]
        sentence += f"; it adds {adds[0]} and {adds[1]}, {apart}"
        sentence += _neglected(performance, str(top["run_id"]), str(top["modality"]), str(least["group"]))
    others = [f"{row['modality']} {text.percent(row['value'])} under {row['run']}" for row in leads.iloc[1:].to_dict("records")]
    detail = f"{text.plural(int(top['n']), 'validation sample') if pd.notna(top['n']) else 'Validation split'}; {sure}."
    return sentence + ".", None, detail + (f" Elsewhere: {text.listing(others, 5)}." if others else "")


def _neglected(performance: pd.DataFrame | None, run_id: str, modality: str, group: str) -> str:
    """The modality that alone ranks `group` better than the leading one does, intervals apart; empty when there is none."""
    if performance is None or performance.empty:
        return ""
    alone = performance[(performance["run_id"] == run_id) & (performance["kind"] == "unimodal") & performance["value"].notna()]
    own = {str(row["modality"]): row for row in alone[alone["group"] == group].to_dict("records")}
    if modality not in own or len(own) < 2:
        return ""
    best = max(own, key=lambda name: own[name]["value"])
    if best == modality or not own[best]["low"] > own[modality]["high"]:
        return ""
    everywhere = alone[(alone["modality"] == best) & alone["group"].notna()].sort_values("group")
    reach = text.listing([f"{text.decimal(row['value'])} for {row['group']}" for row in everywhere.to_dict("records")], 6)
    return f". Alone, {best} would reach an AUC of {reach}, {modality} only {text.decimal(own[modality]['value'])} for {group}"


def gradients_answer(telemetry: pd.DataFrame, view: Shown, epochs: tuple[int, int]) -> Answer:
    """Whether a modality is against the others more often than chance; below it, whether groups pull apart, and what reached the weights."""
    rows = telemetry[telemetry["run_id"].isin(view.run_ids) & (telemetry["epoch"] + 1).between(*epochs) & telemetry["value"].notna()]
    share = rows[(rows["name"] == "conflict.fused") & (rows["stat"] == "share_negative")]
    if share.empty:
        return "No step of these runs was compared with the fused gradient.", None, ""
    means = share.groupby(["run_id", "modality"], sort=False)["value"].mean()
    if means.max() == 0:
        return f"No modality's gradient ever worked against the fused one, in {text.plural(means.index.get_level_values(0).nunique(), 'run')}.", None, ""
    run_id, modality = means.sort_values().index.to_list()[-1]
    most, where = text.percent(means.max()), f"{modality} under {view.names[run_id]}"
    if means.max() > UNRELATED:
        sentence = f"{modality} works against the common direction in {most} of training steps under {view.names[run_id]}, "
        sentence += f"more often than the {text.percent(UNRELATED)} that unrelated directions would give"
    else:
        sentence = f"No modality works against the common direction more often than chance: in at most {most} of training steps ({where}), "
        sentence += f"where unrelated directions would do so in {text.percent(UNRELATED)}"
    parts = []
    for other, name in view.names.items():
        moved = rows[(rows["name"] == "effect.relative_update") & (rows["run_id"] == other)].groupby("modality", sort=False)["value"].mean()
        if len(moved) > 1 and moved.min() > 0:
            times = f"{moved.max() / moved.min():.1f}"
            further = f"{moved.idxmax()} moves {times} times as far as {moved.idxmin()}"
            parts.append(f"{'all modalities move equally far' if times == '1.0' else further} under {name}")
    reached = f"What reached the weights: {text.listing(parts, 6)}." if parts else ""
    return text.sentence(sentence) + ".", None, f"{text.sentence(_between_groups(rows, view))}{reached}"


def all_pairs(count: int) -> str:
    """Of how many pairs a correction is: `all 10 pairs`, `the one pair`."""
    return "the one pair" if count == 1 else f"all {text.plural(count, 'pair')}"


def _between_groups(rows: pd.DataFrame, view: Shown) -> str:
    """The pair of groups whose gradients are least alike in any run, with its range over epochs; empty without groups."""
    cosine = rows[(rows["name"] == "conflict.groups") & (rows["stat"] == "mean")]
    if cosine.empty:
        return ""
    pairs = cosine.groupby(["run_id", "group", "group_b"], sort=False)["value"].agg(["mean", "min", "max", "size"])
    low = pairs.sort_values("mean", kind="stable").reset_index().iloc[0]
    run_id = str(low["run_id"])
    first, second = (group_label(view.attribute or "", str(low[name])) if low[name] in view.groups else str(low[name]) for name in ("group", "group_b"))
    pull = "pull apart most" if low["mean"] < 0 else "are least alike, though they pull the same way on average,"
    return (
        f"the gradients of {first} and {second} {pull} under {view.names[run_id]}: mean cosine {text.decimal(low['mean'], 2, True)} over "
        f"{text.plural(int(low['size']), 'epoch')} "
        f"(from {text.decimal(low['min'], 2, True)} to {text.decimal(low['max'], 2, True)}). "
    )


def groups_answer(performance: pd.DataFrame, verdicts: pd.DataFrame, view: Shown) -> Answer:
    """The best supported verdict of the runs shown: which run, which groups, difference, interval, counts.

    `verdicts`: rows of `core.results.cohort_claims.claims`.
    """
    known = verdicts[verdicts["gap"].notna()] if not verdicts.empty else verdicts
    if known.empty:
        reason = verdicts["reason"].iloc[0] if len(verdicts) else "there are no test predictions"
        return f"It is not known whether a group is served worse by {view.attribute}: {reason}", "not enough data", ""
    top = known.assign(_rank=known["verdict"].map(STRENGTH)).sort_values(["_rank", "p", "gap"], ascending=[False, True, False], kind="stable").iloc[0]
    pair = top["pair"] or top
    counts = performance[(performance["run_id"] == top["run_id"]) & performance["group"].isin([pair["group_low"], pair["group_high"]])]
    sizes = text.listing(
        [f"{group_label(view.attribute or '', row['group'])} {text.positives(row['n_pos'], row['n_neg'])}" for row in counts.to_dict("records")]
    )
    detail = (
        f"Positives and negatives: {sizes}. Corrected p and interval hold for all {text.plural(int(top['tests']), 'comparison')} of the "
        "cohort's finished runs and attributes."
    )
    if len(known) > 1:
        gaps = known.sort_values("gap", kind="stable")
        wide, narrow = gaps.iloc[-1], gaps.iloc[0]
        detail += (
            f" Widest gap {text.decimal(wide['gap'])} under {view.names[wide['run_id']]}, narrowest {text.decimal(narrow['gap'])} under "
            f"{view.names[narrow['run_id']]}."
        )
    left_out = performance[(performance["run_id"] == top["run_id"]) & performance["group"].notna() & performance["value"].isna()]
    if len(left_out):
        detail += f" Not estimable: {text.listing([f'{group} ({reason})' for group, reason in zip(left_out['group'], left_out['reason'], strict=True)])}."
    return f"Under {about(view.names[top['run_id']], str(view.attribute), top['reason'])}", WORDS[str(top["verdict"])], detail


def about(run: str, attribute: str, reason: str) -> str:
    """A verdict's reason with the run and the attribute that it is about, read as one sentence."""
    what, colon, rest = reason.partition(": ")
    return f"{run}, {what} by {attribute}: {rest}" if colon and " " not in what else f"{run}, by {attribute}: {reason}"


def compare_answer(methods: pd.DataFrame, measure: str, attribute: str, ahead: tuple[Lead, Lead] | None) -> Answer:
    """Who is ahead on the fairness measure and on AUC, as far as paired differences show it.

    `ahead`: `core.results.compare_runs.lead` of the measure and of AUC.
    """
    if methods.empty or ahead is None:
        return (
            f"No finished run can be judged for {attribute}.",
            "not enough data",
            "At least two groups need enough positives and negatives in the test split.",
        )
    what = title(measure)
    fair, accurate = ahead
    best = next(row for row in methods.to_dict("records") if row["variant"] == fair.best)
    sentence = standing(fair.best, fair.ahead, fair.open, what)
    if accurate.clear:
        sentence += f"; on AUC {'it' if accurate.best == fair.best else accurate.best} is ahead of every other"
    elif accurate.open:
        sentence += "; on AUC no method is ahead of all others"
    detail = (
        f"{fair.best}: {what} {text.interval(best['y'], best['y_low'], best['y_high'])}, AUC {text.interval(best['x'], best['x_low'], best['x_high'])}, "
        f"{text.plural(int(best['seeds']), 'seed')}, intervals over {best['kind']}. By {attribute}."
    )
    if fair.pairs:
        detail += f" “Clearly” means paired on the same patients and seeds, corrected for {all_pairs(fair.pairs)} of {text.plural(len(methods), 'method')}."
    return sentence + ".", None, detail


def standing(best: str, ahead: Sequence[str], open_to: Sequence[str], what: str) -> str:
    """Who is ahead, claimed only where the paired differences show it; without a full stop."""
    if not ahead and not open_to:
        return f"{best} is the only method here, so there is nothing to compare it with"
    if not open_to:
        return f"{best} is clearly ahead of every other method on {what}"
    if not ahead:
        return f"No method is clearly ahead on {what}: the lead of {best} may be chance"
    differ = f"{text.listing(open_to)} {'is' if len(open_to) == 1 else 'are'} not shown to differ from it"
    return f"{best} has the best {what}, clearly ahead of {text.listing(ahead)}; {differ}"


def leaning(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """The last epoch's leading modality of each run: run_id, name, modality, value, low, high, n.

    `frame`: telemetry rows `contribution.ratio` of all groups together. Runs with one
    modality are left out: they have nothing to lean away from.
    """
    part = frame[frame["group"].isna() & frame["value"].notna() & frame["run_id"].isin(list(names))]
    of_run: dict[str, list[Any]] = {}
    for row in part.to_dict("records"):
        of_run.setdefault(row["run_id"], []).append(row)
    rows = []
    for run_id, name in names.items():
        own = of_run.get(run_id, [])
        if len({row["modality"] for row in own}) > 1:
            final = max(row["epoch"] for row in own)
            rows.append({**max((row for row in own if row["epoch"] == final), key=lambda row: float(row["value"])), "run": name})
    return pd.DataFrame(rows)
