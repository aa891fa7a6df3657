"""How fast the audit is: two whole audits, and a bootstrap replicate beside fairlearn's on the same statistics and data."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.audit import Attribute, AuditOptions, Predictions, audit
from core.metrics.bootstrap import bootstrap_confusion
from core.metrics.rates import rates

GROUPS = tuple("abcde")
ATTRIBUTES = 4
SMALL, SMALL_SECONDS = 10_000, 2.0
LARGE_SECONDS, LARGE_BYTES = 60.0, 4 * 1024**3
FASTER_THAN_FAIRLEARN = 300.0
REPLICATES = 1000
# fairlearn needs minutes for a few replicates of more than these.
COMPARED = 100_000


@dataclass(frozen=True)
class Measured:
    """One claim: `value` in `unit` against `limit`, which is the most allowed, or the least where `at_least`.

    processor_seconds : what the work cost on all cores together; far less than wall seconds when others use the machine.
    """

    claim: str
    value: float
    unit: str
    limit: float
    at_least: bool = False
    processor_seconds: float | None = None

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def predictions(n: int, seed: int = 7) -> Predictions:
    """Calibrated scores and four attributes of five groups of unequal size."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(np.int8)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * y - 1.3)))
    groups = {f"attribute {k}": Attribute(GROUPS, rng.choice(5, size=n, p=[0.4, 0.25, 0.2, 0.1, 0.05])) for k in range(ATTRIBUTES)}
    return Predictions(np.arange(n), y, {"model": score}, groups)


def whole_audit(claim: str, table: Predictions, options: AuditOptions, limit: float, repetitions: int) -> Measured:
    """Shortest wall time of an audit with every estimate and verdict."""
    best = (float("inf"), float("inf"))
    for _ in range(repetitions):
        start, spent = time.perf_counter(), time.process_time()
        result = audit(table, options)
        tables = [*(m.tables for m in result.models), *(a.tables for m in result.models for a in m.attributes)]
        estimates = [table for one in tables for table in one.values()]
        if not (estimates and all(attribute.verdicts for model in result.models for attribute in model.attributes)):
            raise RuntimeError("the audit that was timed found nothing")
        best = min(best, (time.perf_counter() - start, time.process_time() - spent))
    return Measured(claim, best[0], "s", limit, processor_seconds=best[1])


def against_fairlearn(table: Predictions, replicates: int = 3) -> Measured:
    """Time of a replicate of all rates by MetricFrame's bootstrap (less one frame without it) over ours."""
    import pandas as pd
    from fairlearn import metrics as fair
    from sklearn.metrics import accuracy_score, precision_score

    y, guess, codes = table.y.astype(int), (table.scores["model"] >= 0.5).astype(int), table.attributes["attribute 0"].codes
    start = time.perf_counter()
    rates(bootstrap_confusion(y, guess, codes, len(GROUPS), replicates=REPLICATES, seed=1))
    ours = (time.perf_counter() - start) / REPLICATES
    metrics = {
        "tpr": fair.true_positive_rate,
        "fpr": fair.false_positive_rate,
        "tnr": fair.true_negative_rate,
        "fnr": fair.false_negative_rate,
        "ppv": precision_score,
        "npv": lambda true, guessed: precision_score(true, guessed, pos_label=0),
        "selection_rate": fair.selection_rate,
        "accuracy": accuracy_score,
        "prevalence": lambda true, guessed: float(np.mean(true)),
    }
    frame = {"metrics": metrics, "y_true": y, "y_pred": guess, "sensitive_features": pd.Series(codes, name="group")}
    start = time.perf_counter()
    fair.MetricFrame(**frame)
    plain = time.perf_counter() - start
    start = time.perf_counter()
    fair.MetricFrame(**frame, n_boot=replicates, ci_quantiles=[0.025, 0.975], random_state=1)
    theirs = (time.perf_counter() - start - plain) / replicates
    return Measured(f"all rates, one replicate, {y.size:,} predictions: fairlearn's time over ours", theirs / ours, "x", FASTER_THAN_FAIRLEARN, at_least=True)


def measure(n: int = 1_000_000) -> Iterator[Measured]:
    """Every claim about the audit's speed as it is measured, the large audit with `n` predictions."""
    small, large = predictions(SMALL), predictions(n)
    yield whole_audit(f"{SMALL:,} predictions, everything on", small, AuditOptions(intersections=2, curves=True), SMALL_SECONDS, 3)
    yield whole_audit(f"{n:,} predictions, {REPLICATES:,} replicates", large, AuditOptions(bootstrap=REPLICATES), LARGE_SECONDS, 1)
    yield Measured("memory at its peak", _peak_bytes() / 1024**3, "GB", LARGE_BYTES / 1024**3)
    yield against_fairlearn(predictions(min(n, COMPARED)))


def _peak_bytes() -> int:
    """Largest memory of this process so far; macOS counts bytes where Linux counts kilobytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
