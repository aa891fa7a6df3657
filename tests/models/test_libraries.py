"""timm, OpenCLIP and peft where they are installed, a user's own class always; what is missing is one clear line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import UserError
from core.models.encoders import build_backbone
from core.models.network import Network, build
from core.models.own_source import own_encoders_digest
from core.models.spec import EncoderChoice, ModalityShape, NetworkSpec
from core.runs.spec import source_of
from core.training.presets import make_spec
from core.training.train import train
from tests.training.synthetic import ListSink, SyntheticCohort

PHOTO = ModalityShape("image", (3, 24, 24))
OWN = """
import torch

class Plain(torch.nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.width = 6
        self.layer = torch.nn.Linear(shape.size[0], 6)
    def forward(self, x):
        values = x["values"] if isinstance(x, dict) else x.float().mean((2, 3)) / 255
        return self.layer(values)

class Mute(torch.nn.Module):
    def __init__(self, shape):
        super().__init__()
    def forward(self, x):
        return x

class Narrow(Plain):
    def forward(self, x):
        return super().forward(x)[:, :3]

class Broken(Plain):
    def forward(self, x):
        raise KeyError("lead II")

not_a_module = 3
"""


def network(encoder: str, shape: ModalityShape = PHOTO, kind: str = "image") -> Network:
    torch.manual_seed(0)
    return build(NetworkSpec(width=8, heads=2, encoders={kind: encoder}), {"photo": shape}, 2)


def features(made: Network) -> torch.Tensor:
    pixels = torch.randint(0, 256, (3, *PHOTO.size), dtype=torch.uint8)
    return made.encode({"photo": pixels}, torch.ones(3, 1, dtype=torch.bool))


@pytest.fixture()
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "my_encoders.py"
    file.write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_encoders", raising=False)
    return file


def test_an_own_class_reads_images_and_tables_and_trains(own: Path) -> None:
    assert features(network("class:my_encoders:Plain")).shape == (3, 1, 8)
    chosen = {"encoder.photo": "class:my_encoders:Plain", "encoder.labs": "class:my_encoders:Plain", "epochs": 1, "bootstrap": 5, "width": 8}
    sink = ListSink()
    train(SyntheticCohort(n=60), make_spec("erm", attribute="site", settings=chosen), sink, device="cpu")
    moved = {r["modality"] for r in sink.of("telemetry")[-1]["rows"] if r["name"] == "effect.relative_update" and r["value"]}
    assert sink.events[-1]["status"] == "done" and moved == {"photo", "labs"}


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ("class:my_encoders:Mute", "must set self.width"),
        ("class:my_encoders:Narrow", r"gave \(2, 3\)"),
        ("class:my_encoders:Broken", "KeyError.*lead II"),
        ("class:my_encoders:not_a_module", "no torch module of that name"),
        ("class:my_encoders:Absent", "no torch module of that name"),
        ("class:no_such_module:Plain", "cannot be imported"),
        ("class:os:system", "no torch module of that name"),
    ],
)
def test_what_is_wrong_with_an_own_class_is_one_line(own: Path, encoder: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        network(encoder)
    assert "\n" not in str(error.value)


def test_the_text_of_an_own_class_belongs_to_the_key(own: Path) -> None:
    encoders = {"image": "class:my_encoders:Plain", "text": "small"}
    before = source_of("erm", encoders)
    own.write_text(OWN + "\n# a remark\n")
    assert source_of("erm", encoders) == before
    own.write_text(OWN.replace("self.width = 6", "self.width = 6.0"))
    assert source_of("erm", encoders) != before
    assert own_encoders_digest({"image": "small"}) == "" and source_of("erm", {}) == before.partition("+")[0]
    with pytest.raises(UserError, match="was not found"):
        own_encoders_digest({"image": "class:no_such_module:Plain"})


@pytest.mark.parametrize(
    ("text", "message"),
    [("timm", "NAME, NAME@FILE or FOLDER"), ("class:os system:x", "names that an import"), ("small+lora", "goes with"), ("minilm+lora", "goes with")],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        EncoderChoice.parse(text)
    assert str(EncoderChoice.parse("hf:folder+lora")) == "hf:folder+lora"


@pytest.mark.parametrize(("encoder", "package"), [("timm:resnet10t", "timm"), ("open-clip:RN50@file.pt", "open_clip"), ("hf-random+lora", "peft")])
def test_a_library_that_is_not_there_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, encoder: str, package: str) -> None:
    import importlib.util

    plain = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else plain(name, *rest))
    monkeypatch.setattr("core.models.encoders.hf_image", lambda source: torch.nn.Linear(2, 2))
    with pytest.raises(UserError, match=rf"needs the package {package}: pip install '.\[encoders\]'"):
        network(encoder)


def test_timm_from_a_file_and_a_folder_with_its_own_preprocessing(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    safetensors = pytest.importorskip("safetensors.torch")
    model = timm.create_model("resnet10t", pretrained=False)
    safetensors.save_file(model.state_dict(), tmp_path / "weights.safetensors")
    timm.models.save_for_hf(model, tmp_path / "folder")
    made = network(f"timm:resnet10t@{tmp_path / 'weights.safetensors'}")
    backbone: Any = made.encoders[0].backbone
    assert backbone.width == 512 and backbone.normalise.size == 176
    torch.testing.assert_close(backbone.normalise.mean.flatten(), 255 * torch.tensor([0.485, 0.456, 0.406]))
    torch.testing.assert_close(backbone.model.state_dict()["conv1.0.weight"], model.state_dict()["conv1.0.weight"])
    features(made)[..., 0].sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in backbone.parameters())
    torch.testing.assert_close(
        network(f"timm:{tmp_path / 'folder'}").encoders[0].backbone.model.state_dict()["conv1.0.weight"], model.state_dict()["conv1.0.weight"]
    )
    del (state := model.state_dict())["conv1.0.weight"]
    safetensors.save_file(state, tmp_path / "half.safetensors")
    for wrong, message in (
        ("resnet10t", "not in the local cache"),
        (f"resnet10t@{tmp_path / 'half.safetensors'}", "another model's"),
        ("resnet10t@none.pth", "cannot be read"),
        ("nonsense@x", "cannot be read"),
    ):
        with pytest.raises(UserError, match=message):
            network(f"timm:{wrong}")


def test_open_clip_from_a_file(tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    vision = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 32, "heads": 2, "layers": 1}}
    (tmp_path / "tiny-clip.json").write_text(__import__("json").dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    model = open_clip.create_model("tiny-clip", load_weights=False)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    made = network(f"open-clip:tiny-clip@{tmp_path / 'weights.pt'}")
    backbone: Any = made.encoders[0].backbone
    assert backbone.width == 24 and backbone.normalise.size == 32
    torch.testing.assert_close(backbone.normalise.mean.flatten(), 255 * torch.tensor(open_clip.OPENAI_DATASET_MEAN))
    torch.testing.assert_close(backbone.model.state_dict()["conv1.weight"], model.visual.state_dict()["conv1.weight"])
    assert features(made).isfinite().all()
    with pytest.raises(UserError, match="a file of weights that is there"):
        network("open-clip:tiny-clip@none.pt")


def test_adapters_are_all_that_learns(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    vit = transformers.ViTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16)
    transformers.ViTModel(vit).save_pretrained(tmp_path / "vit")
    torch.manual_seed(0)
    spec = NetworkSpec(width=8, heads=2, encoders={"image": f"hf:{tmp_path / 'vit'}+lora"})
    backbone = build_backbone(spec, "photo", PHOTO)
    learn = [name for name, p in backbone.named_parameters() if p.requires_grad]
    assert learn and all("lora_" in name for name in learn)
    assert any("lora_" in name for name, p in backbone.last_block.named_parameters() if p.requires_grad)
    plain = build_backbone(NetworkSpec(width=8, heads=2, encoders={"image": f"hf:{tmp_path / 'vit'}"}), "photo", PHOTO)
    pixels = torch.randint(0, 256, (2, 3, 24, 24), dtype=torch.uint8)
    backbone.eval(), plain.eval()
    torch.testing.assert_close(backbone(pixels), plain(pixels))
    backbone(pixels).sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in backbone.parameters())
