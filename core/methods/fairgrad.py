"""FairGrad: the groups' gradients are joined so that every group gains, the one that gains least the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from core.methods.arithmetic import give_gradients, take_gradients
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import cross_entropy

ITERATIONS = 40
"""Newton steps; the weights are exact to rounding after about ten."""


@torch.no_grad()
def fair_weights(gramian: Tensor, alpha: float) -> Tensor:
    """Weights w > 0 with G w = w^(-1/alpha), shape (T,), for the inner products G (T, T) of T gradients.

    They minimise w^T G w / 2 - sum_t psi(w_t) with psi'(w) = w^(-1/alpha), which is convex for alpha >= 1: damped
    Newton steps, without a look at the numbers, so that no device is waited for. TorchJD, the tests' oracle,
    solves the same on the host with scipy.
    Source: Ban and Ji, Fair Resource Allocation in Multi-Task Learning, ICML 2024, equation 4.
    """
    size = gramian.diagonal().mean().clamp_min(torch.finfo(torch.float32).tiny).double()
    scaled = gramian.double() / size + 1e-6 * torch.eye(len(gramian), dtype=torch.float64, device=gramian.device)
    w = scaled.diagonal().clamp_min(1e-6) ** (-alpha / (1 + alpha))
    for _ in range(ITERATIONS):
        slope = scaled @ w - w ** (-1 / alpha)
        curve = scaled + torch.diag(w ** (-1 / alpha - 1) / alpha)
        step = -torch.linalg.solve(curve, slope)
        decrement = -(slope * step).sum()
        # A full step where Newton is near its end, a damped one before, and never past nine tenths of the way to 0.
        damped = torch.where(decrement > 0.06, 1 / (1 + decrement.clamp_min(0).sqrt()), torch.ones_like(decrement))
        room = torch.where(step < 0, -0.9 * w / step.clamp_max(-1e-300), torch.ones_like(w)).amin()
        w = w + torch.minimum(damped, room) * step
    return (w * size ** (-alpha / (1 + alpha))).to(gramian.dtype)


@register
class FairGrad(Method):
    """Gradient = sum_g w_g grad L_g with G w = w^(-1/alpha), G the inner products of the groups' gradients, w summing to 1.

    L_g is the mean cross-entropy of group g in the batch; patients of unknown group are one more task. A group that
    is not in the batch takes no part.
    """

    name = "fairgrad"
    card = Card(
        title="FairGrad",
        family="fairness",
        paper="Ban and Ji, Fair Resource Allocation in Multi-Task Learning, ICML 2024",
        summary="Joins the groups' gradients into one direction in which every group gains, the one that would gain least the most.",
        limits="one backward pass for each group in every step",
        departures="the tasks are the groups of the sensitive attribute; weights sum to 1, so that a step is as long as plain training's (under "
        "AdamW this changes nothing)",
        order=148,
        colour=("#4C7A34", "#97C47C"),
    )
    search_space: ClassVar[SearchSpace] = {"alpha": (1.0, 2.0, 10.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        alpha: float = 1.0
        """1: proportional fairness; larger: nearer to serving the worst group alone."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        if self.settings.alpha < 1:
            raise ValueError(f"fairgrad: alpha is at least 1, not {self.settings.alpha}")
        self._tasks = len(context.groups) + 1
        self._weights = torch.full((self._tasks,), 1 / self._tasks, device=context.device)
        self._shared: list[nn.Parameter] | None = None

    def loss(self, step: Step) -> Tensor:
        losses = cross_entropy(step.fused.logits, step.batch.y)
        # Unknown groups are -1: the last task.
        member = torch.nn.functional.one_hot(step.batch.group % self._tasks, self._tasks).to(losses.dtype)
        count = member.sum(0)
        step.cache["fairgrad"] = (losses @ member / count.clamp_min(1), count > 0)
        return losses.mean()

    def backward(self, step: Step, loss: Tensor) -> None:
        losses, seen = step.cache.pop("fairgrad")
        if self._shared is None:
            self._shared = step.network.main_parameters()
        gradients = torch.stack([self._gradient(task, self._shared, last=t == self._tasks - 1) for t, task in enumerate(losses)])
        gramian = gradients @ gradients.T
        # An absent task stands alone with a gradient of length 1, and its weight is dropped.
        alone = torch.where(seen[:, None] & seen[None], gramian, torch.diag((~seen).to(gramian.dtype)))
        weights = fair_weights(alone, self.settings.alpha) * seen
        self._weights = weights / weights.sum()
        give_gradients(self._shared, self._weights @ gradients)

    @staticmethod
    def _gradient(task: Tensor, parameters: Sequence[nn.Parameter], last: bool) -> Tensor:
        task.backward(retain_graph=not last)  # type: ignore[no-untyped-call]
        return take_gradients(parameters)

    def series(self) -> dict[str, Tensor]:
        return {"weight_by_group": self._weights[:-1]}
