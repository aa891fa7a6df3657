"""All methods on one cohort: equal tuning budgets, several seeds, tables with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from core.cohort import Cohort
from core.errors import UserError
from core.methods import names, ours, reference
from core.study.runner import Entry, Outcome, Runner, entries
from core.study.search import CRITERION, LEARNING_RATES, Tuned, tune
from core.study.summary import candidates_tried, differences, tidy
from core.study.table import markdown
from core.tables.csv_export import csv_text
from core.training.presets import PRESETS
from core.workspace import write_atomic

Told = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a study does: `base` are settings by name as `multifair train --set` takes them."""

    title: str
    attribute: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    budget: int
    base: Mapping[str, Any]
    conditions: tuple[str, ...]
    preset: str = "quick"
    """Whose network and budget the settings of `base` are put on."""
    device: str = "cpu"


@dataclass(frozen=True)
class Result:
    """Tables of a study: by method, paired differences, what tuning tried; and the same as Markdown."""

    table: pd.DataFrame
    differences: pd.DataFrame
    tuning: pd.DataFrame
    markdown: str


def check(plan: Plan) -> None:
    """UserError where a study could not answer its question."""
    unknown = sorted(set(plan.methods) - set(names()))
    if unknown:
        raise UserError(f"no method is named {', '.join(unknown)}; known: {', '.join(names())}")
    if not plan.seeds or plan.budget < 1:
        raise UserError(f"a study needs a seed and a tuning budget of at least 1 training, not {len(plan.seeds)} and {plan.budget}")


def study(cohort: Cohort, plan: Plan, cache: Path, out: Path, stem: str, told: Told, fresh: bool = False) -> Result:
    """Tune every method, train every seed, write `stem`.csv, _differences.csv, _tuning.csv and .md into `out`.

    The tables are written after every seed, so a stopped study leaves what it knows and
    goes on where it was.
    """
    check(plan)
    runner = Runner(cohort, plan.attribute, plan.base, cache, fresh, preset=plan.preset, device=plan.device)
    rate, ratio = rates(plan)
    rows = trainable(runner, entries(cohort, plan.methods), told)
    tuned = {row.label: tune(runner, row, rate, plan.budget, plan.seeds[0], told, ratio=ratio) for row in rows}
    outcomes: dict[str, list[Outcome]] = {row.label: [] for row in rows}
    result: Result | None = None
    for seed in plan.seeds:
        for row in rows:
            one = runner.outcome(row, seed, tuned[row.label].chosen)
            outcomes[row.label].append(one)
            found = runner.metrics(one, "test")
            told(f"seed {seed} {row.label}: AUC {found['auc']:.3f}, ES-AUC {found['es_auc']:.3f} ({one.seconds:.1f} s)")
        result = _summarise(runner, plan, outcomes, tuned)
        _write(result, out, stem)
    assert result is not None
    return result


def rates(plan: Plan) -> tuple[float, float]:
    """The plan's learning rate, and the modality classifiers' rate over it."""
    budget = PRESETS[plan.preset].budget
    rate = float(plan.base.get("lr", budget.lr))
    return rate, float(plan.base.get("classifier_lr", budget.classifier_lr)) / rate


def trainable(runner: Runner, rows: list[Entry], told: Told) -> list[Entry]:
    """Rows whose method can train this cohort; the others are named with their own reason."""
    kept = []
    for row in rows:
        try:
            runner.probe(row)
        except UserError as error:
            told(f"{row.label} is left out: {error}")
        else:
            kept.append(row)
    return kept


def _summarise(runner: Runner, plan: Plan, outcomes: dict[str, list[Outcome]], tuned: dict[str, Tuned]) -> Result:
    labels, base, own = list(outcomes), reference(), ours()
    pairs = [(label, base) for label in labels if label != base and base in labels]
    if own in labels:
        pairs += [(own, label) for label in labels if label not in (own, base)]
    table = tidy(runner, outcomes, tuned)
    compared = differences(runner, outcomes, pairs)
    multiples = ", ".join(f"{m:g}" for m in LEARNING_RATES)
    conditions = [
        *plan.conditions,
        f"seeds {', '.join(str(one.seed) for one in next(iter(outcomes.values())))}; means (standard deviation) over seeds on the test split",
        f"tuning: at most {plan.budget} trainings per method (its defaults first, then a random sample of its search space and of the "
        f"learning rates times {multiples}), "
        f"seed {plan.seeds[0]}, chosen by {CRITERION} on validation; the epoch kept is the one with the best validation AUC, for every method alike",
        "differences are paired: 95 % Student interval over seeds, then 95 % bootstrap interval over test patients for the mean of the seeds",
    ]
    return Result(table, compared, candidates_tried(tuned), markdown(plan.title, conditions, table, compared, base))


def _write(result: Result, out: Path, stem: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / f"{stem}.csv", csv_text(result.table.round(5)))
    write_atomic(out / f"{stem}_differences.csv", csv_text(result.differences.round(5)))
    write_atomic(out / f"{stem}_tuning.csv", csv_text(result.tuning.round(5)))
    write_atomic(out / f"{stem}.md", result.markdown)
