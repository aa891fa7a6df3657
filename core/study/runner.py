"""One training of a study, in this process, with its result kept on disk by key."""

from __future__ import annotations

import hashlib
import inspect
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
from core.methods import get
from core.methods.base import Context
from core.metrics.auc import auc, group_aucs
from core.metrics.equity import es_auc, max_gap, worst
from core.training.presets import make_spec
from core.training.spec import TrainSpec
from core.training.train import train
from core.workspace import read_json, write_json

METRICS = ("auc", "es_auc", "worst_group_auc", "max_gap")


@dataclass(frozen=True)
class Entry:
    """A row of a study: a method, or one modality alone."""

    method: str
    label: str
    fixed: Mapping[str, Any]
    """Settings that make it this row and are not tuned (a unimodal run's modality)."""


@dataclass(frozen=True)
class Outcome:
    """Scores of one trained model for every sample of the cohort, in cohort order."""

    entry: Entry
    seed: int
    chosen: Mapping[str, Any]
    """What was tuned, by name; empty: the defaults."""
    score: NDArray[np.float64]
    seconds: float
    best_epoch: int


def entries(cohort: Cohort, methods: tuple[str, ...]) -> list[Entry]:
    """One row per method; `unimodal` gives one per modality. A method that cannot train this cohort is left out by its own word."""
    rows = []
    for name in methods:
        if name == "unimodal":
            rows += [Entry(name, f"unimodal: {m}", {"modality": m}) for m in cohort.modality_names]
        else:
            get(name)
            rows.append(Entry(name, name, {}))
    return rows


class Runner:
    """Trains specifications on one cohort and keeps every result, so that a study can go on after a stop.

    The key holds the cohort, the specification and the text of the method's own file: a
    changed method trains anew. Changes elsewhere in the program are not seen; `fresh` helps.
    """

    def __init__(self, cohort: Cohort, attribute: str, base: Mapping[str, Any], folder: Path, fresh: bool = False) -> None:
        self.cohort, self.attribute, self.base, self.folder, self.fresh = cohort, attribute, dict(base), folder, fresh
        self.trained = 0
        self.folder.mkdir(parents=True, exist_ok=True)

    def spec(self, entry: Entry, seed: int, chosen: Mapping[str, Any]) -> TrainSpec:
        return make_spec(entry.method, "quick", self.attribute, seed, {**self.base, **entry.fixed, **chosen})

    def probe(self, entry: Entry) -> None:
        """Raise UserError, with its own reason, where the method cannot train this cohort."""
        cls = get(entry.method)
        modalities = cls.modalities(cls.parse_settings(entry.fixed), tuple(self.cohort.modality_names))
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
            cls(cls.parse_settings(entry.fixed), context)
        except ValueError as error:
            raise UserError(str(error)) from None

    def outcome(self, entry: Entry, seed: int, chosen: Mapping[str, Any]) -> Outcome:
        """The result from disk, or a training."""
        spec = self.spec(entry, seed, chosen)
        source = inspect.getsource(inspect.getmodule(get(entry.method)))  # type: ignore[arg-type]
        text = json.dumps([self.cohort.cohort_id, spec.to_dict(), source], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        scores, facts = self.folder / f"{key}.npy", self.folder / f"{key}.json"
        if not facts.is_file() or self.fresh:
            sink = _Sink()
            started = time.process_time()
            train(self.cohort, spec, sink, device="cpu")
            seconds = time.process_time() - started
            np.save(scores, sink.scores(), allow_pickle=False)
            write_json(facts, {"label": entry.label, "seed": seed, "chosen": dict(chosen), "seconds": seconds, "best_epoch": sink.best_epoch()})
            self.trained += 1
        known = read_json(facts)
        return Outcome(entry, seed, chosen, np.load(scores, allow_pickle=False), known["seconds"], known["best_epoch"])

    def metrics(self, outcome: Outcome, split: str) -> dict[str, float]:
        """AUC, ES-AUC, worst-group AUC and gap on one split; NaN where not estimable.

        The AUC is of every sample; ES-AUC sets the groups against the samples whose group is known.
        """
        rows = self.cohort.rows(split)
        y, score, group = self.cohort.y[rows], outcome.score[rows], self.cohort.group_index(self.attribute)[rows]
        names = self.cohort.groups(self.attribute)
        whole, parts = auc(y, score), group_aucs(y, score, group, len(names))
        known = group >= 0
        return {
            "auc": whole,
            "es_auc": float(es_auc(auc(y[known], score[known]), parts)),
            "worst_group_auc": float(worst(parts)),
            "max_gap": float(max_gap(parts)),
            **{f"auc[{name}]": float(value) for name, value in zip(names, parts, strict=True)},
        }


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

    def best_epoch(self) -> int:
        return -max(self._aucs)[1] if self._aucs else 0
