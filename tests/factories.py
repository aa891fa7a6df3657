"""Cohorts and finished runs without training, for tests of what reads them.

The numbers are simulated from a small story (a dominant modality that serves the
majority, a neglected one that serves everyone), so charts and audits built on them
show something a reader can check. Nothing here is shown to users.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from core.cohort.arrays import array_path, array_shape
from core.cohort.files import FileModality
from core.cohort.ingest import save_manifest
from core.cohort.schema import Modality, Roles
from core.cohort.sources import FolderSource
from core.runs.folder import RunFolder, new_status
from core.runs.spec import key_of, run_id_of
from core.workspace import Workspace, write_json
from tests.fake_telemetry import Story, telemetry_rows

EPOCH_SECONDS = 4.0
STRENGTHS = (1.3, 0.35)
"""How far the leading modality moves the logit of the majority, and of everybody else."""
START = 1_760_000_000.0

METHODS: dict[str, tuple[str, str, float]] = {
    "erm": ("ERM (fused)", "none", 0.15),
    "ogm-ge": ("OGM-GE", "balance", 0.3),
    "group-dro": ("GroupDRO", "fairness", 0.2),
    "multifair-released": ("MultiFair (released)", "both", 0.18),
    "multifair": ("MultiFair", "both", 0.4),
    "multifair-plus": ("MultiFair+", "both", 0.5),
}
"""name -> label, family, weight of the neglected modalities in the fused score."""

ATTRIBUTES: dict[str, dict[str, float]] = {
    "sex": {"female": 0.52, "male": 0.48},
    "skin_type": {"I-II": 0.62, "III-IV": 0.36, "V-VI": 0.02},
}
"""attribute -> group -> share of patients. The last group is too small to judge."""


FILE_KINDS = ("image", "volume")


@dataclass(frozen=True)
class FakeCohort:
    """What `fake_run` needs to know of a cohort."""

    cohort_id: str
    modalities: tuple[str, ...]
    attributes: tuple[str, ...]
    table: pd.DataFrame = field(repr=False)


@dataclass(frozen=True)
class FakeWorkspace:
    workspace: Workspace
    cohort: FakeCohort
    run_ids: tuple[str, ...]


def fake_cohort(
    workspace: Workspace,
    *,
    patients: int = 400,
    samples_per_patient: int = 1,
    modalities: Mapping[str, str] | Sequence[str] = ("image", "clinical"),
    attributes: Mapping[str, Mapping[str, float]] = ATTRIBUTES,
    missing: float = 0.04,
    prevalence: float = 0.4,
    name: str = "Fake clinic",
    seed: int = 0,
    pixels: int = 8,
    weighted: bool = False,
) -> FakeCohort:
    """Write a cohort folder: manifest, table, findings, arrays and which modalities are present.

    `pixels`: edge of made-up images, as ingestion keeps them from 8 on. `weighted`: with a column of sampling weights, `w`.

    `modalities` may map names to kinds (default: the first an image, the others tabular).
    """
    rng = np.random.default_rng(seed)
    kinds = dict(modalities) if isinstance(modalities, Mapping) else {m: "tabular" if i else "image" for i, m in enumerate(modalities)}
    n = patients * samples_per_patient
    patient = np.repeat(np.arange(patients), samples_per_patient)
    columns: dict[str, Any] = {
        "sample_id": np.array([f"s{i:06d}" for i in range(n)]),
        "patient_id": np.array([f"p{i:06d}" for i in range(patients)])[patient],
        "y": (rng.random(n) < prevalence).astype(np.int8),
        "split": np.array(["train", "validation", "test"])[rng.choice(3, patients, p=[0.6, 0.2, 0.2])][patient],
    }
    for attribute, shares in attributes.items():
        values = rng.choice(np.array(list(shares), dtype=object), patients, p=np.array(list(shares.values())) / sum(shares.values()))
        values[rng.random(patients) < missing] = None
        columns[attribute] = values[patient]
    for modality, kind in kinds.items():
        columns[f"{modality}_column"] = _column(rng, modality, kind, n)
    if weighted:
        columns["w"] = rng.gamma(2.0, 0.5, n)
    table = pd.DataFrame(columns)
    roles = Roles(
        sample_id="sample_id", patient_id="patient_id", label="label", positive="1", split="split", attributes=tuple(attributes),
        modalities=tuple(Modality(m, kind, (f"{m}_column",)) for m, kind in kinds.items()), dropped=(), weights="w" if weighted else None,
    )  # fmt: skip
    cohort_id = hashlib.sha256(json.dumps([roles.to_dict(), n, seed, name]).encode()).hexdigest()[:12]
    folder = workspace.cohorts / cohort_id
    (folder / "arrays").mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "table.parquet", index=False)
    write_json(folder / "findings.json", {"findings": [], "checks": [], "set_aside": []})
    # Every modality but the first is missing now and then, more often outside the largest group.
    first = table[next(iter(attributes), "y")]
    lacks = rng.random((n, len(kinds))) < np.where(first == first.mode().iloc[0], 0.05, 0.15)[:, None]
    lacks[:, 0] = False
    np.save(folder / "arrays" / "present.npy", ~lacks)
    files = {modality: _made_files(folder, modality, kind, n, pixels, rng) for modality, kind in kinds.items() if kind in FILE_KINDS}
    created = datetime.fromtimestamp(START, UTC).isoformat()
    save_manifest(folder, cohort_id=cohort_id, name=name, created=created, n=n, n_patients=patients, splits_made=False, seed=seed, roles=roles, files=files)
    return FakeCohort(cohort_id, tuple(kinds), tuple(attributes), table)


def _column(rng: np.random.Generator, modality: str, kind: str, n: int) -> Any:
    """The user's column of one modality: a value, a note or the name of a file per row."""
    if kind == "tabular":
        return rng.normal(size=n)
    words = "Note {i}: no complaints." if kind == "text" else modality + "/{i:06d}.png"
    return np.array([words.format(i=i) for i in range(n)], dtype=object)


