"""A small cohort as files, to be uploaded or ingested for real."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image


@dataclass(frozen=True)
class SmallCohort:
    table: pd.DataFrame
    images: list[tuple[str, bytes, str]]
    """(name, bytes, type), as Streamlit's tests take them."""

    @property
    def csv(self) -> bytes:
        return self.table.to_csv(index=False).encode()


def small_cohort(n: int = 48, seed: int = 0) -> SmallCohort:
    """`n` patients with one 16-pixel image, an age and a sex; every sixth has no sex."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    sex = np.where(np.arange(n) % 6 == 5, None, np.where(rng.random(n) < 0.5, "female", "male"))
    table = pd.DataFrame(
        {"id": [f"s{i}" for i in range(n)], "patient_id": [f"p{i}" for i in range(n)], "label": y, "sex": sex,
         "image_path": [f"s{i}.png" for i in range(n)], "weight": rng.normal(70, 9, n).round(1), "pulse": rng.normal(70, 9, n).round(1)}
    )  # fmt: skip
    images = []
    for index in range(n):
        pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG")
        images.append((f"s{index}.png", buffer.getvalue(), "image/png"))
    return SmallCohort(table, images)
