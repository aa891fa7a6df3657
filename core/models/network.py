"""The one network that every method trains: an encoder per modality, fusion, modality classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.models.batch import Fused
from core.models.encoders import Encoder, build_encoder
from core.models.fusion import Fusion
from core.models.recompute import in_parts
from core.models.spec import ModalityShape, NetworkSpec


class Network(nn.Module):
    """M encoders into a common width D, Transformer fusion, one linear classifier per modality.

    Encoders are kept in the order of `modalities` (a list, not a dict: modality names are
    users' column names and may hold any character).
    """

    def __init__(self, modalities: Sequence[str], encoders: Sequence[Encoder], fusion: Fusion, width: int, n_classes: int) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.width = width
        self.n_classes = n_classes
        self.encoders = nn.ModuleList(encoders)
        self.fusion = fusion
        self.missing = nn.Parameter(torch.randn(len(self.modalities), width) * 0.02)
        # Small, so that a probe shows what its features say and not what it started with.
        self.classifier_weight = nn.Parameter(torch.randn(len(self.modalities), n_classes, width) * 0.01)
        self.classifier_bias = nn.Parameter(torch.zeros(len(self.modalities), n_classes))
        self.micro_batch: int | None = None
        """Samples whose encoder activations are held at once (core.models.recompute); None: all."""

    @property
    def head_weight(self) -> Tensor:
        """(K, D): W_F, the last linear layer of the fused classifier."""
        return self.fusion.head.weight

    def encode(self, inputs: Mapping[str, Tensor | dict[str, Tensor]], present: Tensor) -> Tensor:
        """Features (N, M, D); a learned token stands where `present` (N, M) is false."""
        run = partial(in_parts, size=self.micro_batch) if self.micro_batch is not None and torch.is_grad_enabled() else _whole
        encoded = [run(encoder, inputs[name]) for name, encoder in zip(self.modalities, self.encoders, strict=True)]
        return self.fill_missing(torch.stack(encoded, dim=1).float(), present)

    def fill_missing(self, features: Tensor, present: Tensor) -> Tensor:
        """`features` (N, M, D) with the learned token where `present` is false."""
        return torch.where(present[..., None], features, self.missing)

    def fuse(self, features: Tensor, present: Tensor) -> Fused:
        """Fused logits from features (N, M, D); the learned token stands where `present` is false."""
        return self.fusion(self.fill_missing(features, present))

    def classify(self, features: Tensor, detach_weights: bool = False) -> Tensor:
        """Modality classifiers' logits (N, M, K) from features (N, M, D).

        With `detach_weights` a loss on them reaches the features only.
        """
        weight: Tensor = self.classifier_weight
        bias: Tensor = self.classifier_bias
        if detach_weights:
            weight, bias = weight.detach(), bias.detach()
        return torch.einsum("nmd,mkd->nmk", features, weight) + bias

    def encoder_parameters(self, m: int) -> list[nn.Parameter]:
        """Trainable parameters of modality m's encoder, projection included."""
        return [p for p in self.encoders[m].parameters() if p.requires_grad]

    def last_block_parameters(self, m: int) -> list[nn.Parameter]:
        """Trainable parameters of the last block of modality m's encoder."""
        encoder = self.encoders[m]
        assert isinstance(encoder, Encoder)
        return [p for p in encoder.last_block.parameters() if p.requires_grad]

    def classifier_parameters(self) -> list[nn.Parameter]:
        """Parameters of the modality classifiers: they have an optimizer of their own."""
        return [self.classifier_weight, self.classifier_bias]

    def main_parameters(self) -> list[nn.Parameter]:
        """All trainable parameters but the modality classifiers'."""
        own = {id(p) for p in self.classifier_parameters()}
        return [p for p in self.parameters() if p.requires_grad and id(p) not in own]


def _whole(encoder: nn.Module, inputs: Tensor | dict[str, Tensor]) -> Tensor:
    found: Tensor = encoder(inputs)
    return found


def build(spec: NetworkSpec, shapes: Mapping[str, ModalityShape], n_classes: int) -> Network:
    """The network for modalities of these shapes, initialised from torch's global generator.

    Raises UserError when there is no modality, or an encoder cannot read its modality.
    """
    if not shapes:
        raise UserError("a network needs at least one modality")
    encoders = [build_encoder(spec, name, shape) for name, shape in shapes.items()]
    fusion = Fusion(len(encoders), spec.width, spec.heads, spec.layers, spec.dropout, n_classes)
    return Network(tuple(shapes), encoders, fusion, spec.width, n_classes)
