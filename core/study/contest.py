"""`multifair study contest`: methods on several planted draws, under both protocols and optimizers, as one family of comparisons.

Protocol a: whatever fits more than weights by gradients may do so on validation. Protocol b: validation only
selects; what is fitted beyond is cross-fitted within training. Rows that fit nothing are the same under both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.cohort import Cohort
from core.errors import UserError
from core.methods import get, names, ordered, ours, reference
from core.metrics.bootstrap import bootstrap_models
from core.metrics.seeds_and_patients import seeds_and_patients
from core.study.comparison import Plan, rates, trainable
from core.study.contest_bound import bounds, late_fusion
from core.study.contest_table import across, markdown
from core.study.planted import planted_cohort, planted_plan
from core.study.runner import METRICS, Entry, Outcome, Runner, entries
from core.study.search import tune, tuning_noise
from core.study.summary import BOOTSTRAP_NAMES, described
from core.workspace import Workspace, write_atomic

STEM = "contest"
PROTOCOLS: Mapping[str, str] = {"a": "validation", "b": "training"}
SGD_RATES = {"lr": 0.05, "classifier_lr": 0.05}
"""The rates that SGD's own grid is built around, for the planted cohorts' network."""
TUNED = ("all", "rates")
REPLICATES = 400
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
    tuned: str = "all"
    """`all`: what a method's search space holds, times the learning rates; `rates`: the learning rates alone."""
    further_rows: bool = True
    """Also the rows that a method's file names for studies beside its main one."""
    challenger: str = ""
    """The method that is compared with every other row; empty: this project's own."""
    name: str = ""
    """In the tables' names, `contest_NAME_runs.csv`; empty: `contest_runs.csv`."""

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
        if self.tuned not in TUNED:
            raise UserError(f"what is tuned is {' or '.join(TUNED)}, not {self.tuned!r}")
        if self.challenger and self.challenger not in names():
            raise UserError(f"no method is named {self.challenger}; known: {', '.join(names())}")
        if not re.fullmatch("[a-z0-9-]*", self.name):
            raise UserError(f"the name of a contest is of small letters, digits and hyphens, not {self.name!r}")

    @property
    def stem(self) -> str:
        """Of the tables' file names."""
        return f"{STEM}_{self.name}" if self.name else STEM


@dataclass(frozen=True)
class Arm:
    """One cohort under one protocol and optimizer."""

    scenario: str
    draw: int
    protocol: str
    optimizer: str


def run(workspace: Workspace, contest: Contest, out: Path, told: Told) -> None:
    """Train what is not known yet and write STEM`_runs.csv`, `_trials.csv`, `_draws.csv`, `_differences.csv` and `.md` into `out`.

    Every training is kept by its key, so that a stopped contest goes on where it was, and the tables are
    written after every cohort. Tables of an earlier contest of the same name in `out` are replaced.
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
                    compared += _differences(arm, runner, outcomes.by_label, contest.challenger)
            _write(out, contest, runs, trials, compared)


@dataclass(frozen=True)
class Outcomes:
    """What the runs of one arm gave: by label of the method, one per seed."""

    runner: Runner
    by_label: Mapping[str, list[Outcome]]
    tuning_sd: Mapping[str, float | None]
    """By label, how far the tuning's choice moves the test ES-AUC (`tuning_noise`)."""


def _arms(
    workspace: Workspace, cohort: Cohort, plan: Plan, contest: Contest, scenario: str, draw: int, optimizer: str, trials: list[dict[str, Any]], told: Told
) -> Iterator[tuple[Arm, Outcomes]]:
    base = {**plan.base, "optimizer": optimizer, "selection": contest.selection, **(SGD_RATES if optimizer == "sgd" else {})}
    plan = replace(plan, base=base)
    rate, ratio = rates(plan)
    runner = Runner(cohort, plan.attribute, base, workspace.cache / "study")
    rows = trainable(runner, entries(cohort, plan.methods, contest.further_rows), told)
    if contest.tuned == "rates":
        rows = [replace(row, space={}) for row in rows]
    for protocol in contest.protocols:
        arm = Arm(scenario, draw, protocol, optimizer)
        by_label: dict[str, list[Outcome]] = {}
        noise: dict[str, float | None] = {}
        for row in rows:
            entry = _under(row, protocol)
            tuned = tune(runner, entry, rate, contest.budget, contest.seeds[0], lambda text: None, optimizer, ratio)
            trials += [{**vars(arm), "label": row.label, "candidate": described(c), "validation_es_auc": v, "kept": c == tuned.chosen} for c, v in tuned.tried]
            by_label[row.label] = [runner.outcome(entry, seed, tuned.chosen) for seed in contest.seeds]
            noise[row.label] = tuning_noise(runner, tuned, contest.seeds[0])
            value = np.mean([runner.metrics(one, "test")["es_auc"] for one in by_label[row.label]])
            told(f"{scenario} {draw} protocol {protocol} {optimizer} {row.label}: ES-AUC {value:.3f}")
        yield arm, Outcomes(runner, by_label, noise)


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
                {
                    **vars(arm),
                    "label": label,
                    "method": one.entry.method,
                    "seed": one.seed,
                    **values,
                    "chosen": described(one.chosen),
                    "seconds": one.seconds,
                    "tuning_sd": outcomes.tuning_sd.get(label),
                }
            )
    for seed, scores in late_fusion(outcomes.by_label):
        for name, values in bounds(outcomes.runner, scores).items():
            lines.append({**vars(arm), "label": name, "method": "", "seed": seed, **values, "chosen": "", "seconds": 0.0})
    return lines


def _differences(arm: Arm, runner: Runner, by_label: Mapping[str, list[Outcome]], challenger: str = "") -> list[dict[str, Any]]:
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
    for label, other in pairs(labels, challenger):
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


def pairs(labels: list[str], challenger: str = "") -> list[tuple[str, str]]:
    """Every row with the reference, and the challenger (this project's own where none is named) with every other row."""
    base, own = reference(), challenger or ours()
    found = [(label, base) for label in labels if label != base and base in labels]
    return found + [(own, label) for label in labels if own in labels and label not in (own, base)]


def _write(out: Path, contest: Contest, runs: list[dict[str, Any]], trials: list[dict[str, Any]], compared: list[dict[str, Any]]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tables = {"runs": pd.DataFrame(runs), "trials": pd.DataFrame(trials), "draws": pd.DataFrame(compared), "differences": across(pd.DataFrame(compared))}
    for name, table in tables.items():
        write_atomic(out / f"{contest.stem}_{name}.csv", table.round(5).to_csv(index=False))
    write_atomic(out / f"{contest.stem}.md", markdown(tables["runs"], tables["differences"], conditions(tables["runs"], contest)))


def conditions(runs: pd.DataFrame, contest: Contest) -> list[str]:
    """How the contest was held, one sentence each."""
    what = "learning rates alone" if contest.tuned == "rates" else "learning rates and own settings"
    tuning = (
        "defaults, no tuning" if contest.budget == 1 else f"at most {contest.budget} trainings per row for its tuning ({what}), chosen by ES-AUC on validation"
    )
    return [
        f"draws {', '.join(map(str, sorted(set(runs['draw']))))}; seeds {', '.join(map(str, sorted(set(runs['seed']))))}; {tuning}; epoch kept by "
        f"{contest.selection} on validation"
    ]
