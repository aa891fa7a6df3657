"""`multifair study splits`: methods on a cohort that is divided anew several times, patients kept whole.

One division of a small cohort tests a hundred patients, and another hundred may order the methods otherwise. The
test sets of several divisions overlap in their training patients, so their differences are not independent: the
interval widens by the share of test over training patients (Nadeau and Bengio, Inference for the Generalization
Error, Machine Learning 2003).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from core.cohort import Cohort, ingest
from core.errors import UserError
from core.methods import names, ours, reference
from core.metrics.multiple_testing import holm
from core.study.comparison import trainable
from core.study.contest import pairs
from core.study.real import cohort_plan
from core.study.runner import METRICS, Outcome, Runner, entries
from core.workspace import Workspace, write_atomic

STEM = "splits"
Told = Callable[[str], None]


@dataclass(frozen=True)
class Repeated:
    """Methods on `splits` divisions of one cohort, each division trained with one seed of its own number."""

    source: Path
    """A table or folder as `multifair ingest` takes it, without a split of its own."""
    methods: tuple[str, ...]
    splits: int = 5
    attribute: str | None = None
    preset: str = "quick"

    def __post_init__(self) -> None:
        unknown = sorted(set(self.methods) - set(names()))
        if unknown:
            raise UserError(f"no method is named {', '.join(unknown)}; known: {', '.join(names())}")
        if self.splits < 2:
            raise UserError(f"an interval over divisions needs at least 2, not {self.splits}")


def corrected(differences: ArrayLike, test_over_train: float, level: float = 0.95) -> dict[str, float]:
    """mean, low, high and p of 0 for (R,) differences of R divisions: Student's t with variance sd^2 (1 / R + n_test / n_train).

    NaN where fewer than two are known, or all are the same.
    """
    known = np.asarray(differences, dtype=np.float64)
    known = known[np.isfinite(known)]
    unknown = {"low": float("nan"), "high": float("nan"), "p": float("nan")}
    if len(known) < 2 or known.std() == 0:
        return {"difference": float(known.mean()) if len(known) else float("nan"), **unknown}
    mean, error = float(known.mean()), float(known.std(ddof=1) * (1 / len(known) + test_over_train) ** 0.5)
    half = float(stdtrit(len(known) - 1, 0.5 + level / 2)) * error
    return {"difference": mean, "low": mean - half, "high": mean + half, "p": float(2 * stdtr(len(known) - 1, -abs(mean) / error))}


def run(workspace: Workspace, given: Repeated, out: Path, told: Told) -> None:
    """Train what is not known yet; writes `splits_runs.csv`, `splits_differences.csv` and `splits.md` into `out` after every division."""
    lines: list[dict[str, Any]] = []
    ratios = []
    for number in range(given.splits):
        cohort = ingest(workspace, given.source, seed=number)
        if not cohort.manifest["splits_made"]:
            raise UserError(f"{cohort.name} comes with a split of its own, which is kept: name a table without one")
        ratios.append(len(cohort.rows("test")) / len(cohort.rows("train")))
        lines += _of_division(workspace, cohort, given, number, told)
        if number:
            _write(out, cohort, given, pd.DataFrame(lines), float(np.mean(ratios)))


def _of_division(workspace: Workspace, cohort: Cohort, given: Repeated, number: int, told: Told) -> list[dict[str, Any]]:
    plan = cohort_plan(cohort, given.attribute, given.preset, given.methods, (number,), 1)
    runner = Runner(cohort, plan.attribute, plan.base, workspace.cache / "study", preset=plan.preset)
    lines = []
    for entry in trainable(runner, entries(cohort, plan.methods), told):
        outcome: Outcome = runner.outcome(entry, number, {})
        values = runner.metrics(outcome, "test")
        told(f"division {number} {entry.label}: ES-AUC {values['es_auc']:.3f}")
        lines.append({"division": number, "label": entry.label, "attribute": plan.attribute, "test": len(cohort.rows("test")), **values})
    return lines


def compared(runs: pd.DataFrame, test_over_train: float) -> pd.DataFrame:
    """One line per pair and metric; p_family: Holm over all comparisons of ES-AUC."""
    wide: Mapping[str, pd.DataFrame] = {metric: runs.pivot(index="division", columns="label", values=metric) for metric in METRICS}
    labels = list(dict.fromkeys(runs["label"]))
    lines = [
        {
            "label": label,
            "reference": other,
            "metric": metric,
            **corrected(wide[metric][label] - wide[metric][other], test_over_train),
            "divisions": len(wide[metric]),
        }
        for label, other in pairs(labels)
        for metric in METRICS
    ]
    table = pd.DataFrame(lines, columns=["label", "reference", "metric", "difference", "low", "high", "p", "divisions"])
    family = (table["metric"] == "es_auc").to_numpy()
    table["p_family"] = np.nan
    table.loc[family, "p_family"] = holm(table.loc[family, "p"].to_numpy(dtype=float))
    return table


def _write(out: Path, cohort: Cohort, given: Repeated, runs: pd.DataFrame, test_over_train: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    table = compared(runs, test_over_train)
    write_atomic(out / f"{STEM}_runs.csv", runs.round(5).to_csv(index=False))
    write_atomic(out / f"{STEM}_differences.csv", table.round(5).to_csv(index=False))
    write_atomic(out / f"{STEM}.md", markdown(cohort.name, given.preset, runs, table))


def markdown(name: str, preset: str, runs: pd.DataFrame, table: pd.DataFrame) -> str:
    """The divisions for people: rows by falling ES-AUC, then this project's method against the others."""
    attribute, tested = runs["attribute"].iloc[0], sorted(set(runs["test"]))
    lines = [
        f"# {name} ({attribute}), divided anew {runs['division'].nunique()} times",
        "",
        f"- patients kept whole; {' to '.join(str(n) for n in dict.fromkeys((tested[0], tested[-1])))} test samples in a division; preset {preset}, "
        "defaults, one training per division",
        "- difference: mean over divisions of the paired difference of ES-AUC; interval and p with Nadeau and Bengio's variance for divisions that "
        "share patients, p Holm-adjusted over all comparisons of ES-AUC here",
        "- a row is named better than another only where the adjusted p is below .05",
        "",
        f"| method | AUC | ES-AUC | worst-group AUC | gap | ES-AUC - {reference()} | p | ES-AUC, {ours()} - this row | p |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    means = runs.groupby("label")[list(METRICS)].mean().sort_values("es_auc", ascending=False)
    for label, row in means.iterrows():
        cells = [str(label), *(f"{row[metric]:.3f}" for metric in METRICS)]
        cells += [*_cells(table, str(label), reference()), *_cells(table, ours(), str(label))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cells(table: pd.DataFrame, label: str, other: str) -> tuple[str, str]:
    found = table[(table["label"] == label) & (table["reference"] == other) & (table["metric"] == "es_auc")]
    if found.empty or label == other:
        return "", ""
    one = found.iloc[0]
    if pd.isna(one["low"]):
        return "not estimable", ""
    return f"{one['difference']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]", f"{one['p_family']:.2f}"
