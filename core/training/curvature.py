"""How sharply the loss bends along each encoder's own gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.models.batch import Batch, cross_entropy
from core.models.network import Network
from core.training.data import Data
from core.training.evaluate import Evaluator
from core.training.questions import Question, Work, answered
from core.training.rows import Row, row

STEP = 1e-4
"""Length of the step to either side over the length of the weights: single precision sees no shorter one well."""


class Curvature:
    """u^T H u of the fused loss on a fixed probe batch, with u the direction of its gradient in an encoder's last block.

    Taken as a central difference of gradients, (g(theta + e u) - g(theta - e u))^T u / 2 e, in evaluation mode: two
    more passes per encoder and epoch. Gradients, weights and random numbers are left as they were.
    """

    def __init__(self, network: Network, data: Data, rows: Tensor) -> None:
        self._network = network
        self._batch = data.batch(rows)

    def rows(self, evaluator: Evaluator) -> list[Row]:
        """What `measured` gives, by this evaluator alone."""
        return answered(self.measured(), evaluator)

    def measured(self) -> Work[list[Row]]:
        """`effect.curvature` of each modality; null for an encoder in which nothing learns or that the loss does not reach."""
        rows = []
        for m, modality in enumerate(self._network.modalities):
            value = yield from self._of(m)
            rows.append(row("effect.curvature", value, modality=modality, n=len(self._batch)))
        return rows

    def _of(self, m: int) -> Work[float | None]:
        block = self._network.last_block_parameters(m)
        gradient = (yield BlockGradient(self._batch, m)) if block else None
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
            ends.append((yield BlockGradient(self._batch, m)))
        with torch.no_grad():
            for p, old in zip(block, kept, strict=True):
                p.copy_(old)
        assert ends[0] is not None and ends[1] is not None
        return float((ends[0] - ends[1]) @ direction / (2 * step))


@dataclass(frozen=True, eq=False)
class BlockGradient(Question):
    """Gradient (P,) of the mean fused loss of `batch` in the last block of encoder m, in evaluation mode; None where it does not reach it."""

    batch: Batch
    m: int

    @property
    def shape(self) -> tuple[Any, ...]:
        return self.m, len(self.batch)

    def alone(self, evaluator: Evaluator) -> Tensor | None:
        """By this evaluator's network and method."""
        network, method, batch = evaluator.network, evaluator.method, self.batch
        training = network.training
        network.eval()
        with torch.enable_grad():
            features = method.transform(network.encode(batch.inputs, batch.present), batch, training=False)
            loss = cross_entropy(method.fused(network, features, batch.present, batch.group).logits.float(), batch.y).mean()
            block = network.last_block_parameters(self.m)
            found = torch.autograd.grad(loss, block, allow_unused=True) if loss.requires_grad else ()
        network.train(training)
        if all(g is None for g in found):
            return None
        return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(block, found, strict=True)])
