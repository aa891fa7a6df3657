"""What must hold for every method, as asserters that the tests share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from core.models.batch import Batch
from tests.methods.support import Bench, batch, take

CLOSE = {"rtol": 1e-4, "atol": 2e-6}


def gradients(bench: Bench, data: Batch) -> tuple[Tensor, dict[int, Tensor]]:
    """Loss and the encoders' gradients of one step."""
    bench.main.zero_grad()
    step = bench.gradients(data)
    by_encoder = {
        m: torch.cat([p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in bench.network.encoder_parameters(m)])
        for m in range(bench.n_modalities)
    }
    return step.cache["loss"], by_encoder


def assert_batch_order_does_not_matter(name: str, settings: dict[str, Any], warm: int = 2) -> None:
    """Permuting the samples of a batch changes neither the loss nor the gradients."""
    data = batch(16, seed=7, missing=True)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    results = []
    for shown in (data, take(data, order)):
        bench = Bench(name, settings, n_groups=2)
        bench.run(warm)
        results.append(gradients(bench, shown))
    torch.testing.assert_close(results[0][0], results[1][0], **CLOSE)
    for m in (0, 1):
        torch.testing.assert_close(results[0][1][m], results[1][1][m], **CLOSE)


def assert_group_names_do_not_matter(name: str, settings: dict[str, Any], warm: int = 2) -> None:
    """Exchanging the groups' numbers, in every batch, changes nothing."""
    results = []
    for relabel in (False, True):
        bench = Bench(name, settings, n_groups=3)
        mapping = torch.tensor([2, 0, 1]) if relabel else torch.arange(3)
        counts = torch.empty_like(bench.context.group_label_counts)
        counts[mapping] = bench.context.group_label_counts
        bench.rebuild(replace(bench.context, group_label_counts=counts))
        bench.relabel_groups(mapping)
        for t in range(warm + 1):
            data = batch(18, n_groups=3, seed=50 + t)
            shown = replace(data, group=mapping[data.group])
            if t < warm:
                bench.step(shown)
        results.append(gradients(bench, shown))
    torch.testing.assert_close(results[0][0], results[1][0], **CLOSE)
    for m in (0, 1):
        torch.testing.assert_close(results[0][1][m], results[1][1][m], **CLOSE)


def assert_modality_order_does_not_matter(name: str, settings: dict[str, Any], warm: int = 2) -> None:
    """Naming the modalities in the other order, weights and all, exchanges the encoders' gradients."""
    results = []
    for swap in (False, True):
        bench = Bench(name, settings)
        if swap:
            bench.swap_modalities()
        for t in range(warm + 1):
            data = batch(16, seed=50 + t, missing=True)
            if swap:
                data = replace(data, inputs={"m0": data.inputs["m1"], "m1": data.inputs["m0"]}, present=data.present.flip(1))
            if t < warm:
                bench.step(data)
        results.append(gradients(bench, data))
    torch.testing.assert_close(results[0][0], results[1][0], **CLOSE)
    for m in (0, 1):
        torch.testing.assert_close(results[0][1][m], results[1][1][1 - m], **CLOSE)


def assert_equals_erm(name: str, settings: dict[str, Any], steps: int = 4) -> None:
    """With these settings every weight after training is erm's, bit for bit."""
    plain, other = Bench("erm"), Bench(name, settings)
    torch.testing.assert_close(other.run(steps), plain.run(steps), rtol=0, atol=0)


def assert_continues_after_restore(name: str, settings: dict[str, Any], first: int = 3, more: int = 3) -> None:
    """Saving after some steps and going on in a fresh object gives the same weights, bit for bit."""
    whole = Bench(name, settings)
    whole.run(first)
    fresh = Bench(name, settings, seed=0)
    fresh.restore(whole.save())
    torch.testing.assert_close(fresh.run(more, first=first), whole.run(more, first=first), rtol=0, atol=0)


def assert_survives(name: str, settings: dict[str, Any], data: Batch, **shape: int) -> None:
    """A step on this batch leaves every weight finite; a series may be unknown (NaN) but never infinite."""
    bench = Bench(name, settings, **shape)
    bench.step(batch(12, bench.n_modalities, bench.n_classes, bench.n_groups))
    bench.step(data)
    bench.step(data)
    assert bench.weights().isfinite().all()
    for key, value in bench.method.series().items():
        assert not value.isinf().any(), key
