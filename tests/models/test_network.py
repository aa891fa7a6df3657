"""The network: shapes, missing modalities, and pretrained encoders from a local folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.errors import UserError
from core.models.encoders.pretrained import Preprocessing, preprocessing_of
from core.models.network import Network, build
from core.models.spec import EncoderChoice, ModalityShape, NetworkSpec
from core.training.presets import PRESETS, make_spec
from core.training.train import train
from tests.training.synthetic import ListSink, SyntheticCohort

SHAPES = {
    "photo.path": ModalityShape("image", (3, 24, 24)),
    "oct": ModalityShape("volume", (4, 24, 24)),
    "keys": ModalityShape("text", (6,), 30),
    "labs": ModalityShape("tabular", (5,)),
    "features": ModalityShape("vector", (7,)),
}


def an_input(n: int) -> dict[str, Tensor | dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return {
        "photo.path": torch.randint(0, 256, (n, 3, 24, 24), dtype=torch.uint8, generator=generator),
        "oct": torch.randint(0, 256, (n, 4, 24, 24), dtype=torch.uint8, generator=generator),
        "keys": {"ids": torch.randint(0, 30, (n, 6), generator=generator), "mask": torch.arange(6)[None] < torch.arange(n)[:, None]},
        "labs": {"values": torch.randn(n, 5, generator=generator), "missing": torch.rand(n, 5, generator=generator) < 0.5},
        "features": torch.randn(n, 7, generator=generator),
    }


@pytest.fixture()
def network() -> Network:
    torch.manual_seed(0)
    return build(NetworkSpec(width=16), SHAPES, 3)


@pytest.mark.parametrize("n", [1, 6])
def test_shapes_and_gradients(network: Network, n: int) -> None:
    present = torch.ones(n, 5, dtype=torch.bool)
    features = network.encode(an_input(n), present)
    fused = network.fuse(features, present)
    assert features.shape == (n, 5, 16) and fused.logits.shape == (n, 3) and network.classify(features).shape == (n, 5, 3)
    assert fused.last_input is not None
    torch.testing.assert_close(fused.logits, fused.last_input @ network.head_weight.T + network.fusion.head.bias)
    fused.logits.square().sum().backward()
    for m in range(5):
        gradients = [p.grad for p in network.encoder_parameters(m)]
        assert gradients and all(g is None or g.isfinite().all() for g in gradients) and any(g is not None for g in gradients)
        assert network.last_block_parameters(m)


def test_an_absent_modality_cannot_be_seen(network: Network) -> None:
    network.eval()
    present = torch.ones(4, 5, dtype=torch.bool)
    present[1, 0] = False
    inputs = an_input(4)
    before = network.fuse(network.encode(inputs, present), present).logits
    pixels = inputs["photo.path"]
    assert isinstance(pixels, Tensor)
    pixels[1] = 255 - pixels[1]
    after = network.fuse(network.encode(inputs, present), present).logits
    torch.testing.assert_close(before, after)
    features = network.encode(inputs, present)
    torch.testing.assert_close(features[1, 0], network.missing[0])


def test_blank_images_and_empty_texts_train(network: Network) -> None:
    inputs = an_input(4)
    inputs["photo.path"] = torch.zeros(4, 3, 24, 24, dtype=torch.uint8)
    inputs["oct"] = torch.zeros(4, 4, 24, 24, dtype=torch.uint8)
    present = torch.ones(4, 5, dtype=torch.bool)
    network.fuse(network.encode(inputs, present), present).logits.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_detached_classifiers_learn_nothing(network: Network) -> None:
    features = torch.randn(4, 5, 16, requires_grad=True)
    network.classify(features, detach_weights=True).sum().backward()
    assert features.grad is not None and network.classifier_weight.grad is None


@pytest.mark.parametrize("text", ["medium", "hf", "small:folder", "small+frozen"])
def test_unusable_encoders_are_named(text: str) -> None:
    with pytest.raises(UserError):
        EncoderChoice.parse(text)


def test_encoders_must_fit_their_modality() -> None:
    with pytest.raises(UserError, match="cannot read text"):
        build(NetworkSpec(encoders={"text": "efficientnet-lite0"}), {"note": ModalityShape("text", (4,), 9)}, 2)
    with pytest.raises(UserError, match="no model was found"):
        build(NetworkSpec(encoders={"image": "hf:no/such/folder"}), {"photo": ModalityShape("image", (3, 24, 24))}, 2)


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A ViT and a BERT of a few thousand parameters, saved as local folders."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("models")
    vit = transformers.ViTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16)
    transformers.ViTModel(vit).save_pretrained(folder / "vit")
    bert = transformers.BertConfig(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
    transformers.BertModel(bert).save_pretrained(folder / "bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "note", "number", "ill", "well"]
    (folder / "bert" / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(folder / "bert" / "vocab.txt")).save_pretrained(folder / "bert")
    return {"vit": folder / "vit", "bert": folder / "bert"}


def paper(tiny: dict[str, Path], suffix: str = "", **settings: Any) -> Any:
    chosen = {"encoder.image": f"hf:{tiny['vit']}{suffix}", "encoder.volume": f"hf:{tiny['vit']}{suffix}", "encoder.text": f"hf:{tiny['bert']}{suffix}"}
    return make_spec("multifair", "paper", "site", settings={"epochs": 1, "bootstrap": 5, **chosen, **settings})


KINDS = {"photo": "image", "scan": "volume", "note": "text"}


def test_the_paper_preset_trains_on_local_folders(tiny_models: dict[str, Path]) -> None:
    sink = ListSink()
    train(SyntheticCohort(n=40, kinds=KINDS), paper(tiny_models), sink, device="cpu")
    assert sink.events[-1]["status"] == "done"
    assert PRESETS["paper"].budget.lr == 3e-5 and PRESETS["paper"].network.width == 128
    named = {(r["name"], r["modality"]) for r in sink.of("telemetry")[-1]["rows"] if r["value"] is not None}
    assert {("effect.relative_update", m) for m in KINDS} <= named


def test_frozen_features_are_computed_once(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    cohort, spec = SyntheticCohort(n=40, kinds=KINDS), paper(tiny_models, "+frozen")
    first, second = ListSink(), ListSink()
    train(cohort, spec, first, device="cpu", cache=tmp_path)
    files = sorted((tmp_path / "features").iterdir())
    assert [np.load(f).shape for f in files] == [(40, 16)] * 3
    cohort.arrays = lambda size=0: pytest.fail("the arrays are not needed a second time")  # type: ignore[method-assign]
    train(cohort, spec, second, device="cpu", cache=tmp_path)
    assert first.frame is not None and second.frame is not None and first.frame.equals(second.frame)


def tiny_vision(family: str) -> Any:
    """A model of this family with a few thousand parameters."""
    transformers = pytest.importorskip("transformers")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    both = {
        "text_config": {**small, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2},
        "vision_config": {**small, "image_size": 32, "patch_size": 16},
    }
    made = {
        "resnet": lambda: transformers.ResNetModel(transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 24], depths=[1, 1])),
        "convnext": lambda: transformers.ConvNextModel(transformers.ConvNextConfig(num_stages=2, hidden_sizes=[8, 24], depths=[1, 1], image_size=32)),
        "efficientnet": lambda: transformers.EfficientNetModel(
            transformers.EfficientNetConfig(image_size=32, width_coefficient=0.1, depth_coefficient=0.1, hidden_dim=128)
        ),
        "swin": lambda: transformers.SwinModel(
            transformers.SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4)
        ),
        "dinov2": lambda: transformers.Dinov2Model(
            transformers.Dinov2Config(image_size=28, patch_size=14, **{k: v for k, v in small.items() if k != "intermediate_size"})
        ),
        "clip": lambda: transformers.CLIPModel(transformers.CLIPConfig(projection_dim=8, **both)),
        "siglip": lambda: transformers.SiglipModel(transformers.SiglipConfig(**both)),
    }
    torch.manual_seed(0)
    return made[family]()


@pytest.mark.parametrize("family", ["resnet", "convnext", "efficientnet", "swin", "dinov2", "clip", "siglip"])
def test_vision_families_are_read_from_a_folder_with_their_own_preprocessing(tmp_path: Path, family: str) -> None:
    tiny_vision(family).save_pretrained(tmp_path / family)
    (tmp_path / family / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "size": {"shortest_edge": 40}})
    )
    network = build(NetworkSpec(width=8, heads=2, encoders={"image": f"hf:{tmp_path / family}"}), {"photo": ModalityShape("image", (3, 24, 24))}, 2)
    pixels = torch.randint(0, 256, (3, 3, 24, 24), dtype=torch.uint8)
    features = network.encode({"photo": pixels}, torch.ones(3, 1, dtype=torch.bool))
    assert features.shape == (3, 1, 8) and features.isfinite().all()
    features.sum().backward()
    backbone = network.encoders[0].backbone
    torch.testing.assert_close(backbone.normalise.mean.flatten(), 255 * torch.tensor([0.1, 0.2, 0.3]))
    assert backbone.normalise.size == {"resnet": 40, "dinov2": 28}.get(family, 32)
    assert any(p.grad is not None and p.grad.any() for p in backbone.parameters())


def test_a_name_in_the_cache_brings_its_preprocessing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `hf:NAME` finds in the local Hugging Face cache, not only what lies in a folder of that name."""
    hub = pytest.importorskip("huggingface_hub")
    folder = tmp_path / "models--someone--tiny"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc" / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.4], "image_std": [0.2], "crop_size": {"height": 48, "width": 48}})
    )
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = preprocessing_of("someone/tiny")
    assert found.statistics == ((0.4,), (0.2,)) and found.size == 48
    assert preprocessing_of("someone/absent") == Preprocessing()
