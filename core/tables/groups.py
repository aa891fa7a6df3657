"""Groups that look like one, and values that look like no group: proposed, never changed unasked."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import UserError, option
from core.tables.finding import Finding, counted, listed
from core.tables.group_words import FAMILIES, UNKNOWN_CODES, is_unknown, meaning, plain, repaired
from core.tables.numbers import parse_numbers
from core.tables.sex_words import COLUMNS, letter_meanings

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


def codes_beside_words(counts: Mapping[str, int]) -> tuple[list[str], list[str]] | None:
    """Small whole numbers and words in one column (0, 1, F, M), where nobody can tell which number is which word; None for other columns."""
    unknown = set(_unknown(counts))
    rest = [v for v in counts if v not in unknown and not is_unknown(v)]
    if len(rest) > MOST_NUMBER_GROUPS:
        return None
    codes = [v for v in rest if re.fullmatch(r"\d{1,2}(\.0)?", v)]
    words = [v for v in rest if re.fullmatch(r"[^\W\d_][^\d]*", v) and _numeral(v) is None]
    codes += unclear_letters(counts)
    words = [v for v in words if v not in codes]
    return (codes, words) if codes and words and len(codes) + len(words) == len(rest) else None


def unclear_letters(counts: Mapping[str, int]) -> list[str]:
    """Single letters beside words of a sex of which nobody can tell which they are (F beside nő and férfi)."""
    values = [v for v in counts if not is_unknown(v)]
    if family_of(values, "") != "sex":
        return []
    letters = _letters(values, "sex")
    return [v for v in values if plain(v) in letters and letters[plain(v)] is None]


def group_findings(values: pd.Series | Mapping[str, int], column: str) -> list[Finding]:
    """A finding for each proposal; its remedy is the `--merge` that follows it."""
    found = []
    counts = dict(values) if isinstance(values, Mapping) else {str(k): int(v) for k, v in values.dropna().value_counts().items()}
    if len(counts) > MOST_NUMBER_GROUPS:
        found += _codes_among_numbers(counts, column)
    mixed = codes_beside_words(counts)
    if mixed is not None:
        codes, words = mixed
        rows, kind = sum(counts[c] for c in codes), "numbers" if re.match(r"\d", codes[0]) else "letters"
        found.append(
            Finding(
                "codes-beside-words",
                "warning",
                f"{column}: {kind} ({listed(codes)}) stand beside words ({listed(words)}) ({counted(rows, 'row')}); until it is said what they mean "
                f"they are groups of their own",
                rows,
                f"Say which word each of them means, for example {option('--merge', f'{column}={words[0]}:{codes[0]}')}.",
                (column,),
            )
        )
    for proposal in propose_groups(values, column):
        merge = option("--merge", merge_text(column, proposal))
        if proposal.name is None:
            message = f"{column}: {proposal.reason} ({counted(proposal.rows, 'row')}); until that is said they are groups of their own"
            found.append(Finding("unknown-as-group", "warning", message, proposal.rows, f"{merge} counts them as missing.", (column,)))
        elif len(proposal.members) == 1:
            found.append(
                Finding(
                    "spreadsheet-date",
                    "warning",
                    f"{column}: {proposal.reason} ({counted(proposal.rows, 'row')})",
                    proposal.rows,
                    f"{merge} gives the group its name back.",
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
                    f"{merge} makes them one.",
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
    merge = option("--merge", f"{column}=:{','.join(unread)}")
    return [
        Finding(
            "unknown-as-group",
            "warning",
            f"{column}: {listed(unread)} cannot be one of its numbers ({counted(rows, 'row')})",
            rows,
            f"{merge} counts them as missing.",
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
    if words & COLUMNS:
        return "sex"
    if words & {"race", "ethnicity", "ethnic", "ethnie", "raza", "raça", "ancestry", "etnia", "etnicity", "rasse", "ethnizität", "razza", "cor"}:
        return "race"
    best = max(FAMILIES, key=lambda family: sum(meaning(v, family) is not None for v in values))
    # A single letter may be one of the words beside it.
    meant = [meaning(v, best) for v in values if len(plain(v)) > 1] or [meaning(v, best) for v in values]
    return best if all(m is not None for m in meant) and len(values) > 1 else None


def _unknown(counts: Mapping[str, int]) -> list[str]:
    """Values that say "not known": words, and codes beside smaller whole numbers."""
    words = [v for v in counts if is_unknown(v)]
    if len(words) == len(counts):
        return []
    numbers = [float(v) for v in counts if re.fullmatch(r"[-+]?\d+(\.0+)?", v) and v not in words]
    if len(numbers) + len(words) < len(counts):
        alone = [v for v in counts if v not in words and plain(v) in UNKNOWN_CODES]
        # A single code such as 9 among words means none of them; several numbers among words may mean them.
        few = alone if len(alone) == len([v for v in counts if re.fullmatch(r"[-+]?\d+(\.0+)?", v)]) == 1 else []
        return words + (few or [v for v in alone if float(v) < 0])
    codes = [v for v in counts if plain(v) in UNKNOWN_CODES]
    plain_numbers = sorted({n for n in numbers if str(int(n)) not in UNKNOWN_CODES and n >= 0})
    # Numbers are groups only when they are few; 98 and 99 among ages are ages.
    if len(plain_numbers) < 2 or len(plain_numbers) > 10 or plain_numbers[-1] > 12:
        return words
    # 7, 8 and 9 after a gap mean "don't know", "refused" and "missing" in questionnaires.
    low = [n for n in sorted(n for n in numbers if n >= 0) if n < 7]
    tail = [v for v in counts if plain(v) in ("7", "8", "9") and v not in words]
    asked = len(low) >= 2 and low[-1] < 6 and any(plain(v) == "9" for v in tail) and len(low) + len(tail) == len([n for n in numbers if n >= 0])
    gone = {v for v in codes if float(v) < 0 or float(v) > plain_numbers[-1] + 1} | (set(tail) if asked else set())
    return words + [v for v in counts if v in gone and v not in words]


def _same_name(counts: Mapping[str, int], column: str) -> list[GroupProposal]:
    family = family_of(list(counts), column)
    letters = _letters(list(counts), family)
    numerals = all(_numeral(v) is not None for v in counts)
    alike: dict[object, list[str]] = {}
    for value in counts:
        meant = meaning(value, family) if family else None
        if plain(value) in letters:
            meant = letters[plain(value)]
        band = _band_key(value)
        key: object = ("number", _numeral(value)) if numerals else (family, meant) if meant is not None else band if band is not None else _spaced(value)
        alike.setdefault(key, []).append(value)
    alike = _with_initials(_with_misspelt(alike, counts)) if family != "sex" else _with_misspelt(alike, counts)
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


def _letters(values: Sequence[str], family: str | None) -> dict[str, int | None]:
    """Of a column of sexes what each single letter means beside its words (see `letter_meanings`)."""
    if family != "sex":
        return {}
    found = [plain(v) for v in values]
    return letter_meanings([v for v in found if len(v) == 1 and v.isalpha()], [v for v in found if len(v) > 1])


def _spaced(value: str) -> str:
    """`Site 1` and `site1` as one."""
    return re.sub(r"(?<=[^\W\d])\s+(?=\d)", "", plain(value))


_AND_UP = re.compile(
    r"(?:≥|>=|at least|from)\s*(\d+)|(\d+)\s*(?:\+|plus|(?:and|or|&) (?:over|older|above|more|up)|(?:und|oder) (?:älter|mehr|darüber)|et plus|ou plus"
    r"|y más|o más)"
)
_BELOW = re.compile(r"(?:<|under|below|less than|younger than|unter|moins de|menos de)\s*(\d+)")
_BETWEEN = re.compile(r"(\d+)\s*(?:-|–|—|~|to|bis|à|a|al|up to|until)\s*(\d+)")


def _band_key(value: str) -> tuple[str, int, int] | None:
    """A band of whole numbers however it is written: `20-29`, `20 to 29`, `20–29 years`; `65+`, `≥65`; `<18`, `under 18`. None for anything else."""
    text = re.sub(r"\s*(years?( old)?|yrs?|y|jahre?|ans|años)\.?$", "", re.sub(r"\s+", " ", value.strip().lower()))
    text = re.sub(r"^(aged?|ages)\s+", "", text)
    for kind, pattern in (("up", _AND_UP), ("below", _BELOW), ("between", _BETWEEN)):
        match = pattern.fullmatch(text)
        if match:
            numbers = [int(n) for n in match.groups() if n is not None]
            return (kind, numbers[0], numbers[-1])
    return None


def _with_initials(alike: dict[object, list[str]]) -> dict[object, list[str]]:
    """Groups with a single letter put to the one other group whose names begin with it (`W` beside White); a letter of two groups, or of none, stays."""
    letters = [key for key, members in alike.items() if all(len(plain(v)) == 1 and plain(v).isalpha() for v in members)]
    if not letters or len(letters) == len(alike):
        return alike
    joined = {key: list(members) for key, members in alike.items() if key not in letters}
    for key in letters:
        letter = plain(alike[key][0])
        begun = [k for k, members in joined.items() if any(len(plain(v)) > 1 and plain(v).startswith(letter) and not re.search(r"\d", v) for v in members)]
        joined.setdefault(begun[0] if len(begun) == 1 else key, []).extend(alike[key])
    return joined


_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}


def _numeral(value: str) -> int | None:
    """A number in digits or Roman, with a word such as type or stage before it: `III`, `Type 3`, `3.0`; None for anything else."""
    match = re.fullmatch(r"(?:(?:type|typ|stage|stadium|grade|class|fst|fitzpatrick)[ -]?)?([ivx]+|\d{1,2}(?:\.0)?)", value.strip().lower())
    if match is None:
        return None
    return _ROMAN.get(match[1]) if match[1].isalpha() else int(float(match[1]))


def _with_misspelt(alike: dict[object, list[str]], counts: Mapping[str, int]) -> dict[object, list[str]]:
    """Groups with those put beside them that are spelt with one letter more, less, other or exchanged (`Femal`, `Caucasion`).

    Only rarer names of five letters or more, never two words that are known to mean different things.
    """
    rows = {key: sum(counts[v] for v in members) for key, members in alike.items()}
    joined: dict[object, list[str]] = {}
    target: dict[object, object] = {}
    for key in sorted(alike, key=lambda k: -rows[k]):
        near = next((k for k in joined if not isinstance(key, tuple) and any(_misspelt(a, b) for a in alike[key] for b in alike[k])), None)
        target[key] = key if near is None else near
        joined.setdefault(target[key], []).extend(alike[key])
    return joined


def _misspelt(first: str, second: str) -> bool:
    a, b = sorted((plain(first), plain(second)), key=len)
    if (
        len(a) < 4
        or (len(b) < 5 and not (len(a) == len(b) == 4))
        or re.search(r"\d", a + b)
        or _numeral(a.split()[-1]) is not None
        or _numeral(b.split()[-1]) is not None
    ):
        return False
    if a == b or len(b) - len(a) > 1:
        return a == b
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return a[at:] == b[at + 1 :] and at > 0
    swapped = a[at : at + 2] == b[at : at + 2][::-1] and a[at + 2 :] == b[at + 2 :]
    # Another letter at the very end or beginning makes another word: Hospital A and Hospital B, male and pale.
    return swapped or (a[at + 1 :] == b[at + 1 :] and 0 < at < len(a) - 1 and len(a) >= 6 and a[at - 1] != " ")


def _spreadsheet_dates(counts: Mapping[str, int]) -> dict[str, str]:
    """Dates among bands of numbers, each with the band that it probably was: `Oct-19` for `10-19`."""
    bands = sum(bool(_BAND.match(v)) for v in counts)
    found: dict[str, str] = {}
    for value in counts:
        band = _band_of_date(value) or (_band_of_serial(value) if bands >= 2 else None)
        if band is not None and bands >= 1:
            found[value] = band
    return found


def _band_of_serial(value: str) -> str | None:
    """The number by which a spreadsheet stores a date (43739 for October 2019, written 10-19), as the band that it was."""
    if not re.fullmatch(r"[234]\d{4}(\.0)?", value.strip()):
        return None
    date = datetime.date(1899, 12, 30) + datetime.timedelta(days=int(float(value)))
    return f"{date.month}-{date.year % 100}" if date.day == 1 else f"{min(date.month, date.day)}-{max(date.month, date.day)}"


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
    short = re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](?:\d{4}|\d{2})(?:[ t]00:00(?::00)?)?", text)
    if short:
        low, high = sorted((int(short[1]), int(short[2])))
        return f"{low}-{high}"
    full = re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ t]00:00(?::00)?)?", text)
    if full:
        month, day = int(full[2]), int(full[3])
        return f"{month}-{int(full[1]) % 100}" if day == 1 else f"{min(month, day)}-{max(month, day)}"
    return None
