"""Benchmark of whole audits; `python tests/benchmarks/bench_whole_audit.py` is `multifair bench audit --check`.

1. Ten thousand predictions with everything on (bootstrap, pairs of attributes, curves): under 2 s.
2. A million predictions, four attributes of five groups, 1,000 bootstrap replicates: under 60 s and 4 GB.
3. A bootstrap replicate of all rates at least 300 times as fast as fairlearn's, on the same data.
"""

from __future__ import annotations

import sys

from core.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "audit", "--check"]))
