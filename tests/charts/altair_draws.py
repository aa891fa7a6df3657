"""Altair in the place of `core.charts.grammar`: it must draw the same picture from the same words."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import altair
import vl_convert

import core.charts
from core.charts import grammar
from core.charts.figure import Draw, Figure
from core.charts.theme import Look, styled

MODULES = [importlib.import_module(f"core.charts.{found.name}") for found in pkgutil.iter_modules(core.charts.__path__)]


@contextmanager
def altair_draws() -> Iterator[None]:
    """Within it all chart functions use Altair."""
    with ExitStack() as stack:
        for module in MODULES:
            if getattr(module, "alt", None) is grammar:
                stack.enter_context(mock.patch.object(module, "alt", altair))
        stack.enter_context(altair.theme.enable("none"))
        stack.enter_context(altair.data_transformers.enable("default", max_rows=None))
        yield


def assert_altair_draws_the_same(figure: Figure, look: Look) -> None:
    """Every panel, as a report and as a page draws it; and the whole is valid by Altair's schema."""
    for panel in figure.panels:
        for draw, width in ((panel.draw, 300), (panel.live or panel.draw, "container")):
            ours = styled(draw(look, width), look).to_dict()
            assert _picture(ours) == _picture(_altairs(draw, look, width)), f"{figure.name} {panel.heading}"
    altair.Chart.from_dict(figure.chart(look).to_dict())


def _altairs(draw: Draw, look: Look, width: int | str) -> dict[str, Any]:
    with altair_draws():
        made: dict[str, Any] = styled(draw(look, width), look).to_dict(validate=False)
    return made


def _picture(spec: dict[str, Any]) -> str:
    """SVG text; the renderer numbers clips and gradients on from its last drawing."""
    numbers: dict[str, str] = {}
    return re.sub(r"(?:clip|gradient_)\d+", lambda found: numbers.setdefault(found.group(), f"n{len(numbers)}"), vl_convert.vegalite_to_svg(spec))
