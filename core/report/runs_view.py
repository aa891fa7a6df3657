"""What a report of runs is about: its runs, their groups as far as they may be shown, and which of the runs are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from core.charts.text import count
from core.cohort.cohort import Cohort
from core.cohort.composition import split_table
from core.report.runs_disclosure import Disclosure, few_to_validate
from core.results import cohort_claims, group_tables
from core.results.compare_runs import variants
from core.results.predictions import group_names
from core.store import Store

MOST_DRAWN = 12
"""Runs that a figure draws beside each other: of more, one training of each method."""


@dataclass(frozen=True)
class View:
    """What the sections are about: some runs of one cohort, by one attribute, as far as it may be shown."""

    store: Store
    runs: pd.DataFrame
    cohort: Cohort
    attribute: str | None
    shown: Disclosure

    @property
    def names(self) -> dict[str, str]:
        return dict(zip(self.runs["run_id"], self.runs["name"], strict=True))

    @property
    def first(self) -> dict[str, str]:
        """One training of each method, the first."""
        kept = variants(self.runs).drop_duplicates("variant")
        return dict(zip(kept["run_id"], kept["name"], strict=True))

    @property
    def drawn(self) -> dict[str, str]:
        """The runs that figures show, by name: all of a few, else the first training of each method."""
        names = self.names if len(self.runs) <= MOST_DRAWN else self.first
        return dict(list(names.items())[:MOST_DRAWN])

    @property
    def curved(self) -> dict[str, str]:
        """The runs whose curves are drawn: one training of each method."""
        return dict(list(self.first.items())[:MOST_DRAWN])

    @property
    def note(self) -> str:
        """Which runs are drawn, in a sentence; empty where all are."""
        if len(self.drawn) == len(self.runs):
            return ""
        some = "one training of each method, the first" if len(self.drawn) == len(self.first) else f"one training of each of {count(len(self.drawn))} methods"
        return f"Figures draw {some}; tables hold all {count(len(self.runs))} runs."

    @property
    def run_ids(self) -> list[str]:
        return list(self.runs["run_id"])

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.cohort.modality_names

    @property
    def groups(self) -> tuple[str, ...]:
        names = () if self.attribute is None else group_names(self.store, self.cohort.cohort_id, self.attribute)
        return tuple(name for name in names if name not in self.shown.gone)

    def telemetry(self, names: Sequence[str]) -> pd.DataFrame:
        return self.shown.visible(self.store.telemetry(self.names, list(names)))

    def contributions(self, *quantities: str) -> pd.DataFrame:
        """Telemetry of the modalities' contributions, which are of validation patients: by group only where the groups' sizes may be known."""
        rows = self.telemetry(quantities or ("contribution.ratio", "contribution.phi"))
        return rows[rows["group"].isna()] if few_to_validate(split_table(self.cohort), self.shown, self.attribute) else rows

    def performance(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Estimates for everybody and by group, and the verdict on each run."""
        if self.attribute is None:
            return pd.DataFrame(), pd.DataFrame({"n_pos": [], "n_neg": [], "group": []}), pd.DataFrame({"verdict": [], "p": [], "run_id": [], "reason": []})
        frame = group_tables.group_performance(self.store, self.names, self.attribute)
        frame = frame.assign(model=frame["run_id"].map(self.names), estimable=frame["value"].notna())
        verdicts = cohort_claims.of_runs(self.store, self.cohort.cohort_id, self.names, self.attribute)
        if self.shown.gone:
            hidden = [f"{word}; the groups are not shown, to hide counts below {self.shown.limit}" for word in verdicts["verdict"]]
            verdicts = verdicts.assign(reason=hidden, gap=None, group_low=None, group_high=None, pair=None)
        elif self.shown.limit:
            verdicts = verdicts.assign(reason=verdicts["reason"].map(self.shown.words))
        known = self.shown.visible(frame)
        return known[known["group"].isna()], known[known["group"].notna()], verdicts


def with_limits(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Verdicts with the difference that each speaks of, and its simultaneous interval, as numbers: difference, low, high; missing where none may be shown."""
    pairs = [pair if isinstance(pair, dict) else {} for pair in verdicts["pair"]]
    numbers = {name: pd.Series([pair.get(name) for pair in pairs], index=verdicts.index, dtype="float64") for name in ("difference", "low", "high")}
    return verdicts.drop(columns="pair").assign(**numbers)
