"""DFR: the last layer is fitted again, on held-out patients that count the same in every group and label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from core.methods.base import Context, Evaluated, Method, SearchSpace, register
from core.methods.card import Card
from core.models.batch import Fused, cross_entropy

if TYPE_CHECKING:
    from core.models.network import Network


@register
class DFR(Method):
    """Plain training; then W and b minimise sum_i w_i CE(W x_i + b, y_i) + ridge |W|^2 / 2 over held-out patients.

    x is the last layer's input, standardised over those patients, and w_i makes every cell of group
    and label count the same. In training the network's own last layer is used.
    """

    name = "dfr"
    card = Card(
        title="DFR (last-layer retraining)",
        family="fairness",
        paper="Kirichenko, Izmailov and Wilson, Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations, ICLR 2023",
        summary="Trains plainly and then fits the last layer again on held-out patients, with groups and labels balanced.",
        limits="fits on validation unless fit_on=training, so its validation figures are optimistic",
        departures="weights in the place of the mean over ten balanced subsamples; an L2 penalty instead of L1; fitted after every epoch so that the "
        "kept epoch has its own fit",
        order=155,
        colour=("#1F7A5C", "#5CC9A4"),
    )
    fits_held_out = True
    folds_agree = False
    search_space: ClassVar[SearchSpace] = {"ridge": (1.0, 10.0, 100.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        ridge: float = 10.0
        """Penalty on the weights, in patients' worth of loss."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        self._weight = torch.zeros(context.n_classes, context.feature_dim, device=context.device)
        self._bias = torch.zeros(context.n_classes, device=context.device)
        self._fitted = False

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        plain = network.fuse(features, present)
        if network.training or not self._fitted or plain.last_input is None:
            return plain
        return Fused(plain.last_input @ self._weight.T.to(plain.last_input.dtype) + self._bias.to(plain.last_input.dtype), plain.last_input)

    def fit(self, held_out: Evaluated) -> None:
        if held_out.fused.last_input is None:
            raise ValueError("dfr needs a fused network with a linear last layer")
        weight = cell_balanced(held_out.y, held_out.group, self.context.n_classes)
        self._weight, self._bias = retrain(held_out.fused.last_input, held_out.y, weight, self.context.n_classes, self.settings.ridge)
        self._fitted = True

    def state(self) -> dict[str, Tensor]:
        return {"weight": self._weight, "bias": self._bias, "fitted": torch.tensor(self._fitted)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._weight, self._bias = (state[name].to(self.context.device) for name in ("weight", "bias"))
        self._fitted = bool(state["fitted"])


def cell_balanced(y: Tensor, group: Tensor, n_classes: int) -> Tensor:
    """(N,) weights with mean 1 and the same sum in every cell of group and label that occurs; patients of unknown group form cells of their own."""
    _, place, count = torch.unique(group * n_classes + y, return_inverse=True, return_counts=True)
    return (len(y) / (len(count) * count.to(torch.get_default_dtype())))[place]


@torch.enable_grad()
def retrain(inputs: Tensor, y: Tensor, weight: Tensor, n_classes: int, ridge: float) -> tuple[Tensor, Tensor]:
    """Weights (K, D) and bias (K,) of a weighted multinomial regression with an L2 penalty on standardised inputs (N, D); convex."""
    mean, spread = inputs.mean(0), inputs.std(0, correction=0).clamp_min(1e-6)
    x = (inputs - mean) / spread
    coefficient = x.new_zeros((n_classes, x.shape[1]), requires_grad=True)
    bias = x.new_zeros(n_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([coefficient, bias], max_iter=100, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimizer.zero_grad()
        total = (weight * cross_entropy(x @ coefficient.T + bias, y)).sum() + ridge / 2 * coefficient.square().sum()
        total.backward()
        return total

    optimizer.step(objective)  # type: ignore[no-untyped-call]
    scaled = coefficient.detach() / spread
    return scaled, bias.detach() - scaled @ mean
