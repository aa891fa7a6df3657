"""What a network is made of: sizes and which encoder reads which modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from core.errors import UserError

Kind = Literal["image", "volume", "text", "tabular", "vector"]

FROZEN_SUFFIX = "+frozen"
LORA_SUFFIX = "+lora"
OWN_CLASS = "class"
"""Name under which a user's own encoder is chosen: `class:module:Class`."""


@dataclass(frozen=True)
class ModalityShape:
    """Shape of one sample of a modality, without the batch dimension.

    image (C, H, W); volume (S, H, W); text (L,), with `vocabulary` token ids;
    tabular (F,); vector (F,): features from a frozen encoder.
    """

    kind: Kind
    size: tuple[int, ...]
    vocabulary: int = 0


@dataclass(frozen=True)
class EncoderChoice:
    """One encoder by name, parsed from text such as `small` or `hf:FOLDER+frozen`.

    Names: `small` (trained from scratch), `efficientnet-lite0` (images and volumes) and
    `minilm` (text) from the `pretrained` extra, `hf:NAME_OR_FOLDER` (any local Hugging
    Face folder or cached name), `hf-random` (ViT-B/16 or BERT-base shapes with random
    weights, to measure cost), `timm:NAME`, `timm:NAME@FILE` or `timm:FOLDER`,
    `open-clip:NAME@FILE` or `open-clip:FOLDER`, and `class:module:Class` (a user's own).
    `+frozen` keeps all weights as they are, `+lora` all but low-rank adapters.
    """

    name: str
    source: str | None = None
    frozen: bool = False
    lora: bool = False

    @classmethod
    def parse(cls, text: str) -> EncoderChoice:
        frozen, lora = text.endswith(FROZEN_SUFFIX), text.endswith(LORA_SUFFIX)
        name, _, source = text.removesuffix(FROZEN_SUFFIX).removesuffix(LORA_SUFFIX).partition(":")
        if name not in ENCODER_NAMES:
            raise UserError(f"no encoder is named {name!r}; known: {', '.join(ENCODER_NAMES)} (hf:FOLDER; add {FROZEN_SUFFIX} to keep the weights fixed)")
        if (name in SOURCES) != bool(source):
            how = SOURCES.get(name, "nothing")
            raise UserError(f"encoder {text!r}: {name} is followed by {how}" + (f", as in {name}:{how}" if name in SOURCES else ""))
        if frozen and name == "small":
            raise UserError("the small encoders have no pretrained weights: 'small+frozen' would never learn")
        if lora and name not in ADAPTABLE:
            raise UserError(f"{LORA_SUFFIX} adapts pretrained linear layers: it goes with {', '.join(ADAPTABLE)}, not with {name}")
        if name == OWN_CLASS and not all(part.isidentifier() for part in str(source).replace(":", ".").split(".")):
            raise UserError(f"encoder {text!r}: write {SOURCES[OWN_CLASS]} with the names that an import would have")
        return cls(name, source or None, frozen, lora)

    def __str__(self) -> str:
        suffix = FROZEN_SUFFIX if self.frozen else LORA_SUFFIX if self.lora else ""
        return self.name + (f":{self.source}" if self.source else "") + suffix


ENCODER_NAMES = ("small", "efficientnet-lite0", "minilm", "hf", "hf-random", "timm", "open-clip", OWN_CLASS)
SOURCES = {"hf": "NAME_OR_FOLDER", "timm": "NAME, NAME@FILE or FOLDER", "open-clip": "NAME@FILE or FOLDER", OWN_CLASS: "module:Class"}
"""What stands behind the colon, for the encoders that need it."""
ADAPTABLE = ("hf", "hf-random", "timm", "open-clip")


@dataclass(frozen=True)
class NetworkSpec:
    """Sizes of the network that every method trains."""

    width: int = 64
    """D: common width of modality features and of the fused representation."""
    heads: int = 4
    layers: int = 1
    """Transformer layers of the fusion."""
    dropout: float = 0.1
    image_size: int = 64
    """Images and slices are read at this height and width; by small encoders never larger than they are stored."""
    encoders: Mapping[str, str] = field(default_factory=dict)
    """Encoder text by modality name or, failing that, by kind; `small` where neither is named."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise UserError(f"network width {self.width} must be a multiple of its {self.heads} heads")

    def encoder(self, modality: str, kind: str) -> EncoderChoice:
        """The encoder that reads `modality`."""
        return EncoderChoice.parse(self.encoders.get(modality, self.encoders.get(kind, "small")))

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "encoders": dict(sorted(self.encoders.items()))}
