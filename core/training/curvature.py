"""How sharply the loss bends along each encoder's own gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from core.methods.base import Method
from core.models.batch import cross_entropy
from core.models.network import Network
from core.training.data import Data
from core.training.rows import Row, row

STEP = 1e-4
"""Length of the step to either side over the length of the weights: single precision sees no shorter one well."""


class Curvature:
    """u^T H u of the fused loss on a fixed probe batch, with u the direction of its gradient in an encoder's last block.

    Taken as a central difference of gradients, (g(theta + e u) - g(theta - e u))^T u / 2 e, in evaluation mode: two
    more passes per encoder and epoch. Gradients, weights and random numbers are left as they were.
    """

    def __init__(self, network: Network, method: Method, data: Data, rows: Tensor) -> None:
        self._network, self._method = network, method
        self._batch = data.batch(rows)

    def rows(self) -> list[Row]:
        """`effect.curvature` of each modality; null for an encoder in which nothing learns or that the loss does not reach."""
        training = self._network.training
        self._network.eval()
        rows = [row("effect.curvature", self._of(m), modality=modality, n=len(self._batch)) for m, modality in enumerate(self._network.modalities)]
        self._network.train(training)
        return rows

    def _of(self, m: int) -> float | None:
        block = self._network.last_block_parameters(m)
        gradient = self._gradient(block) if block else None
        if gradient is None or not float(gradient.norm()) > 0:
            return None
        kept = [p.detach().clone() for p in block]
        direction = gradient / gradient.norm()
        step = STEP * max(1e-3, float(torch.cat([p.flatten() for p in kept]).norm()))
        ends = []
        for sign in (1.0, -1.0):
            with torch.no_grad():
                for p, old, part in zip(block, kept, direction.split([p.numel() for p in block]), strict=True):
                    p.copy_(old + sign * step * part.view_as(p))
            ends.append(self._gradient(block))
        with torch.no_grad():
            for p, old in zip(block, kept, strict=True):
                p.copy_(old)
        assert ends[0] is not None and ends[1] is not None
        return float((ends[0] - ends[1]) @ direction / (2 * step))

    def _gradient(self, block: list[torch.nn.Parameter]) -> Tensor | None:
        network, batch = self._network, self._batch
        with torch.enable_grad():
            features = self._method.transform(network.encode(batch.inputs, batch.present), batch, training=False)
            loss = cross_entropy(self._method.fused(network, features, batch.present, batch.group).logits.float(), batch.y).mean()
            if not loss.requires_grad:
                return None
            found = torch.autograd.grad(loss, block, allow_unused=True)
        if all(g is None for g in found):
            return None
        return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(block, found, strict=True)])
