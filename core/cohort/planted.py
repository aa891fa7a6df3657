"""A cohort with a planted bias, and the truth about it: the project's wind tunnel."""

from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.cohort import oracle
from core.cohort.manifest import write_manifest
from core.cohort.scenarios import Scenario, Signal, named_scenario, validated
from core.cohort.schema import Modality, Roles
from core.errors import UserError
from core.workspace import write_json

MIN_PATIENTS = 40
_GRADES = ("absent", "trace", "slight", "moderate", "marked", "severe", "extreme")
_OPENINGS = ("Seen in clinic today.", "Referred by the family doctor.", "Routine visit.", "Follow-up after six months.", "Walk-in visit.")
_CLOSINGS = ("Advised to return in a year.", "No change of drops.", "Discussed findings with the patient.", "Glasses renewed.", "Next visit as planned.")


def simulate(out: str | Path, patients: int = 3000, seed: int = 0, scenario: str | Scenario = "default") -> dict[str, Any]:
    """Write cohort.csv, manifest.toml, images and truth.json into the new or empty folder `out`; return the truth.

    One sample per patient. Raises UserError when the folder holds something or
    the numbers do not fit.
    """
    design = validated(named_scenario(scenario) if isinstance(scenario, str) else scenario)
    if patients < MIN_PATIENTS:
        raise UserError(f"{patients} patients: at least {MIN_PATIENTS} are needed to fill the groups")
    if seed < 0:
        raise UserError(f"seed {seed}: use 0 or more")
    folder = Path(out).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is not an empty folder; name another one")
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    group, y, scores = oracle.draw(design, patients, generator)
    there = oracle.present(design, group, generator)
    marked = oracle.marks(design, group, y, generator)
    columns: dict[str, list[Any]] = {
        "id": [f"s{i:06d}" for i in range(patients)],
        "patient_id": [f"p{i:06d}" for i in range(patients)],
        "label": _recorded(design, group, y, generator).tolist(),
        design.attribute: [design.groups[g] for g in group],
        "sex": generator.choice(["female", "male"], size=patients).tolist(),
    }
    modalities = []
    for signal in design.signals:
        shown, score = there[signal.name], scores[signal.name]
        if signal.style in ("disc", "stripes"):
            column = f"{signal.name}_path"
            pixels = render(signal, design, score, group, generator, marked.get(signal.name))
            columns[column] = _write_images(folder, signal.name, pixels, shown)
            modalities.append(Modality(signal.name, "image", (column,)))
        elif signal.style == "words":
            columns["note"] = [n if s else "" for n, s in zip(_notes(score, generator), shown, strict=True)]
            modalities.append(Modality(signal.name, "text", ("note",)))
        else:
            columns["pressure"] = [f"{v:.1f}" if s else "" for v, s in zip(16 + 3 * score, shown, strict=True)]
            columns["age"] = generator.integers(40, 85, size=patients).tolist()
            columns["acuity"] = [f"{v:.2f}" for v in generator.beta(5, 2, size=patients)]
            modalities.append(Modality(signal.name, "tabular", ("pressure", "age", "acuity")))
    with (folder / "cohort.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    roles = Roles("id", "patient_id", "label", "1", None, (design.attribute, "sex"), tuple(modalities))
    write_manifest(folder / "manifest.toml", roles, f"planted {design.name} ({patients} patients, seed {seed})")
    truth = _truth(design, patients, seed, group, y)
    write_json(folder / "truth.json", truth)
    return truth


def _recorded(design: Scenario, group: NDArray[np.int64], y: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Labels with the scenario's noise. Nothing is drawn without it, so that cohorts of other scenarios stay what they were."""
    if not design.label_noise:
        return y
    return np.where(generator.random(len(y)) < np.array(design.label_noise)[group], 1 - y, y)


def render(
    signal: Signal,
    design: Scenario,
    score: NDArray[np.float64],
    group: NDArray[np.int64],
    generator: np.random.Generator,
    mark: NDArray[np.int64] | None = None,
) -> NDArray[np.uint8]:
    """Images uint8 (n, size, size) that show the hidden score in the signal's style, and a bright square of 3 pixels in a corner where marked."""
    n, size = len(score), design.size
    axis = np.arange(size) - (size - 1) / 2
    dy, dx = np.meshgrid(axis, axis, indexing="ij")
    image = generator.normal(0, design.noise, (n, size, size)) + 110
    border = np.maximum(np.abs(dy), np.abs(dx)) > size / 2 - 3
    image -= design.cue * group[:, None, None] * border
    if signal.style == "disc":
        spot = np.exp(-(dy**2 + dx**2) / (2 * (size / 5) ** 2))
        image += 16 * signal.contrast * score[:, None, None] * spot
    else:
        # Position and spacing vary freely, so no single pixel tells anything; upright stripes of
        # any strength cover the level ones, so overall roughness tells little.
        image += _stripes(dy, 22 * np.exp(0.45 * np.clip(score, -3.5, 3.5)), generator)
        image += _stripes(dx, 22 * np.exp(0.45 / signal.contrast * np.clip(generator.standard_normal(n), -2, 2)), generator)
    if mark is not None:
        image[:, 3:6, 3:6] += 80 * mark[:, None, None]
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _stripes(along: NDArray[np.float64], amplitude: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    n = len(amplitude)
    wavelength, phase = generator.uniform(4.0, 6.0, (n, 1, 1)), generator.uniform(0, 2 * np.pi, (n, 1, 1))
    return amplitude[:, None, None] * np.sin(2 * np.pi * along / wavelength + phase)


def _write_images(folder: Path, name: str, pixels: NDArray[np.uint8], shown: NDArray[np.bool_]) -> list[str]:
    (folder / name).mkdir()

    def write(i: int) -> str:
        if not shown[i]:
            return ""
        path = f"{name}/s{i:06d}.png"
        Image.fromarray(pixels[i]).save(folder / path, compress_level=1)
        return path

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(write, range(len(pixels))))


def _notes(score: NDArray[np.float64], generator: np.random.Generator) -> list[str]:
    level = np.digitize(score, oracle.LEVELS)
    opening = generator.integers(0, len(_OPENINGS), len(score))
    closing = generator.integers(0, len(_CLOSINGS), len(score))
    return [f"{_OPENINGS[a]} Cupping {_GRADES[k]}. {_CLOSINGS[b]}" for k, a, b in zip(level, opening, closing, strict=True)]


def _truth(design: Scenario, patients: int, seed: int, group: NDArray[np.int64], y: NDArray[np.int64]) -> dict[str, Any]:
    best = oracle.best(design, seed=seed)
    images = [s.name for s in design.images]
    serves = {g: max(images, key=lambda m: best["modalities"][m]["by_group"][g]) for g in design.groups}
    largest = design.groups[int(np.argmax(design.shares))]
    planted = max(max(values) - min(values) for s in design.signals for values in (s.separation, s.mark or (0.0,))) > 1e-9
    return {
        "scenario": asdict(design),
        "patients": patients,
        "seed": seed,
        "attribute": design.attribute,
        "counts": {name: {"n": int((group == g).sum()), "n_pos": int(((group == g) & (y == 1)).sum())} for g, name in enumerate(design.groups)},
        "dominant": serves[largest] if planted else None,
        "neglected": next((m for m in images if m != serves[largest]), None) if planted else None,
        "serves_best": serves if planted else None,
        "best_auc": best,
        "basis": "AUC of the likelihood ratio of the hidden scores, group known unless said; closed form for single normal scores, else "
        f"{oracle.SAMPLE} simulated patients. Networks see pixels with noise and reach a little less.",
    }
