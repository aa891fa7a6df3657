"""Rows of a data frame as Vega-Lite takes them: no index, times as ISO text, missing values as null."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def arrow(frame: pd.DataFrame) -> pa.Table:
    """`frame` as an Arrow table."""
    columns = {}
    for name, column in frame.items():
        if pd.api.types.is_datetime64_any_dtype(column):
            column = column.map(lambda time: None if pd.isna(time) else time.isoformat()).astype(object)
        elif isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object)
        array = pa.array(column, from_pandas=True)
        if pa.types.is_floating(array.type):
            # JSON knows no infinity either.
            array = pc.if_else(pc.is_finite(array), array, pa.scalar(None, array.type))
        columns[str(name)] = array
    return pa.table(columns)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """`frame` as one dictionary per row."""
    return arrow(frame).to_pylist()


def stream(table: pa.Table) -> bytes:
    """An Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())
