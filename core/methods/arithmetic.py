"""Arithmetic that several methods share: closed-form last-layer gradients and class or group aggregates.

Shapes: N samples, M modalities, K classes, D feature width, C groups. A group index of -1
means that the sensitive attribute is unknown; such samples are in no group's aggregate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def last_layer_gradient(logits: Tensor, y: Tensor, inputs: Tensor, weight: Tensor | None = None) -> Tensor:
    """Gradient of the mean cross-entropy in a linear last layer: (p - y)^T x / N, shape (..., K, D).

    `logits` (N, ..., K) and `inputs` (N, ..., D) may carry a modality axis in the middle.
    `weight` (N, ...) makes it a weighted mean; where it sums to 0 the gradient is 0. The
    expression is differentiable itself, so that no second backward pass is needed.
    """
    classes = torch.arange(logits.shape[-1], device=y.device)
    target = y.view(-1, *(1,) * (logits.dim() - 1)) == classes
    residual = logits.softmax(-1) - target.to(logits.dtype)
    if weight is None:
        total: Tensor | int = logits.shape[0]
    else:
        weight = weight.to(residual.dtype)
        residual = residual * weight.unsqueeze(-1)
        total = weight.sum(0)[..., None, None]
        # Not a clamp to something tiny: its reciprocal would turn the zeros above into NaN in a backward pass.
        total = torch.where(total > 0, total, torch.ones_like(total))
    return torch.einsum("n...k,n...d->...kd", residual, inputs) / total


def group_membership(group: Tensor, n_groups: int) -> Tensor:
    """(N, C) float: 1 where the sample is in the group; a row of zeros where it is unknown."""
    return (group[:, None] == torch.arange(n_groups, device=group.device)[None]).to(torch.get_default_dtype())


def group_means(values: Tensor, group: Tensor, n_groups: int) -> tuple[Tensor, Tensor]:
    """Mean of `values` (N,) in each group and the counts, both (C,); an absent group's mean is 0, its count 0."""
    member = group_membership(group, n_groups).to(values.dtype)
    count = member.sum(0)
    return (values[:, None] * member).sum(0) / count.clamp_min(1), count


def balanced_draw(cell: Tensor, generator: torch.Generator) -> Tensor:
    """(N,) positions drawn with replacement so that every value of `cell` (N,) comes equally often; a value below 0 (unknown) as often as it is.

    Read on the host, once an epoch.
    """
    values, place, count = torch.unique(cell.cpu(), return_inverse=True, return_counts=True)
    known = values >= 0
    if not bool(known.any()):
        return torch.randperm(len(cell), generator=generator)
    share = torch.where(known, count[known].sum() / known.sum(), count).to(torch.float64)
    return torch.multinomial((share / count)[place], len(cell), replacement=True, generator=generator)


def true_class_confidence(logits: Tensor, y: Tensor, present: Tensor) -> Tensor:
    """(M,) mean probability that each modality classifier gives the true class, over the samples that have it."""
    chosen = logits.softmax(-1).gather(-1, y[:, None, None].expand(-1, logits.shape[1], 1)).squeeze(-1)
    weight = present.to(chosen.dtype)
    return (chosen * weight).sum(0) / weight.sum(0).clamp_min(1)


def over_smallest_other(values: Tensor) -> Tensor:
    """(M,) each value divided by the smallest of the others: above 1 means that the modality leads."""
    count = len(values)
    others = values[None].expand(count, count).masked_fill(torch.eye(count, dtype=torch.bool, device=values.device), torch.inf)
    return values / others.min(1).values.clamp_min(torch.finfo(values.dtype).tiny)


def balancing_factors(change: Tensor) -> Tensor:
    """(M,) (S - change_m) / S with S the sum of the changes; (M - 1) / M each where S is not positive.

    Source: MultiFair (absolute changes) and CGGM (signed changes, NeurIPS 2024).
    """
    count = len(change)
    total = change.sum()
    safe = torch.where(total > 0, total, torch.ones_like(total))
    return torch.where(total > 0, (safe - change) / safe, torch.full_like(change, (count - 1) / count))


@torch.no_grad()
def clip_gradients(parameters: Iterable[Tensor], limit: float) -> None:
    """Scale all gradients so that their common norm is at most `limit`, as `nn.utils.clip_grad_norm_` does.

    For parameters on one device: without its sorting by device it takes a third of the time.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if gradients:
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        torch._foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp(max=1.0))


def noise_generator(source: torch.Generator, device: torch.device) -> torch.Generator:
    """A generator on `device`, seeded by one draw from `source`.

    Big draws stay on the device, and a checkpoint of `source` alone is enough to continue identically.
    """
    return torch.Generator(device=device).manual_seed(drawn_seed(source))


def drawn_seed(source: torch.Generator) -> int:
    """A seed drawn from `source`, a generator on the CPU: no device is waited for."""
    return int(torch.randint(0, 2**31 - 1, (1,), generator=source))


def take_gradients(parameters: Sequence[Tensor]) -> Tensor:
    """The parameters' gradients as one flat vector; they are cleared."""
    pieces = []
    for parameter in parameters:
        pieces.append(torch.zeros_like(parameter).flatten() if parameter.grad is None else parameter.grad.detach().clone().flatten())
        parameter.grad = None
    return torch.cat(pieces) if pieces else torch.zeros(0)


def give_gradients(parameters: Sequence[Tensor], flat: Tensor) -> None:
    """Make the flat vector the parameters' gradients again."""
    offset = 0
    for parameter in parameters:
        parameter.grad = flat[offset : offset + parameter.numel()].view_as(parameter).clone()
        offset += parameter.numel()
