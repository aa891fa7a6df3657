"""The arrays that a network's encoders read."""

from __future__ import annotations

from pathlib import Path

import torch

from core.cohort import ingest
from core.cohort.planted import simulate
from core.models.spec import NetworkSpec
from core.training.inputs import prepare
from core.workspace import Workspace


def test_small_encoders_read_no_enlarged_pixels(tmp_path: Path) -> None:
    simulate(tmp_path / "planted", patients=60, seed=1)
    cohort = ingest(Workspace.open(tmp_path / "workspace"), tmp_path / "planted")
    for size, edge in ((64, 24), (16, 16)):
        arrays = prepare(cohort, NetworkSpec(image_size=size), ("fundus", "labs"), None, torch.device("cpu"))
        assert arrays["fundus"].shape == (60, 1, edge, edge)
