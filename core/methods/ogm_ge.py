"""OGM-GE: slow the leading modality's gradient and add noise of the gradient's own size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import noise_generator, over_smallest_other, true_class_confidence
from core.methods.base import Card, Method, SearchSpace, Step, register


@register
class OGMGE(Method):
    """g <- k_m g + N(0, std(g)^2) with k_m = 1 - tanh(alpha rho_m) where rho_m > 1, else 1.

    rho_m is the modality's share of true-class confidence over that of the weakest other
    modality, which is the paper's ratio for M = 2. The official program touches only 4-D
    tensors (convolutions); here every parameter of the encoder is modulated.
    """

    name = "ogm-ge"
    card = Card(
        title="OGM-GE",
        family="balance",
        paper="Peng et al., Balanced Multimodal Learning via On-the-fly Gradient Modulation, CVPR 2022",
        summary="Shrinks the gradient of the encoder whose modality is ahead and adds noise that helps generalisation.",
        limits="AdamW divides out a persistent scaling of gradients, so the modulation is weaker than with SGD; knows nothing of the sensitive attribute",
    )
    search_space: ClassVar[SearchSpace] = {"alpha": (0.1, 0.3, 0.8), "noise": (True, False)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        alpha: float = 0.3
        noise: bool = True
        """Generalisation enhancement: Gaussian noise with each tensor's gradient standard deviation."""

    def coefficients(self, step: Step) -> Tensor:
        """k, shape (M,)."""
        confidence = true_class_confidence(step.modality_logits.detach(), step.batch.y, step.batch.present)
        ratio = over_smallest_other(confidence)
        return torch.where(ratio > 1, 1 - torch.tanh(self.settings.alpha * ratio), torch.ones_like(ratio))

    def after_backward(self, step: Step) -> None:
        self._coefficient = self.coefficients(step)
        noise = noise_generator(self.context.generator, self.context.device) if self.settings.noise else None
        for m in range(len(self._coefficient)):
            for parameter in step.network.encoder_parameters(m):
                if parameter.grad is None:
                    continue
                gradient = parameter.grad
                spread = gradient.std(correction=0)
                gradient.mul_(self._coefficient[m])
                if noise is not None:
                    gradient.add_(torch.randn(gradient.shape, generator=noise, device=gradient.device, dtype=gradient.dtype) * spread)

    def series(self) -> dict[str, Tensor]:
        return {"factor": self._coefficient}
