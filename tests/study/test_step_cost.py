"""Step cost: measured for every method, and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from core.methods import cost, names
from core.study import step_cost


def test_every_method_is_measured_and_threads_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_cost, "SIZE", 16)
    threads = torch.get_num_threads()
    said: list[str] = []
    ratios = step_cost.measure(said.append, rounds=1)
    assert set(ratios) == set(names()) and len(said) == len(ratios)
    assert all(0.1 < ratio < 20 for ratio in ratios.values())
    assert torch.get_num_threads() == threads


def test_stored_costs_cover_every_method_and_say_the_conditions() -> None:
    known = cost.known_costs()
    assert set(known.ratios) == set(names())
    assert "median" in known.conditions
    assert known.ratios["unimodal"] < 0.9 < known.ratios["erm"] < 1.1


def test_never_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cost, "FILE", tmp_path / "none.json")
    assert cost.known_costs().ratios == {}
    (tmp_path / "none.json").write_text(json.dumps({"conditions": "x", "ratios": {"erm": 1}}))
    assert cost.known_costs().ratios == {"erm": 1.0}
