"""Columns of numbers as people write them: limits, units, ages, thousands, decimal commas, codes for "not known".

One text among numbers must not cost the column. Every value that is read otherwise than as it
stands is flagged, and what was done is said in findings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.tables.column_names import names_age
from core.tables.finding import Finding, counted, listed
from core.tables.group_words import is_unknown

WORDS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
EMPTY_MARKS = frozenset(
    {
        ".",
        "..",
        "-",
        "--",
        "---",
        "*",
        "#div/0!",
        "#value!",
        "#ref!",
        "#num!",
        "#name?",
        "#null!",
        "nd",
        "n.d.",
        "n/d",
        "not done",
        "not measured",
        "haemolysed",
        "hemolyzed",
        "haemolytic",
        "hemolytic",
        "k.m.",
        "k.a.",
        "n.a.",
        "insufficient sample",
        "invalid",
        "error",
    }
)
SENTINELS = (-1, *(sign * int(digit * length) for sign in (-1, 1) for length in (1, 2, 3, 4, 5) for digit in "987" if length > 1 or sign < 0))
"""Whole numbers by which programs mark a missing value: -9, -99, 999, 8888 and the like, and -1."""
MIN_NUMBERS = 10
"""Distinct plain numbers from which a column with a few texts still counts as numeric."""
MAX_UNREADABLE = 0.05
FEW_TEXTS, MAX_FEW_TEXTS = 3, 0.4
"""So many different texts among numbers may fill up to this share of the rows: a mark of the laboratory, not another kind of column."""
LEVELS = frozenset(
    {
        "high",
        "low",
        "normal",
        "elevated",
        "reduced",
        "raised",
        "pos",
        "positive",
        "positiv",
        "hoch",
        "niedrig",
        "erhöht",
        "haut",
        "bas",
        "alto",
        "bajo",
        "+",
        "++",
        "+++",
    }
)
"""Texts that say how much: they are not missing values, so a column that holds many of them is no column of numbers."""
OLDEST = 120
"""Years; no patient is older."""
MIN_PLAIN_SHARE = 0.3
DAYS = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
_NUMBER = r"[-+]?(?:\d[\d.,' \u00a0\u202f\u2019]*\d|\d|[.,]\d+)(?:[eE][-+]?\d+)?"
_BELOW = re.compile(
    rf"(?:<=?|≤|&lt;|less than|(?:fewer|younger|lower|smaller) than|under|below|up to|unter|weniger als|jünger als|kleiner als|moins de|menos de|menor "
    rf"(?:de|que)|inferior a|低于|小于|未満)\s*({_NUMBER})\s*(\D*)",
    re.IGNORECASE,
)
_ABOVE = re.compile(
    rf"(?:>=?|≥|&gt;|more than|(?:older|greater|higher) than|over|above|at least|über|mehr als|älter als|größer als|mindestens|plus de|más de|mayor "
    rf"(?:de|que)|mais de|maior que|超过|大于|以上)\s*({_NUMBER})\s*(\D*)|({_NUMBER})\s*(?:years? )?(?:\+|plus|(?:and|or) (?:over|older|above|more|up)|(?:und|"
    rf"oder) (?:älter|mehr|darüber)|et plus|ou plus|y más|o más|e mais|ou mais|以上|及以上)",
    re.IGNORECASE,
)
_AGE = re.compile(rf"({_NUMBER})\s*(y|m|w|d|yrs?|years?(?: old)?|yo|y/o|mo|mos|months?|wks?|weeks?|days?|jahre?|ans|años|岁|歳|세)\.?", re.IGNORECASE)
_UNDETECTED = re.compile(
    r"<\s*(?:lod|loq|llod|lloq|dl)|bdl|blq|below (?:the )?(?:limit of )?(?:detection|quantification)(?: limit)?|(?:not|non)[- ]?detect(?:ed|able)?|"
    r"undetect(?:ed|able)|traces?|nachweisgrenze|n\.?\s?n\.?|nicht nachweisbar|neg(?:ativ(?:e|o)?)?\.?|non détect(?:é|able)|indétectable|no "
    r"detect(?:ado|able)|não detect(?:ado|ável)|未检出|検出せず",
    re.IGNORECASE,
)
_ABOUT = re.compile(rf"(?:~|≈|≃|ca\.?|c\.|approx\.?|approximately|about|around|circa|etwa|env\.?|environ)\s*({_NUMBER})", re.IGNORECASE)
_LAB_FLAG = re.compile(rf"({_NUMBER})\s*(?:\*+|hh?|ll?|\((?:hh?|ll?|a|c)\)|!)", re.IGNORECASE)
_UNIT = re.compile(rf"(?:[€$£¥]\s*)?({_NUMBER})\s*([A-Za-zµμ°%‰Ωω²³/^*·.\d\s-]{{0,20}}|[€$£¥])")
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:([,.' \u00a0\u202f\u2019])\d{3})+")


@dataclass(frozen=True)
class NumberColumn:
    """A column of n values read as numbers.

    values : float64 (n,), NaN where there is none.
    flagged : bool (n,), values that are not what the cell literally says (limits, units, codes for missing).
    findings : what was read how, with counts.
    """

    values: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    findings: tuple[Finding, ...] = ()


def parse_numbers(column: pd.Series | tuple[NDArray[np.int64], list[str]], name: str = "") -> NumberColumn | None:
    """Read a column as numbers, or None when it is no column of numbers.

    Parameters
    ----------
    column : one text (or number) per row, missing as None or NaN; or codes (n,) with -1 for missing and the distinct texts.
    name : what findings call the column.

    Notes
    -----
    A value beyond a limit (`<5`, `> 89`, `90+`) is read as the limit. An age with a unit (`058Y`,
    `6 months`) is read in years, a percentage as a fraction. Marks of absence (`.`, `-`) and numbers
    that can only stand for it (-999 where all else is positive) are missing values. Texts that say
    nothing numeric are missing values when they are rare in a column of at least ten different numbers.
    """
    codes, texts = _coded(column)
    plain = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(dtype=np.float64, copy=True)
    odd = np.flatnonzero(~np.isfinite(plain))
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    if not len(texts):
        return None
    read = _Reading(name, [texts[i] for i in odd], counts[odd])
    distinct, rows = len(texts) - len(odd), int(counts.sum())
    if len(odd):
        if all(texts[i].lower() in WORDS for i in odd) and set(plain[np.isfinite(plain)]) <= {0.0, 1.0}:
            # true and false, alone or beside 1 and 0.
            plain[odd] = [WORDS[texts[i].lower()] for i in odd]
        else:
            extra = read.values(texts, plain)
            if extra is None or not read.numeric(distinct, rows):
                return None
            plain[odd] = extra
            if read.dots_group:
                _regroup(texts, plain, odd)
    flags = np.zeros(len(texts), bool)
    flags[odd] = bool(read.notes) and len(odd) > 0
    sentinel = _sentinels(plain, counts, flags)
    too_old = _too_old(plain, name) & ~sentinel
    plain = np.where(sentinel | too_old, np.nan, plain)
    flags |= sentinel | too_old
    findings = (*read.findings(), *_sentinel_finding(name, texts, counts, sentinel), *_too_old_finding(name, texts, counts, too_old))
    values = np.append(plain, np.nan)[codes]
    return NumberColumn(values, np.append(flags, False)[codes], findings)


def to_number(values: pd.Series) -> pd.Series | None:
    """The column as float64 with NaN where there is no number, else None (see `parse_numbers`)."""
    read = parse_numbers(values)
    return None if read is None else pd.Series(read.values, index=values.index)


def why_no_numbers(values: pd.Series) -> str | None:
    """Why a column whose values are mostly numbers is not read as numbers; None for a column of words."""
    texts = values.dropna().astype(str)
    plain = pd.to_numeric(texts, errors="coerce").notna()
    odd = texts[~plain].value_counts()
    numeric = texts.str.fullmatch(rf"\s*[<>≤≥~=+-]*\s*{_NUMBER}\s*[^\d]{{0,15}}").mean() if len(texts) else 0.0
    if numeric < 0.8 or odd.empty:
        return None
    return (
        f"it looks like numbers, but {counted(int(odd.sum()), 'value')} cannot be read as such ({listed([str(v) for v in odd.index], 4)}); "
        "write them as numbers to use it"
    )


def _coded(column: pd.Series | tuple[NDArray[np.int64], list[str]]) -> tuple[NDArray[np.int64], list[str]]:
    if isinstance(column, tuple):
        return column
    codes, uniques = pd.factorize(column, use_na_sentinel=True)
    return np.asarray(codes, dtype=np.int64), [str(value).strip() for value in uniques]


class _Reading:
    """The texts of a column that are not plain numbers: how each is read. The decimal mark is one for all of them."""

    def __init__(self, name: str, texts: Sequence[str], counts: NDArray[np.int64]) -> None:
        self.name, self.texts, self.counts = name, list(texts), counts
        self.decimal_comma = False
        self.dots_group = False
        self.notes: dict[str, list[int]] = {}

    def values(self, all_texts: Sequence[str], plain: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """float64 per text, NaN for what is missing or unreadable; None when the units differ."""
        self._decide_marks(all_texts, plain)
        found = np.full(len(self.texts), np.nan)
        units: dict[str, int] = {}
        for place, text in enumerate(self.texts):
            kind, value, unit = self._one(text)
            self.notes.setdefault(kind, []).append(place)
            found[place] = value
            if kind == "unit":
                units[unit] = units.get(unit, 0) + 1
        if len(units) > 1:
            return None
        if set(units) == {"%"} and not np.isfinite(plain).any():
            found = found / 100
        self.unit = next(iter(units), "")
        return found

    def numeric(self, distinct: int, rows: int) -> bool:
        """Whether the column as a whole is one of numbers, by the plain ones among its values."""
        rows_of = {kind: int(self.counts[places].sum()) for kind, places in self.notes.items()}
        unreadable, absent, words = (rows_of.get(kind, 0) for kind in ("text", "absent", "unknown"))
        exact = [k for k in ("sign", "grouped", "decimal comma", "age", "unit", "mark", "about") if k in self.notes]
        distinct += sum(len(self.notes[k]) for k in exact)
        limits = rows_of.get("below", 0) + rows_of.get("above", 0) + rows_of.get("undetected", 0)
        known = rows - absent - words
        if not distinct or not known:
            return False
        if limits and (distinct < 5 or known - limits - unreadable < MIN_PLAIN_SHARE * known):
            return False
        few_numbers = distinct < MIN_NUMBERS and (unreadable or words)
        texts = [self.texts[place].lower() for place in self.notes.get("text", [])]
        marks = len(texts) <= FEW_TEXTS and unreadable <= MAX_FEW_TEXTS * known and not LEVELS & set(texts)
        return not few_numbers and (unreadable <= MAX_UNREADABLE * known or marks)

    def findings(self) -> tuple[Finding, ...]:
        says = {
            "below": (
                "warning",
                "{rows} below a limit ({texts}): read as the limit itself and flagged",
                "Decide whether the limit, half of it or a missing value is right, and write it so.",
            ),
            "above": (
                "warning",
                "{rows} above a limit ({texts}): read as the limit itself and flagged",
                "Results that depend on these values stop at the limit.",
            ),
            "undetected": (
                "warning",
                "{rows} not detected ({texts}): read as missing and flagged",
                "They are low, not unknown: write a number (the limit, or half of it) if the model should know that.",
            ),
            "about": ("info", "{rows} said to be about a number ({texts}): read as that number", "Nothing to do."),
            "mark": ("info", "{rows} with a mark of the laboratory ({texts}): read without it", "Nothing to do."),
            "age": ("info", "{rows} with a unit of time ({texts}): read in years", "Nothing to do, unless the unit is another."),
            "unit": ("info", "{rows} with a unit ({texts}): read without it", "Nothing to do, unless the unit differs between rows."),
            "grouped": (
                "warning",
                "{rows} with thousands apart ({texts}): read as whole thousands",
                "If the sign is a decimal mark, write decimals with a point.",
            ),
            "sign": ("info", "{rows} with a dash in place of the minus sign ({texts}): read as negative", "Nothing to do."),
            "decimal comma": ("info", "{rows} with a decimal comma ({texts}): read as decimals", "Nothing to do, unless the comma parts thousands."),
            "absent": ("info", "{rows} with a mark for no value ({texts}): read as missing", "Nothing to do, unless the mark has a meaning."),
            "unknown": ("info", "{rows} saying that the value is not known ({texts}): read as missing", "Nothing to do."),
            "text": ("warning", "{rows} that cannot be read as a number ({texts}): taken as missing", "Correct these cells; all others are numbers."),
        }
        found = []
        for kind, (severity, words, remedy) in says.items():
            places = self.notes.get(kind, [])
            if not places:
                continue
            order = sorted(places, key=lambda p: -self.counts[p])
            rows = int(self.counts[places].sum())
            message = words.format(rows=counted(rows, "value"), texts=listed([self.texts[p] for p in order], 3))
            found.append(Finding("read-as-number", severity, f"{self.name}: {message}", rows, remedy, (self.name,)))  # type: ignore[arg-type]
        return tuple(found)

    def _decide_marks(self, all_texts: Sequence[str], plain: NDArray[np.float64]) -> None:
        """Whether commas are decimal marks, and whether dots part thousands, for the column as a whole."""
        numbers = [m.group() for text in self.texts if (m := re.search(_NUMBER, text)) and ("," in m.group() or "." in m.group())]
        both = [n for n in numbers if "," in n and "." in n]
        if both:
            self.decimal_comma = sum(n.rindex(",") > n.rindex(".") for n in both) > len(both) / 2
            self.dots_group = self.decimal_comma
            return
        commas = [n for n in numbers if "," in n]
        groups = [n for n in commas if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+", n)]
        # Thousands only where every comma could be one; a single 0,5 settles it the other way.
        self.decimal_comma = bool(commas) and len(groups) < len(commas)
        self.dots_group = any(re.fullmatch(r"[-+]?\d{1,3}(\.\d{3}){2,}", n) for n in numbers)

    def _one(self, text: str) -> tuple[str, float, str]:
        signed = re.sub(r"^\s*[−–‒-]\s*(?=[\d.,])", "-", text)
        if signed != text and (number := self._number(signed)) is not None:
            return "sign", number, ""
        lowered = text.lower().strip()
        if lowered in EMPTY_MARKS:
            return "absent", np.nan, ""
        if is_unknown(lowered):
            return "unknown", np.nan, ""
        for kind, pattern in (("below", _BELOW), ("above", _ABOVE)):
            match = pattern.fullmatch(text.strip())
            if match:
                number = self._number(next(g for g in match.groups() if g is not None))
                if number is not None:
                    return kind, number, ""
        if _UNDETECTED.fullmatch(text.strip()):
            return "undetected", np.nan, ""
        about = _ABOUT.fullmatch(text.strip())
        if about and (number := self._number(about[1])) is not None:
            return "about", number, ""
        mark = _LAB_FLAG.fullmatch(text.strip())
        if mark and (number := self._number(mark[1])) is not None:
            return "mark", number, ""
        age = _AGE.fullmatch(text.strip())
        if age and (number := self._number(age[1])) is not None:
            return "age", number * DAYS.get(age[2][0].lower(), 1.0), ""
        unit = _UNIT.fullmatch(text.strip())
        if unit and (number := self._number(unit[1])) is not None:
            said = unit[2].strip()
            if not said and not re.match(r"[€$£¥]", text.strip()):
                comma = self.decimal_comma and "," in unit[1]
                return ("decimal comma" if comma else "grouped"), number, ""
            if re.match(r"[A-Za-zµμ°%‰Ω€$£¥]", said) or not said:
                return "unit", number, re.sub(r"\s+", "", said.lower().replace("μ", "µ")) or text.strip()[0]
        return "text", np.nan, ""

    def _number(self, text: str) -> float | None:
        """The number in the notation of the column; None when it is written in no notation."""
        text = re.sub(r"(?<=\d)[' \u00a0\u202f\u2019](?=\d{3})", "", text.strip())
        if self.decimal_comma:
            text = (text.replace(".", "") if self.dots_group else text).replace(",", ".")
        else:
            if "," in text and not re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", text):
                return None
            text = text.replace(",", "")
            if re.fullmatch(r"[-+]?\d{1,3}(\.\d{3}){2,}", text):
                text = text.replace(".", "")
        try:
            value = float(text)
        except ValueError:
            return None
        return value if np.isfinite(value) else None


def _regroup(texts: Sequence[str], plain: NDArray[np.float64], odd: NDArray[np.int64]) -> None:
    """`1.234` among `1.234,5` is twelve hundred and thirty-four."""
    known = set(odd.tolist())
    for place, text in enumerate(texts):
        if place not in known and re.fullmatch(r"[-+]?\d{1,3}(\.\d{3})+", text):
            plain[place] = float(text.replace(".", ""))


def _sentinels(values: NDArray[np.float64], counts: NDArray[np.int64], flagged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which distinct values can only stand for "missing": far outside all others, and one of the usual numbers."""
    usual = np.isin(values, SENTINELS) & ~flagged
    other = np.isfinite(values) & ~usual
    if not usual.any() or np.count_nonzero(other) < MIN_NUMBERS:
        return np.zeros(len(values), bool)
    low, high = float(values[other].min()), float(values[other].max())
    negative = (values < 0) & (low >= 0)
    # A positive code must be written often and lie well beyond all that was measured.
    beyond = (values >= 99) & (values > 2.5 * max(high, 1)) & (counts >= 2) & (low >= 0)
    # -1 and -9 also occur where differences are measured in small steps: only among whole numbers.
    small = values >= -9
    whole = bool(np.all(values[other] == np.floor(values[other])))
    # Where measured values have both signs, only what is many times as large as any of them.
    reach = 10 * max(abs(low), abs(high), 1)
    far = (np.abs(values) >= 99) & (np.abs(values) > reach) & (low < 0) & ((counts >= 2) | (values < 0))
    return usual & ((negative & (~small | whole | (counts >= 2))) | beyond | far)


