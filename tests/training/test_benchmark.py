"""The step benchmark runs, its ratios hang together, and they keep the limits."""

from __future__ import annotations

import pytest
import torch

from core.cli.bench import MULTIFAIR_AT_MOST, TELEMETRY_AT_MOST
from core.training.benchmark import step_cost


@pytest.mark.parametrize("method", ["multifair", "unimodal"])
def test_ratios_hang_together(method: str) -> None:
    cost = step_cost(method, steps=12, batch_size=4)
    assert cost.method == method and cost.erm_ms > 0 and cost.ratio > 0
    assert cost.telemetry_ms / cost.erm_ms == pytest.approx(cost.telemetry_ratio)


@pytest.mark.slow
def test_limits_hold_on_one_thread() -> None:
    torch.set_num_threads(1)
    cost = step_cost("multifair", steps=100)
    assert cost.ratio <= MULTIFAIR_AT_MOST
    assert cost.telemetry_ratio <= TELEMETRY_AT_MOST
