"""Two processes that share every batch report what one reports: losses, factors, telemetry and scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.training.two_processes import CASES, case

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-3
PAIR = 0.05
"""Of values that count pairs of patients, when two whose scores are equal to the last digits change places."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the first and the second process were told."""
    out = tmp_path_factory.mktemp("two") / "found.json"
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tests.training.two_processes", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(Path(f"{out}.{rank}").read_text(encoding="utf-8")) for rank in range(2)]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_equal_one(found: list[dict[str, Any]], name: str) -> None:
    one, two = case(name), found[0][name]
    assert [event["event"] for event in one["events"]] == [event["event"] for event in two["events"]]
    assert max(abs(a - b) for a, b in zip(one["scores"], two["scores"], strict=True)) < TOLERANCE
    for alone, shared in zip(one["events"], two["events"], strict=True):
        for key in ("train_loss", "validation_loss"):
            assert alone.get(key) == pytest.approx(shared.get(key), abs=TOLERANCE)
        for left, right in zip(alone.get("rows", []), shared.get("rows", []), strict=True):
            assert (left["name"], left["modality"], left["group"], left["stat"], left["n"]) == tuple(
                right[key] for key in ("name", "modality", "group", "stat", "n")
            )
            ranked = any(word in left["name"] for word in ("auc", "contribution"))
            if left["name"] == "effect.relative_update":
                assert left["value"] == pytest.approx(right["value"], rel=5e-3), left
            else:
                assert left["value"] == pytest.approx(right["value"], abs=PAIR if ranked else 2 * TOLERANCE), left


def test_only_the_first_process_reports(found: list[dict[str, Any]]) -> None:
    assert all(value == {"events": [], "scores": None} for value in found[1].values())
