"""Groups that look like one, and values that look like no group: proposed, never changed unasked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import UserError
from core.tables.finding import Finding, counted, listed
from core.tables.group_words import FAMILIES, UNKNOWN_CODES, is_unknown, meaning, plain, repaired
from core.tables.numbers import parse_numbers

MOST_NUMBER_GROUPS = 12
MOST_GROUPS = 200
"""Columns with more values than this are no groups; they are not compared."""
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar mär mrz", "apr avr", "may mai", "jun", "jul", "aug aoû", "sep", "oct okt", "nov", "dec dez déc"), start=1
    )
    for name in names.split()
}
_BAND = re.compile(r"^\s*[<>≤≥]?=?\s*\d+\s*(?:[-–—to ]+\s*\d+|\+)?\s*(?:years?|y)?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class GroupProposal:
    """Values of one column that look like one group.

    name : what the group would be called (its most frequent value). None: the values say "not known".
    """

    members: tuple[str, ...]
    name: str | None
    reason: str
    rows: int


def propose_groups(values: pd.Series | Mapping[str, int], column: str) -> list[GroupProposal]:
    """Values that look like one group: other case, spelling, language or encoding, words and codes for "not known", spreadsheet dates.

    Parameters
    ----------
    values : one value per row (missing as None), or distinct values with their counts.
    column : its name; a column called sex or race is read with the words of that family.
    """
    counts = dict(values) if isinstance(values, Mapping) else {str(k): int(v) for k, v in values.dropna().value_counts().items()}
    if not 1 <= len(counts) <= MOST_GROUPS:
        return []
    unknown = _unknown(counts)
    rest = {v: n for v, n in counts.items() if v not in unknown}
    found = _same_name(rest, column)
    dates = _spreadsheet_dates(rest)
    found += [
        GroupProposal((value,), meant, f"'{value}' looks like '{meant}' that a spreadsheet turned into a date", counts[value]) for value, meant in dates.items()
    ]
    if unknown:
        found.append(
            GroupProposal(
                tuple(unknown),
                None,
                f"{listed(list(unknown))} {'says' if len(unknown) == 1 else 'say'} that the value is not known",
                sum(counts[v] for v in unknown),
            )
        )
    return found


def group_findings(values: pd.Series | Mapping[str, int], column: str) -> list[Finding]:
    """A finding for each proposal; its remedy is the `--merge` that follows it."""
    found = []
    counts = dict(values) if isinstance(values, Mapping) else {str(k): int(v) for k, v in values.dropna().value_counts().items()}
    if len(counts) > MOST_NUMBER_GROUPS:
        found += _codes_among_numbers(counts, column)
    for proposal in propose_groups(values, column):
        merge = merge_text(column, proposal)
        if proposal.name is None:
            message = f"{column}: {proposal.reason} ({counted(proposal.rows, 'row')}); until that is said they are groups of their own"
            found.append(Finding("unknown-as-group", "warning", message, proposal.rows, f"--merge '{merge}' counts them as missing.", (column,)))
        elif len(proposal.members) == 1:
            found.append(
                Finding(
                    "spreadsheet-date",
                    "warning",
                    f"{column}: {proposal.reason} ({counted(proposal.rows, 'row')})",
                    proposal.rows,
                    f"--merge '{merge}' gives the group its name back.",
                    (column,),
                )
            )
        else:
            found.append(
                Finding(
                    "similar-groups",
                    "warning",
                    f"{column}: {proposal.reason} ({counted(proposal.rows, 'row')}); until that is said they are different groups",
                    proposal.rows,
                    f"--merge '{merge}' makes them one.",
                    (column,),
                )
            )
    return found


def _codes_among_numbers(counts: Mapping[str, int], column: str) -> list[Finding]:
    """Codes for "not known" (-999) among the many values of a number such as age."""
    texts = list(counts)
    codes = np.repeat(np.arange(len(texts)), [counts[t] for t in texts])
    read = parse_numbers((codes, texts), column)
    if read is None or not np.isnan(read.values).any():
        return []
    unread = sorted({texts[c] for c in codes[np.isnan(read.values)].tolist()})
    rows = int(np.isnan(read.values).sum())
    merge = f"{column}=:{','.join(unread)}"
    return [
        Finding(
            "unknown-as-group",
            "warning",
            f"{column}: {listed(unread)} cannot be one of its numbers ({counted(rows, 'row')})",
            rows,
            f"--merge '{merge}' counts them as missing.",
            (column,),
        )
    ]


def merge_text(column: str, proposal: GroupProposal) -> str:
    """The proposal as `--merge` takes it: `COLUMN=new:old,old`; nothing before the colon means missing."""
    others = [m for m in proposal.members if m != proposal.name]
    return f"{column}={proposal.name or ''}:{','.join(others)}"


def parse_merges(texts: Sequence[str], columns: Mapping[str, Sequence[str]] | None = None) -> dict[str, dict[str, str | None]]:
    """`COLUMN=new:old,old` texts as column -> old value -> new value (None: missing).

    `columns`, where given, are the known columns with their values. Raises UserError for what does not fit.
    """
    merges: dict[str, dict[str, str | None]] = {}
    for text in texts:
        column, sign, rule = text.partition("=")
        new, colon, olds = rule.rpartition(":")
        if not sign or not colon or not column.strip() or not olds.strip():
            raise UserError(f"--merge {text}: write COLUMN=new:old,old (nothing before the colon: count as missing)")
        column = column.strip()
        if columns is not None and column not in columns:
            raise UserError(f"--merge {text}: there is no column '{column}' to merge in; known are {', '.join(list(columns)[:20]) or 'none'}")
        for old in (o.strip() for o in olds.split(",")):
            if columns is not None and old not in columns[column]:
                raise UserError(f"--merge {text}: column '{column}' never holds '{old}'; it holds {listed(list(columns[column]))}")
            merges.setdefault(column, {})[old] = new.strip() or None
    return merges


def merged(values: pd.Series, changes: Mapping[str, str | None]) -> pd.Series:
    """The column with the changes made."""
    return pd.Series([changes.get(v, v) if isinstance(v, str) else v for v in values], index=values.index, dtype=object)


def family_of(values: Sequence[str], column: str) -> str | None:
    """Which family of words the column speaks: by its name, else by two values that only that family has."""
    words = set(re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower().replace("-", "_").replace(" ", "_").split("_"))
    if words & {"sex", "gender", "geschlecht", "sexe", "sexo", "sesso", "性别", "性別", "성별", "пол"}:
        return "sex"
    if words & {"race", "ethnicity", "ethnic", "ethnie", "raza", "raça", "ancestry"}:
        return "race"
    best = max(FAMILIES, key=lambda family: sum(meaning(v, family) is not None for v in values))
    meant = [meaning(v, best) for v in values]
    return best if all(m is not None for m in meant) and len(values) > 1 else None


def _unknown(counts: Mapping[str, int]) -> list[str]:
    """Values that say "not known": words, and codes beside smaller whole numbers."""
    words = [v for v in counts if is_unknown(v)]
    if len(words) == len(counts):
        return []
    numbers = [float(v) for v in counts if re.fullmatch(r"[-+]?\d+(\.0+)?", v) and v not in words]
    if len(numbers) + len(words) < len(counts):
        return words + [v for v in counts if v not in words and plain(v) in ("-1", "-9", "-99", "-999")]
    codes = [v for v in counts if plain(v) in UNKNOWN_CODES]
    plain_numbers = sorted({n for n in numbers if str(int(n)) not in UNKNOWN_CODES and n >= 0})
    # Numbers are groups only when they are few; 98 and 99 among ages are ages.
    if len(plain_numbers) < 2 or len(plain_numbers) > 10 or plain_numbers[-1] > 12:
        return words
    return words + [v for v in codes if v not in words and (float(v) < 0 or float(v) > plain_numbers[-1] + 1)]


def _same_name(counts: Mapping[str, int], column: str) -> list[GroupProposal]:
    family = family_of(list(counts), column)
    alike: dict[object, list[str]] = {}
    for value in counts:
        meant = meaning(value, family) if family else None
        alike.setdefault((family, meant) if meant is not None else plain(value), []).append(value)
    found = []
    for members in alike.values():
        if len(members) > 1:
            ordered = sorted(members, key=lambda v: (repaired(v) != v, -counts[v], v))
            found.append(GroupProposal(tuple(ordered), ordered[0], f"{listed(ordered)} look like one group", sum(counts[v] for v in ordered)))
        elif repaired(members[0]) != members[0]:
            found.append(
                GroupProposal(
                    (members[0],), repaired(members[0]), f"'{members[0]}' looks like '{repaired(members[0])}' read in a wrong encoding", counts[members[0]]
                )
            )
    return found


def _spreadsheet_dates(counts: Mapping[str, int]) -> dict[str, str]:
    """Dates among bands of numbers, each with the band that it probably was: `Oct-19` for `10-19`."""
    bands = sum(bool(_BAND.match(v)) for v in counts)
    found: dict[str, str] = {}
    for value in counts:
        band = _band_of_date(value)
        if band is not None and bands >= 1:
            found[value] = band
    return found


def _band_of_date(value: str) -> str | None:
    text = value.strip().lower().rstrip(".")
    named = re.fullmatch(r"(?:(\d{1,2})[-. /]+)?([^\W\d]{3,9})\.?(?:[-. /]+(\d{1,4}))?", text)
    if named and (month := _MONTHS.get(named[2][:3])) is not None and (named[1] or named[3]):
        # Excel shows 10-19 as Oct-19 (October 2019) and 5-9 as 9-May or May-09.
        other = named[3] if named[3] else named[1]
        number = int(other[-2:]) if len(other) == 4 else int(other)
        if named[3]:
            return f"{month}-{number}"
        low, high = sorted((month, number))
        return f"{low}-{high}"
    chinese = re.fullmatch(r"(\d{1,2})月(\d{1,2})日?", text)
    if chinese:
        return f"{int(chinese[1])}-{int(chinese[2])}"
    full = re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ t]00:00(?::00)?)?", text)
    if full:
        month, day = int(full[2]), int(full[3])
        return f"{month}-{int(full[1]) % 100}" if day == 1 else f"{min(month, day)}-{max(month, day)}"
    return None
