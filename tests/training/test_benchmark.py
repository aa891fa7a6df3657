"""The step benchmark runs and its ratios hang together; the limits themselves are checked on a quiet machine."""

from __future__ import annotations

import pytest

from core.training.benchmark import step_cost


@pytest.mark.parametrize("method", ["multifair", "unimodal"])
def test_ratios_hang_together(method: str) -> None:
    cost = step_cost(method, steps=12, batch_size=4)
    assert cost.method == method and cost.erm_ms > 0 and cost.ratio > 0
    assert cost.telemetry_ms / cost.erm_ms == pytest.approx(cost.telemetry_ratio)
