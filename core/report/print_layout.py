"""How wide columns and drawings are on a printed page; a table too wide for it is printed in parts that repeat the first columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

TEXT_WIDTH, TEXT_HEIGHT = 504.0, 540.0
"""Of an A4 page between its margins, in points, less what stands above a drawing: a section's heading and answer, a title of some lines."""
SIZE, HEADING = 7.6, 0.97
"""Points of the letters in a cell; how much narrower those of a heading are, which are smaller and bold."""
LETTER = 4.15
"""Mean width of a letter."""
NARROW = {"ijl'|": 0.23, "ftI.,:;!/[]()\\ \u00a0": 0.29, "\u2009\u202f": 0.2, 'r-`*"': 0.36, "\u200b": 0.0}
WIDE = {"+\u2212±=<>≥≤~^": 0.6, "mM%\u2014…": 0.9, "Ww@": 0.96}
BY_LETTER = {letter: width for widths in (NARROW, WIDE) for letters, width in widths.items() for letter in letters}
USUAL, CAPITAL, SQUARE = 0.556, 0.7, 1.0
"""Widths in parts of the size, as in Helvetica; square: Chinese, Japanese, Korean, emoji."""
PADDING = 7.0
LONG, READABLE = 60, 30
"""A cell of more than LONG letters is prose, and wants lines of at least READABLE letters."""
NAMES = frozenset({"model", "models", "method", "run", "group", "groups", "attribute", "metric", "summary", "where", "against", "what", "item"})
"""Headings of columns that say what a row is about."""
WORD = re.compile(r"[ \n\u200b]")
THIN, UNBROKEN = "\u2009", "\u202f"
"""Spaces inside a number, and between it and its sign: no line ends there."""
KEPT_TOGETHER = re.compile(r"\[([^\[\]]{1,24}), ([^\[\]]{1,24})\]")


@dataclass(frozen=True)
class Part:
    """Some columns of a table: widths in points, headings, whether each holds numbers, rows."""

    widths: tuple[float, ...]
    header: tuple[str, ...]
    numbers: tuple[bool, ...]
    rows: tuple[tuple[tuple[str, bool], ...], ...]
    """Text of each cell, and whether it is bold."""

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "rows": [[{"text": text, "bold": bold} for text, bold in row] for row in self.rows]}


def measure(text: str) -> float:
    """Points that a line of a cell takes."""
    return SIZE * sum(_of_letter(letter) for letter in text)


@lru_cache(maxsize=4096)
def _of_letter(letter: str) -> float:
    known = BY_LETTER.get(letter)
    if known is not None:
        return known
    if unicodedata.east_asian_width(letter) in "WF":
        return SQUARE
    return CAPITAL if letter.isupper() else USUAL


def parts(header: Sequence[str], numbers: Sequence[bool], rows: Sequence[Sequence[str]], bold: Collection[tuple[int, int]] = ()) -> list[Part]:
    """The table as one part where its words fit side by side, else as several."""
    rows = [[KEPT_TOGETHER.sub("[\\1,\u00a0\\2]", cell).replace(THIN, UNBROKEN) for cell in row] for row in rows]
    columns = [[row[place] for row in rows] for place in range(len(header))]
    least = [_least(name, column) for name, column in zip(header, columns, strict=True)]
    wanted = [max(low, _wanted(name, column)) for low, name, column in zip(least, header, columns, strict=True)]
    found = []
    for chosen in _split(header, least):
        widths = _widths([least[i] for i in chosen], [wanted[i] for i in chosen])
        cells = tuple(tuple((row[i], (y, i) in bold) for i in chosen) for y, row in enumerate(rows))
        found.append(Part(widths, tuple(header[i] for i in chosen), tuple(numbers[i] for i in chosen), cells))
    return found


def _least(name: str, column: Sequence[str]) -> float:
    """The longest word; where cells are prose, a line that can be read."""
    longest = max([HEADING * measure(word) for word in WORD.split(name)] + [measure(word) for cell in column for word in WORD.split(cell)])
    if any(len(cell) > LONG for cell in column):
        longest = max(longest, READABLE * LETTER)
    return min(longest, READABLE * LETTER) + PADDING


def _wanted(name: str, column: Sequence[str]) -> float:
    """Every cell in one line, a heading in two."""
    longest = max((measure(line) for cell in column for line in cell.split("\n")), default=0.0)
    return min(max(longest, HEADING * measure(name) / 2) + PADDING, TEXT_WIDTH)


def _split(header: Sequence[str], least: Sequence[float]) -> list[list[int]]:
    """Places of the columns of each part."""
    if sum(least) <= TEXT_WIDTH:
        return [list(range(len(header)))]
    heads: list[int] = []
    for place, name in enumerate(header[:3]):
        if name.lower() not in NAMES or sum(least[i] for i in [*heads, place]) > TEXT_WIDTH / 2:
            break
        heads.append(place)
    chosen, room = [list(heads)], TEXT_WIDTH - sum(least[i] for i in heads)
    left = room
    for place in range(len(heads), len(header)):
        if least[place] > left and len(chosen[-1]) > len(heads):
            chosen.append(list(heads))
            left = room
        chosen[-1].append(place)
        left -= least[place]
    return chosen


def _widths(least: Sequence[float], wanted: Sequence[float]) -> tuple[float, ...]:
    """As wide as the cells want; where that is too much, the room above the least goes to those who want more, in proportion."""
    if sum(wanted) <= TEXT_WIDTH:
        return tuple(wanted)
    if sum(least) >= TEXT_WIDTH:
        return tuple(width * TEXT_WIDTH / sum(least) for width in least)
    share = (TEXT_WIDTH - sum(least)) / (sum(wanted) - sum(least))
    return tuple(low + share * (high - low) for low, high in zip(least, wanted, strict=True))


def drawing_width(svg: str, column: float) -> float:
    """Width in points for a drawing to fill its column at most, and be no taller than a page."""
    found = re.search(r'<svg[^>]*\bwidth="([\d.]+)"[^>]*\bheight="([\d.]+)"', svg)
    if found is None:
        return column
    width, height = float(found.group(1)), float(found.group(2))
    return min(column, width * 0.75, TEXT_HEIGHT * width / height)
