"""`multifair study contest`: methods on several planted draws, under both protocols and optimizers, as one family of comparisons.

Protocol a: whatever fits more than weights by gradients may do so on validation. Protocol b: validation only
selects; what is fitted beyond is cross-fitted within training. Rows that fit nothing are the same under both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from core.cohort import Cohort
from core.errors import UserError
from core.methods import get, names, ordered, ours, reference
from core.methods.mixing import fit_mixing, mix
from core.metrics.bootstrap import bootstrap_models
from core.metrics.multiple_testing import holm
from core.metrics.seeds import mean_over_seeds
from core.metrics.seeds_and_patients import seeds_and_patients
from core.study.comparison import Plan, rates, trainable
from core.study.planted import planted_cohort, planted_plan
from core.study.runner import METRICS, Entry, Outcome, Runner, entries
from core.study.search import tune
from core.study.summary import BOOTSTRAP_NAMES, described
from core.training.evaluate import ranking_metrics
from core.workspace import Workspace, write_atomic

STEM = "contest"
PROTOCOLS: Mapping[str, str] = {"a": "validation", "b": "training"}
SGD_RATES = {"lr": 0.05, "classifier_lr": 0.05}
"""The rates that SGD's own grid is built around, for the planted cohorts' network."""
REPLICATES = 400
ORACLE = "late fusion fitted on the test labels (peeks)"
Told = Callable[[str], None]


@dataclass(frozen=True)
class Contest:
    """What is run: every method on every draw of every scenario with every seed."""

    scenarios: tuple[str, ...] = ("default",)
    draws: tuple[int, ...] = (505, 606)
    seeds: tuple[int, ...] = (1,)
    methods: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ("a", "b")
    optimizers: tuple[str, ...] = ("adamw",)
    selection: str = "auc"
    budget: int = 1
    """Trainings per row, draw and protocol for its tuning; 1: the defaults."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.methods) - set(names()))
        if unknown:
            raise UserError(f"no method is named {', '.join(unknown)}; known: {', '.join(names())}")
        if set(self.protocols) - set(PROTOCOLS) or not self.protocols:
            raise UserError(f"protocols are {' and '.join(PROTOCOLS)}, not {', '.join(self.protocols) or 'none'}")
        if set(self.optimizers) - {"adamw", "sgd"} or not self.optimizers:
            raise UserError(f"optimizers are adamw and sgd, not {', '.join(self.optimizers) or 'none'}")
        if not (self.scenarios and self.draws and self.seeds) or self.budget < 1:
            raise UserError("a contest needs a scenario, a draw, a seed and a budget of at least 1")


@dataclass(frozen=True)
class Arm:
    """One cohort under one protocol and optimizer."""

    scenario: str
    draw: int
    protocol: str
    optimizer: str


def run(workspace: Workspace, contest: Contest, out: Path, told: Told) -> None:
    """Train what is not known yet and write `contest_runs.csv`, `_trials.csv`, `_draws.csv`, `_differences.csv` and `.md` into `out`.

    Every training is kept by its key, so that a stopped contest goes on where it was, and the tables are
    written after every cohort. Tables of an earlier contest in `out` are replaced.
    """
    runs: list[dict[str, Any]] = []
    trials: list[dict[str, Any]] = []
    compared: list[dict[str, Any]] = []
    for scenario in contest.scenarios:
        for draw in contest.draws:
            cohort = planted_cohort(workspace, scenario, draw)
            plan = planted_plan(workspace, contest.methods or ordered(), contest.seeds, contest.budget, scenario, draw)
            for optimizer in contest.optimizers:
                found = dict(_arms(workspace, cohort, plan, contest, scenario, draw, optimizer, trials, told))
                for arm, outcomes in found.items():
                    runner = outcomes.runner
                    runs += _rows(arm, outcomes)
                    compared += _differences(arm, runner, outcomes.by_label)
            _write(out, contest, runs, trials, compared)


