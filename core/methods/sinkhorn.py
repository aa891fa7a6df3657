"""Sinkhorn alignment: each group's scores should be distributed like everybody's.

All groups are one array operation and nothing is read on the host, so that a GPU need not wait. geomloss, the tests'
oracle, reads the samples' diameter on the host at every call; POT is 174 MiB. The 20 iterations used here leave distant
groups up to a quarter below the converged value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import group_membership
from core.methods.base import Method, SearchSpace, Step, register
from core.methods.card import Card


def transport_cost(cost: Tensor, a: Tensor, b: Tensor, epsilon: float, iterations: int) -> Tensor:
    """(B,) entropic optimal-transport costs between weighted samples, all B of them at once.

    cost : (n, m) between the samples. a : (B, n) and b : (B, m) weights that sum to 1; 0 leaves a sample out.
    Cuturi (NeurIPS 2013) in the log domain. Only the last half step is differentiated, with the other
    potential fixed: the gradient with respect to the cost is then the transport plan of these potentials
    (the envelope theorem), as it is in geomloss, and no iteration has to be unrolled.
    """
    log_a, log_b = a.log(), b.log()
    with torch.no_grad():
        f, g = a, torch.zeros_like(b)
        for iteration in range(iterations):
            f = -epsilon * torch.logsumexp((g[:, None] - cost) / epsilon + log_b[:, None], 2)
            if iteration < iterations - 1:
                g = -epsilon * torch.logsumexp((f[:, :, None] - cost) / epsilon + log_a[:, :, None], 1)
    g = -epsilon * torch.logsumexp((f[:, :, None] - cost) / epsilon + log_a[:, :, None], 1)
    return (a * f).sum(1) + (b * g).sum(1)


def sinkhorn_divergences(scores: Tensor, a: Tensor, b: Tensor, epsilon: float = 0.05, iterations: int = 20) -> Tensor:
    """(B,) debiased costs OT(a, b) - OT(a, a)/2 - OT(b, b)/2 (Feydy et al., AISTATS 2019): 0 for equal weights.

    scores : (n, K), squared Euclidean cost. a : (1, n), b : (B, n) weights of the samples, each row summing to 1.
    """
    cost = (scores[:, None] - scores[None]).square().sum(2)
    own = transport_cost(cost, a, a, epsilon, iterations) + transport_cost(cost, b, b, epsilon, iterations)
    return transport_cost(cost, a.expand_as(b), b, epsilon, iterations) - own / 2


FEWEST = 2


@register
class Sinkhorn(Method):
    """L = CE(z) + weight * mean over groups of SinkhornDivergence(scores of all, scores of the group).

    A sample's score is its logit margin (K = 2) or its centred logits (K > 2), divided by
    the batch's spread so that `epsilon` has one meaning; groups with fewer than FEWEST samples
    in the batch are skipped.
    """

    name = "sinkhorn"
    card = Card(
        title="Sinkhorn alignment",
        family="fairness",
        paper="Luo et al., FairCLIP: Harnessing Fairness in Vision-Language Learning, CVPR 2024 (its distance, on the fused logit)",
        summary="Pulls the distribution of the scores in each group towards that of everybody.",
        limits="equal score distributions are wrong where groups differ in prevalence",
        order=190,
        colour=("#B04A3A", "#EE8A7A"),
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
        member = group_membership(step.batch.group, len(self.context.groups)).T.to(scores.dtype)
        everybody = torch.full_like(member[:1], 1 / len(scores))
        count = member.sum(1, keepdim=True)
        seen = count >= FEWEST
        # A group that is not compared stands as everybody: at distance 0, and without a logarithm of nothing.
        weights = torch.where(seen, member / count.clamp_min(1), everybody)
        found = sinkhorn_divergences(scores, everybody, weights, self.settings.epsilon, self.settings.iterations)
        distance = torch.where(seen[:, 0], found, 0.0).sum() / seen.sum().clamp_min(1)
        self._distance = distance.detach()
        return loss + self.settings.weight * distance

    def series(self) -> dict[str, Tensor]:
        return {"distance": self._distance}
