"""Cost of one training step of every method relative to erm's, measured in one process."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

import torch

from core.errors import UserError
from core.methods import get, names, reference
from core.methods.base import Context, Step
from core.methods.cost import FILE
from core.models.batch import Batch
from core.models.network import Network, build
from core.models.spec import ModalityShape, NetworkSpec
from core.workspace import write_json

BATCH, SIZE, WIDTH = 32, 64, 64
ROUNDS = 7


class Stepper:
    """One method on its own copy of the network, taking steps of the training loop without its telemetry."""

    def __init__(self, name: str, batch: Batch, names_: tuple[str, ...]) -> None:
        torch.manual_seed(0)
        cls = get(name)
        settings = cls.parse_settings(next(iter(cls.variants(names_).values())))
        used = cls.modalities(settings, names_)
        shapes = {m: ModalityShape("image", (1, SIZE, SIZE)) for m in used}
        self.network: Network = build(NetworkSpec(width=WIDTH, image_size=SIZE), shapes, 2)
        kept = [names_.index(m) for m in used]
        self.batch = Batch({m: batch.inputs[m] for m in used}, batch.present[:, kept], batch.y, batch.group, batch.index)
        self.method = cls(settings, _context(used))
        extra = self.method.extra_modules()
        main = self.network.main_parameters() + (list(extra.parameters()) if extra is not None else [])
        self.main = torch.optim.AdamW(main, lr=1e-3, fused=True)
        self.classifiers = torch.optim.AdamW(self.network.classifier_parameters(), lr=1e-3, fused=True)

    def step(self) -> None:
        network, method, batch = self.network, self.method, self.batch
        features = network.encode(batch.inputs, batch.present)
        fused = method.fused(network, method.transform(features, batch, True), batch.present, batch.group)
        seen = features if method.joint_classifiers else features.detach()
        step = Step(network, batch, features, fused, network.classify(seen), 0, 0)
        loss = method.loss(step)
        factors = method.feature_gradient_factors(step)
        if factors is not None:
            scale = factors.detach().unsqueeze(-1)
            features.register_hook(lambda gradient: gradient * scale)
        self.main.zero_grad(set_to_none=True)
        self.classifiers.zero_grad(set_to_none=True)
        method.backward(step, loss)
        if not method.joint_classifiers:
            step.modality_losses().sum().backward()
        method.after_backward(step)
        self.main.step()
        self.classifiers.step()
        method.after_step(step)


def measure(told: Callable[[str], None], rounds: int = ROUNDS) -> dict[str, float]:
    """Median over rounds of (method's step / erm's step beside it), by method, in processor time of one thread."""
    if rounds < 1:
        raise UserError("at least one round has to be measured")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    modalities = ("first", "second")
    batch = _batch(modalities)
    plain = Stepper(reference(), batch, modalities)
    ratios = {}
    try:
        for name in names():
            own = Stepper(name, batch, modalities)
            for one in (own, plain):
                one.step()
            found = []
            for _ in range(rounds):
                # Neighbours in time share the machine's mood; their ratio is steadier than either.
                pair = [_seconds(own), _seconds(plain)]
                found.append(pair[0] / pair[1])
            ratios[name] = round(statistics.median(found), 3)
            told(f"{name}: {ratios[name]:.2f} x {reference()}")
    finally:
        torch.set_num_threads(before)
    return ratios


def measure_and_store(told: Callable[[str], None]) -> None:
    """Measure all methods and replace `core/methods/step_cost.json`."""
    ratios = measure(told)
    conditions = (
        f"two images of {SIZE} pixels, small encoders, width {WIDTH}, batch {BATCH}, one CPU thread ({platform.machine()}), torch {torch.__version__}, "
        f"median of {ROUNDS} paired rounds of processor time; unimodal has one encoder, multifair-released without the published second pass"
    )
    write_json(FILE, {"conditions": conditions, "ratios": ratios})


def _seconds(stepper: Stepper) -> float:
    started = time.process_time()
    for _ in range(2):
        stepper.step()
    return time.process_time() - started


def _batch(modalities: tuple[str, ...]) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        inputs={m: torch.randint(0, 256, (BATCH, 1, SIZE, SIZE), generator=generator, dtype=torch.uint8) for m in modalities},
        present=torch.ones(BATCH, len(modalities), dtype=torch.bool),
        y=torch.arange(BATCH) % 2,
        group=(torch.arange(BATCH) // 2) % 2,
        index=torch.arange(BATCH),
    )


def _context(modalities: tuple[str, ...]) -> Context:
    return Context(
        modalities=modalities,
        groups=("a", "b"),
        n_classes=2,
        group_label_counts=torch.full((2, 2), 100.0),
        n_train=400,
        steps_per_epoch=13,
        epochs=10,
        feature_dim=WIDTH,
        device=torch.device("cpu"),
        generator=torch.Generator().manual_seed(0),
    )
