"""Claims: one multifair step costs at most 1.15 erm steps, telemetry at most 5 % of a step.

Run alone on a quiet machine: `python tests/benchmarks/bench_step.py`; `multifair bench step
--check` does the same.
"""

from __future__ import annotations

import torch

from core.training.benchmark import step_cost

MULTIFAIR_AT_MOST = 1.15
TELEMETRY_AT_MOST = 1.05

if __name__ == "__main__":
    torch.set_num_threads(1)
    cost = step_cost("multifair", steps=200)
    print(cost)
    assert cost.ratio <= MULTIFAIR_AT_MOST, cost
    assert cost.telemetry_ratio <= TELEMETRY_AT_MOST, cost
