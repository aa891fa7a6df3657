"""One training of a study, in this process, with its result kept on disk by key."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from core.cohort import Cohort
from core.errors import UserError
from core.json_reading import read_json
from core.methods import get
from core.methods.base import Context
from core.runs.spec import source_of
from core.training.evaluate import ranking_metrics
from core.training.presets import make_spec
from core.training.spec import TrainSpec
from core.training.train import train
from core.workspace import write_json

METRICS = ("auc", "es_auc", "worst_group_auc", "max_gap")


@dataclass(frozen=True)
class Entry:
    """A row of a study: a method, or one modality alone."""

    method: str
    label: str
    fixed: Mapping[str, Any]
    """Settings that make it this row and are not tuned (the modality of a run on one modality)."""
    space: Mapping[str, tuple[Any, ...]] | None = None
    """What is searched in the place of the method's own search space."""


@dataclass(frozen=True)
class Outcome:
    """Scores of one trained model for every sample of the cohort, in cohort order."""

    entry: Entry
    seed: int
    chosen: Mapping[str, Any]
    """What was tuned, by name; empty: the defaults."""
    score: NDArray[np.float64]
    """(n,)"""
    seconds: float
    best_epoch: int
    modality_score: NDArray[np.float64] | None = None
    """(M, n) of each modality's own classifier, NaN where a sample lacks it."""


def entries(cohort: Cohort, methods: tuple[str, ...], several: bool = False) -> list[Entry]:
    """One row per method and variant on this cohort (a method for one modality has one per modality).

    With `several` also the further rows that a method's file names for studies. A method that cannot train
    this cohort is left out later, by its own word.
    """
    rows = []
    for name in methods:
        for variant, settings in get(name).variants(tuple(cohort.modality_names)).items():
            further = get(name).study_rows if several else {"": {}}
            for row, more in further.items():
                label = ": ".join(part for part in (name, variant, row) if part)
                rows.append(Entry(name, label, {**settings, **more}))
    return rows


class Runner:
    """Trains specifications on one cohort and keeps every result, so that a study can go on after a stop.

    The key holds the cohort, the specification and the texts that decide numbers beside it (`source_of`: the method's
    and what it imports from core/methods, users' own encoders): a changed one trains anew. Changes elsewhere are not seen; `fresh` helps.
    """

    def __init__(
        self, cohort: Cohort, attribute: str, base: Mapping[str, Any], folder: Path, fresh: bool = False, *, preset: str = "quick", device: str = "cpu"
    ) -> None:
        self.preset, self.device = preset, device
        self.cohort, self.attribute, self.base, self.folder, self.fresh = cohort, attribute, dict(base), folder, fresh
        self.trained = 0
        self.folder.mkdir(parents=True, exist_ok=True)

    def spec(self, entry: Entry, seed: int, chosen: Mapping[str, Any]) -> TrainSpec:
        return make_spec(entry.method, self.preset, self.attribute, seed, {**self.base, **entry.fixed, **chosen})

    def probe(self, entry: Entry) -> None:
        """Raise UserError, with its own reason, where the method cannot train this cohort."""
        cls = get(entry.method)
        # What makes the row may also be the budget's or the network's.
        settings = cls.parse_settings({key: value for key, value in entry.fixed.items() if key in cls.Settings.__dataclass_fields__})
        modalities = cls.modalities(settings, tuple(self.cohort.modality_names))
        groups = self.cohort.groups(self.attribute)
        context = Context(
            modalities=modalities,
            groups=groups,
            n_classes=2,
            group_label_counts=torch.ones(len(groups), 2),
            n_train=1,
            steps_per_epoch=1,
            epochs=1,
            feature_dim=4,
            device=torch.device("cpu"),
            generator=torch.Generator(),
        )
        try:
            cls(settings, context)
        except ValueError as error:
            raise UserError(str(error)) from None

    def outcome(self, entry: Entry, seed: int, chosen: Mapping[str, Any]) -> Outcome:
        """The result from disk, or a training."""
        spec = self.spec(entry, seed, chosen)
        text = json.dumps([self.cohort.cohort_id, spec.to_dict(), source_of(entry.method, spec.network.encoders)], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        scores, facts = self.folder / f"{key}.npy", self.folder / f"{key}.json"
        if not facts.is_file() or self.fresh:
            sink = _Sink()
            started = time.process_time()
            train(self.cohort, spec, sink, device=self.device)
            seconds = time.process_time() - started
            np.save(scores, sink.scores(), allow_pickle=False)
            np.save(self.folder / f"{key}.modalities.npy", sink.modality_scores(), allow_pickle=False)
            write_json(facts, {"label": entry.label, "seed": seed, "chosen": dict(chosen), "seconds": seconds, "best_epoch": sink.best_epoch()})
            self.trained += 1
        known = read_json(facts)
        own = self.folder / f"{key}.modalities.npy"
        modalities = np.load(own, allow_pickle=False) if own.is_file() else None
        return Outcome(entry, seed, chosen, np.load(scores, allow_pickle=False), known["seconds"], known["best_epoch"], modalities)

    def metrics(self, outcome: Outcome, split: str) -> dict[str, float]:
        """AUC, ES-AUC, worst-group AUC and gap on one split, as in `ranking_metrics`; NaN where not estimable."""
        rows, names, weight = self.cohort.rows(split), self.cohort.groups(self.attribute), self.cohort.sampling_weights
        counted = None if weight is None else weight[rows]
        found = ranking_metrics(self.cohort.y[rows], outcome.score[rows], self.cohort.group_index(self.attribute)[rows], names, counted)
        values = {"auc": found.auc, "es_auc": found.es_auc, "worst_group_auc": found.worst_group_auc, "max_gap": found.max_gap}
        values |= {f"auc[{name}]": found.judged.get(name) for name in names}
        return {name: float("nan") if value is None else value for name, value in values.items()}


class _Sink:
    """Keeps what a training reports in memory."""

    def __init__(self) -> None:
        self._aucs: list[tuple[float, int]] = []
        self._frame: pd.DataFrame | None = None

    def event(self, event: dict[str, Any]) -> None:
        if event["event"] == "epoch" and event["epoch"] >= 0 and event["validation_auc"] is not None:
            self._aucs.append((event["validation_auc"], -event["epoch"]))

    def predictions(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def scores(self) -> NDArray[np.float64]:
        if self._frame is None:
            raise UserError("the training ended without predictions")
        return self._frame["score"].to_numpy(dtype=np.float64)

    def modality_scores(self) -> NDArray[np.float64]:
        """Scores of every modality alone, (M, n)."""
        assert self._frame is not None
        columns = [name for name in self._frame.columns if name.startswith("score__")]
        return self._frame[columns].to_numpy(dtype=np.float64).T

    def best_epoch(self) -> int:
        return -max(self._aucs)[1] if self._aucs else 0
