"""From the outcomes of a study to tidy tables: means over seeds and paired differences with two kinds of intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort import Cohort
from core.methods import get
from core.metrics.bootstrap import bootstrap_models, replicate_interval
from core.metrics.seeds import mean_over_seeds, paired_over_seeds
from core.study.runner import METRICS, Outcome, Runner
from core.study.search import Tuned

BOOTSTRAP_NAMES = {"auc": "auc", "es_auc": "es_auc", "worst_group_auc": "worst_group", "max_gap": "max_gap"}
REPLICATES = 1000

Outcomes = dict[str, list[Outcome]]
"""By row label, one outcome per seed in the same order of seeds."""


def tidy(runner: Runner, outcomes: Outcomes, tuned: dict[str, Tuned]) -> pd.DataFrame:
    """One line per row and metric on the test split: mean over seeds, sd, Student interval, tuned values."""
    lines: list[dict[str, Any]] = []
    for label, found in outcomes.items():
        values = [runner.metrics(one, "test") for one in found]
        for metric in values[0]:
            mean = mean_over_seeds([v[metric] for v in values])
            lines.append(
                {
                    "label": label,
                    "method": found[0].entry.method,
                    "family": get(found[0].entry.method).card.family,
                    "metric": metric,
                    "mean": mean.mean,
                    "sd": mean.sd,
                    "low": mean.low,
                    "high": mean.high,
                    "n_seeds": mean.n,
                    "chosen": described(tuned[label].chosen),
                    "validation_es_auc": tuned[label].score,
                    "tried": len(tuned[label].tried),
                    "seconds": float(np.mean([one.seconds for one in found])),
                }
            )
    return pd.DataFrame(lines)


def candidates_tried(tuned: Mapping[str, Tuned]) -> pd.DataFrame:
    """One line per row of the study and candidate: what was tried, its ES-AUC on validation (NaN: not estimable), and which was kept."""
    lines = [
        {"label": label, "candidate": described(choice), "validation_es_auc": score, "kept": choice == one.chosen}
        for label, one in tuned.items()
        for choice, score in one.tried
    ]
    return pd.DataFrame(lines, columns=["label", "candidate", "validation_es_auc", "kept"])


def described(choice: Mapping[str, Any]) -> str:
    """Settings as text; the classifiers' rate follows the rate and is left out."""
    return " ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in choice.items() if k != "classifier_lr")


def differences(runner: Runner, outcomes: Outcomes, pairs: Sequence[tuple[str, str]], replicates: int = REPLICATES, seed: int = 0) -> pd.DataFrame:
    """Paired differences row - reference on the test split, one line per pair and metric.

    low, high : Student interval over seeds (the same seeds train both: how far another seed would
    move the difference, on these test patients). patients_low, patients_high : percentile interval of
    the seed mean when test patients are drawn again, the same for every model.
    """
    draws = _replicates(runner.cohort, runner.attribute, outcomes, replicates, seed)
    lines: list[dict[str, Any]] = []
    for label, reference in pairs:
        own = [runner.metrics(one, "test") for one in outcomes[label]]
        other = [runner.metrics(one, "test") for one in outcomes[reference]]
        for metric in METRICS:
            seeds = paired_over_seeds([v[metric] for v in own], [v[metric] for v in other])
            low, high = replicate_interval(draws[label][metric] - draws[reference][metric])
            lines.append(
                {
                    "label": label,
                    "reference": reference,
                    "metric": metric,
                    "difference": seeds.mean,
                    "low": seeds.low,
                    "high": seeds.high,
                    "p": seeds.p,
                    "wins": seeds.wins,
                    "n_seeds": seeds.n,
                    "patients_low": float(low),
                    "patients_high": float(high),
                }
            )
    return pd.DataFrame(lines)


def _replicates(cohort: Cohort, attribute: str, outcomes: Outcomes, replicates: int, seed: int) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Per row, replicates (R,) of the seed mean of every metric; all rows see the same drawn patients."""
    rows = cohort.rows("test")
    group, patients = cohort.group_index(attribute)[rows], cohort.table["patient_id"].to_numpy()[rows]
    clusters = patients if len(set(patients)) < len(patients) else None
    result = {}
    for label, found in outcomes.items():
        scores = np.stack([one.score[rows] for one in found])
        drawn = bootstrap_models(cohort.y[rows], scores, group, len(cohort.groups(attribute)), replicates=replicates, seed=seed, cluster=clusters, workers=1)
        tables = [one.summaries() for one in drawn]
        result[label] = {metric: np.mean([t[name] for t in tables], axis=0) for metric, name in BOOTSTRAP_NAMES.items()}
    return result
