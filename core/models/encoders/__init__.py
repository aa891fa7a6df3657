"""Encoders: one modality's input to features of the network's common width."""

from __future__ import annotations

from core.errors import UserError
from core.models.encoders.base import Backbone, Encoder
from core.models.encoders.image import SmallImage
from core.models.encoders.libraries import open_clip_image, timm_image, with_adapters
from core.models.encoders.own import own_encoder
from core.models.encoders.pretrained import efficientnet_lite0, hf_image, hf_text, minilm
from core.models.encoders.tabular import SmallTabular
from core.models.encoders.text import SmallText
from core.models.encoders.vector import Vector
from core.models.encoders.volume import Volume
from core.models.spec import OWN_CLASS, EncoderChoice, ModalityShape, NetworkSpec

__all__ = ["Backbone", "Encoder", "build_backbone", "build_encoder"]


def build_encoder(spec: NetworkSpec, name: str, shape: ModalityShape) -> Encoder:
    """The encoder of modality `name`: a backbone and its projection to the common width."""
    return Encoder(build_backbone(spec, name, shape), spec.width, spec.dropout)


def build_backbone(spec: NetworkSpec, name: str, shape: ModalityShape) -> Backbone:
    """The backbone that `spec` chooses; UserError when it cannot read this kind of input."""
    if shape.kind == "vector":
        return Vector(shape.size[0])
    choice = spec.encoder(name, shape.kind)
    if choice.name == OWN_CLASS:
        assert choice.source is not None
        return own_encoder(choice.source, shape, name)
    if shape.kind == "tabular":
        return SmallTabular(shape.size[0], spec.width)
    if shape.kind == "text":
        return _text(choice, name, shape, spec)
    if shape.kind == "image":
        return _image(choice, name, shape.size[0])
    return Volume(_image(choice, name, 1), shape.size[0], spec.width, spec.dropout)


def _image(choice: EncoderChoice, name: str, channels: int) -> Backbone:
    if choice.name == "small":
        return SmallImage(channels)
    if choice.name == "efficientnet-lite0":
        return efficientnet_lite0()
    if choice.name in ("hf", "hf-random"):
        return _adapted(choice, hf_image(choice.source))
    if choice.name == "timm" and choice.source is not None:
        return _adapted(choice, timm_image(choice.source))
    if choice.name == "open-clip" and choice.source is not None:
        return _adapted(choice, open_clip_image(choice.source))
    raise UserError(f"encoder {choice} cannot read images (modality {name!r})")


def _text(choice: EncoderChoice, name: str, shape: ModalityShape, spec: NetworkSpec) -> Backbone:
    if choice.name == "small":
        return SmallText(shape.vocabulary, shape.size[0], spec.width)
    if choice.name == "minilm":
        return minilm()
    if choice.name in ("hf", "hf-random"):
        return _adapted(choice, hf_text(choice.source))
    raise UserError(f"encoder {choice} cannot read text (modality {name!r})")


def _adapted(choice: EncoderChoice, backbone: Backbone) -> Backbone:
    return with_adapters(backbone, str(choice)) if choice.lora else backbone
