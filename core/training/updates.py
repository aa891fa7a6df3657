"""What the optimizer did to each encoder: scaling its update, and measuring it."""

from __future__ import annotations

import torch
from torch import Tensor

from core.models.network import Network


class EncoderUpdates:
    """Copies, scales and measures the parameter update of each modality's encoder."""

    def __init__(self, network: Network) -> None:
        self._parameters = [network.encoder_parameters(m) for m in range(len(network.modalities))]
        self._nothing = torch.zeros(0, device=network.missing.device)

    @torch.no_grad()
    def copy(self) -> list[Tensor]:
        """The parameters of each encoder as one flat vector, to be taken before the optimizer's step."""
        return [torch.cat([p.reshape(-1) for p in encoder]) if encoder else self._nothing for encoder in self._parameters]

    @torch.no_grad()
    def scale(self, before: list[Tensor], factors: Tensor) -> None:
        """theta_m <- before + factor_m (theta_m - before): what AdamW cannot divide out."""
        for m, (encoder, old) in enumerate(zip(self._parameters, before, strict=True)):
            for parameter, value in zip(encoder, old.split([p.numel() for p in encoder]), strict=True):
                # lerp, because a factor of 1 must leave the update exactly as it was.
                parameter.copy_(torch.lerp(value.view_as(parameter), parameter, factors[m].to(value.dtype)))

    @torch.no_grad()
    def relative(self, before: list[Tensor]) -> Tensor:
        """(M,) |theta_m - before_m| / |before_m|; NaN for an encoder without trainable parameters."""
        # Of nothing both norms are 0, and 0 / 0 is NaN.
        return torch.stack([(now - old).norm() / old.norm() for now, old in zip(self.copy(), before, strict=True)])
