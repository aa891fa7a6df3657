"""The arrays that a network's encoders read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from core.models.spec import NetworkSpec
from core.training.data import CohortLike


def prepare(cohort: CohortLike, spec: NetworkSpec, modalities: tuple[str, ...], cache: Path | None, device: torch.device) -> dict[str, Any]:
    """Arrays per modality, as core/models/batch.py describes them."""
    arrays: Mapping[str, Any] = cohort.arrays(size=spec.image_size)
    return {name: arrays[name] for name in modalities}
