"""The words of Altair that our charts use, as plain dictionaries.

Altair checks and copies every part of a chart whenever it is combined with another: 50 to 100 ms
for a chart of a few layers, and a page that answers a filter draws a dozen. These words build the
same Vega-Lite specification by putting dictionaries into one another, without a copy and without
a check. The tests draw every chart with Altair itself in their place, and want the same picture.

A drawing never changes: each method gives a new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from core.charts.rows import records

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.4.1.json"
TYPES = {"N": "nominal", "Q": "quantitative", "O": "ordinal", "T": "temporal"}
SECOND = frozenset({"x2", "y2"})
"""Channels that take their type from their first half."""


class Undefined:
    """Stands for a property that is not there."""


class Options(dict[str, Any]):
    """Named properties; what is undefined is left out, and None is null."""

    def __init__(self, **values: Any) -> None:
        super().__init__((name, value) for name, value in values.items() if value is not Undefined)


class Scale(Options): ...


class Axis(Options): ...


class Legend(Options): ...


class BrushConfig(Options): ...


class IntervalSelectionConfig(Options): ...


class TopLevelSelectionParameter(Options): ...


class AutoSizeParams(Options): ...


class TitleParams(Options):
    def __init__(self, text: str | list[str], **values: Any) -> None:
        super().__init__(text=text, **values)


class Step(Options):
    def __init__(self, step: float) -> None:
        super().__init__(step=step)


class FieldOneOfPredicate(Options):
    def __init__(self, field: str, oneOf: list[Any]) -> None:
        super().__init__(field=field, oneOf=oneOf)


class Channel(Options):
    """`name:T`, a field and the first letter of its type, and the channel's properties."""

    def __init__(self, shorthand: str, **values: Any) -> None:
        field, _, letter = shorthand.rpartition(":")
        super().__init__(field=field, type=TYPES[letter], **values)


class X(Channel): ...


class Y(Channel): ...


class YOffset(Channel): ...


class Color(Channel): ...


class Opacity(Channel): ...


class Shape(Channel): ...


class Size(Channel): ...


class StrokeDash(Channel): ...


class Angle(Channel): ...


class Text(Channel): ...


class Tooltip(Channel): ...


class Description(Channel): ...


class Expression:
    """A Vega expression; comparing it gives another one."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return self._with("===", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return self._with("!==", other)

    def __lt__(self, other: object) -> Expression:
        return self._with("<", other)

    def __ge__(self, other: object) -> Expression:
        return self._with(">=", other)

    def __invert__(self) -> Expression:
        return Expression(f"(!{self.text})")

    __hash__ = None  # type: ignore[assignment]

    def _with(self, sign: str, other: object) -> Expression:
        return Expression(f"({self.text} {sign} {json.dumps(other)})")


class _Datum:
    """`datum.field` is an expression, `datum(0)` a value on an axis."""

    def __getattr__(self, name: str) -> Expression:
        return Expression(f"datum.{name}")

    def __call__(self, value: Any) -> dict[str, Any]:
        return {"datum": value}


datum = _Datum()


def value(value: Any) -> dict[str, Any]:
    """A value of a visual property: pixels, a colour."""
    return {"value": value}


def condition(test: str | Expression, then: Mapping[str, Any], otherwise: Mapping[str, Any]) -> dict[str, Any]:
    """`then` where `test` holds."""
    return {"condition": {"test": _said(test), **then}, **otherwise}


def selection_point(name: str, fields: list[str], on: str) -> TopLevelSelectionParameter:
    """A selection of marks, by clicking them for example."""
    return TopLevelSelectionParameter(name=name, select={"type": "point", "fields": fields, "on": on})


class Drawing:
    """A chart of any kind. `spec`: its own part of the specification, with drawings and frames inside."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec

    @property
    def name(self) -> Any:
        return self.spec.get("name", Undefined)

    def _and(self, **more: Any) -> Any:
        made = object.__new__(type(self))
        made.spec = Options(**{**self.spec, **more})
        return made

    def encode(self, **channels: Any) -> Any:
        """What the channels show; of layers, in each of them."""
        read = {name: _channel(name, given) for name, given in channels.items()}
        return self._and(encoding={**self.spec.get("encoding", {}), **read})

    def properties(self, **properties: Any) -> Any:
        return self._and(**properties)

    def configure(self, **config: Any) -> Any:
        return self._and(config=config)

    def resolve_scale(self, **channels: str) -> Any:
        return self._and(resolve={"scale": channels})

    def __add__(self, other: Drawing) -> LayerChart:
        return layer(self, other)

    def parts(self) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
        """The specification, which names its data sets, and these. The same frame is sent once."""
        frames: dict[str, pd.DataFrame] = {}
        names: dict[int, str] = {}
        spec = {"$schema": SCHEMA, **_plain(self, frames, names)}
        return spec, frames

    def to_dict(self) -> dict[str, Any]:
        """The whole specification with its rows inside, as JSON takes it."""
        spec, frames = self.parts()
        return {**spec, "datasets": {name: records(frame) for name, frame in frames.items()}}


