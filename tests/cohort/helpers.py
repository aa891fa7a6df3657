"""Small tables, pictures and cohorts for the tests of this room."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from core.cohort.schema import Modality, Roles


def png(seed: int = 0, size: tuple[int, int] = (16, 16), mode: str = "RGB") -> bytes:
    """A picture of noise; equal seeds give equal pictures."""
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return encoded(Image.fromarray(pixels), "PNG")


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def text_table(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """A frame as `read_table` returns it: text, None where missing."""
    return pd.DataFrame({k: pd.Series([None if v is None else str(v) for v in values], dtype=object) for k, values in columns.items()})


def roles(**changes: Any) -> Roles:
    """Roles of the tables that these tests make."""
    base: dict[str, Any] = {
        "sample_id": "id",
        "patient_id": "patient",
        "label": "label",
        "positive": "1",
        "split": None,
        "attributes": ("sex",),
        "modalities": (Modality("labs", "tabular", ("age", "pressure")),),
        "dropped": (),
    }
    return Roles(**(base | changes))


def plain_columns(n: int = 200, seed: int = 0) -> dict[str, list[Any]]:
    """A table without anything wrong: two patients' rows each, weak features."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, n)
    return {
        "id": [f"s{i}" for i in range(n)],
        "patient": [f"p{i // 2}" for i in range(n)],
        "label": y.tolist(),
        "sex": [("female", "male")[(i // 2) % 2] for i in range(n)],
        "age": generator.integers(30, 80, n).tolist(),
        "pressure": np.round(generator.normal(16, 3, n) + y, 2).tolist(),
    }


def write_cohort(folder: Path, n: int = 40, *, seed: int = 0, size: int = 16) -> Path:
    """cohort.csv and its pictures; returns the table's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pictures").mkdir(exist_ok=True)
    columns = plain_columns(n, seed)
    columns["photo"] = [f"pictures/{i}.png" for i in range(n)]
    for i in range(n):
        (folder / f"pictures/{i}.png").write_bytes(png(1000 * seed + i, (size, size)))
    pd.DataFrame(columns).to_csv(folder / "cohort.csv", index=False)
    return folder / "cohort.csv"
