"""Does the audit keep its promises? False claims, size, coverage, equivalence, power; every setting with random numbers of its own."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from core.errors import UserError
from core.study.audit_equivalence import BOUNDARIES
from core.study.audit_families import FAMILIES
from core.study.audit_intervals import STUDIES
from core.study.audit_pairs import PAIRS
from core.study.audit_power import PROMISES
from core.study.audit_promises import Line
from core.study.audit_trainings import TRAINED

Run = Callable[[np.random.Generator, int], list[Line]]


@dataclass(frozen=True)
class Job:
    """One setting of one part; its random numbers depend on its name and the seed alone, so settings can be run in any order."""

    part: str
    name: str
    run: Run

    def lines(self, seed: int, repetitions: int) -> list[Line]:
        stream = np.random.SeedSequence([seed, zlib.crc32(f"{self.part}/{self.name}".encode())])
        return self.run(np.random.default_rng(stream), repetitions)


def jobs() -> tuple[Job, ...]:
    """All settings of all parts."""
    return (
        *(Job("claims", family.name, family.run) for family in FAMILIES),
        *(Job("pairs", pair.name, pair.run) for pair in PAIRS),
        *(Job("intervals", study.name, study.run) for study in STUDIES),
        *(Job("trainings", setting.name, setting.run) for setting in TRAINED),
        *(Job("equivalence", f"{b.metric}: {b.name}", b.run) for b in BOUNDARIES),
        *(Job("power", f"{promise.metric}: {promise.name}", promise.run) for promise in PROMISES),
    )


PARTS = ("claims", "pairs", "intervals", "trainings", "equivalence", "power")


def simulate(
    seed: int,
    repetitions: int,
    parts: Sequence[str] = PARTS,
    only: str = "",
    journal: Path | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Iterator[Line]:
    """Every line of the chosen parts, setting by setting.

    Parameters
    ----------
    only : settings whose name has this in it
    journal : file of finished settings, one JSON line each, that a later run with the same seed and repetitions goes on from

    Raises
    ------
    UserError : for a journal of another seed or number of repetitions, or one that is not a journal.
    """
    known = {} if journal is None else _read(journal, seed, repetitions)
    for job in jobs():
        if job.part not in parts or only not in job.name:
            continue
        key = f"{job.part}/{job.name}"
        if key not in known:
            progress(key)
            known[key] = job.lines(seed, repetitions)
            if journal is not None:
                _append(journal, seed, repetitions, key, known[key])
        yield from known[key]


def _append(journal: Path, seed: int, repetitions: int, key: str, lines: Sequence[Line]) -> None:
    names = [f.name for f in fields(Line)]
    entry = {"seed": seed, "repetitions": repetitions, "setting": key, "lines": [{name: getattr(found, name) for name in names} for found in lines]}
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def _read(journal: Path, seed: int, repetitions: int) -> dict[str, list[Line]]:
    known: dict[str, list[Line]] = {}
    if not journal.exists():
        return known
    for number, text in enumerate(journal.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(text)
            same = (entry["seed"], entry["repetitions"]) == (seed, repetitions)
            known[entry["setting"]] = [Line(**found) for found in entry["lines"]]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{journal}: line {number} is not of a study's journal ({error}); give another file") from None
        if not same:
            raise UserError(f"{journal}: was made with seed {entry['seed']} and {entry['repetitions']} repetitions; give these, or another file")
    return known
