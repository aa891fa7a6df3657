"""Altair without its slow parts, for the time of one drawing.

A layered chart spends most of its time in copies: each `+`, each property copies every layer
through its class's constructor, which combines the layers again. Here a copy takes over the
values as they are. What comes out is the same specification (tests/pages/test_drawing.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

import altair as alt
import pandas as pd
import pyarrow as pa
from altair.utils import schemapi

lock = threading.RLock()
"""Altair's theme, checks and data transformers are global to the process."""


@contextmanager
def quick() -> Iterator[dict[str, pa.Table]]:
    """Within it `chart.to_dict(validate=False)` is quick and names its data frames without
    holding their rows: the yielded dictionary holds them as Arrow tables."""
    tables: dict[str, pa.Table] = {}
    frames: list[pd.DataFrame] = []

    def named(data: Any) -> Any:
        if not isinstance(data, pd.DataFrame):
            return alt.default_data_transformer(data, max_rows=10**9)
        # The same object is the same data: a chart's layers share their frame.
        place = next((i for i, known in enumerate(frames) if known is data), len(frames))
        name = f"data-{place}"
        if place == len(frames):
            frames.append(data)
            tables[name] = arrow(data)
        return {"name": name}

    with (
        lock,
        schemapi.debug_mode(False),
        alt.theme.enable("none"),
        _transformer(named),
        mock.patch.object(schemapi.SchemaBase, "copy", _copy),
        mock.patch.object(schemapi, "_FromDict", _converter),
    ):
        yield tables


@contextmanager
def _transformer(function: Any) -> Iterator[None]:
    alt.data_transformers.register("arrow", function)
    with alt.data_transformers.enable("arrow"):
        yield


def arrow(frame: pd.DataFrame) -> pa.Table:
    """`frame` as Vega-Lite takes it: no index, times as ISO text, missing values as null."""
    columns = {}
    for name, column in frame.items():
        if pd.api.types.is_datetime64_any_dtype(column):
            column = column.map(lambda time: None if pd.isna(time) else time.isoformat()).astype(object)
        elif isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object)
        array = pa.array(column, from_pandas=True)
        if pa.types.is_floating(array.type):
            # JSON knows no infinity either, and Altair writes null.
            array = pa.compute.if_else(pa.compute.is_finite(array), array, pa.scalar(None, array.type))
        columns[str(name)] = array
    return pa.table(columns)


def stream(table: pa.Table) -> bytes:
    """An Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _copy(self: Any, deep: bool | Iterable[str] = True, ignore: list[str] | None = None) -> Any:
    """`SchemaBase.copy` without constructors."""
    if deep is True:
        return _deep(self, frozenset(ignore or ()))
    made = _like(self, self._args, dict(self._kwds))
    if not isinstance(deep, bool):
        for name in deep:
            value = made._get(name)
            made[name] = value.copy(deep=False) if isinstance(value, schemapi.SchemaBase) else value.copy() if isinstance(value, list | dict) else value
    return made


def _like(model: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    made = object.__new__(type(model))
    object.__setattr__(made, "_args", args)
    object.__setattr__(made, "_kwds", keywords)
    return made


def _deep(value: Any, by_reference: frozenset[str]) -> Any:
    if isinstance(value, schemapi.SchemaBase):
        keywords = {name: _deep(v, by_reference) if v is not schemapi.Undefined and name not in by_reference else v for name, v in value._kwds.items()}
        return _like(value, tuple(_deep(v, by_reference) for v in value._args), keywords)
    if isinstance(value, list):
        return [_deep(v, by_reference) for v in value]
    if isinstance(value, dict):
        return {name: _deep(v, by_reference) if name not in by_reference else v for name, v in value.items()}
    return value


_FromDict = schemapi._FromDict


@cache
def _known(classes: tuple[type, ...]) -> Any:
    return _FromDict(classes)


def _converter(classes: Iterable[type]) -> Any:
    """Altair builds its table of all classes for each dictionary that it reads; this one is kept."""
    return _known(tuple(classes))
