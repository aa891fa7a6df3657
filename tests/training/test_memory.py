"""No method keeps growing memory: the live tensors and the resident memory of every method, over many steps.

The whole step is measured as the loop makes it: the method, the optimizer, the meter and the
telemetry, read once an epoch. (A graph that hangs on to the step before shows in both;
storage that outlives its tensor, and the allocator's own, only in resident memory.)
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator

import psutil
import pytest
import torch

from core.methods import names
from core.methods.base import EpochView
from core.training.engine import Engine
from core.training.evaluate import Evaluator
from core.training.meter import Meter
from core.training.presets import make_spec
from core.training.probe import ConflictProbe, probe_rows
from core.training.telemetry import StepTelemetry
from core.training.train import as_data
from tests.training.synthetic import SyntheticCohort

EPOCH = 50
"""Steps between two readings."""
FEW = 12
"""Steps in which the relative update is measured twice, and every method has been through all that it does in a step."""
ALLOWED = 2.0
"""MiB of resident memory in the last half of 2,000 steps. One tensor of a batch kept per step is 4; a graph kept, hundreds."""


class Loop:
    """Endless training of a small network, in which nothing but the steps allocates."""

    def __init__(self, method: str, batch_size: int = 8, width: int = 16) -> None:
        torch.set_num_threads(1)
        settings = {"width": width, "batch_size": batch_size, "epochs": 1000, **({"modality": "a"} if method == "unimodal" else {})}
        spec = make_spec(method, attribute="site", settings=settings)
        cohort = SyntheticCohort(n=60, kinds={"a": "tabular", "b": "tabular"})
        self.engine = Engine(as_data(cohort, spec, torch.device("cpu")), spec)
        engine, data = self.engine, self.engine.data
        self.telemetry = StepTelemetry(engine.network.modalities, data.groups, data.device)
        self.evaluator = Evaluator(engine.network, engine.method, data, "fp32")
        self.probe = ConflictProbe(engine.network, engine.method, data, probe_rows(data, 0, 2))
        self.width, self.batch_size, self.epoch = width, batch_size, 0

    def run_epoch(self, steps: int = EPOCH) -> None:
        engine, data = self.engine, self.engine.data
        meter = Meter(len(engine.network.modalities), self.width, data.device)
        for i in range(steps):
            rows = data.rows["train"][torch.arange(self.batch_size).add(i).remainder(engine.n_train)]
            step, transformed, relative = engine.step(rows, self.epoch, measure_update=i % 10 == 0)
            meter.add(step, transformed)
            self.telemetry.add(step, relative, engine.method.series())
        self.probe.measure()
        outputs = self.evaluator.run(data.rows["validation"])
        loss, modality_losses, _ = meter.read()
        engine.method.on_epoch_end(EpochView(self.epoch, loss, modality_losses, float(outputs.loss()), outputs.modality_losses(), lambda: outputs))
        self.telemetry.rows()
        self.probe.rows()
        self.epoch += 1


def live_tensors() -> tuple[int, int]:
    """How many tensors the collector sees, and their bytes. Types are compared, because asking an arbitrary object for its class may run its code."""
    gc.collect()
    tensors = [o for o in gc.get_objects() if type(o) in (torch.Tensor, torch.nn.Parameter)]
    return len(tensors), sum(t.untyped_storage().nbytes() for t in tensors)


def resident() -> float:
    """MiB. What the C library has been given back but keeps is returned first, so that only what is held counts."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
    return psutil.Process().memory_info().rss / 2**20


@pytest.fixture
def little_to_look_through() -> Iterator[None]:
    """What was there before the test cannot leak in it: the collector, and whoever asks it, passes over that."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("little_to_look_through")
@pytest.mark.parametrize("method", names())
def test_live_tensors_stay_the_same(method: str) -> None:
    loop = Loop(method)
    loop.run_epoch(FEW)
    first = live_tensors()
    loop.run_epoch(2 * FEW)
    assert first[0] > 0 and live_tensors() == first


@pytest.mark.slow
@pytest.mark.parametrize("method", names())
def test_memory_is_flat_over_two_thousand_steps(method: str) -> None:
    loop = Loop(method)
    tensors, sizes = [], []
    for epoch in range(2000 // EPOCH):
        loop.run_epoch()
        if epoch % 4 == 3:
            tensors.append(live_tensors())
            sizes.append(resident())
    assert len(set(tensors)) == 1, tensors
    # Half way the allocators have settled; what a leak adds, it adds in this half too.
    half = len(sizes) // 2
    assert max(sizes[half:]) - sizes[half - 1] < ALLOWED, [round(s, 1) for s in sizes]


@pytest.mark.usefixtures("little_to_look_through")
def test_a_leak_is_seen() -> None:
    """The released program's defect, by intent: a running mean that keeps its graph."""
    loop = Loop("erm")
    kept: list[torch.Tensor] = []
    step = loop.engine.step

    def leaking(*args, **options):
        result = step(*args, **options)
        kept.append(result[0].fused.logits.mean() + (kept[-1] if kept else 0))
        return result

    loop.engine.step = leaking  # type: ignore[method-assign]
    loop.run_epoch(FEW)
    first = live_tensors()
    loop.run_epoch(FEW)
    assert live_tensors()[0] > first[0]
