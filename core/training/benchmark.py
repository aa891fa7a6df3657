"""What a step costs: a method beside ERM on the same network and data, and telemetry beside none."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from core.methods import get, reference
from core.training.engine import Engine
from core.training.presets import make_spec
from core.training.probe import ConflictProbe, probe_rows
from core.training.spec import TelemetrySpec, TrainSpec
from core.training.telemetry import StepTelemetry
from core.training.train import as_data

IMAGE_PIXELS = 64
GROUPS = ("a", "b", "c")


class BenchmarkCohort:
    """Noise with the shapes of a real cohort: images, whose encoder dominates the cost, and a table."""

    cohort_id = "benchmark"
    modality_kinds = {"image": "image", "clinical": "tabular"}  # noqa: RUF012
    modality_names = ("image", "clinical")

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        self.table = pd.DataFrame({"patient_id": np.arange(n), "sample_id": np.arange(n), "y": np.arange(n) % 2, "split": "train"})
        self.table.loc[: n // 4, "split"] = "validation"
        self._group = rng.integers(0, len(GROUPS), n)
        self._pixels = rng.integers(0, 256, (n, 3, IMAGE_PIXELS, IMAGE_PIXELS), dtype=np.uint8)
        self._table = {"values": rng.normal(size=(n, 12)).astype(np.float32), "missing": np.zeros((n, 12), dtype=bool)}
        self.present = np.ones((n, 2), dtype=bool)

    def groups(self, attribute: str) -> tuple[str, ...]:
        return GROUPS

    def group_index(self, attribute: str) -> np.ndarray:
        return self._group

    def array(self, name: str, size: int) -> object:
        return {"image": self._pixels, "clinical": self._table}[name]

    def native_size(self, name: str) -> int | None:
        return None

    def texts(self, modality: str) -> list[str]:
        return []


@dataclass(frozen=True)
class StepCost:
    """Median milliseconds of one step, and the two ratios that are claimed."""

    method: str
    erm_ms: float
    method_ms: float
    telemetry_ms: float
    """ERM with telemetry at its default settings."""
    ratio: float
    """Method over ERM, neither with telemetry."""
    telemetry_ratio: float
    """ERM with telemetry over ERM without."""


def step_cost(method: str = "multifair", steps: int = 100, batch_size: int = 32, device: str = "cpu") -> StepCost:
    """Times `steps` steps of each kind, taken in turns so that a busy machine slows all alike.

    The relative update (every 10 steps) and the probe (every 50) are charged to each step
    with their share. On the CPU with one thread processor time is taken, which other
    programs hardly disturb; else the wall clock.
    """
    place = torch.device(device)
    cohort = BenchmarkCohort(8 * batch_size)
    spec = make_spec(reference(), attribute="group", settings={"batch_size": batch_size})
    other = make_spec(method, attribute="group", settings={"batch_size": batch_size, **_needed(method)})
    plain, compared, watched = (_Stepper(cohort, s, place, watch) for s, watch in ((spec, False), (other, False), (spec, True)))
    warmup, defaults = TelemetrySpec().update_every, TelemetrySpec()
    times = np.array([[stepper.seconds(i) for stepper in (plain, compared, watched)] for i in range(steps + warmup)])[warmup:]
    erm, own = float(np.median(times[:, 0])), float(np.median(times[:, 1]))
    probe = float(np.median([watched.probe_seconds() for _ in range(9)])) / erm
    # Steps of one turn share what the machine was doing: the median of their ratios is steadier.
    ratio = float(np.median(times[:, 1] / times[:, 0]))
    measured = np.arange(len(times)) % defaults.update_every == 0
    watching = times[:, 2] / times[:, 0]
    usual, with_update = float(np.median(watching[~measured])), float(np.median(watching[measured]))
    telemetry = usual + (with_update - usual) / defaults.update_every + probe / defaults.probe_every
    return StepCost(method, erm * 1e3, own * 1e3, erm * telemetry * 1e3, ratio, telemetry)


def _needed(method: str) -> dict[str, str]:
    """The settings without which a method cannot start."""
    return {"modality": "image"} if "modality" in get(method).Settings.__dataclass_fields__ else {}


class _Stepper:
    def __init__(self, cohort: BenchmarkCohort, spec: TrainSpec, device: torch.device, watch: bool) -> None:
        self._engine = Engine(as_data(cohort, spec, device), spec)
        self._clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
        self._rows = self._engine.epoch_order()[: spec.budget.batch_size]
        data, network = self._engine.data, self._engine.network
        self._telemetry = StepTelemetry(network.modalities, data.groups, device) if watch else None
        self._probe = ConflictProbe(network, self._engine.method, data, probe_rows(data, 0, self._engine.n_classes))

    def seconds(self, index: int) -> float:
        engine = self._engine
        begun = self._clock()
        measure = self._telemetry is not None and index % TelemetrySpec().update_every == 0
        step, _, relative = engine.step(self._rows, 0, measure)
        if self._telemetry is not None:
            self._telemetry.add(step, relative, engine.method.series())
        self._wait()
        return self._clock() - begun

    def probe_seconds(self) -> float:
        begun = self._clock()
        self._probe.measure()
        self._wait()
        return self._clock() - begun

    def _wait(self) -> None:
        if self._engine.data.device.type == "cuda":
            torch.cuda.synchronize(self._engine.data.device)
