"""Which letters the fonts of this machine can draw, so that a printed page never shows an empty box in place of one."""

from __future__ import annotations

import struct
from functools import cache, lru_cache
from pathlib import Path

from core.report.readable import code_point

# What the fonts that typst itself brings (Libertinus, New Computer Modern, DejaVu Sans Mono) draw for certain.
BUILT_IN = ((0x20, 0x17F), (0x370, 0x3FF), (0x400, 0x45F), (0x2010, 0x2027), (0x2030, 0x203A), (0x2190, 0x2193), (0x2200, 0x2211), (0x2212, 0x2212),
            (0x2248, 0x2248), (0x2260, 0x2265), (0x221E, 0x221E), (0x27E8, 0x27E9))  # fmt: skip
INVISIBLE = frozenset({0x9, 0xA, 0xA0, 0xAD, 0x200B, 0x200C, 0x200D, 0x2009, 0x202F, 0x2060, 0xFE0E, 0xFE0F, *range(0xE0020, 0xE0080)})
COLLECTION = b"ttcf"


@cache
def drawable() -> frozenset[int]:
    """Code points that some font known to typst on this machine draws."""
    import typst

    found = set(INVISIBLE)
    for first, last in BUILT_IN:
        found.update(range(first, last + 1))
    for path in sorted({font.path for font in typst.Fonts().fonts() if font.path}):
        found |= covered(Path(path))
    return frozenset(found)


@cache
def families() -> tuple[str, ...]:
    """Font families that typst knows on this machine."""
    import typst

    return tuple(typst.Fonts().families())


def with_fallback(text: str, missing: set[str]) -> str:
    """The text with letters that no font draws as their Unicode numbers; adds those letters to `missing`."""
    if text.isascii():
        return text
    known = drawable()
    gone = {letter for letter in text if ord(letter) not in known}
    if not gone:
        return text
    missing |= gone
    return "".join(code_point(letter) if letter in gone else letter for letter in text)


@lru_cache(maxsize=512)
def covered(path: Path) -> frozenset[int]:
    """Code points in the character maps of a TrueType or OpenType file (or collection); none of one that cannot be read.

    Source of the layout: the OpenType specification, tables `ttcf`, `cmap` formats 4 and 12.
    """
    try:
        data = path.read_bytes()
        starts = struct.unpack_from(f">{struct.unpack_from('>I', data, 8)[0]}I", data, 12) if data[:4] == COLLECTION else (0,)
        return frozenset().union(*(_of_font(data, start) for start in starts))
    except (OSError, struct.error):
        return frozenset()


def _of_font(data: bytes, start: int) -> frozenset[int]:
    (tables,) = struct.unpack_from(">H", data, start + 4)
    found: set[int] = set()
    for number in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sIII", data, start + 12 + 16 * number)
        if tag != b"cmap":
            continue
        (maps,) = struct.unpack_from(">H", data, offset + 2)
        for place in range(maps):
            (below,) = struct.unpack_from(">I", data, offset + 4 + 8 * place + 4)
            found |= _of_map(data, offset + below)
    return frozenset(found)


def _of_map(data: bytes, at: int) -> set[int]:
    (kind,) = struct.unpack_from(">H", data, at)
    if kind == 12:
        (groups,) = struct.unpack_from(">I", data, at + 12)
        found: set[int] = set()
        for number in range(groups):
            first, last, _ = struct.unpack_from(">III", data, at + 16 + 12 * number)
            found.update(range(first, min(last, 0x10FFFF) + 1))
        return found
    return _segments(data, at) if kind == 4 else set()


def _segments(data: bytes, at: int) -> set[int]:
    """Format 4: letters that map to glyph 0 are those the font lacks."""
    (twice,) = struct.unpack_from(">H", data, at + 6)
    count = twice // 2
    ends = struct.unpack_from(f">{count}H", data, at + 14)
    firsts = struct.unpack_from(f">{count}H", data, at + 16 + twice)
    deltas = struct.unpack_from(f">{count}H", data, at + 16 + 2 * twice)
    offsets_at = at + 16 + 3 * twice
    offsets = struct.unpack_from(f">{count}H", data, offsets_at)
    found: set[int] = set()
    for place, (first, last) in enumerate(zip(firsts, ends, strict=True)):
        for letter in range(first, last + 1):
            if letter == 0xFFFF:
                continue
            if offsets[place]:
                (glyph,) = struct.unpack_from(">H", data, offsets_at + 2 * place + offsets[place] + 2 * (letter - first))
            else:
                glyph = (letter + deltas[place]) & 0xFFFF
            if glyph:
                found.add(letter)
    return found
