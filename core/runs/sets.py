"""Which waiting runs one process makes: runs so small that starting a process for each costs more than they do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.errors import DamagedFile
from core.models.spec import FROZEN_SUFFIX
from core.runs.folder import RunFolder, processes_of, rank
from core.runs.spec import canonical_json

MOST_TOGETHER = 8
"""Seeds that train as one program: their tensors must stay in the processor's caches."""
MOST_IN_A_ROW = 40
"""Runs that one process makes before a fresh one takes over."""


def sets_of_seeds(members: Sequence[RunFolder]) -> list[list[RunFolder]]:
    """The runs in their order, those that follow each other and differ only in the seed as one set."""
    sets: list[list[RunFolder]] = []
    last: str | None = None
    for folder in members:
        key = _but_seed(folder)
        if sets and key is not None and key == last and len(sets[-1]) < MOST_TOGETHER:
            sets[-1].append(folder)
        else:
            sets.append([folder])
        last = key
    return sets


def _but_seed(folder: RunFolder) -> str | None:
    """What two runs have in common that differ in nothing but the seed; None for a damaged specification."""
    try:
        return canonical_json({**folder.read_spec()["spec"], "seed": None})
    except DamagedFile:
        return None


def is_small(spec: Mapping[str, Any], kinds: Mapping[str, str]) -> bool:
    """Whether the network reads only tables and features of frozen encoders. `kinds`: by modality of the cohort."""
    encoders = spec["network"].get("encoders", {})
    return all(kind == "tabular" or str(encoders.get(name, encoders.get(kind, ""))).endswith(FROZEN_SUFFIX) for name, kind in kinds.items())


def for_one_process(queue: Sequence[RunFolder], places: int, kinds_of: Callable[[str], Mapping[str, str]]) -> list[RunFolder]:
    """The first waiting run, and with a small one those alike that fall to the same of `places` free processes.

    Alike: the same cohort, network, device and priority. Seeds of one specification stay together.
    """
    head = _alike(queue[0], kinds_of) if len(queue) > places else None
    if head is None:
        return [queue[0]]
    same = [folder for folder in queue if _alike(folder, kinds_of) == head]
    share = min(MOST_IN_A_ROW, math.ceil(len(same) / places))
    taken: list[RunFolder] = []
    for members in sets_of_seeds(same):
        if taken and len(taken) + len(members) > share:
            break
        taken += members
    # A set larger than its share is divided, so that no place stays empty.
    return taken[:share]


def _alike(folder: RunFolder, kinds_of: Callable[[str], Mapping[str, str]]) -> str | None:
    """What small runs of one process have in common; None for a large or damaged one, and for one that several processes share."""
    try:
        spec = folder.read_spec()["spec"]
    except DamagedFile:
        return None
    kinds = kinds_of(spec["cohort_id"])
    if not kinds or not is_small(spec, kinds):
        return None
    status = folder.read_status()
    if processes_of(status) > 1:
        return None
    return canonical_json({"cohort": spec["cohort_id"], "network": spec["network"], "device": status.get("requested_device"), "rank": rank(status)})
