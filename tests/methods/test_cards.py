"""Cards: what a reader must know, order and colour included; what a setting does is what the card says."""

from __future__ import annotations

import re

import pytest
import torch

from core.methods import get, names
from tests.methods.support import Bench, batch

INERT = [(name, setting) for name in names() for setting in get(name).inert_under_adamw]


def test_order_and_colour_are_each_methods_own() -> None:
    cards = [get(name).card for name in names()]
    assert len({card.order for card in cards}) == len(cards)
    colours = [card.colour for card in cards]
    assert all(pair is not None and all(re.fullmatch("#[0-9A-F]{6}", one) for one in pair) for pair in colours)
    for side in (0, 1):
        assert len({pair[side] for pair in colours if pair}) == len(cards)


def test_one_reference_and_one_of_ours() -> None:
    roles = [get(name).card.role for name in names()]
    assert roles.count("reference") == 1 and roles.count("ours") == 1
    assert any(get(name).card.default for name in names())


def trained(name: str, optimizer: str, setting: str, value: float) -> torch.Tensor:
    bench = Bench(name, {setting: value, **({"clip": 1e9} if "clip" in get(name).Settings.__dataclass_fields__ else {})}, optimizer=optimizer)
    bench.run(3, n=32)
    return torch.cat([p.detach().flatten() for m in range(bench.n_modalities) for p in bench.network.encoder_parameters(m)])


@pytest.mark.parametrize(("name", "setting"), INERT)
def test_a_setting_called_inert_changes_nothing_under_adamw_and_something_under_sgd(name: str, setting: str) -> None:
    start = torch.cat([p.detach().flatten() for m in range(2) for p in Bench(name).network.encoder_parameters(m)])
    weights = {value: trained(name, "adamw", setting, value) for value in (1.0, 2.0)}
    moved = (weights[1.0] - start).norm()
    assert float((weights[2.0] - weights[1.0]).norm() / moved) < 0.02
    weights = {value: trained(name, "sgd", setting, value) for value in (1.0, 2.0)}
    moved = (weights[1.0] - start).norm()
    assert float((weights[2.0] - weights[1.0]).norm() / moved) > 0.3
    assert f"{setting} changes nothing" in get(name).card.limits
    assert setting not in get(name).searched("adamw")
    assert get(name).searched("sgd") == get(name).search_space


def test_cards_of_methods_that_read_the_group_say_so() -> None:
    for name in names():
        needs = get(name).card.inference_needs
        assert get(name).uses_group <= ("sensitive attribute" in needs), name


@pytest.mark.parametrize("name", [name for name in names() if not get(name).uses_group])
def test_the_group_is_not_read_at_inference_by_the_others(name: str) -> None:
    settings = {"modality": "m0"} if "modality" in get(name).Settings.__dataclass_fields__ else {}
    bench = Bench(name, settings)
    bench.run(3)
    data = batch(16, bench.n_modalities)
    bench.network.eval()
    features = bench.network.encode(data.inputs, data.present)
    scores = [bench.method.fused(bench.network, features, data.present, torch.full((16,), g)).logits for g in (-1, 0, 1)]
    torch.testing.assert_close(scores[0], scores[1], rtol=0, atol=0)
    torch.testing.assert_close(scores[0], scores[2], rtol=0, atol=0)
