"""Does learning a modality help a group? Gradients in each encoder's last block, now and then.

The only measurement that needs backward passes; it runs on a small probe batch every K
steps, in evaluation mode, and leaves gradients and random numbers as they were.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from core.methods.base import Method
from core.models.batch import cross_entropy
from core.models.network import Network
from core.training.data import Data
from core.training.rows import Row, row

PER_CELL = 4
"""Probe samples per group and class; fewer where there are many groups."""
PROBE_SIZE = 32


def probe_rows(data: Data, seed: int, n_classes: int) -> Tensor:
    """A fixed batch of about 32 training rows, balanced over groups and classes as far as they go."""
    rng = np.random.default_rng(seed)
    rows = data.rows["train"].cpu().numpy()
    group, y = data.group.cpu().numpy()[rows], data.y.cpu().numpy()[rows]
    per_cell = max(1, min(PER_CELL * 4, PROBE_SIZE // (len(data.groups) * n_classes)))
    chosen = []
    for g in range(len(data.groups)):
        for k in range(n_classes):
            cell = rows[(group == g) & (y == k)]
            chosen.append(rng.permutation(cell)[:per_cell])
    return torch.from_numpy(np.sort(np.concatenate(chosen))).to(data.device)


class ConflictProbe:
    """Cosines between gradients of groups and of modalities, collected per epoch.

    Those of L_g (fused loss of a group) and L_m (loss of a modality's classifier) in encoder m's last block.
    """

    def __init__(self, network: Network, method: Method, data: Data, rows: Tensor) -> None:
        self._network = network
        self._method = method
        self.batch = data.batch(rows)
        self._groups = data.groups
        # Who is whose is read once: a selection by value in every measurement would make a GPU wait.
        self.of_group = [selected(self.batch.group == g) for g in range(len(data.groups))]
        self.with_modality = [selected(self.batch.present[:, m]) for m in range(len(network.modalities))]
        self._measured: list[Tensor] = []

    def measure(self) -> None:
        """Take one measurement into the epoch's mean."""
        self.note(self.measured())

    def note(self, cosines: Tensor) -> None:
        """Take a measurement (M, C) into the epoch's mean."""
        self._measured.append(cosines)

    def share(self, members: Tensor) -> Tensor:
        """(N,) with which a sum over the batch is the mean over `members` (positions); 0 where there are none."""
        share = torch.zeros(len(self.batch), device=members.device)
        share[members] = 1 / max(1, len(members))
        return share

    def measured(self) -> Tensor:
        """One measurement (M, C); NaN where a group or a modality has no probe sample."""
        network, batch = self._network, self.batch
        training = network.training
        network.eval()
        with torch.enable_grad():
            features = network.encode(batch.inputs, batch.present)
            transformed = self._method.transform(features, batch, training=False)
            fused = self._method.fused(network, transformed, batch.present, batch.group)
            fused_losses = cross_entropy(fused.logits.float(), batch.y)
            logits = network.classify(features, detach_weights=True)
            own_losses = cross_entropy(logits.transpose(1, 2), batch.y[:, None].expand(batch.present.shape))
            blocks = [network.last_block_parameters(m) for m in range(len(network.modalities))]
            of_groups = [self._group_gradients(fused_losses[members], blocks) for members in self.of_group]
            cosines = []
            for m, block in enumerate(blocks):
                own = own_losses[self.with_modality[m], m]
                gradient = block_gradients(own.mean(), [block])[0] if len(own) and block else None
                cosines.append(torch.stack([cosine_of(gradient, group[m], (), batch.y.device) for group in of_groups]))
        network.train(training)
        return torch.stack(cosines).detach()

    def _group_gradients(self, losses: Tensor, blocks: list[list[torch.nn.Parameter]]) -> list[Tensor | None]:
        return block_gradients(losses.mean(), blocks) if len(losses) else [None] * len(blocks)

    def rows(self) -> list[Row]:
        """Mean cosine per modality and group since the last call; none where nothing was measured."""
        if not self._measured:
            return []
        values = torch.stack(self._measured).cpu().numpy()
        self._measured = []
        rows = []
        for m, modality in enumerate(self._network.modalities):
            for g, group in enumerate(self._groups):
                known = values[:, m, g][np.isfinite(values[:, m, g])]
                value = float(known.mean()) if len(known) else None
                rows.append(row("conflict.group_modality", value, modality=modality, group=group, n=len(known)))
        return rows


def selected(mask: Tensor) -> Tensor:
    """Positions at which `mask` (N,) is true, on its device; reads the mask on the host."""
    return mask.nonzero().squeeze(1)


def block_gradients(loss: Tensor, blocks: Sequence[Sequence[Tensor]], stacked: int = 0) -> list[Tensor | None]:
    """The gradient of `loss` in each block, flattened behind the first `stacked` dimensions (of networks); None for a block that it does not reach."""
    flat = [p for block in blocks for p in block]
    if not flat or not loss.requires_grad:
        return [None] * len(blocks)
    gradients = iter(torch.autograd.grad(loss, flat, retain_graph=True, allow_unused=True))
    result: list[Tensor | None] = []
    for block in blocks:
        parts = [g.flatten(stacked) for g in (next(gradients) for _ in block) if g is not None]
        result.append(torch.cat(parts, stacked) if parts else None)
    return result


def cosine_of(a: Tensor | None, b: Tensor | None, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Cosines (*shape,) between vectors (*shape, P); NaN where one is 0, or does not exist."""
    if a is None or b is None or a.shape != b.shape:
        return torch.full(shape, torch.nan, device=device)
    product = a.norm(dim=-1) * b.norm(dim=-1)
    return torch.linalg.vecdot(a, b) / torch.where(product > 0, product, torch.nan)
