"""Questions of several trainings answered as one: what is measured in evaluation mode, for all networks of a stack at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from core.methods.base import Method
from core.models.batch import Batch, Fused, cross_entropy
from core.training.curvature import BlockGradient
from core.training.data import Data
from core.training.evaluate import Evaluator, Outputs
from core.training.probe import ConflictProbe, block_gradients, cosine_of
from core.training.questions import Fuse, Question, Run
from core.training.stacked import Inputs, StackedNetwork


class StackedBatch:
    """A batch of every network: `inputs`, `present`, `y`, `group`, `index` with S before N, and `own`, each network's part."""

    def __init__(self, data: Data, rows: Tensor) -> None:
        count = len(rows)
        whole = data.batch(rows.reshape(-1))
        self.inputs: Inputs = {name: _unflat(value, count) for name, value in whole.inputs.items()}
        self.present, self.y, self.group, self.index = (value.view(count, -1, *value.shape[1:]) for value in (whole.present, whole.y, whole.group, whole.index))
        self.own = [
            Batch({name: _at(value, s) for name, value in self.inputs.items()}, self.present[s], self.y[s], self.group[s], self.index[s]) for s in range(count)
        ]


class StackedEvaluator:
    """Answers with the networks of a stack, in evaluation mode. `evaluators`: those of the networks alone, in the stack's order."""

    def __init__(self, network: StackedNetwork, evaluators: Sequence[Evaluator]) -> None:
        self._network, self._evaluators = network, evaluators
        self._data, self._size = evaluators[0].data, evaluators[0].batch_size
        names = {id(parameter): name for name, parameter in evaluators[0].network.named_parameters()}
        self._blocks = [
            [names[id(parameter)] for parameter in evaluators[0].network.last_block_parameters(m)] for m in range(len(evaluators[0].network.modalities))
        ]

    def answer(self, asked: Mapping[int, Question]) -> dict[int, Any]:
        """The answer to each network's question; together where all ask the same, else each alone."""
        first = next(iter(asked.values()))
        known: dict[type[Question], Callable[[Any], list[Any]]] = {Run: self._run, Fuse: self._fuse, BlockGradient: self._gradient}
        alike = len(asked) == len(self._evaluators) and all(type(one) is type(first) and one.shape == first.shape for one in asked.values())
        if not alike or type(first) not in known:
            return {s: question.alone(self._evaluators[s]) for s, question in asked.items()}
        with self._network.evaluating():
            answers = known[type(first)]([asked[s] for s in range(len(asked))])
        return dict(enumerate(answers))

    @torch.no_grad()
    def _run(self, asked: Sequence[Run]) -> list[Outputs]:
        rows = torch.stack([question.rows for question in asked])
        parts: list[tuple[Tensor, ...]] = []
        for index in rows.split(self._size, dim=1):
            batch = StackedBatch(self._data, index)
            raw = self._network.encode(batch.inputs, batch.present)
            features = self._transformed(raw, batch)
            fused = self._network.fuse(features, batch.present)
            parts.append((features, fused.logits, cast(Tensor, fused.last_input), self._network.classify(raw)))
        features, logits, last_input, modality_logits = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        data = self._data
        return [
            Outputs(features[s], Fused(logits[s], last_input[s]), modality_logits[s], data.present[own], data.y[own], data.group[own], own)
            for s, own in enumerate(rows)
        ]

    @torch.no_grad()
    def _fuse(self, asked: Sequence[Fuse]) -> list[Fused]:
        features, present = torch.stack([question.features for question in asked]), torch.stack([question.present for question in asked])
        parts = [self._network.fuse(f, p) for f, p in zip(features.split(self._size, dim=1), present.split(self._size, dim=1), strict=True)]
        logits, last_input = torch.cat([part.logits for part in parts], 1), torch.cat([cast(Tensor, part.last_input) for part in parts], 1)
        return [Fused(logits[s], last_input[s]) for s in range(len(asked))]

    def _gradient(self, asked: Sequence[BlockGradient]) -> list[Tensor | None]:
        batch = StackedBatch(self._data, torch.stack([question.batch.index for question in asked]))
        with torch.enable_grad():
            features = self._transformed(self._network.encode(batch.inputs, batch.present), batch)
            losses = _cross_entropy(self._network.fuse(features, batch.present).logits, batch.y)
            weights = self._block(asked[0].m)
            found = torch.autograd.grad(losses.mean(1).sum(), weights, allow_unused=True)
        if all(gradient is None for gradient in found):
            return [None] * len(asked)
        parts = [(torch.zeros_like(w) if g is None else g).flatten(1) for w, g in zip(weights, found, strict=True)]
        return list(torch.cat(parts, 1).unbind(0))

    def probe(self, probes: Sequence[ConflictProbe]) -> list[Tensor]:
        """What `ConflictProbe.measured` gives for each network: cosines (M, C)."""
        network = self._network
        batch = StackedBatch(self._data, torch.stack([probe.batch.index for probe in probes]))
        of_group = [torch.stack([probe.share(probe.of_group[g]) for probe in probes]) for g in range(len(probes[0].of_group))]
        with network.evaluating(), torch.enable_grad():
            raw = network.encode(batch.inputs, batch.present)
            losses = _cross_entropy(network.fuse(self._transformed(raw, batch), batch.present).logits, batch.y)
            own = _cross_entropy(network.classify(raw, detach_weights=True), batch.y[:, :, None].expand(batch.present.shape))
            blocks = [self._block(m) for m in range(len(self._blocks))]
            of_groups = [block_gradients((losses * share).sum(), blocks, 1) for share in of_group]
            cosines = []
            for m, block in enumerate(blocks):
                share = torch.stack([probe.share(probe.with_modality[m]) for probe in probes])
                (mine,) = block_gradients((own[:, :, m] * share).sum(), [block], 1)
                cosines.append(torch.stack([cosine_of(mine, group[m], (len(probes),), batch.y.device) for group in of_groups], -1))
        return list(torch.stack(cosines, 1).detach().unbind(0))

    def _block(self, m: int) -> list[nn.Parameter]:
        return [self._network.weights[name] for name in self._blocks[m]]

    def _transformed(self, raw: Tensor, batch: StackedBatch) -> Tensor:
        if type(self._evaluators[0].method).transform is Method.transform:
            return raw
        return torch.stack([evaluator.method.transform(raw[s], batch.own[s], training=False) for s, evaluator in enumerate(self._evaluators)])


def _cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of every sample, (...,), from logits (..., K)."""
    return cross_entropy(logits.flatten(0, -2), y.flatten()).view(y.shape)


def _unflat(value: Tensor | dict[str, Tensor], count: int) -> Tensor | dict[str, Tensor]:
    """(S N, ...) -> (S, N, ...), in parts where there are parts."""
    if isinstance(value, Tensor):
        return value.view(count, -1, *value.shape[1:])
    return {part: tensor.view(count, -1, *tensor.shape[1:]) for part, tensor in value.items()}


def _at(value: Tensor | dict[str, Tensor], s: int) -> Tensor | dict[str, Tensor]:
    return value[s] if isinstance(value, Tensor) else {part: tensor[s] for part, tensor in value.items()}
