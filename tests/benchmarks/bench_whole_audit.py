"""Benchmark of whole audits through `core.audit`; run `python tests/benchmarks/bench_whole_audit.py --check`.

1. A million predictions, four attributes of five groups, 1,000 bootstrap replicates: under 60 s and 4 GB.
2. Ten thousand predictions with everything on (bootstrap, permutations, pairs of attributes, curves): under 2 s.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np

from core.audit import Attribute, AuditOptions, Predictions, audit

LARGE, SMALL = 1_000_000, 10_000
LARGE_SECONDS, SMALL_SECONDS, MEMORY = 60.0, 2.0, 4 * 1024**3


def predictions(n: int, seed: int = 7) -> Predictions:
    """Calibrated scores and four attributes of five groups of unequal size."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(np.int8)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * y - 1.3)))
    groups = {f"attribute {k}": Attribute(tuple("abcde"), rng.choice(5, size=n, p=[0.4, 0.25, 0.2, 0.1, 0.05])) for k in range(4)}
    return Predictions(np.arange(n), y, {"model": score}, groups)


def seconds(n: int, options: AuditOptions, repetitions: int = 1) -> float:
    """Shortest wall time of an audit, with the frames that pages read."""
    table = predictions(n)
    best = float("inf")
    for _ in range(repetitions):
        start = time.perf_counter()
        result = audit(table, options)
        assert len(result.groups) and len(result.verdicts)
        best = min(best, time.perf_counter() - start)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a limit is missed")
    check = parser.parse_args().check
    small = seconds(SMALL, AuditOptions(intersections=2, curves=True), repetitions=3)
    print(f"{SMALL:>9,} predictions, everything on: {small:.2f} s (limit {SMALL_SECONDS:g})")
    large = seconds(LARGE, AuditOptions())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{LARGE:>9,} predictions, 1,000 replicates and permutations: {large:.1f} s (limit {LARGE_SECONDS:g}), peak {peak / 1024**3:.2f} GB (limit 4)")
    return 1 if check and (small > SMALL_SECONDS or large > LARGE_SECONDS or peak > MEMORY) else 0


if __name__ == "__main__":
    sys.exit(main())
