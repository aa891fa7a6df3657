"""Sinkhorn alignment: each group's scores should be distributed like everybody's.

geomloss, the tests' oracle, takes a third of the time but reads the samples' diameter on the host at every call, which
makes a GPU wait; POT is 174 MiB. The 20 iterations used here leave distant groups up to a quarter below the converged value.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.base import Card, Method, SearchSpace, Step, register


def transport_cost(x: Tensor, y: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Entropic optimal-transport cost between uniform samples x (n, K) and y (m, K), squared Euclidean.

    Cuturi (NeurIPS 2013) in the log domain; the dual value, whose gradient needs no
    unrolled iterations but is right with them as well.
    """
    cost = torch.cdist(x, y).square() if x.shape[1] > 1 else (x - y.T).square()
    log_a, log_b = -log(len(x)), -log(len(y))
    f, g = x.new_zeros(len(x)), x.new_zeros(len(y))
    for _ in range(iterations):
        f = -epsilon * torch.logsumexp((g - cost) / epsilon + log_b, 1)
        g = -epsilon * torch.logsumexp((f[:, None] - cost) / epsilon + log_a, 0)
    return f.mean() + g.mean()


def sinkhorn_divergence(x: Tensor, y: Tensor, epsilon: float = 0.05, iterations: int = 20) -> Tensor:
    """Debiased cost OT(x, y) - OT(x, x)/2 - OT(y, y)/2: 0 for equal samples (Feydy et al., AISTATS 2019)."""
    own = transport_cost(x, x, epsilon, iterations) + transport_cost(y, y, epsilon, iterations)
    return transport_cost(x, y, epsilon, iterations) - own / 2


@register
class Sinkhorn(Method):
    """L = CE(z) + weight * mean over groups of SinkhornDivergence(scores of all, scores of the group).

    A sample's score is its logit margin (K = 2) or its centred logits (K > 2), divided by
    the batch's spread so that `epsilon` has one meaning; groups with fewer than two samples
    in the batch are skipped.
    """

    name = "sinkhorn"
    card = Card(
        title="Sinkhorn alignment",
        family="fairness",
        paper="Luo et al., FairCLIP: Harnessing Fairness in Vision-Language Learning, CVPR 2024 (its distance, on the fused logit)",
        summary="Pulls the distribution of the scores in each group towards that of everybody.",
        limits="equal score distributions are wrong where groups differ in prevalence",
    )
    search_space: ClassVar[SearchSpace] = {"weight": (0.01, 0.1, 0.3, 1.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        weight: float = 0.1
        epsilon: float = 0.05
        iterations: int = 20

    def loss(self, step: Step) -> Tensor:
        loss = step.fused_loss()
        logits = step.fused.logits
        if logits.shape[1] == 2:
            scores = logits[:, 1:] - logits[:, :1]
        else:
            scores = logits - logits.mean(1, keepdim=True)
        scores = scores / scores.detach().std(correction=0).clamp_min(1e-6)
        distances = []
        for g in range(len(self.context.groups)):
            own = scores[step.batch.group == g]
            if len(own) >= 2:
                distances.append(sinkhorn_divergence(scores, own, self.settings.epsilon, self.settings.iterations))
        distance = torch.stack(distances).mean() if distances else torch.zeros_like(loss)
        self._distance = distance.detach()
        return loss + self.settings.weight * distance

    def series(self) -> dict[str, Tensor]:
        return {"distance": self._distance}