def _made_files(folder: Path, modality: str, kind: str, n: int, pixels: int, rng: np.random.Generator) -> dict[str, Any]:
    """Noise in the place of the decoded files; returns the record that ingestion keeps of them."""
    known = FileModality(modality, kind, f"{modality}_column", [], [], {}, edges=[pixels], gray=False, size=pixels)
    record = known.record(FolderSource(folder))
    np.save(array_path(folder, modality, pixels), rng.integers(0, 255, (n, *array_shape(record, pixels)), dtype=np.uint8))
    return record


def fake_run(
    workspace: Workspace,
    cohort: FakeCohort,
    *,
    method: str = "erm",
    seed: int = 1,
    settings: Mapping[str, Any] | None = None,
    attribute: str | None = None,
    epochs: int = 8,
    status: str = "done",
    preset: str = "quick",
    created: float = START,
    reason: str | None = None,
    predictions: bool | None = None,
    strengths: tuple[float, float] = STRENGTHS,
) -> str:
    """Write a run folder as training would have left it; returns its run_id.

    `method` is a name of METHODS or "unimodal" (with settings={"modality": name}).
    A running run has half of its epochs and belongs to this process; a failed or
    cancelled one stops half way with a reason; a queued one has not begun.
    """
    chosen = attribute or next(iter(cohort.attributes), None)
    spec = {
        "cohort_id": cohort.cohort_id, "method": method, "settings": dict(settings or {}), "attribute": chosen, "seed": seed,
        "preset": preset, "network": {"dim": 64, "heads": 4, "layers": 2}, "budget": {"epochs": epochs, "batch_size": 32, "learning_rate": 3e-4},
    }  # fmt: skip
    key = key_of(spec)
    folder = RunFolder(workspace.runs / run_id_of(method, seed, key))
    folder.path.mkdir(parents=True, exist_ok=True)
    modality = spec["settings"].get("modality")
    label, family, balance = ("Unimodal: " + str(modality), "none", 0.0) if method == "unimodal" else METHODS[method]
    write_json(folder.spec_file, {"run_id": folder.run_id, "key": key, "label": label, "family": family, "spec": spec})
    trained = {"queued": 0, "done": epochs}.get(status, epochs // 2)
    story = _story(cohort, chosen, modality, balance, method, seed, strengths)
    if status != "queued":
        _write_journal(folder, story, created, epochs, trained, status, reason)
        versions = {"python": "3.11", "torch": "2.13.0"}
        write_json(folder.environment, {"versions": versions, "commit": None, "device": "cpu", "threads": 2})
        folder.log.write_text("Fake run: nothing was trained.\n", encoding="utf-8")
    if predictions if predictions is not None else status == "done":
        pq.write_table(_predictions(cohort, story), folder.predictions)
    write_json(folder.status_file, _status(status, created, epochs, trained, reason))
    return folder.run_id


def fake_workspace(
    path: str | Path,
    runs: int | None = None,
    patients: int = 400,
    *,
    samples_per_patient: int = 1,
    modalities: Mapping[str, str] | Sequence[str] = ("image", "clinical"),
    attributes: Mapping[str, Mapping[str, float]] = ATTRIBUTES,
    epochs: int = 8,
    seeds: int = 2,
    unsettled: bool = True,
    seed: int = 0,
    pixels: int = 8,
    strengths: tuple[float, float] = STRENGTHS,
) -> FakeWorkspace:
    """A workspace with one cohort and many runs: a unimodal run per modality, then every method.

    `runs`: how many finished runs, more seeds being added as needed (default: `seeds` of
    each). `unsettled` adds a failed, a cancelled, a running and a queued run on top.
    200 runs of 5,000 patients make 1,000,000 predictions in well under a minute.
    """
    workspace = Workspace.open(path)
    cohort = fake_cohort(
        workspace, patients=patients, samples_per_patient=samples_per_patient, modalities=modalities, attributes=attributes, seed=seed, pixels=pixels
    )
    plan = [("unimodal", {"modality": m}) for m in cohort.modalities] + [(name, {}) for name in METHODS]
    count = runs if runs is not None else seeds * len(plan)
    made = []
    for number in range(count):
        method, settings = plan[number % len(plan)]
        when = START + 60.0 * number
        made.append(
            fake_run(workspace, cohort, method=method, settings=settings, seed=1 + number // len(plan), epochs=epochs, created=when, strengths=strengths)
        )
    if unsettled:
        last = START + 60.0 * count
        for offset, (status, reason) in enumerate(
            (("failed", "killed by signal 9 (SIGKILL)"), ("cancelled", "cancelled by the user"), ("running", None), ("queued", None))
        ):
            made.append(fake_run(workspace, cohort, method="erm", seed=1001 + offset, epochs=epochs, status=status, reason=reason, created=last + offset))
    return FakeWorkspace(workspace, cohort, tuple(made))


def _story(
    cohort: FakeCohort, attribute: str | None, modality: str | None, balance: float, method: str, seed: int, strengths: tuple[float, float] = STRENGTHS
) -> Story:
    """Scores of each modality classifier and of the fused model, one row per sample."""
    rng = np.random.default_rng([seed, sum(method.encode()), len(cohort.table)])
    table = cohort.table
    used = (modality,) if modality else cohort.modalities
    own = table[attribute] if attribute else pd.Series(None, index=table.index, dtype="object")
    in_train = own[table["split"] == "train"].dropna()
    groups = tuple(sorted(in_train.unique()))
    majority = in_train.mode().iloc[0] if len(in_train) else None
    is_majority = (own == majority).to_numpy(dtype=bool)
    sign = np.where(table["y"].to_numpy() == 1, 1.0, -1.0)
    logits = []
    for name in used:
        leading = cohort.modalities.index(name) == 0
        strength = np.where(is_majority, *strengths) if leading else np.full(len(table), 0.75)
        logits.append(strength * sign + rng.normal(size=len(table)))
    stacked = np.stack(logits, 1)
    neglected = balance / max(len(used) - 1, 1)
    weights = np.array([1.0 if len(used) == 1 else 1 - balance if i == 0 else neglected for i in range(len(used))])
    return Story(
        modalities=used, groups=groups, group=own.to_numpy(dtype=object), y=table["y"].to_numpy(),
        validation=(table["split"] == "validation").to_numpy(), logits=stacked, weights=weights, method=method, seed=seed,
    )  # fmt: skip


def _predictions(cohort: FakeCohort, story: Story) -> pa.Table:
    table = cohort.table
    columns: dict[str, Any] = {name: table[name] for name in ("sample_id", "patient_id", "split")}
    columns["y"] = table["y"].astype("int8")
    columns["score"] = _probability(story.fused)
    columns["prediction"] = pa.nulls(len(table), pa.int8())
    for i, name in enumerate(story.modalities):
        columns[f"score__{name}"] = _probability(story.logits[:, i])
        columns[f"without__{name}"] = _probability(story.without(i))
    return pa.table({name: pa.array(value) if not isinstance(value, pa.Array) else value for name, value in columns.items()})


def _probability(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-1.4 * logits))


def _write_journal(folder: RunFolder, story: Story, created: float, epochs: int, trained: int, status: str, reason: str | None) -> None:
    time, steps = created + 1, 12
    lines: list[dict[str, Any]] = [{"event": "start", "time": time, "epochs": epochs, "steps": steps, "device": "cpu", "threads": 2}]
    rng = np.random.default_rng([story.seed, 7])
    for epoch in range(-1, trained):
        time += EPOCH_SECONDS
        learnt = 1 - np.exp(-(epoch + 1) / 2.5)
        lines.append(
            {"event": "progress", "time": time - 1, "epoch": epoch, "step": steps, "steps": steps, "seconds_left": (epochs - epoch - 1) * EPOCH_SECONDS}
        )
        auc = story.auc(story.fused)
        lines.append({
            "event": "epoch", "time": time, "epoch": epoch, "seconds": EPOCH_SECONDS,
            "train_loss": None if epoch < 0 else 0.7 - 0.3 * learnt + 0.01 * rng.normal(),
            "validation_loss": 0.7 - 0.22 * learnt + 0.01 * rng.normal(),
            "validation_auc": None if auc is None else 0.5 + (auc - 0.5) * learnt,
        })  # fmt: skip
        lines.append({"event": "telemetry", "time": time, "epoch": epoch, "rows": telemetry_rows(story, epoch, learnt, rng)})
    if status in ("done", "failed", "cancelled"):
        lines.append({"event": "end", "time": time, "status": status, "reason": reason})
    folder.journal.write_text("".join(json.dumps(line, allow_nan=False) + "\n" for line in lines), encoding="utf-8")


def _status(status: str, created: float, epochs: int, trained: int, reason: str | None) -> dict[str, Any]:
    value = new_status(created)
    if status == "queued":
        return value
    process = psutil.Process()
    running = status == "running"
    return value | {
        "status": status, "started": created + 1, "finished": None if running else created + 1 + EPOCH_SECONDS * (trained + 1),
        "pid": os.getpid() if running else None, "pid_created": process.create_time() if running else None, "reason": reason, "device": "cpu",
        "progress": {"epoch": trained - 1, "epochs": epochs, "seconds_left": (epochs - trained) * EPOCH_SECONDS if running else None},
    }  # fmt: skip
