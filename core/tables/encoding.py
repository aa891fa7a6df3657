"""From the bytes of a text file to its text: in which encoding was it written?

UTF-8 and UTF-16 are recognised for certain. A single-byte or East Asian encoding is recognised by
what the words become: letters of one script, upper and lower case where words have them. Where
two encodings give different and equally sensible words, the likelier is taken and said.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from core.errors import UserError
from core.tables.finding import Finding, listed
from core.tables.group_words import is_known_word

CANDIDATES = (
    "cp1252", "cp1250", "iso8859-2", "cp1254", "cp1257", "iso8859-15", "cp1251", "cp1253", "cp1255", "cp1256", "cp874",
    "gb18030", "big5", "cp932", "euc_jp", "cp949", "koi8_r", "cp866", "mac_roman", "cp850",
)  # fmt: skip
"""In the order of how often tables come in them; the order decides between equals."""
MOST_CELLS = 2000
LOOKED_AT = 16 << 20
PLAUSIBLE = 0.75
"""Share of the cells that must make sense."""
_SYMBOLS = frozenset("°µ²³±·×÷€£¥§©®™–—‘’“”„…«»¿¡ºª½¼¾\xa0¢′″≤≥≠≈→")
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "FULLWIDTH", "IDEOGRAPHIC")
_NO_TEXT: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip file or a workbook under another name; give it the ending .xlsx or .ods, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; give it the ending .xls, or save the sheet as CSV"),
    (b"%PDF", "a PDF, not a table; export the table as CSV"),
    (b"PAR1", "a Parquet file; give it the ending .parquet"),
    (b"\x1f\x8b", "compressed; give it the ending .csv.gz"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
)


@dataclass(frozen=True)
class Decoded:
    """The text as UTF-8 bytes, the encoding it came in, and a finding where that is a guess."""

    utf8: bytes
    encoding: str
    finding: Finding | None = None


def decode(raw: bytes, source: str, encoding: str | None = None) -> Decoded:
    """Decode the whole file.

    Parameters
    ----------
    raw : the file's bytes.
    source : what messages call the file.
    encoding : the encoding as the user says it (a name that Python knows); recognised when None.

    Raises
    ------
    UserError
        For what is no text, an encoding that does not fit, or one that cannot be told.
    """
    if encoding is not None:
        return _as_said(raw, source, encoding)
    for start, what in _NO_TEXT:
        if raw.startswith(start):
            raise UserError(f"{source}: not a text table: it is {what}")
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if raw.startswith(mark):
            return _as_said(raw, source, name)
    wide = _utf16_without_mark(raw)
    if wide is not None and _decodes(raw, wide):
        return _as_said(raw, source, wide)
    if b"\x00" in raw:
        raise UserError(f"{source}: not a text table (it holds zero bytes); save it as CSV in UTF-8, or as Parquet")
    if _is_utf8(raw):
        return Decoded(raw, "utf-8")
    _refuse_mixture(raw, source)
    return _recognised(raw, source)


def _as_said(raw: bytes, source: str, encoding: str) -> Decoded:
    try:
        text = raw.decode("utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding)
    except LookupError:
        raise UserError(f"{source}: no encoding is called '{encoding}'; use for example utf-8, cp1252, gb18030 or shift_jis") from None
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        raise UserError(f"{source}, row {row}: not text in the encoding {encoding}; name another with --encoding, or save the file as CSV UTF-8") from None
    if "\x00" in text:
        raise UserError(f"{source}: not a text table (it holds zero bytes); save it as CSV in UTF-8, or as Parquet")
    return Decoded(text.encode("utf-8"), encoding)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _utf16_without_mark(raw: bytes) -> str | None:
    head = raw[: 1 << 16]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if odd > 0.6 * half and even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 * half and odd < 0.1 * half else None


def _refuse_mixture(raw: bytes, source: str) -> None:
    """A UTF-8 file into which a few rows of another encoding were pasted."""
    head = raw[:LOOKED_AT]
    good = len(re.findall(rb"[\xc3-\xf4][\x80-\xbf]+", head))
    text = head.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    if good >= 3 and good > 3 * bad:
        row = text[: text.index("\ufffd")].count("\n") + 1
        raise UserError(
            f"{source}, row {row}: holds bytes that are not UTF-8, while the rest of the file is; write that row again, or save the whole file as CSV UTF-8"
        )


def _recognised(raw: bytes, source: str) -> Decoded:
    cells = _cells(raw)
    fitting = [(score, -place, name) for place, name in enumerate(CANDIDATES) if (score := _score(cells, name)) is not None]
    fitting = [(score, place, name) for score, place, name in fitting if score >= PLAUSIBLE and _decodes(raw, name)]
    if not fitting:
        raise UserError(
            f"{source}: not UTF-8, and its encoding is not known; name it with --encoding (for example cp1252 or gb18030), or save the file as CSV UTF-8"
        )
    _, _, best = max(fitting)
    words = _words(cells, best)
    others: dict[tuple[str, ...], str] = {}
    for _, _, name in sorted(fitting, reverse=True):
        read = _words(cells, name)
        if read != words:
            others.setdefault(read, name)
    return Decoded(raw.decode(best).encode("utf-8"), best, _guess(best, words, others) if others else None)


def _guess(best: str, words: tuple[str, ...], others: dict[tuple[str, ...], str]) -> Finding:
    read, name = next(iter(others.items()))
    changed = [i for i, (a, b) in enumerate(zip(words, read, strict=True)) if a != b]
    here, there = [words[i] for i in changed[:4]], [read[i] for i in changed[:4]]
    names = ", ".join(dict.fromkeys(others.values()))
    return Finding(
        "encoding-guessed",
        "warning",
        f"the encoding of the file is a guess: {best} reads {listed(here)}, {name} would read {listed(there)} (also possible: {names})",
        0,
        f"If {listed(here, 2)} is wrong, name the encoding (--encoding {name}) or save the file as CSV UTF-8.",
    )


def _cells(raw: bytes) -> list[bytes]:
    """Distinct cells with a byte beyond ASCII."""
    found: dict[bytes, None] = {}
    for match in re.finditer(rb"[^,;\t\r\n\"]*[\x80-\xff][^,;\t\r\n\"]*", raw[:LOOKED_AT]):
        found.setdefault(match.group().strip(), None)
        if len(found) >= MOST_CELLS:
            break
    return list(found)


def _decodes(raw: bytes, name: str) -> bool:
    try:
        raw.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _words(cells: list[bytes], name: str) -> tuple[str, ...]:
    return tuple(cell.decode(name, errors="replace") for cell in cells)


def _score(cells: list[bytes], name: str) -> float | None:
    """Share of cells that make sense, more for words that are known; None where one cannot be decoded."""
    total = 0.0
    for cell in cells:
        try:
            text = cell.decode(name)
        except UnicodeDecodeError:
            return None
        if not _sensible(text):
            continue
        total += 1 + 0.5 * is_known_word(text) + 0.2 * _common(text)
    return total / max(len(cells), 1)


def _sensible(text: str) -> bool:
    """Whether a cell could have been written by a person: one script a word, symbols where symbols stand."""
    for index, char in enumerate(text):
        if ord(char) < 128:
            continue
        kind = unicodedata.category(char)
        if kind in ("Cc", "Cn", "Co", "Cs") or _script(char).startswith("HALFWIDTH"):
            return False
        if kind[0] in "SPNZ" and char not in _SYMBOLS and not _script(char).startswith(_EAST_ASIAN):
            return False
        before = text[index - 1] if index else " "
        inside = before.isalpha() and index < len(text) - 1 and text[index + 1].isalpha()
        if kind[0] in "SN" and (inside or (before.isalpha() and not before.isascii() and sum(c.isalpha() for c in text) < 3)):
            return False
        if kind[0] == "M" and _script(before) != _script(char):
            return False
    words = re.findall(r"[^\W\d_]+", text)
    plain = sum(c.isascii() and c.isalnum() for c in text)
    strange = sum(not c.isascii() for c in text)
    latin = all(_script(c) == "LATIN" for w in words for c in w)
    if latin and strange >= 2 and plain == 0:
        return False
    return all(_sensible_word(word) for word in words if not word.isascii())


def _sensible_word(word: str) -> bool:
    scripts = {_script(c) for c in word}
    if scripts <= set(_EAST_ASIAN):
        return True
    if len(scripts) > 1:
        # An East Asian word may carry a Latin capital (a blood group), never letters of a Latin word.
        return bool(scripts & set(_EAST_ASIAN)) and not any("a" <= c <= "z" for c in word)
    return word.islower() or word.isupper() or (word[0].isupper() and word[1:].islower()) or word.lower() == word.upper()


@cache
def _script(char: str) -> str:
    return unicodedata.name(char, "UNKNOWN").split(" ")[0].split("-")[0]


_RARE_CASE = re.compile(r"^[А-ЯЁ]{2,}$")


def _common(text: str) -> float:
    """1 for characters that are frequent in their language, down to 0."""
    letters = [c for c in text if not c.isascii() and c.isalpha()]
    if not letters:
        return 0.0
    if all(_script(c) == "CYRILLIC" for c in letters):
        frequent = sum(c in "оеаинтсрвлкм" for c in text.lower() if c.isalpha()) / len(letters)
        return frequent * (0.5 if _RARE_CASE.match(text) else 1.0)
    return sum(_level_one(c) for c in letters) / len(letters)


@cache
def _level_one(char: str) -> bool:
    """Whether an East Asian character is in the first level (the frequent ones) of its standard."""
    for name, low, high in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("euc_jp", 0xA4, 0xCF)):
        try:
            raw = char.encode(name)
        except UnicodeEncodeError:
            continue
        if len(raw) == 2 and low <= raw[0] <= high:
            return True
    return False
