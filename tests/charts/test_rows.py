from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow as pa

from core.charts.rows import arrow, records, stream


def test_frames_travel_as_json_would() -> None:
    frame = pd.DataFrame({
        "value": [1.5, np.nan, np.inf], "n": pd.array([1, None, 3], dtype="Int64"), "group": pd.Categorical(["a", None, "b"]),
        "when": pd.to_datetime(["2026-01-02 03:04:05", None, "2026-01-02 00:00:00"]), "known": [True, False, True], "text": ["x", None, "é"],
    })  # fmt: skip
    with pa.ipc.open_stream(io.BytesIO(stream(arrow(frame)))) as reader:
        rows = reader.read_all().to_pylist()
    assert rows == records(frame)
    assert rows == [
        {"value": 1.5, "n": 1, "group": "a", "when": "2026-01-02T03:04:05", "known": True, "text": "x"},
        {"value": None, "n": None, "group": None, "when": None, "known": False, "text": None},
        {"value": None, "n": 3, "group": "b", "when": "2026-01-02T00:00:00", "known": True, "text": "é"},
    ]