def _too_old(values: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """Ages that nobody has (-3, 411; 300 where a registry hides ages above 89), in a column that is called age and is one of years."""
    known = values[np.isfinite(values)]
    # No age lies below 0 either.
    old = np.isfinite(values) & ((values > OLDEST) | (values < 0))
    if not old.any() or not names_age(name) or len(known) < MIN_NUMBERS or float(np.median(known)) > OLDEST or old.sum() > 0.2 * len(known):
        return np.zeros(len(values), bool)
    return old


def _too_old_finding(name: str, texts: Sequence[str], counts: NDArray[np.int64], old: NDArray[np.bool_]) -> tuple[Finding, ...]:
    if not old.any():
        return ()
    rows = int(counts[old].sum())
    shown = listed([texts[i] for i in np.flatnonzero(old).tolist()])
    message = f"{name}: {shown} ({counted(rows, 'value')}), ages below 0 or above {OLDEST}: read as missing and flagged"
    remedy = "Some registries write 300 for every age above 89: put the limit there (89) if that is meant, otherwise correct these cells."
    return (Finding("read-as-number", "warning", message, rows, remedy, (name,)),)


def _sentinel_finding(name: str, texts: Sequence[str], counts: NDArray[np.int64], sentinel: NDArray[np.bool_]) -> tuple[Finding, ...]:
    if not sentinel.any():
        return ()
    rows = int(counts[sentinel].sum())
    shown = listed([texts[i] for i in np.flatnonzero(sentinel).tolist()])
    message = f"{name}: {shown} ({counted(rows, 'value')}), far outside all other values: read as missing and flagged"
    return (
        Finding(
            "read-as-number",
            "warning",
            message,
            rows,
            "If the number was really measured, write it with decimals (-999.0 stays a code; -999.01 does not).",
            (name,),
        ),
    )
