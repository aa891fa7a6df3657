"""OGM-GE: slow the leading modality's gradient and add noise of the gradient's own size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import noise_generator, over_smallest_other, true_class_confidence
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card


@register
class OGMGE(Method):
    """g <- k_m g + N(0, std(g)^2) with k_m = 1 - tanh(alpha rho_m) where rho_m > 1, else 1.

    rho_m is the modality's share of true-class confidence over that of the weakest other
    modality, which is the paper's ratio for M = 2. The official program touches only 4-D
    tensors (convolutions); here every parameter of the encoder is modulated.

    `confidence` = probes reads it from the modality classifiers on detached features; `fused` from the
    fused network with the other modalities taken away, which is what the paper's split of a linear
    fusion layer is for that layer.
    """

    name = "ogm-ge"
    card = Card(
        title="OGM-GE",
        family="balance",
        paper="Peng et al., Balanced Multimodal Learning via On-the-fly Gradient Modulation, CVPR 2022",
        summary="Shrinks the gradient of the encoder whose modality is ahead and adds noise that helps generalisation.",
        limits="AdamW divides out a persistent scaling of gradients, so the modulation is weaker than with optimizer=sgd; knows nothing of the "
        "sensitive attribute",
        departures="a Transformer fusion has no part per modality to read a confidence from: it comes from probes, or with confidence=fused from the "
        "fused network "
        "with one modality kept; modulates all tensors of an encoder, not convolutions alone",
        order=70,
        colour=("#117733", "#4FBF7A"),
    )
    search_space: ClassVar[SearchSpace] = {"alpha": (0.1, 0.3, 0.8), "noise": (True, False)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        alpha: float = 0.3
        confidence: str = "probes"
        """`probes` or `fused` (M more fusion passes a step)."""
        noise: bool = True
        """Generalisation enhancement: Gaussian noise with each tensor's gradient standard deviation."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        if self.settings.confidence not in ("probes", "fused"):
            raise ValueError(f"ogm-ge: confidence is 'probes' or 'fused', not {self.settings.confidence!r}")
        self._alone = torch.eye(len(context.modalities), dtype=torch.bool, device=context.device)

    @torch.no_grad()
    def modality_logits(self, step: Step) -> Tensor:
        """(N, M, K) from which the confidences are read."""
        if self.settings.confidence == "probes":
            return step.modality_logits.detach()
        features, batch = step.features.detach(), step.batch
        return torch.stack([self.fused(step.network, features, batch.present & kept, batch.group).logits.float() for kept in self._alone], 1)

    def coefficients(self, step: Step) -> Tensor:
        """k, shape (M,)."""
        confidence = true_class_confidence(self.modality_logits(step), step.batch.y, step.batch.present)
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
