"""Unimodal: plain training of a network that has one modality (its neutrality is among the tests of all methods)."""

from __future__ import annotations

import pytest
import torch

from core.methods.unimodal import Unimodal
from core.models.batch import cross_entropy
from tests.methods.support import Bench, batch


def test_one_step_by_hand() -> None:
    bench, data = Bench("unimodal", {"modality": "m0"}), batch(12, n_modalities=1)
    network = bench.network
    assert len(network.encoders) == 1
    loss = cross_entropy(network.fuse(network.encode(data.inputs, data.present), data.present).logits, data.y).mean()
    torch.testing.assert_close(bench.step(data).cache["loss"], loss.detach())


def test_the_other_modality_is_not_read() -> None:
    data = batch(12)
    changed = {**data.inputs, "m1": batch(12, seed=9).inputs["m1"]}
    assert changed["m1"]["values"].ne(data.inputs["m1"]["values"]).any()  # type: ignore[index]
    network = Bench("unimodal", {"modality": "m0"}).network
    present = data.present[:, :1]
    torch.testing.assert_close(network.encode(data.inputs, present), network.encode(changed, present), rtol=0, atol=0)


def test_which_modality() -> None:
    def chosen(modality: str | None, *available: str) -> tuple[str, ...]:
        return Unimodal.modalities(Unimodal.Settings(modality), available)

    assert chosen("b", "a", "b") == ("b",)
    assert chosen(None, "a") == ("a",)
    with pytest.raises(ValueError, match="set modality to one of: a, b"):
        chosen(None, "a", "b")
    with pytest.raises(ValueError, match="no modality 'c'"):
        chosen("c", "a", "b")