@dataclass(frozen=True)
class Outcomes:
    """What the runs of one arm gave: by label of the method, one per seed."""

    runner: Runner
    by_label: Mapping[str, list[Outcome]]


def _arms(
    workspace: Workspace, cohort: Cohort, plan: Plan, contest: Contest, scenario: str, draw: int, optimizer: str, trials: list[dict[str, Any]], told: Told
) -> Iterator[tuple[Arm, Outcomes]]:
    base = {**plan.base, "optimizer": optimizer, "selection": contest.selection, **(SGD_RATES if optimizer == "sgd" else {})}
    plan = replace(plan, base=base)
    rate, ratio = rates(plan)
    runner = Runner(cohort, plan.attribute, base, workspace.cache / "study")
    rows = trainable(runner, entries(cohort, plan.methods, several=True), told)
    for protocol in contest.protocols:
        arm = Arm(scenario, draw, protocol, optimizer)
        by_label: dict[str, list[Outcome]] = {}
        for row in rows:
            entry = _under(row, protocol)
            tuned = tune(runner, entry, rate, contest.budget, contest.seeds[0], lambda text: None, optimizer, ratio)
            trials += [{**vars(arm), "label": row.label, "candidate": described(c), "validation_es_auc": v, "kept": c == tuned.chosen} for c, v in tuned.tried]
            by_label[row.label] = [runner.outcome(entry, seed, tuned.chosen) for seed in contest.seeds]
            value = np.mean([runner.metrics(one, "test")["es_auc"] for one in by_label[row.label]])
            told(f"{scenario} {draw} protocol {protocol} {optimizer} {row.label}: ES-AUC {value:.3f}")
        yield arm, Outcomes(runner, by_label)


def _under(entry: Entry, protocol: str) -> Entry:
    """The row under a protocol; one that fits nothing but weights by gradients is the same under both and trained once."""
    cls = get(entry.method)
    if not (cls.fits_held_out or cls.fits_decision) or protocol == "a":
        return entry
    return replace(entry, fixed={**entry.fixed, "fit_on": PROTOCOLS[protocol]})


def _rows(arm: Arm, outcomes: Outcomes) -> list[dict[str, Any]]:
    lines = []
    for label, found in outcomes.by_label.items():
        for one in found:
            values = outcomes.runner.metrics(one, "test")
            lines.append(
                {**vars(arm), "label": label, "method": one.entry.method, "seed": one.seed, **values, "chosen": described(one.chosen), "seconds": one.seconds}
            )
    bound = [oracle(outcomes.runner, one) for one in _late_fusion(outcomes.by_label)]
    lines += [{**vars(arm), "label": ORACLE, "method": "", "seed": seed, **values, "chosen": "", "seconds": 0.0} for seed, values in bound]
    return lines


def _late_fusion(by_label: Mapping[str, list[Outcome]]) -> list[Outcome]:
    """The outcomes whose unimodal classifiers were trained alone: those of the first row that mixes experts."""
    for found in by_label.values():
        if found and found[0].modality_score is not None and get(found[0].entry.method).joint_classifiers and get(found[0].entry.method).fits_held_out:
            return found
    return []


def oracle(runner: Runner, outcome: Outcome) -> tuple[int, dict[str, float]]:
    """The seed, and the test metrics of these unimodal classifiers mixed per recorded group with weights fitted on the test labels.

    It peeks, so it is about the most that mixing these classifiers gives, by cross-entropy: where such a gain
    ends. One modality alone can have a higher ES-AUC at a lower AUC.
    """
    assert outcome.modality_score is not None
    cohort = runner.cohort
    rows, names_ = cohort.rows("test"), cohort.groups(runner.attribute)
    group, y = cohort.group_index(runner.attribute)[rows], cohort.y[rows].astype(np.int64)
    odds = torch.from_numpy(_log_odds(outcome.modality_score[:, rows]).T)
    experts = torch.stack([torch.zeros_like(odds), odds], 2)
    member = torch.from_numpy((group[:, None] == np.arange(len(names_))).astype(np.float64))
    weight = 1 / (len(names_) * member.mean(0).clamp_min(1e-6))
    mixing, offset = fit_mixing(experts, member, torch.from_numpy(y), member @ weight, 0.01)
    logits = mix(experts, member, mixing, offset)
    found = ranking_metrics(y, (logits[:, 1] - logits[:, 0]).numpy(), group, names_)
    values = {"auc": found.auc, "es_auc": found.es_auc, "worst_group_auc": found.worst_group_auc, "max_gap": found.max_gap}
    return outcome.seed, {name: float("nan") if value is None else value for name, value in values.items()}


