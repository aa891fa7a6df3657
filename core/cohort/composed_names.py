"""Files whose names are put together from what columns hold: subject/study/image, patient_eye, IMG_0012_cropped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, takewhile

import numpy as np
import pandas as pd

from core.cohort.matching import MEDIA, is_web_address, share_found
from core.cohort.sources import ImageSource
from core.errors import UserError
from core.tables.join import PART

MOST_COLUMNS = 8
LOOKED_UP = 40
NEEDED = 0.9
"""Share of the rows whose file must be found before a rule is believed."""
LEAST_ROWS = 5
SIGNS = ("/", "_", "-", "")
FILE_OF = "file of "
"""What a column of files that were found by a rule begins with."""
MOST_PARTS = 12
"""Parts of a path that are looked at."""

Key = tuple[str, ...]


def add_composed_names(table: pd.DataFrame, source: ImageSource) -> pd.DataFrame:
    """The table with a column of files, where no single column names the source's files but one, two or three together do by a rule.

    Values that are joined as they stand (`subject/study/image`) give a column of that name. Otherwise the
    rule is read from the paths (`IMG_{0012}_cropped`, `sub-{3}/ses-{1}/face`) and the column, called by
    what it is made from, holds the files themselves. A rule counts when nine in ten rows name one file
    each by it, no two of these rows the same. Numbers are compared without zeros in front.
    """
    names = _media(source)
    if not names or any(_names_files(table[c], source) for c in table.columns):
        return table
    whole = table
    if PART in table.columns:
        table = table.assign(**{PART: _without_common_beginning(table[PART])})
    columns = [c for c in sorted(table.columns, key=lambda c: c != PART) if _may_be_part(table[c])][:MOST_COLUMNS]
    rows = np.unique(np.linspace(0, len(table) - 1, min(len(table), LOOKED_UP)).astype(int))
    if len(rows) < LEAST_ROWS:
        return whole
    rule = _rule(table.iloc[rows], columns, names)
    if rule is None:
        return whole
    for chosen in permutations(rule.columns):
        for sign in SIGNS if len(chosen) > 1 else ():
            joined = _joined(table.iloc[rows], chosen, sign)
            if len(set(joined)) == len(joined) and share_found(source, joined)[0] >= NEEDED:
                return whole.assign(**{(sign or "+").join(chosen): pd.Series(_joined(table, chosen, sign), index=table.index, dtype=object)})
    name, files = _files_of(table, rule, names)
    return whole if len(files.unique()) < len(files) else whole.assign(**{name: files})


def _without_common_beginning(values: pd.Series) -> pd.Series:
    """Names of tables without the words that all begin with (`patient_data_od`, `patient_data_os` as `od`, `os`)."""
    keys = {v: _key(v) for v in values.unique()}
    common = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, zip(*keys.values(), strict=False))) if len(keys) > 1 else 0
    return values.map({v: "-".join(key[common:]) or v for v, key in keys.items()})


@dataclass(frozen=True)
class _Rule:
    """Values of these columns stand at these places of a path whose other parts are `frame`."""

    columns: tuple[str, ...]
    frame: Key


def _files_of(table: pd.DataFrame, rule: _Rule, names: Sequence[str]) -> tuple[str, pd.Series]:
    """What to call the files of a rule, and one for each row that has exactly one, else what was looked for."""
    wanted = list(zip(*([_key(v) for v in table[c]] for c in rule.columns), strict=True))
    found: dict[tuple[Key, ...], str | None] = {}
    known = [set(column) for column in zip(*wanted, strict=True)]
    for name in names:
        for keys, frame in _fits(name, known):
            if frame == rule.frame:
                found[keys] = None if found.get(keys, name) != name else name
    files = [found.get(keys) or " ".join("-".join(key) for key in keys) for keys in wanted]
    return FILE_OF + " and ".join(rule.columns), pd.Series(files, index=table.index, dtype=object)


def _rule(sample: pd.DataFrame, columns: Sequence[str], names: Sequence[str]) -> _Rule | None:
    """The rule of the fewest columns under which nine in ten rows of the sample have one file each."""
    keys = {c: [_key(v) for v in sample[c]] for c in columns}
    named = _named_in(keys, names)
    files = [name for name, hit in zip(names, named.files, strict=True) if hit]
    for size in (1, 2, 3):
        for chosen in combinations(named.columns, size):
            wanted = list(zip(*(keys[c] for c in chosen), strict=True))
            if len(set(wanted)) < len(wanted) or any(not key for row in wanted for key in row):
                continue
            frame = _frame_of(wanted, files)
            if frame is not None:
                return _Rule(chosen, frame)
    return None


@dataclass(frozen=True)
class _Named:
    """Columns of which nine in ten values occur in some path, and whether each path holds any of these."""

    columns: tuple[str, ...]
    files: list[bool]


def _named_in(keys: dict[str, list[Key]], names: Sequence[str]) -> _Named:
    of_column = {column: set(values) for column, values in keys.items()}
    every = set().union(*of_column.values())
    longest = max((len(key) for key in every), default=1)
    met: set[Key] = set()
    files = []
    for name in names:
        parts, _ = _parts(name)
        here = {
            run for start in range(len(parts)) for end in range(start + 1, min(len(parts), start + longest) + 1) if (run := tuple(parts[start:end])) in every
        }
        met |= here
        files.append(bool(here))
    columns = tuple(c for c, values in keys.items() if sum(v in met for v in values) >= NEEDED * len(values))
    return _Named(columns, files)


def _frame_of(wanted: Sequence[tuple[Key, ...]], names: Sequence[str]) -> Key | None:
    known = [set(column) for column in zip(*wanted, strict=True)]
    rows = set(wanted)
    found: dict[Key, dict[tuple[Key, ...], int]] = {}
    for name in names:
        for keys, frame in _fits(name, known):
            if keys in rows:
                counts = found.setdefault(frame, {})
                counts[keys] = counts.get(keys, 0) + 1
    good = [frame for frame, counts in found.items() if sum(n == 1 for n in counts.values()) >= NEEDED * len(wanted)]
    shortest = [frame for frame in good if len(frame) == min(map(len, good))]
    # Two files for every row (RET001OD and RET001OS): nothing here says which one is meant.
    words = {tuple(part for part in frame if not part.startswith("{")) for frame in shortest}
    return shortest[0] if len(words) == 1 else None


def _fits(name: str, known: Sequence[set[Key]]) -> Iterator[tuple[tuple[Key, ...], Key]]:
    """Every way in which parts of a path are values of the columns, one each: the values, and the rest of the path with gaps for them.

    The rest begins at the first folder that holds a value: folders before it (part_1, part_2) say nothing.
    """
    parts, folders = _parts(name)
    longest = max((len(key) for keys in known for key in keys), default=1)
    runs = [
        [(start, end) for start in range(len(parts)) for end in range(start + 1, min(len(parts), start + longest) + 1) if tuple(parts[start:end]) in keys]
        for keys in known
    ]

    def place(column: int, taken: tuple[tuple[int, int], ...]) -> Iterator[tuple[tuple[int, int], ...]]:
        if column == len(known):
            yield taken
            return
        for start, end in runs[column]:
            if all(end <= s or start >= e for s, e in taken):
                yield from place(column + 1, (*taken, (start, end)))

    for taken in place(0, ()):
        first = folders[min(start for start, _ in taken)]
        inside = {i: f"{{{column}}}" for column, (start, end) in enumerate(taken) for i in range(start, end)}
        frame = [inside.get(i, part) for i, part in enumerate(parts) if folders[i] >= first]
        squeezed = [part for i, part in enumerate(frame) if i == 0 or part != frame[i - 1] or not part.startswith("{")]
        yield tuple(tuple(parts[start:end]) for start, end in taken), tuple(squeezed)


def _parts(name: str) -> tuple[list[str], list[int]]:
    """The words and numbers of a path without its ending, numbers without zeros in front, and the folder that each is in."""
    whole = re.sub(r"\.(nii\.gz|[^./]+)$", "", name.lower())
    parts, folders = [], []
    for depth, folder in enumerate(whole.split("/")):
        for part in _key(folder):
            parts.append(part)
            folders.append(depth)
    return parts[-MOST_PARTS:], folders[-MOST_PARTS:]


def _key(value: object) -> Key:
    """`sub-003` as ("sub", "3")."""
    return tuple(str(int(p)) if p.isdecimal() and len(p) < 19 else p for p in re.findall(r"[^\W\d_]+|\d+", str(value).lower()))


def _media(source: ImageSource) -> list[str]:
    try:
        return [name for name in source.names() if name.lower().endswith(MEDIA)]
    except UserError:
        return []


def _names_files(values: pd.Series, source: ImageSource) -> bool:
    # As a list: for the few words of a column pandas' own texts take ten times as long, and a table of genes has thousands of columns.
    texts = [str(value) for value in values.dropna().unique()]
    if len(texts) < 2:
        return False
    if sum(text.lower().endswith(MEDIA) for text in texts) > 0.9 * len(texts):
        return True
    some = [texts[i] for i in np.linspace(0, len(texts) - 1, min(len(texts), LOOKED_UP)).astype(int)]
    return len(texts) >= 0.5 * len(values) and share_found(source, some)[0] >= 0.5


def _may_be_part(values: pd.Series) -> bool:
    """Short words or whole numbers, without gaps, and more than one of them."""
    if values.isna().any() or values.nunique() < 2:
        return False
    texts = values.drop_duplicates().head(200).astype(str)
    return bool(texts.str.len().max() <= 60 and not texts.str.contains(r"\s|^[-+]?\d*\.\d+$", regex=True).any() and not is_web_address(texts.iloc[0]))


def _joined(table: pd.DataFrame, columns: tuple[str, ...], sign: str) -> list[str]:
    return [sign.join(row) for row in table[list(columns)].astype(str).itertuples(index=False, name=None)]
