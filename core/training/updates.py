"""What the optimizer did to each encoder: scaling its update, and measuring it."""

from __future__ import annotations

import torch
from torch import Tensor

from core.models.network import Network


class EncoderUpdates:
    """Copies, scales and measures the parameter update of each modality's encoder."""

    def __init__(self, network: Network) -> None:
        self._parameters = [network.encoder_parameters(m) for m in range(len(network.modalities))]
        self._device = network.missing.device

    def copy(self) -> list[list[Tensor]]:
        """The encoders' parameters before the optimizer's step."""
        return [[p.detach().clone() for p in encoder] for encoder in self._parameters]

    @torch.no_grad()
    def scale(self, before: list[list[Tensor]], factors: Tensor) -> None:
        """theta_m <- before + factor_m (theta_m - before): what AdamW cannot divide out."""
        for m, (encoder, old) in enumerate(zip(self._parameters, before, strict=True)):
            for parameter, value in zip(encoder, old, strict=True):
                # lerp, because a factor of 1 must leave the update exactly as it was.
                parameter.copy_(torch.lerp(value, parameter, factors[m].to(value.dtype)))

    @torch.no_grad()
    def relative(self, before: list[list[Tensor]]) -> Tensor:
        """(M,) |theta_m - before_m| / |before_m|; NaN for an encoder without trainable parameters."""
        ratios = []
        for encoder, old in zip(self._parameters, before, strict=True):
            if not encoder:
                ratios.append(torch.full((), torch.nan, device=self._device))
                continue
            change = torch._foreach_sub([p.detach() for p in encoder], old)
            ratios.append(_norm(change) / _norm(old))
        return torch.stack(ratios)


def _norm(tensors: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    return torch.stack(torch._foreach_norm(tensors)).norm()
