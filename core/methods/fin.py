"""FIN: normalise the fused features with statistics learned for each group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from core.methods.base import Context, Method, SearchSpace, register
from core.methods.card import Card
from core.models.batch import Fused

if TYPE_CHECKING:
    from core.models.network import Network

_ONE = 0.5413248546129181
"""softplus of it is 1."""
SPREAD = 0.001
"""Standard deviation of the learned means before training, as in the official program."""
SCALE_SPREAD = 0.1


class GroupNormaliser(nn.Module):
    """x -> momentum x + (1 - momentum) (x - mu_g) / sigma_g with learned mu and sigma = softplus(s), both (C, D)."""

    def __init__(self, n_groups: int, width: int, momentum: float, start: str, generator: torch.Generator) -> None:
        super().__init__()
        if start == "published":
            mean = SPREAD * torch.randn(n_groups, width, generator=generator)
            raw = SCALE_SPREAD * torch.randn(n_groups, width, generator=generator)
        else:
            mean, raw = torch.zeros(n_groups, width), torch.full((n_groups, width), _ONE)
        self.mean = nn.Parameter(mean)
        self.raw_scale = nn.Parameter(raw)
        self.momentum = momentum

    def forward(self, x: Tensor, group: Tensor) -> Tensor:
        """`x` (N, D), `group` (N,); a sample of unknown group is left as it is."""
        index = group.clamp_min(0)
        normal = (x - self.mean[index]) / softplus(self.raw_scale)[index].clamp_min(1e-3)
        blended = self.momentum * x + (1 - self.momentum) * normal
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
        departures="starts as the identity, so that groups are not told apart before there is a reason; start=published draws the official program's "
        "random start",
        order=170,
        colour=("#6F4E37", "#BE9577"),
    )
    uses_group = True
    search_space: ClassVar[SearchSpace] = {"momentum": (0.1, 0.3, 0.7)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        momentum: float = 0.3
        """Share of the features that is left as it was; 1 is plain training."""
        start: str = "identity"
        """`identity`: mean 0 and scale 1; `published`: the official program's random start."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        if self.settings.start not in ("identity", "published"):
            raise ValueError(f"fin: start is 'identity' or 'published', not {self.settings.start!r}")
        count, width = max(len(context.groups), 1), context.feature_dim
        self._normaliser = GroupNormaliser(count, width, self.settings.momentum, self.settings.start, context.generator).to(context.device)

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
