"""Train every method for two steps on an accelerator that is not there; prints method -> problem or "" as JSON.

Tensors without content (`FakeTensorMode`) on a device of their own show two defects that a CPU hides: a tensor made on
the wrong device, and a step that reads a value on the host (`.item()`, a boolean selection), for which a real
accelerator would have to wait. A process of its own, because the device is registered in torch for good.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

import core.training.engine as engine_module
import core.training.probe as probe_module
from core.methods import arithmetic, get, names
from core.training.data import Data
from core.training.engine import Engine
from core.training.evaluate import Evaluator
from core.training.meter import Meter
from core.training.presets import make_spec
from core.training.probe import ConflictProbe
from core.training.telemetry import StepTelemetry
from core.training.train import as_data
from tests.training.synthetic import SyntheticCohort

DEVICE = "pretended"
WIDTH, BATCH = 16, 8


def pretend(mode: FakeTensorMode) -> None:
    """What happens once, before the first step, may use the host: weights, counts and seeds are made there."""
    build = engine_module.build

    def built(*given: Any) -> Any:
        with unset_fake_temporarily():
            return build(*given)

    def moved(module: nn.Module, device: torch.device) -> nn.Module:
        for part in module.modules():
            for name, value in list(part._parameters.items()):
                if value is not None:
                    part._parameters[name] = nn.Parameter(_faked(value, device), requires_grad=value.requires_grad)
            for name, value in list(part._buffers.items()):
                if value is not None:
                    part._buffers[name] = _faked(value, device)
        return module

    def _faked(value: Tensor, device: torch.device) -> Tensor:
        return (value if isinstance(value, FakeTensor) else mode.from_tensor(value)).detach().to(device)

    tensor = torch.tensor

    def made(*given: Any, device: torch.device | None = None, **options: Any) -> Tensor:
        """From Python values, which torch copies to a device by a kernel that is not there."""
        return tensor(*given, **options) if device is None else tensor(*given, **options).to(device)

    torch.tensor = made
    engine_module.build = built  # type: ignore[assignment]
    nn.Module.to = moved  # type: ignore[method-assign, assignment]
    Data.label_counts = lambda self, n: torch.ones(len(self.groups), n, device=self.device)  # type: ignore[method-assign, misc]
    probe_module.selected = lambda mask: torch.arange(4, device=mask.device)
    for module in (arithmetic, sys.modules["core.methods.adversarial"], sys.modules["core.methods.mla"]):
        module.drawn_seed = lambda source: 1  # type: ignore[attr-defined]


def steps(method: str) -> None:
    """Two steps as the loop makes them, with telemetry and the epoch's sums."""
    # Noise needs a generator of the device, which only a real one has.
    settings: dict[str, Any] = {"unimodal": {"modality": "a"}, "ogm-ge": {"noise": False}}.get(method, {})
    spec = make_spec(method, attribute="site", settings={"width": WIDTH, "batch_size": BATCH, "epochs": 5, **settings})
    # A method sees features, whatever they come from: every kind of encoder runs once, under plain training.
    kinds = {"a": "image", "b": "tabular", "c": "text", "d": "volume"} if method == "erm" else {"a": "tabular", "b": "tabular", "c": "tabular"}
    if method == "multifair-released":
        kinds = {"a": "tabular", "b": "tabular"}
    device = torch.device(DEVICE, 0)
    engine = Engine(as_data(SyntheticCohort(n=60, kinds=kinds), spec, device), spec)
    modalities = engine.network.modalities
    telemetry, meter = StepTelemetry(modalities, engine.data.groups, device), Meter(len(modalities), WIDTH, device)
    probe = ConflictProbe(engine.network, engine.method, engine.data, torch.arange(BATCH, device=device))
    for number in range(2):
        rows = engine.data.rows["train"][torch.arange(BATCH, device=device)]
        step, transformed, relative = engine.step(rows, 0, measure_update=number == 0)
        meter.add(step, transformed)
        telemetry.add(step, relative, engine.method.series())
    outputs = Evaluator(engine.network, engine.method, engine.data, "fp32").run(engine.data.rows["validation"])
    outputs.loss(), outputs.modality_losses()
    probe.measure()


def problem(method: str) -> str:
    """Empty, or the error with our own lines that led to it."""
    try:
        steps(method)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        lines = [
            f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)
            if "site-packages" not in frame.filename
        ]
        return f"{type(error).__name__}: {str(error)[:200]} ({' '.join(lines[-3:])})"
    return ""


def broken(add: Any) -> str:
    """The problem of plain training with `add` (step -> number) in its loss."""
    erm, loss = get("erm"), get("erm").loss
    erm.loss = lambda self, step: loss(self, step) + add(step)  # type: ignore[method-assign]
    try:
        return problem("erm")
    finally:
        erm.loss = loss  # type: ignore[method-assign]


def main() -> None:
    found = {name: "" for name in names()}
    _setup_privateuseone_for_python_backend(DEVICE)
    with FakeTensorMode() as mode:
        pretend(mode)
        found = {name: problem(name) for name in found}
        found["reads on the host"] = broken(lambda step: step.fused.logits.max().item())
        found["selects by value"] = broken(lambda step: step.fused.logits[step.batch.y == 1].sum())
        found["wrong device"] = broken(lambda step: (step.fused.logits[:, 0] * torch.ones(len(step.batch))).sum())
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
