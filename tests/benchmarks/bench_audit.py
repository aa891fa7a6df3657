"""Benchmark of the audit's statistics; run `python tests/benchmarks/bench_audit.py`.

1. A million predictions, four attributes of five groups: AUC and all rates with 1,000 bootstrap replicates.
2. Ten thousand predictions with everything on.
3. Time per bootstrap replicate against fairlearn's MetricFrame bootstrap on the same statistics and data.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_negative_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score, precision_score

from core.metrics.auc import group_aucs
from core.metrics.auc_comparisons import group_auc_estimates
from core.metrics.auc_interval import auc_interval
from core.metrics.bootstrap import bootstrap_aucs, bootstrap_confusion, bootstrap_statistic, replicate_interval
from core.metrics.calibration import brier, reliability
from core.metrics.calibration_error import calibration_error_intervals
from core.metrics.calibration_fit import calibration_fit
from core.metrics.comparisons import compare_pairs
from core.metrics.cross_group import cross_group_auc
from core.metrics.delong import group_delong
from core.metrics.net_benefit import decision_curve
from core.metrics.precision_recall import auprg, average_precision, table_average_precision
from core.metrics.rate_comparisons import group_rate_estimates
from core.metrics.rates import CELLS, RATES, confusion, rate, rate_summaries, rates

GROUPS = 5
ATTRIBUTES = 4
PAIRS = np.array([(a, b) for a in range(GROUPS) for b in range(a)])


def data(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities and (attributes, n) group indices."""
    rng = np.random.default_rng(7)
    y = rng.random(n) < 0.3
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * y - 1.3)))
    groups = rng.choice(GROUPS, size=(ATTRIBUTES, n), p=[0.4, 0.25, 0.2, 0.1, 0.05])
    return y, score, groups


def large(n: int, replicates: int, workers: int | None) -> float:
    """Seconds for AUCs, all rates and their bootstrap, over all attributes."""
    y, score, groups = data(n)
    selected = score >= 0.5
    start = time.perf_counter()
    for group in groups:
        auc_interval(group_delong(y, score, group, GROUPS))
        drawn = bootstrap_aucs(y, score, group, GROUPS, replicates=replicates, seed=1, workers=workers)
        for values in drawn.summaries().values():
            replicate_interval(values)
        replicate_interval(drawn.groups)
        for name in RATES:
            group_rate_estimates(y, selected, group, GROUPS, name).interval()
        tables = bootstrap_confusion(y, selected, group, GROUPS, replicates=replicates, seed=1, workers=workers)
        for values in (*rates(tables).values(), *rate_summaries(tables).values()):
            replicate_interval(values)
    return time.perf_counter() - start


def everything(n: int, replicates: int, workers: int | None) -> float:
    """Seconds for every statistic of an audit, over all attributes."""
    y, score, groups = data(n)
    selected = score >= 0.5
    start = time.perf_counter()
    for group in groups:
        auc_interval(group_delong(y, score, group, GROUPS))
        average_precision(y, score, group, GROUPS)
        auprg(y, score, group, GROUPS)
        calibration_error_intervals(y, score, group, GROUPS)
        calibration_fit(y, score, group, GROUPS)
        brier(y, score, group, GROUPS)
        reliability(y, score, group, GROUPS)
        cross_group_auc(y, score, group, GROUPS)
        decision_curve(y, score, None, group, GROUPS)
        bootstrap_aucs(y, score, group, GROUPS, replicates=replicates, seed=1, workers=workers)
        bootstrap_statistic(y, score, table_average_precision, group, GROUPS, replicates=replicates, seed=1, workers=workers)
        bootstrap_confusion(y, selected, group, GROUPS, replicates=replicates, seed=1, workers=workers)
        for name in CELLS:
            compare_pairs(group_rate_estimates(y, selected, group, GROUPS, name), PAIRS)
        compare_pairs(group_auc_estimates(y, score, group, GROUPS), PAIRS)
    return time.perf_counter() - start


def ours_per_replicate(n: int, replicates: int, workers: int | None) -> tuple[float, np.ndarray]:
    """Seconds per replicate, and the standard deviations, of the rates that fairlearn is asked for too."""
    y, score, groups = data(n)
    selected = score >= 0.5
    start = time.perf_counter()
    tables = bootstrap_confusion(y, selected, groups[0], GROUPS, replicates=replicates, seed=1, workers=workers)
    drawn = rates(tables)
    seconds = (time.perf_counter() - start) / replicates
    return seconds, drawn["tpr"].std(axis=0)


def fairlearn_per_replicate(n: int, replicates: int) -> tuple[float, np.ndarray]:
    """The same rates by MetricFrame's own bootstrap, less the time of one frame without it."""
    y, score, groups = data(n)
    selected = score >= 0.5
    metrics = {
        "tpr": true_positive_rate,
        "fpr": false_positive_rate,
        "tnr": true_negative_rate,
        "fnr": false_negative_rate,
        "ppv": precision_score,
        "npv": lambda true, guess: precision_score(true, guess, pos_label=0),
        "selection_rate": selection_rate,
        "accuracy": accuracy_score,
        "prevalence": lambda true, guess: float(np.mean(true)),
    }
    frame = {
        "metrics": metrics,
        "y_true": y.astype(int),
        "y_pred": selected.astype(int),
        "sensitive_features": pd.Series(groups[0], name="group"),
    }
    start = time.perf_counter()
    MetricFrame(**frame)
    plain = time.perf_counter() - start
    start = time.perf_counter()
    result = MetricFrame(**frame, n_boot=replicates, ci_quantiles=[0.159, 0.841], random_state=1)
    seconds = (time.perf_counter() - start - plain) / replicates
    low, high = (np.asarray(q["tpr"], dtype=float) for q in result.by_group_ci)
    return seconds, (high - low) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--fairlearn-replicates", type=int, default=5)
    parser.add_argument("--workers", type=int, default=None)
    args = parser.parse_args()

    seconds = large(args.n, args.replicates, args.workers)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{args.n:,} predictions, {ATTRIBUTES} x {GROUPS} groups, {args.replicates} replicates: "
          f"{seconds:.1f} s (aim: under 60), peak memory {memory:.2f} GB (aim: under 4)")  # fmt: skip
    seconds = everything(10_000, args.replicates, args.workers)
    print(f"10,000 predictions, everything, {args.replicates} replicates: {seconds:.2f} s (aim: under 2)")
    for n in (10_000, 100_000, args.n):
        ours, our_sd = ours_per_replicate(n, args.replicates, args.workers)
        theirs, _ = fairlearn_per_replicate(n, args.fairlearn_replicates)
        print(f"all rates, one attribute, n = {n:,}: {ours * 1e3:.4f} ms per replicate, fairlearn {theirs * 1e3:.1f} ms, "
              f"ratio {theirs / ours:,.0f} (aim: 300)")  # fmt: skip
        assert np.isfinite(our_sd).all()
    y, score, groups = data(100_000)
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for _ in range(5):
        pick = rng.integers(0, y.size, y.size)
        group_aucs(y[pick], score[pick], groups[0][pick], GROUPS)
    plain = (time.perf_counter() - start) / 5
    start = time.perf_counter()
    bootstrap_aucs(y, score, groups[0], GROUPS, replicates=args.replicates, workers=args.workers)
    ours = (time.perf_counter() - start) / args.replicates
    print(f"group AUCs, n = 100,000: {ours * 1e3:.3f} ms per replicate, sorting anew {plain * 1e3:.1f} ms, ratio {plain / ours:,.0f}")
    assert rate(confusion(y, score >= 0.5), "tpr").size == 1


if __name__ == "__main__":
    main()
