"""Image models of timm and OpenCLIP, and low-rank adapters of peft, each where the library is installed.

Nothing is downloaded: weights come from a file, a folder, or the local Hugging Face cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.models.encoders.base import Backbone
from core.models.encoders.pretrained import IMAGENET, ImageModel, Normalise, Preprocessing, first_line, need

EXTRA = "encoders"
RANK = 8
"""Of the adapters; their scale is twice that, as in the paper's experiments."""
CACHED_NAMES = ("model.safetensors", "pytorch_model.bin")
UNLOADABLE = (OSError, RuntimeError, ValueError, KeyError)
"""What the libraries say of weights or names that are none."""

B = TypeVar("B", bound=Backbone)


class LibraryImage(ImageModel):
    """A model from pixels to pooled features (N, width), with its own preprocessing."""

    def __init__(self, model: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.model = model
        self.normalise = Normalise(preprocessing.statistics, preprocessing.size)
        self.width = self._width(preprocessing.size or 224)

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.model(self.normalise(pixels))
        return features.flatten(1)


def timm_image(source: str) -> LibraryImage:
    """`NAME` (weights in the local cache), `NAME@FILE`, or a folder as timm saves it. UserError where that is not there."""
    need(f"timm:{source}", "timm", EXTRA)
    import timm

    name, _, file = source.partition("@")
    try:
        if Path(source).is_dir():
            model = timm.create_model(f"local-dir:{source}", pretrained=True, num_classes=0)
        else:
            model = timm.create_model(name, pretrained=False, num_classes=0)
            _load(model, Path(file) if file else _cached(model, name), source)
    except UNLOADABLE as error:
        raise UserError(
            f"timm:{source} cannot be read ({first_line(error)}): give NAME@FILE with weights of that model, or a folder as timm saves it"
        ) from None
    config = timm.data.resolve_model_data_config(model)
    return LibraryImage(model, Preprocessing((tuple(config["mean"]), tuple(config["std"])), int(config["input_size"][-1])))


def open_clip_image(source: str) -> LibraryImage:
    """The image part of `NAME@FILE`, or of a folder as OpenCLIP saves it. UserError where that is not there."""
    need(f"open-clip:{source}", "open_clip", EXTRA)
    import open_clip

    name, _, file = source.partition("@")
    try:
        if Path(source).is_dir():
            model = open_clip.create_model(f"local-dir:{source}", require_pretrained=True)
        elif file and Path(file).is_file():
            model = open_clip.create_model(name, pretrained=file)
        else:
            raise UserError(f"open-clip:{source}: give NAME@FILE with a file of weights that is there, or a folder as OpenCLIP saves it")
    except UNLOADABLE as error:
        raise UserError(f"open-clip:{source} cannot be read ({first_line(error)})") from None
    config = open_clip.get_model_preprocess_cfg(model)
    size = config.get("size", 224)
    edge = int(size if isinstance(size, int) else size[-1])
    return LibraryImage(model.visual, Preprocessing((tuple(config.get("mean", IMAGENET[0])), tuple(config.get("std", IMAGENET[1]))), edge))


def with_adapters(backbone: B, name: str) -> B:
    """The backbone with trainable low-rank adapters beside every linear layer, and nothing else that learns.

    Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022.
    """
    need(name, "peft", EXTRA)
    from peft import LoraConfig, inject_adapter_in_model

    # The attention of PyTorch reads its layers' weights past any adapter.
    hidden = [path for path, part in backbone.named_modules() if isinstance(part, nn.MultiheadAttention)]
    layers = [path for path, part in backbone.named_modules() if isinstance(part, nn.Linear) and not any(path.startswith(f"{h}.") for h in hidden)]
    if not layers:
        raise UserError(f"{name}: the model has no linear layers beside which adapters could be put; use it whole or +frozen")
    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
    inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=layers), backbone)
    return backbone


def _cached(model: Any, name: str) -> Path:
    from huggingface_hub import try_to_load_from_cache

    repository = model.pretrained_cfg.get("hf_hub_id")
    found = [try_to_load_from_cache(repository, file) for file in CACHED_NAMES] if repository else []
    path = next((Path(one) for one in found if isinstance(one, str)), None)
    if path is None:
        raise UserError(f"timm:{name}: its weights are not in the local cache; give timm:{name}@FILE, or a folder as timm saves it (nothing is downloaded)")
    return path


def _load(model: nn.Module, file: Path, source: str) -> None:
    """Weights from a file, in which a classifier that is not used may be left over, and nothing may lack."""
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(file)
    else:
        state = torch.load(file, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
    result = model.load_state_dict(state, strict=False)
    if result.missing_keys:
        raise UserError(f"timm:{source}: the file lacks {len(result.missing_keys)} of the model's weights ({result.missing_keys[0]}): it is another model's")
