"""What can be known of an accelerator without one: no step mixes devices, and none waits for a value."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.methods import names

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """Method -> its problem on a pretended accelerator, empty where there is none."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.pretend_accelerator"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, str] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("method", names())
def test_a_step_stays_on_its_device_and_reads_nothing_on_the_host(found: dict[str, str], method: str) -> None:
    assert not found[method]


@pytest.mark.parametrize(("defect", "error"), [("reads on the host", "DataDependent"), ("selects by value", "DynamicOutputShape"), ("wrong device", "devices")])
def test_defects_would_be_seen(found: dict[str, str], defect: str, error: str) -> None:
    assert error in found[defect]
