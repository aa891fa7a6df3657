"""Encoders in parts of a batch: the step of the whole batch, in the memory of a part."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from core.errors import UserError
from core.methods import get, names
from core.models.network import build
from core.models.spec import ModalityShape, NetworkSpec
from core.training.engine import Engine
from core.training.presets import make_spec
from core.training.spec import Budget
from core.training.together import can_join
from core.training.train import as_data
from tests.training.synthetic import SyntheticCohort

KINDS = {"note": "text", "labs": "tabular", "photo": "image"}
CPU = torch.device("cpu")


def stepped(method: str, **settings: Any) -> torch.Tensor:
    """All weights after two steps, without noise."""
    torch.set_num_threads(1)
    kinds = {"note": "text", "labs": "tabular"}
    needed = {"modality": "note"} if method == "unimodal" else {}
    spec = make_spec(method, attribute="site", settings={"width": 8, "heads": 2, "dropout": 0.0, "optimizer": "sgd", "lr": 0.1, **needed, **settings})
    engine = Engine(as_data(SyntheticCohort(n=120, kinds=kinds), spec, CPU), spec)
    for part in engine.network.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    for rows in engine.data.rows["train"][:48].split(24):
        engine.step(rows, 0)
    return torch.cat([p.detach().flatten() for p in engine.network.parameters()])


@pytest.mark.parametrize("method", names())
def test_a_step_in_parts_is_the_step_of_the_whole_batch(method: str) -> None:
    """Factors, group losses and mixtures are those of all 24 samples, not of 7."""
    torch.testing.assert_close(stepped(method, micro_batch=7), stepped(method), rtol=1e-4, atol=1e-6)


def held_bytes(network: Any, inputs: dict[str, Any], n: int) -> int:
    """What the graph of one forward pass keeps for its backward pass, weights left out."""
    own, kept = {p.untyped_storage().data_ptr() for p in network.parameters()}, {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        features = network.encode(inputs, torch.ones(n, 1, dtype=torch.bool))
        features.sum()
    return sum(kept.values())


def test_what_is_held_is_small() -> None:
    pytest.importorskip("transformers")
    from transformers import ViTConfig, ViTModel

    from core.models.encoders.pretrained import HuggingFaceImage, Preprocessing

    network = build(NetworkSpec(width=16, heads=2), {"photo": ModalityShape("image", (3, 32, 32))}, 2)
    vit = ViTModel(ViTConfig(hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8))
    network.encoders[0].backbone = HuggingFaceImage(vit, Preprocessing())
    network.encoders[0].projection[0] = torch.nn.Linear(32, 16)
    inputs = {"photo": torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8)}
    whole = held_bytes(network, inputs, 16)
    network.micro_batch = 4
    assert held_bytes(network, inputs, 16) < whole / 10


def test_noise_is_the_same_in_both_passes_and_statistics_move_once() -> None:
    torch.manual_seed(0)
    network = build(NetworkSpec(width=16, heads=2, dropout=0.5), {"photo": ModalityShape("image", (1, 24, 24))}, 2)
    pixels = torch.randint(0, 256, (8, 1, 24, 24), dtype=torch.uint8)
    present = torch.ones(8, 1, dtype=torch.bool)

    def gradient(size: int | None) -> tuple[torch.Tensor, torch.Tensor, int]:
        norm = network.encoders[0].backbone.standardise
        norm.reset_running_stats()
        network.micro_batch = size
        network.zero_grad()
        torch.manual_seed(5)
        network.encode({"photo": pixels}, present).square().sum().backward()
        return network.encoders[0].projection[0].weight.grad.clone(), norm.running_mean.clone(), int(norm.num_batches_tracked)

    for alone, parts in zip(gradient(None), gradient(8), strict=True):
        torch.testing.assert_close(torch.as_tensor(parts), torch.as_tensor(alone))
    assert gradient(4)[2] == 2


def test_it_is_asked_for_by_a_number_and_never_together() -> None:
    with pytest.raises(UserError, match="micro_batch is at least 1"):
        Budget(micro_batch=0)
    assert can_join(make_spec("erm"), CPU) and not can_join(make_spec("erm", settings={"micro_batch": 4}), CPU)
    assert "micro_batch" not in make_spec("erm").to_dict()["budget"]


@pytest.mark.parametrize(("sampler", "even"), [("class", "y"), ("group", "group"), ("class_group", "both")])
def test_samplers_draw_evenly(sampler: str, even: str) -> None:
    cohort = SyntheticCohort(n=400, kinds={"labs": "tabular"})
    # Few of the second group, and few positives in it; some of no known group.
    cohort._group[:] = (torch.arange(400) % 10 == 0).long().numpy()
    cohort._group[::25] = -1
    cohort.table["y"] = (torch.arange(400) // 2 % 3 == 0).long().numpy()
    spec = make_spec("erm", attribute="site", settings={"sampler": sampler})
    engine = Engine(as_data(cohort, spec, CPU), spec)
    drawn = torch.cat([engine.epoch_order() for _ in range(40)])
    y, group = engine.data.y[drawn], engine.data.group[drawn]
    known = group >= 0
    cell = {"y": y, "group": group[known], "both": (2 * group + y)[known]}[even]
    counts = cell.bincount().double()
    assert len(drawn) == 40 * engine.n_train and (counts / counts.mean() - 1).abs().max() < 0.1
    assert set(drawn.tolist()) <= set(engine.data.rows["train"].tolist())


def test_a_method_with_its_own_order_keeps_it() -> None:
    cohort = SyntheticCohort(n=120, kinds={"labs": "tabular", "note": "text"})
    spec = make_spec("group-dro", attribute="site")
    other = make_spec("group-dro", attribute="site", settings={"sampler": "class"})
    assert get("group-dro")(get("group-dro").parse_settings({}), Engine(as_data(cohort, spec, CPU), spec).method.context).epoch_rows(0) is not None
    assert torch.equal(Engine(as_data(cohort, spec, CPU), spec).epoch_order(), Engine(as_data(cohort, other, CPU), other).epoch_order())
