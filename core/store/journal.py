"""From a run's journal to columns, from any byte offset on."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from core.json_reading import writable_texts
from core.workspace import whole_lines

EPOCH_COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_auc", "seconds")
TELEMETRY_KEY = ("epoch", "name", "modality", "modality_b", "group", "group_b", "stat")
TELEMETRY_VALUES = ("value", "low", "high", "n")
ALERT_KEY = ("epoch", "code", "modality", "group")
ALERT_VALUES = ("value", "n", "message")

EXACT = 2**53
"""Up to here every whole number is a number of a column."""
_NUMBER = frozenset({int, float, type(None)})
_COUNT = frozenset({int, type(None)})
_TEXT = frozenset({str, type(None)})


@dataclass
class JournalPart:
    """What the journal says between two offsets. Of repeated entries the last one holds."""

    offset: int
    """Bytes read so far, always at the end of a whole line."""
    epochs: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    """epoch -> (train_loss, validation_loss, validation_auc, seconds)"""
    telemetry: dict[tuple[Any, ...], tuple[Any, ...]] = field(default_factory=dict)
    """TELEMETRY_KEY -> TELEMETRY_VALUES"""
    alerts: dict[tuple[Any, ...], tuple[Any, ...]] = field(default_factory=dict)
    """ALERT_KEY -> ALERT_VALUES"""
    skipped: int = 0
    """Whole lines that are no events: the remains of a killed writer, or a damaged file."""


def read_part(path: Path, offset: int = 0) -> JournalPart:
    """Whole lines after `offset`; a torn last line waits for the next call.

    Reading in any number of parts and applying them in order gives the same rows as
    reading at once, because every row has a key and the last write of a key holds. A
    run that was resumed from a checkpoint repeats an epoch; its second telling counts.
    """
    part = JournalPart(offset)
    if not path.is_file():
        return part
    for after, line in whole_lines(path, offset):
        part.offset = after
        try:
            _take(_event(line), part)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            part.skipped += 1
    return part


def _event(line: bytes) -> Any:
    """What a line tells; ValueError for what JSON can spell and no table can hold."""
    event = json.loads(line, parse_constant=_refuse)
    if b"\\u" in line and not writable_texts(event):
        raise ValueError("holds characters that cannot be written")
    return event


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _check_size(values: Collection[tuple[Any, ...]]) -> None:
    """ValueError for numbers that no column holds: whole ones beyond 2^53, infinite ones."""
    largest = max(map(abs, filter(None, chain.from_iterable(values))), default=0)
    # Rarely true, so the numbers are looked at one by one only then: journals are read by the million rows.
    if largest >= EXACT and any(abs(value) >= (EXACT if type(value) is int else math.inf) for row in values for value in row if value):
        raise ValueError("a number that is too large")


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) >= EXACT:
        raise TypeError("an epoch is a whole number")
    return value


def _take(event: Any, part: JournalPart) -> None:
    """Put one event where it belongs; raises when it is not what the journal's writer writes."""
    kind = event["event"]
    if kind == "epoch":
        values = tuple(event.get(name) for name in EPOCH_COLUMNS[1:])
        if not _NUMBER.issuperset(map(type, values)):
            raise TypeError("an epoch holds no numbers")
        _check_size([values])
        part.epochs[_whole(event["epoch"])] = values
    elif kind == "telemetry":
        epoch, rows = _whole(event["epoch"]), {}
        for row in event["rows"]:
            get = row.get
            key = (epoch, get("name"), get("modality"), get("modality_b"), get("group"), get("group_b"), get("stat") or "mean")
            rows[key] = values = (get("value"), get("low"), get("high"), get("n"))
            if not (_TEXT.issuperset(map(type, key[1:])) and _NUMBER.issuperset(map(type, values)) and type(values[-1]) in _COUNT):
                raise TypeError("telemetry is named by texts and holds numbers")
        _check_size(rows.values())
        part.telemetry.update(rows)
    elif kind == "alert":
        _take_alert(event, part)


def _take_alert(event: Any, part: JournalPart) -> None:
    key = (_whole(event["epoch"]), *(event.get(name) for name in ALERT_KEY[1:]))
    value, n, message = (event.get(name) for name in ALERT_VALUES)
    if not (_TEXT.issuperset(map(type, (*key[1:], message))) and type(value) in _NUMBER and type(n) in _COUNT):
        raise TypeError("an alert is named by texts and holds numbers")
    _check_size([(value, n)])
    part.alerts[key] = (value, n, message)


def head_fingerprint(path: Path) -> str | None:
    """A fingerprint of the first whole line, None when there is none yet.

    A run started afresh begins a new journal; its fingerprint differs, so its rows are read anew.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        line = file.readline()
    return hashlib.sha256(line).hexdigest()[:16] if line.endswith(b"\n") else None
