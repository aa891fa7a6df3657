"""What must hold for every method, as asserters that the tests share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.models.batch import Batch
from tests.methods.support import Bench, batch, take

CLOSE = {"rtol": 1e-4, "atol": 2e-6}


@dataclass(frozen=True)
class Result:
    """What one step did: the loss, the fused logits, and the gradients of each encoder."""

    loss: Tensor
    logits: Tensor
    by_encoder: list[Tensor]


def result(bench: Bench, data: Batch) -> Result:
    bench.main.zero_grad()
    step = bench.gradients(data)
    by_encoder = [
        torch.cat([p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in bench.network.encoder_parameters(m)])
        for m in range(bench.n_modalities)
    ]
    return Result(step.cache["loss"], step.fused.logits.detach(), by_encoder)


def assert_alike(first: Result, second: Result, rows: Tensor | None = None, modalities: Tensor | None = None) -> None:
    """Equal up to rounding; `rows` and `modalities` say where each of the second is in the first."""
    torch.testing.assert_close(first.loss, second.loss, **CLOSE)
    # What a method fits between epochs is the end of an iteration, so it is less exact than one step.
    torch.testing.assert_close(first.logits if rows is None else first.logits[rows], second.logits, rtol=2e-3, atol=1e-3)
    for m, gradient in enumerate(second.by_encoder):
        torch.testing.assert_close(first.by_encoder[m if modalities is None else int(modalities[m])], gradient, **CLOSE)


def assert_batch_order_does_not_matter(name: str, settings: dict[str, Any], warm: int = 2, n_classes: int = 2) -> None:
    """Permuting the samples of a batch changes neither the loss nor the gradients."""
    data = batch(16, n_classes=n_classes, seed=7, missing=True)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    results = []
    for shown in (data, take(data, order)):
        bench = Bench(name, settings, n_classes=n_classes, n_groups=2)
        bench.run(warm)
        if bench.n_modalities == 1:
            shown = replace(shown, present=shown.present[:, :1])
        bench.end_epoch(shown)
        results.append(result(bench, shown))
    assert_alike(*results, rows=order)


def assert_group_names_do_not_matter(name: str, settings: dict[str, Any], warm: int = 2, n_classes: int = 2, n_groups: int = 3) -> None:
    """Exchanging the groups' numbers, in every batch, changes nothing. There must be more or fewer groups than classes: a part is a group's by its length."""
    results = []
    for relabel in (False, True):
        bench = Bench(name, settings, n_classes=n_classes, n_groups=n_groups)
        mapping = torch.arange(n_groups).roll(1) if relabel else torch.arange(n_groups)
        counts = torch.empty_like(bench.context.group_label_counts)
        counts[mapping] = bench.context.group_label_counts
        bench.rebuild(replace(bench.context, group_label_counts=counts))
        bench.relabel_groups(mapping)
        for t in range(warm + 1):
            data = batch(18, bench.n_modalities, n_classes, n_groups=n_groups, seed=50 + t)
            shown = replace(data, group=mapping[data.group])
            if t < warm:
                bench.step(shown)
                bench.end_epoch(shown)
        results.append(result(bench, shown))
    assert_alike(*results)


def assert_modality_order_does_not_matter(name: str, settings: dict[str, Any], warm: int = 2, n_modalities: int = 3, n_classes: int = 2) -> None:
    """Naming the modalities in another order, weights and all, reorders the encoders' gradients and changes nothing else."""
    results = []
    order = torch.arange(n_modalities).roll(1)
    for moved in (False, True):
        bench = Bench(name, settings, n_modalities=n_modalities, n_classes=n_classes)
        if moved:
            bench.reorder_modalities(order)
        for t in range(warm + 1):
            data = batch(16, n_modalities, n_classes, seed=50 + t, missing=True)
            if moved:
                inputs = {f"m{m}": data.inputs[f"m{int(source)}"] for m, source in enumerate(order)}
                data = replace(data, inputs=inputs, present=data.present[:, order])
            if t < warm:
                bench.step(data)
                bench.end_epoch(data)
        results.append(result(bench, data))
    assert_alike(*results, modalities=order)


def assert_equals_erm(name: str, settings: dict[str, Any], steps: int = 4, n_groups: int = 2) -> None:
    """With these settings every weight after training is erm's, bit for bit."""
    other = Bench(name, settings, n_groups=n_groups)
    plain = Bench("erm", n_modalities=other.n_modalities, n_groups=n_groups)
    torch.testing.assert_close(other.run(steps), plain.run(steps), rtol=0, atol=0)


def assert_continues_after_restore(name: str, settings: dict[str, Any], first: int = 3, more: int = 3, **bench: Any) -> None:
    """Saving after some steps and going on in a fresh object gives the same weights, bit for bit."""
    whole = Bench(name, settings, **bench)
    whole.run(first)
    fresh = Bench(name, settings, seed=0, **bench)
    fresh.restore(whole.save())
    torch.testing.assert_close(fresh.run(more, first=first), whole.run(more, first=first), rtol=0, atol=0)


def assert_survives(name: str, settings: dict[str, Any], data: Batch, **shape: int) -> None:
    """A step on this batch leaves every weight finite; a series may be unknown (NaN) but never infinite."""
    bench = Bench(name, settings, **shape)
    if bench.n_modalities < data.present.shape[1]:
        data = replace(data, present=data.present[:, : bench.n_modalities])
    bench.step(batch(12, bench.n_modalities, bench.n_classes, bench.n_groups))
    bench.step(data)
    bench.end_epoch(data)
    bench.step(data)
    bench.end_epoch(data)
    bench.step(data)
    assert bench.weights().isfinite().all()
    for key, value in bench.method.series().items():
        assert not value.isinf().any(), key
