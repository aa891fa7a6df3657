"""The contests that this project ships: `multifair study contest --all` runs them, STUDIES.md tells what they gave.

They are named in `contests.json`, because methods are named in their own files and in data alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import UserError
from core.study.contest import Contest
from core.study.contest_table import one_family

FILE = Path(__file__).with_name("contests.json")


@dataclass(frozen=True)
class Planned:
    """A contest with what it is for."""

    title: str
    purpose: str
    contest: Contest


@dataclass(frozen=True)
class Held:
    """A contest's tables; p_family of `differences` is adjusted over all contests together."""

    planned: Planned
    runs: pd.DataFrame
    differences: pd.DataFrame


@cache
def planned() -> tuple[Planned, ...]:
    """All contests in the order of the file."""
    found = []
    for entry in json.loads(FILE.read_text(encoding="utf-8")):
        given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items() if key not in ("title", "purpose")}
        found.append(Planned(entry["title"], entry["purpose"], Contest(**given)))
    return tuple(found)


def held(folder: Path) -> list[Held]:
    """The contests whose tables are in `folder`. Raises UserError where not even the first one is there."""
    found: list[tuple[Planned, pd.DataFrame, pd.DataFrame]] = []
    for one in planned():
        paths = [folder / f"{one.contest.stem}_{name}.csv" for name in ("runs", "differences")]
        if all(path.is_file() for path in paths):
            runs, differences = (pd.read_csv(path) for path in paths)
            found.append((one, runs, differences))
    if not found or found[0][0].contest.name:
        raise UserError(f"{folder / planned()[0].contest.stem}_runs.csv is not there: make it with multifair study contest --all")
    adjusted = one_family([differences for _, _, differences in found])
    return [Held(one, runs, differences) for (one, runs, _), differences in zip(found, adjusted, strict=True)]
