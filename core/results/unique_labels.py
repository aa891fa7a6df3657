"""Names of runs and methods that tell them apart by what differs, and by nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

PARTS = ("settings", "network", "budget")
MOST_DIFFERING = 2
"""Settings that a name may list; with more of them the start of the run's key stands in the name."""


def unique_labels(names: pd.Series, runs: pd.DataFrame) -> pd.Series:
    """`names` of `runs` (same index), made different where they are the same by what differs among those runs.

    In this order: attribute, preset, up to MOST_DIFFERING settings, and as a last resort the start of the key.
    """
    extras = [runs["attribute"].fillna("no attribute").astype(str), runs["preset"].fillna("own").astype(str), _settings_of(names, runs)]
    found = names.astype(str)
    for extra in extras:
        found = added(found, extra)
    return found.where(~found.duplicated(keep=False), found + " · " + runs["key"].astype(str).str[:6])


def added(names: pd.Series, extra: pd.Series) -> pd.Series:
    """`names` with ` · extra` where runs of the same name differ in it."""
    helps = names.duplicated(keep=False) & (extra.groupby(names).transform("nunique") > 1)
    return names.where(~helps, names + " · " + extra)


def _settings_of(names: pd.Series, runs: pd.DataFrame) -> pd.Series:
    """What each run sets otherwise than the others of its name: `learning_rate 0.1`, `usual learning_rate`."""
    words = pd.Series("", index=runs.index, dtype=object)
    for _, part in runs[names.duplicated(keep=False)].groupby(names, sort=False):
        facts = {index: flat_settings(row) for index, row in zip(part.index, part.to_dict("records"), strict=True)}
        differ = [key for key in dict.fromkeys(key for own in facts.values() for key in own) if len({str(own.get(key)) for own in facts.values()}) > 1]
        if 0 < len(differ) <= MOST_DIFFERING:
            for index, own in facts.items():
                words[index] = ", ".join(_said(key.rsplit(".", 1)[-1], own.get(key)) for key in differ)
    return words


def _said(name: str, value: object) -> str:
    return f"usual {name}" if value is None else f"{name} {value}"


def flat_settings(row: Mapping[Any, Any]) -> dict[str, Any]:
    """All settings of a run, `part.name` -> value, from the JSON texts of its row."""
    found: dict[str, Any] = {}
    for part in PARTS:
        text = row.get(part)
        found |= _flat(part, json.loads(text) if isinstance(text, str) and text else {})
    return found


def _flat(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(f"{prefix}.{name}", value) if isinstance(value, Mapping) else {f"{prefix}.{name}": value}
    return found