class Chart(Drawing):
    """One mark on one table."""

    def __init__(self, data: pd.DataFrame, name: Any = Undefined) -> None:
        super().__init__(Options(data=data, name=name))

    def _mark(self, kind: str, properties: dict[str, Any]) -> Any:
        return self._and(mark={"type": kind, **properties})

    def mark_point(self, **properties: Any) -> Any:
        return self._mark("point", properties)

    def mark_line(self, **properties: Any) -> Any:
        return self._mark("line", properties)

    def mark_area(self, **properties: Any) -> Any:
        return self._mark("area", properties)

    def mark_bar(self, **properties: Any) -> Any:
        return self._mark("bar", properties)

    def mark_rect(self, **properties: Any) -> Any:
        return self._mark("rect", properties)

    def mark_rule(self, **properties: Any) -> Any:
        return self._mark("rule", properties)

    def mark_text(self, **properties: Any) -> Any:
        return self._mark("text", properties)

    def _transform(self, *steps: dict[str, Any]) -> Any:
        return self._and(transform=[*self.spec.get("transform", []), *steps])

    def transform_filter(self, test: str | Expression | Mapping[str, Any]) -> Any:
        return self._transform({"filter": _said(test)})

    def transform_calculate(self, **columns: str) -> Any:
        return self._transform(*({"calculate": expression, "as": name} for name, expression in columns.items()))

    def transform_aggregate(self, groupby: list[str], **columns: str) -> Any:
        split = {name: shorthand.rstrip(")").split("(") for name, shorthand in columns.items()}
        return self._transform({"aggregate": [{"op": op, "field": field, "as": name} for name, (op, field) in split.items()], "groupby": groupby})

    def add_params(self, *params: Mapping[str, Any]) -> Any:
        return self._and(params=[*self.spec.get("params", []), *params])


class LayerChart(Drawing):
    """Drawings on top of one another, on common scales."""

    @property
    def layer(self) -> list[Drawing]:
        return self.spec["layer"]  # type: ignore[no-any-return]

    def __add__(self, other: Drawing) -> LayerChart:
        return self._and(layer=[*self.layer, other])  # type: ignore[no-any-return]

    def add_params(self, *params: Mapping[str, Any]) -> Any:
        """Selections of the marks of the first layer."""
        first, *others = self.layer
        name = "view_1" if first.name is Undefined else first.name
        bound = [Options(**{**param, "views": [name]}) for param in params]
        return self._and(layer=[first.properties(name=name), *others], params=[*self.spec.get("params", []), *bound])


class ConcatChart(Drawing):
    """Drawings beside or below one another."""

    @property
    def vconcat(self) -> list[Any]:
        return self.spec["vconcat"]  # type: ignore[no-any-return]


def layer(*layers: Drawing) -> LayerChart:
    return LayerChart({"layer": list(layers)})


def vconcat(*drawings: Drawing, **options: Any) -> ConcatChart:
    return ConcatChart(Options(vconcat=list(drawings), **options))


def concat(*drawings: Drawing, **options: Any) -> ConcatChart:
    return ConcatChart(Options(concat=list(drawings), **options))


def _said(test: Any) -> Any:
    return test.text if isinstance(test, Expression) else test


def _channel(name: str, given: Any) -> Any:
    if not isinstance(given, str):
        return given
    read = Channel(given)
    return {"field": read["field"]} if name in SECOND else read


def _plain(part: Any, frames: dict[str, pd.DataFrame], names: dict[int, str]) -> Any:
    """`part` with dictionaries for drawings and names for frames, which are gathered in `frames`."""
    if isinstance(part, Drawing):
        return dict(_properties(part, frames, names))
    if isinstance(part, list):
        return [_plain(item, frames, names) for item in part]
    return part


def _properties(drawing: Drawing, frames: dict[str, pd.DataFrame], names: dict[int, str]) -> Iterator[tuple[str, Any]]:
    for name, part in drawing.spec.items():
        if isinstance(part, pd.DataFrame):
            if id(part) not in names:
                names[id(part)] = f"data-{len(names)}"
                frames[names[id(part)]] = part
            yield name, {"name": names[id(part)]}
        elif name in ("layer", "vconcat", "concat"):
            yield name, _plain(part, frames, names)
        else:
            yield name, part
