"""FIN: normalise the fused features with statistics learned for each group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from core.methods.base import Card, Context, Method, SearchSpace, register
from core.models.batch import Fused

if TYPE_CHECKING:
    from core.models.network import Network

_ONE = 0.5413248546129181
"""softplus of it is 1: the normalisation starts as the identity."""


class GroupNormaliser(nn.Module):
    """x -> (1 - momentum) x + momentum (x - mu_g) / sigma_g with learned mu, sigma of shape (C, D)."""

    def __init__(self, n_groups: int, width: int, momentum: float) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(n_groups, width))
        self.raw_scale = nn.Parameter(torch.full((n_groups, width), _ONE))
        self.momentum = momentum

    def forward(self, x: Tensor, group: Tensor) -> Tensor:
        """`x` (N, D), `group` (N,); a sample of unknown group is left as it is."""
        index = group.clamp_min(0)
        normal = (x - self.mean[index]) / softplus(self.raw_scale)[index].clamp_min(1e-3)
        blended = (1 - self.momentum) * x + self.momentum * normal
        return torch.where((group >= 0)[:, None], blended, x)


@register
class FIN(Method):
    """The last layer reads group-normalised features; everything else is plain training."""

    name = "fin"
    card = Card(
        title="Fair identity normalization",
        family="fairness",
        paper="Luo et al., Harvard Glaucoma Fairness: A Retinal Nerve Disease Dataset for Fairness Learning and Fair Identity Normalization, IEEE TMI 2024",
        summary="Shifts and scales the fused features with statistics learned for each group.",
        inference_needs="the modalities and the sensitive attribute",
        limits="cannot be used where the attribute is not recorded or must not be used; patients of unknown group are not normalised",
    )
    search_space: ClassVar[SearchSpace] = {"momentum": (0.1, 0.3, 0.7)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        momentum: float = 0.3
        """Share of the normalised features; 0 is plain training."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        self._normaliser = GroupNormaliser(max(len(context.groups), 1), context.feature_dim, self.settings.momentum).to(context.device)

    def extra_modules(self) -> nn.Module | None:
        return self._normaliser

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        plain = network.fuse(features, present)
        if plain.last_input is None:
            raise ValueError("fin needs a fused network with a linear last layer")
        normal = self._normaliser(plain.last_input, group)
        return Fused(network.fusion.head(normal), normal)

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """The learned statistics are saved with the network's weights: nothing else to restore."""
