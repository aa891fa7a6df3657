"""`multifair study planted`: the comparison on a cohort whose bias is known."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from core import cohort as cohorts
from core.cohort import Cohort
from core.cohort.manifest import read_manifest
from core.cohort.planted import simulate
from core.cohort.scenarios import Scenario, named_scenario
from core.json_reading import read_json
from core.study.comparison import Plan
from core.workspace import Workspace

SPLIT = {"train": 1000, "validation": 800, "test": 3000}
"""Patients. The test split is large so that the intervals speak of the methods rather than of who was drawn."""
SEED = 7
"""Of the cohort; the designs of multifair-plus were tried on cohorts of other seeds."""
BASE = {
    "epochs": 6,
    "batch_size": 64,
    "lr": 4e-3,
    "classifier_lr": 8e-3,
    "width": 32,
    "image_size": 24,
    "telemetry.enabled": False,
    "telemetry.baseline": False,
}


def planted_cohort(workspace: Workspace, scenario: str | Scenario = "default", draw: int = SEED) -> Cohort:
    """The study's cohort: the scenario's two images, in three fixed splits; made once per workspace and `draw`, its seed."""
    design = named_scenario(scenario) if isinstance(scenario, str) else scenario
    design = replace(design, signals=design.images)
    folder = _folder(workspace, design.name, draw)
    if not (folder / "truth.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        simulate(folder, sum(SPLIT.values()), draw, design)
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    # Patients are drawn independently of one another, so any cut is a random split.
    table["split"] = [name for name, n in SPLIT.items() for _ in range(n)]
    table.to_csv(folder / "cohort.csv", index=False)
    roles, _ = read_manifest(folder / "manifest.toml")
    return cohorts.ingest(
        workspace, folder, roles=replace(roles, split="split"), name=f"study-{design.name}" if draw == SEED else f"study-{design.name}-{draw}"
    )


def planted_truth(workspace: Workspace, scenario: str = "default", draw: int = SEED) -> dict[str, Any]:
    """What is planted in a cohort that `planted_cohort` has made (see `core.cohort.planted`)."""
    return dict(read_json(_folder(workspace, scenario, draw) / "truth.json"))


def _folder(workspace: Workspace, scenario: str, draw: int) -> Path:
    return workspace.cache / f"study-{scenario}-{sum(SPLIT.values())}-{draw}"


def planted_plan(workspace: Workspace, methods: tuple[str, ...], seeds: tuple[int, ...], budget: int, scenario: str = "default", draw: int = SEED) -> Plan:
    """The plan of the study on `planted_cohort`."""
    truth = planted_truth(workspace, scenario, draw)
    best = truth["best_auc"]
    share = ", ".join(f"{g} {s:.0%}" for g, s in zip(truth["scenario"]["groups"], truth["scenario"]["shares"], strict=True))
    sizes = ", ".join(f"{n} {name}" for name, n in SPLIT.items())
    reach = "; ".join(
        f"{name} {part['overall']:.3f}/{part['es_auc']:.3f}" for name, part in (("group known", best["all"]), ("group unknown", best["group_blind"]))
    )
    conditions = (
        f"planted cohort, scenario {scenario}, draw {draw}, with its images alone at {truth['scenario']['size']} pixels ({sizes} patients; {share})",
        f"AUC/ES-AUC of the score with the best AUC that the hidden signals allow: {reach}; no score has a better AUC, but one that gives "
        "some of it up may have a better ES-AUC",
        f"small encoders trained from scratch, width {BASE['width']}, {BASE['epochs']} epochs, batch {BASE['batch_size']}, learning rate "
        f"{BASE['lr']:g}, AdamW, cosine",
    )
    return Plan(f"Methods on the planted cohort ({scenario})", truth["attribute"], methods, seeds, budget, BASE, conditions)
