"""Alerts while training: they fire on what they name, once, and not on noise."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from core.training.alerts import RISING, STALLED, Alert, Watch

N = 200


def watch() -> Watch:
    group = np.repeat([0, 1, -1], [120, 60, 20])
    return Watch(("photo", "labs"), ("a", "b"), np.ones((N, 2), dtype=bool), group)


def run(fused: np.ndarray, own: np.ndarray, seen: Watch | None = None, first: int = 0) -> list[Alert]:
    """`fused` (E,) or (E, N) and `own` (E, 2) mean losses by epoch, with a little noise of each sample."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, (len(fused), N))
    wide = fused[:, None] + np.zeros(N) if fused.ndim == 1 else fused
    followed = seen or watch()
    return [alert for e in range(first, len(fused)) for alert in followed.add(e, wide[e] + noise[e], own[e] + 0.01 * rng.normal(size=(N, 2)))]


FALLING = np.linspace(0.7, 0.4, 8)


def test_a_modality_stops_while_the_model_goes_on() -> None:
    found = run(FALLING, np.stack([FALLING, np.r_[0.7, np.full(7, 0.65)]], 1))
    assert [(alert.code, alert.who, alert.epoch, alert.n) for alert in found] == [(STALLED, "labs", 4, N)]
    assert "labs has stopped learning" in found[0].message and "\n" not in found[0].message


def test_nobody_stops_where_everything_has_ended_or_falls() -> None:
    assert not run(np.full(8, 0.4), np.full((8, 2), 0.5))
    assert not run(FALLING, np.stack([FALLING, FALLING], 1))


def test_the_loss_of_a_group_rises_while_the_others_fall() -> None:
    fused = np.repeat(FALLING[:, None], N, 1)
    fused[3:, 120:180] = np.linspace(0.62, 0.9, 5)[:, None]
    found = run(fused, np.stack([FALLING, FALLING], 1))
    assert [(alert.code, alert.who, alert.epoch, alert.n) for alert in found] == [(RISING, "b", 5, 60)]
    assert found[0].value == pytest.approx(fused[5, 150] - fused[2, 150], abs=0.02)
    assert found[0].event()["group"] == "b" and "modality" not in found[0].event()


def test_a_rise_of_everybody_is_overfitting_and_no_groups_alert() -> None:
    assert not run(np.linspace(0.4, 0.9, 8), np.full((8, 2), 0.5))


def test_a_small_group_says_nothing() -> None:
    seen = watch()
    seen.group = np.where(np.arange(N) < 9, 1, 0)
    fused = np.repeat(FALLING[:, None], N, 1)
    fused[3:, :9] = 2.0
    assert not run(fused, np.stack([FALLING, FALLING], 1), seen)


def test_it_goes_on_from_a_checkpoint() -> None:
    own = np.stack([FALLING, np.r_[0.7, np.full(7, 0.65)]], 1)
    first, second = watch(), watch()
    run(FALLING[:4], own, first)
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second.load_state(torch.load(file, weights_only=True))
    assert [alert.who for alert in run(FALLING, own, second, first=4)] == ["labs"]
    third = watch()
    third.load_state(second.state())
    assert third.raised == second.raised and not run(FALLING, own, third, first=7)