def _log_odds(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of probabilities; 0, no evidence, where the modality is missing."""
    clipped = np.clip(np.nan_to_num(score, nan=0.5), 1e-7, 1 - 1e-7)
    return np.log(clipped) - np.log1p(-clipped)


def _differences(arm: Arm, runner: Runner, by_label: Mapping[str, list[Outcome]]) -> list[dict[str, Any]]:
    """Per pair and metric the difference on this draw, with its standard error from test patients and seeds together."""
    cohort, attribute = runner.cohort, runner.attribute
    rows = cohort.rows("test")
    group, patients = cohort.group_index(attribute)[rows], cohort.table["patient_id"].to_numpy()[rows]
    cluster = patients if len(set(patients)) < len(patients) else None
    labels = list(by_label)
    scores = np.stack([one.score[rows] for label in labels for one in by_label[label]])
    drawn = bootstrap_models(cohort.y[rows], scores, group, len(cohort.groups(attribute)), replicates=REPLICATES, seed=arm.draw, cluster=cluster, workers=1)
    tables = iter([one.summaries() for one in drawn])
    replicates = {label: [next(tables) for _ in by_label[label]] for label in labels}
    values = {label: [runner.metrics(one, "test") for one in by_label[label]] for label in labels}
    lines = []
    for label, other in pairs(labels):
        for metric in METRICS:
            name = BOOTSTRAP_NAMES[metric]
            difference = [a[metric] - b[metric] for a, b in zip(values[label], values[other], strict=True)]
            copies = np.stack([a[name] - b[name] for a, b in zip(replicates[label], replicates[other], strict=True)])
            joint = seeds_and_patients(difference, copies)
            lines.append(
                {
                    **vars(arm),
                    "label": label,
                    "reference": other,
                    "metric": metric,
                    "difference": joint.mean,
                    "low": joint.low,
                    "high": joint.high,
                    "p": joint.p,
                    "seeds": joint.n,
                }
            )
    return lines


def pairs(labels: list[str]) -> list[tuple[str, str]]:
    """Every row with the reference, and this project's own with every other row."""
    base, own = reference(), ours()
    found = [(label, base) for label in labels if label != base and base in labels]
    return found + [(own, label) for label in labels if own in labels and label not in (own, base)]


def across(compared: pd.DataFrame) -> pd.DataFrame:
    """One line per scenario, protocol, optimizer, pair and metric: the mean over draws of the cohort.

    A draw has patients, trainings and a tuning of its own, so its difference holds all three sources of
    chance, and the Student interval between draws speaks of all of them. p_family: Holm over all
    comparisons of ES-AUC in the contest, one family. With one draw there is no interval between draws.
    """
    keys = ["scenario", "protocol", "optimizer", "label", "reference", "metric"]
    lines = []
    for key, part in compared.groupby(keys, sort=False):
        mean = mean_over_seeds(part["difference"].to_numpy(dtype=float))
        p = _p_between(part["difference"].to_numpy(dtype=float))
        inside = int(((part["low"] > 0) | (part["high"] < 0)).sum())
        lines.append(
            {**dict(zip(keys, key, strict=True)), "difference": mean.mean, "low": mean.low, "high": mean.high, "smallest": mean.minimum,
             "largest": mean.maximum,
             "draws": mean.n, "draws_without_0": inside, "p": p}
        )  # fmt: skip
    table = pd.DataFrame(lines)
    family = (table["metric"] == "es_auc").to_numpy()
    table["p_family"] = np.nan
    table.loc[family, "p_family"] = holm(table.loc[family, "p"].to_numpy(dtype=float))
    return table


def _p_between(values: NDArray[np.float64]) -> float:
    """Two-sided p of a mean of 0 from the spread between draws; NaN with one draw."""
    from scipy.stats import ttest_1samp

    known = values[np.isfinite(values)]
    return float(ttest_1samp(known, 0.0).pvalue) if len(known) > 1 and known.std() > 0 else float("nan")


def _write(out: Path, contest: Contest, runs: list[dict[str, Any]], trials: list[dict[str, Any]], compared: list[dict[str, Any]]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tables = {"runs": pd.DataFrame(runs), "trials": pd.DataFrame(trials), "draws": pd.DataFrame(compared), "differences": across(pd.DataFrame(compared))}
    for name, table in tables.items():
        write_atomic(out / f"{STEM}_{name}.csv", table.round(5).to_csv(index=False))
    write_atomic(out / f"{STEM}.md", markdown(tables["runs"], tables["differences"], contest))


def markdown(runs: pd.DataFrame, differences: pd.DataFrame, contest: Contest) -> str:
    """The contest for people: one table per scenario, optimizer and protocol, rows by falling ES-AUC."""
    tuning = "defaults, no tuning" if contest.budget == 1 else f"{contest.budget} trainings per row for its tuning, chosen by ES-AUC on validation"
    lines = [
        "# Contest of methods on planted cohorts",
        "",
        f"- draws {', '.join(map(str, sorted(set(runs['draw']))))}; seeds {', '.join(map(str, sorted(set(runs['seed']))))}; {tuning}; "
        f"epoch kept by {contest.selection} on validation",
        "- protocol a: methods that fit more than weights by gradients may do so on validation; protocol b: validation only selects, and "
        "that fit is cross-fitted within training (DFR: on a third of training set aside)",
        "- difference: mean over draws of the paired difference of ES-AUC, 95 % Student interval between draws (patients, trainings and "
        "draws together; '-' with one draw), p Holm-adjusted over all comparisons here",
        f"- {ORACLE}: group weights fitted on the test labels by cross-entropy, so about the most that mixing these unimodal classifiers "
        "gives in AUC and ES-AUC together; one modality alone can have a higher ES-AUC at a lower AUC",
        "- a row is named better than another only where the adjusted p is below .05",
    ]
    base = reference()
    for (scenario, optimizer, protocol), part in runs.groupby(["scenario", "optimizer", "protocol"], sort=False):
        lines += [
            "",
            f"## {scenario}, {optimizer}, protocol {protocol}",
            "",
            f"| method | AUC | ES-AUC | worst-group AUC | gap | ES-AUC - {base} | p |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        means = part.groupby(["label", "draw"])[list(METRICS)].mean().groupby("label").mean().sort_values("es_auc", ascending=False)
        known = differences[
            (differences.scenario == scenario)
            & (differences.optimizer == optimizer)
            & (differences.protocol == protocol)
            & (differences.metric == "es_auc")
            & (differences.reference == base)
        ]
        told = known.set_index("label")
        for label, row in means.iterrows():
            shown = [f"{row[metric]:.3f}" for metric in METRICS]
            cells = _compared(told, str(label), base)
            lines.append("| " + " | ".join([str(label), *shown, *cells]) + " |")
    return "\n".join(lines) + "\n"


def _compared(told: pd.DataFrame, label: str, base: str) -> tuple[str, str]:
    if label == base:
        return "reference", ""
    if label not in told.index:
        return "", ""
    one = told.loc[label]
    if pd.isna(one["difference"]):
        return "not estimable", ""
    limits = "-" if pd.isna(one["low"]) else f"[{one['low']:+.3f}, {one['high']:+.3f}]"
    return f"{one['difference']:+.3f} {limits}", "-" if pd.isna(one["p_family"]) else f"{one['p_family']:.2f}"
