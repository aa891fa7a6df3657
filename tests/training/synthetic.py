"""A small made-up cohort with the shapes of the real ones, for tests of the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass
class SyntheticCohort:
    """`n` samples of 2n/3 patients; every named modality carries the label to some degree."""

    n: int = 96
    kinds: Mapping[str, str] = field(default_factory=lambda: {"photo": "image", "labs": "tabular"})
    n_groups: int = 2
    strength: float = 1.0
    missing: float = 0.1
    image_size: int = 24
    seed: int = 0
    cohort_id: str = "synthetic"

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        n = self.n
        y = (np.arange(n) // 2 % 2).astype(np.int8)
        group = rng.integers(0, self.n_groups, n)
        split = np.array(["train", "train", "train", "validation", "test"], dtype=object)[(np.arange(n) // 4) % 5]
        self.modality_names = tuple(self.kinds)
        self.modality_kinds = dict(self.kinds)
        names = np.array([f"g{i}" for i in range(self.n_groups)], dtype=object)
        self.table = pd.DataFrame(
            {
                "sample_id": [f"s{i}" for i in range(n)],
                "patient_id": [f"p{i // 4}" for i in range(n)],
                "y": y,
                "split": split,
                "site": names[group],
            }
        )
        self._group = group.astype(np.int64)
        self.present = np.ones((n, len(self.kinds)), dtype=bool)
        if len(self.kinds) > 1:
            self.present[:, -1] = rng.random(n) >= self.missing
        self._arrays = {name: self._array(kind, y, rng) for name, kind in self.kinds.items()}

    def _array(self, kind: str, y: np.ndarray, rng: np.random.Generator) -> Any:
        n, size = self.n, self.image_size
        signal = self.strength * (2.0 * y - 1)
        if kind == "image":
            pixels = 128 + 20 * signal[:, None, None, None] + rng.normal(0, 40, (n, 3, size, size))
            return pixels.clip(0, 255).astype(np.uint8)
        if kind == "volume":
            ramp = np.linspace(-1, 1, size)[None, None, None, :]
            pixels = 128 + 20 * signal[:, None, None, None] * ramp + rng.normal(0, 40, (n, 4, size, size))
            return pixels.clip(0, 255).astype(np.uint8)
        if kind == "text":
            ids = rng.integers(2, 20, (n, 8))
            ids[:, 0] = 20 + (rng.random(n) < 0.5 + 0.4 * np.tanh(signal))
            return {"ids": ids.astype(np.int64), "mask": np.ones((n, 8), dtype=bool)}
        values = rng.normal(0, 1, (n, 5)).astype(np.float32)
        values[:, 0] += signal
        return {"values": values, "missing": rng.random((n, 5)) < 0.05}

    def groups(self, attribute: str) -> tuple[str, ...]:
        return tuple(f"g{i}" for i in range(self.n_groups))

    def group_index(self, attribute: str) -> np.ndarray:
        return self._group

    def arrays(self, size: int = 64) -> dict[str, Any]:
        return self._arrays

    def array(self, name: str, size: int = 64) -> Any:
        return self._arrays[name]

    def native_size(self, name: str) -> int | None:
        return None

    def texts(self, modality: str) -> list[str]:
        return [f"note number {i} {'ill' if y else 'well'}" for i, y in enumerate(self.table["y"])]


@dataclass
class ListSink:
    """Keeps what a training reports."""

    events: list[dict[str, Any]] = field(default_factory=list)
    frame: pd.DataFrame | None = None

    def event(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def predictions(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["event"] == kind]
