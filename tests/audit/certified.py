"""What the shipped study was run on: every number and sentence of a few small audits, as the studied code gave them.

`python -m tests.audit.certified` writes `certified.json` anew. Only after a deliberate change of the statistics, with `multifair study audit --check`
run again on it: until then the shipped table is of other numbers than the tool prints.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.audit import AuditOptions, Predictions, Target, audit
from core.audit.comparison.compare_models import compare
from core.study.audit_cohorts import CohortSettings, simulate_cohort

KEPT = Path(__file__).with_name("certified.json")
MOST_LISTED = 1
LEFT_OUT = {"provenance", "seed", "versions"}


def cohort(seed: int, **settings: Any) -> Predictions:
    return simulate_cohort(np.random.default_rng(seed), CohortSettings(**settings))


def _halves(made: Predictions) -> Predictions:
    """The first half of every group's rows is for validation."""
    split = np.where(np.arange(len(made)) % 2 == 0, "validation", "test").astype(object)
    return Predictions(made.sample_id, made.y, made.scores, made.attributes, patient=made.patient, weights=made.weights, split=split)


def _rounded(made: Predictions) -> Predictions:
    return Predictions(made.sample_id, made.y, {k: np.round(v, 1) for k, v in made.scores.items()}, made.attributes, patient=made.patient)


PLAIN = AuditOptions(threshold=0.4, bootstrap=0)
CASES: dict[str, tuple[Predictions, AuditOptions]] = {
    "plain": (cohort(1, sizes=(90, 60, 30), prevalence=0.35, auc=(0.86, 0.8, 0.7)), AuditOptions(threshold=0.4, bootstrap=100)),
    "ties": (_rounded(cohort(2, sizes=(80, 60), prevalence=0.4, auc=0.8)), AuditOptions(threshold=0.3, bootstrap=0)),
    "weights": (cohort(3, sizes=(90, 70), prevalence=(0.3, 0.45), auc=0.82, weighted=True), AuditOptions(threshold=0.35, bootstrap=100)),
    "patients": (
        cohort(4, sizes=(50, 30, 25), prevalence=0.4, auc=(0.9, 0.8, 0.75), rows=(1, 4), label_per_row=True), AuditOptions(threshold=0.4, bootstrap=100),
    ),
    "weighted patients": (cohort(5, sizes=(45, 35), prevalence=0.4, auc=0.8, rows=((1, 2), (3, 3)), weighted=True), PLAIN),
    "few patients": (cohort(6, sizes=(7, 20), prevalence=0.45, auc=0.8, rows=12, label_per_row=True), PLAIN),
    "ranked without fault": (cohort(7, sizes=(60, 40), prevalence=0.3, auc=(0.99999, 0.85)), PLAIN),
    "rare": (cohort(8, sizes=(900, 500), prevalence=(0.02, 0.06), auc=0.85, shift=(0.0, 0.8)), AuditOptions(threshold=0.1, bootstrap=0)),
    "miscalibrated": (
        cohort(9, sizes=(300, 200), prevalence=0.3, auc=0.8, shift=(0.0, 0.9), stretch=(1.0, 1.7)),
        AuditOptions(threshold=0.4, bootstrap=0, primary_metrics=("ece", "tpr", "ppv", "selection_rate"), tolerance=0.1),
    ),
    "no difference": (cohort(10, sizes=(1500, 1500), prevalence=0.4, auc=0.9), PLAIN),
    "two models, two attributes": (
        cohort(11, sizes=(120, 80), prevalence=0.4, auc=(0.9, 0.7), other_auc=(0.86, 0.85), models=2, attributes={"sex": 2}),
        AuditOptions(threshold=0.4, bootstrap=100, intersections=2, curves=True),
    ),
    "two models of patients": (
        cohort(12, sizes=(60, 40), prevalence=0.4, auc=0.85, other_auc=(0.8, 0.7), models=2, rows=(1, 3), weighted=True), PLAIN,
    ),
    "target": (_halves(cohort(13, sizes=(160, 120), prevalence=0.35, auc=0.85)), AuditOptions(target=Target("sensitivity", 0.85), bootstrap=0)),
    "own thresholds": (
        _halves(cohort(14, sizes=(160, 120), prevalence=0.35, auc=0.85)),
        AuditOptions(target=Target("specificity", 0.8), per_group_threshold=True, bootstrap=0),
    ),
    "fifteen groups": (
        cohort(15, sizes=(40,) * 15, prevalence=0.4, auc=0.85), AuditOptions(threshold=0.4, bootstrap=0, reference={"group": "g03"}, tolerances={"auc": 0.1}),
    ),
}  # fmt: skip


def numbers(name: str) -> dict[str, float | str | None]:
    """Path -> number, text or nothing of one case's audit and of the comparison of its models."""
    made, options = CASES[name]
    document: dict[str, Any] = audit(made, options).to_dict()
    if len(made.scores) == 2:
        document["compared"] = [row.__dict__ for row in compare(made, *made.models, options).rows]
    wanted = {key: document.get(key) for key in ("models", "findings", "comparisons", "compared")}
    return dict(_leaves(json.loads(json.dumps(wanted, default=float)), ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, float | str | None]]:
    if isinstance(value, dict) and path.endswith("/groups"):
        yield from _leaves([{"name": name, **row} for name, row in value.items()], path)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in LEFT_OUT:
                yield from _leaves(item, f"{path}/{key}")
    elif isinstance(value, list) and len(value) > MOST_LISTED:
        yield f"{path}/n", len(value)
        columns: dict[str, list[float | str | None]] = {}
        for item in value:
            for key, leaf in _leaves(item, ""):
                columns.setdefault(key, []).append(leaf)
        yield from ((f"{path}[]{key}", _summed(column)) for key, column in columns.items())
    elif isinstance(value, list):
        yield f"{path}/n", len(value)
        for place, item in enumerate(value):
            yield from _leaves(item, f"{path}/{place}")
    elif isinstance(value, float):
        yield path, float(f"{value:.8g}") if math.isfinite(value) else str(value)
    else:
        yield path, value


def _summed(column: list[float | str | None]) -> float | str:
    """One number for many, or one text: places count, so that two values that change places are seen."""
    if any(isinstance(item, str) for item in column):
        return hashlib.sha256("|".join(map(str, column)).encode()).hexdigest()[:16]
    known = np.array([np.nan if item is None else item for item in column], dtype=np.float64)
    return float(f"{np.nansum(known * np.sqrt(np.arange(1, known.size + 1))) + np.isnan(known).sum():.8g}")


if __name__ == "__main__":
    KEPT.write_text(json.dumps({name: numbers(name) for name in CASES}, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")
