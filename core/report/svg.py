"""Charts as SVG text that can stand inside a page, drawn without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import vl_convert
from markupsafe import escape

from core.charts.grammar import SCHEMA
from core.charts.theme import FONT
from core.report.readable import readable

VERSION = SCHEMA.rpartition("/v")[2].rpartition(".json")[0].rpartition(".")[0]
"""Of Vega-Lite, as the renderer names it."""
_DEFINED = re.compile(r'\bid="([^"]+)"')
KEPT = 800
"""Drawings kept, some ten kilobytes each: a report that shares panels with an earlier one draws only the others."""
_NAMED = re.compile(r'(\bid="|url\(#|href="#)([^")]+)')
_TAG = re.compile(r'<[a-zA-Z]+(?:\s+[\w:-]+="[^"]*")*\s*/?>')
_NEEDLESS = re.compile(r' (?:role|class|aria-[a-z]+|pointer-events)="[^"]*"| (?:opacity|stroke-opacity|fill-opacity)="1"')
_FAMILY = re.compile(r' font-family="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
_EMPTY = re.compile(r'<path d="(?:M0,0h0v0h0Z)?"(?: display="none")?/>')


MEASURED = "Liberation Sans"
"""The renderer measures texts in this font, which it brings; for the theme's list of fonts it took letters to be a quarter too wide, and cut names."""
PRIVATE = range(0xE000, 0xF900)
"""Letters that Unicode gives no meaning."""


@lru_cache(maxsize=KEPT)
def _drawn(spec: str) -> str:
    stand_ins = _stand_ins(spec)
    measured = spec.translate(stand_ins).replace(json.dumps(FONT), json.dumps(MEASURED))
    svg = str(vl_convert.vegalite_to_svg(json.loads(measured), vl_version=VERSION, allowed_base_urls=[]))
    svg = svg.replace(f'font-family="{MEASURED}"', f'font-family="{escape(FONT)}"')
    return svg.translate({number: letter for letter, number in stand_ins.items()})


def _stand_ins(spec: str) -> dict[int, int]:
    """For each letter of two halves in UTF-16 (emoji, rare Chinese) one of a single half that the chart does not hold.

    The renderer shortens long names half by half, and fails on half a letter.
    """
    wide = sorted({letter for letter in spec if ord(letter) > 0xFFFF}) if not spec.isascii() else []
    free = (number for number in PRIVATE if chr(number) not in spec)
    return {ord(letter): next(free, ord("\ufffd")) for letter in wide}


def _readable(value: Any) -> Any:
    """The specification with every text made readable, names of fields too."""
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_readable(item) for item in value]
    return readable(value) if isinstance(value, str) else value


def compact(svg: str) -> str:
    """The same picture in half the text: the font named once, two decimals, no roles (a figure says in one sentence what it shows).

    Only attributes of tags are touched; text between them, which may be a user's, stays as it is.
    """
    family = _FAMILY.search(svg)
    font = family.group() if family else ""

    def shorter(found: re.Match[str]) -> str:
        tag = _NEEDLESS.sub("", found.group())
        if font and not tag.startswith("<svg"):
            tag = tag.replace(font, "")
        return _LONG.sub(lambda number: f"{float(number.group()):.2f}".rstrip("0").rstrip("."), tag)

    small = _EMPTY.sub("", _TAG.sub(shorter, svg))
    return small.replace("<svg", f"<svg{font}", 1) if font else small


class Chart(Protocol):
    """Of our own grammar, or Altair's."""

    def to_dict(self) -> dict[str, Any]: ...


def readable_spec(chart: Chart) -> str:
    """The chart's specification as JSON text, with every text made readable."""
    spec = chart.to_dict()
    text = json.dumps(spec, sort_keys=True, ensure_ascii=False)
    if not text.isprintable() or "\\u" in text:
        # An unpaired surrogate ends the renderer, and with it the process.
        text = json.dumps(_readable(spec), sort_keys=True, ensure_ascii=False)
    return text


def chart_svg(chart: Chart, prefix: str = "", letters: Callable[[str], str] | None = None) -> str:
    """The chart as one `<svg>` element; the same chart gives the same text.

    Parameters
    ----------
    chart : chart
        With its data inside; a few thousand rows at most (aggregate first).
    prefix : str
        Put before every id, so that two drawings in one page do not clip each other.
    letters : function of text
        Replaces letters that will not be seen, before anything is measured.

    Notes
    -----
    No base address is allowed to the renderer: a chart that names a remote file fails
    instead of fetching it.
    """
    spec = readable_spec(chart)
    svg = compact(_drawn(letters(spec) if letters else spec))
    # The renderer numbers ids on from its last drawing; count from zero in each instead.
    ids = {name: f"{prefix}i{index}" for index, name in enumerate(dict.fromkeys(_DEFINED.findall(svg)))}
    return _NAMED.sub(lambda found: found.group(1) + ids.get(found.group(2), found.group(2)), svg)
