"""Several networks of one shape as one program: their weights stacked, their passes batched.

Only networks on features or tables are stacked: there a step costs what its operations cost,
not what they compute. Every network stays usable by itself, because its weights are views of
the stack's. Random numbers (dropout) come from one stream per network, drawn in the order and
shapes of a network's own forward pass, so that each sees the noise that it would see alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.batch import Fused
from core.models.encoders import Encoder
from core.models.encoders.base import Standardise
from core.models.encoders.tabular import SmallTabular
from core.models.encoders.vector import Vector
from core.models.network import Network

Inputs = Mapping[str, Tensor | dict[str, Tensor]]


def can_stack(network: Network) -> bool:
    """Whether every encoder of the network reads features or a table."""
    return all(isinstance(encoder, Encoder) and isinstance(encoder.backbone, Vector | SmallTabular) for encoder in network.encoders)


class StackedNetwork:
    """S networks of the same shape. `weights`: name in one network -> parameter (S, ...) of all.

    Shapes: S networks, N samples, M modalities, D width, K classes.
    """

    def __init__(self, networks: Sequence[Network], streams: Sequence[torch.Generator]) -> None:
        self._networks, self._streams = networks, streams
        self._training = True
        self._own = {name: [dict(network.named_parameters())[name] for network in networks] for name, _ in networks[0].named_parameters()}
        self.weights = {name: nn.Parameter(torch.stack([p.data for p in own]), own[0].requires_grad) for name, own in self._own.items()}
        for name, stack in self.weights.items():
            for s, parameter in enumerate(self._own[name]):
                parameter.data = stack.data[s]
        self._alone = [parameter for own in self._own.values() for parameter in own]
        self._running = {name: self._stacked_buffer(name) for name, value in networks[0].named_buffers() if value.is_floating_point()}

    def _stacked_buffer(self, name: str) -> Tensor:
        """Running statistics of all networks, of which each keeps a view."""
        own = [dict(network.named_buffers())[name] for network in self._networks]
        stack = torch.stack(own)
        place, _, last = name.rpartition(".")
        for s, network in enumerate(self._networks):
            network.get_submodule(place)._buffers[last] = stack[s]
        return stack

    @torch.no_grad()
    def gather_gradients(self, show: bool) -> None:
        """Join gradients that came by the stack with those that came by the networks themselves; with `show` both then see the sum.

        A weight that no gradient has reached keeps None, which optimizers pass over.
        """
        for name, stack in self.weights.items():
            own = self._own[name]
            if any(p.grad is not None for p in own):
                gradient = torch.zeros_like(stack) if stack.grad is None else stack.grad
                for s, parameter in enumerate(own):
                    if parameter.grad is not None:
                        gradient[s] += parameter.grad
                stack.grad = gradient
            if show and stack.grad is not None:
                for parameter, part in zip(own, stack.grad.unbind(0), strict=True):
                    parameter.grad = part

    @torch.no_grad()
    def take_gradients(self) -> None:
        """The gradients as the networks hold them now, where somebody has put others in their place."""
        for name, stack in self.weights.items():
            for s, parameter in enumerate(self._own[name]):
                if stack.grad is not None and parameter.grad is not None and parameter.grad.data_ptr() != stack.grad[s].data_ptr():
                    stack.grad[s].copy_(parameter.grad)

    def forget_gradients(self) -> None:
        for stack in self.weights.values():
            stack.grad = None
        for parameter in self._alone:
            parameter.grad = None

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within it passes are those of evaluation: running statistics, no noise."""
        self._training = False
        try:
            yield
        finally:
            self._training = True

    def own(self, name: str, s: int) -> nn.Parameter:
        """The parameter of network s that is a view of the stack."""
        return self._own[name][s]

    def encode(self, inputs: Inputs, present: Tensor) -> Tensor:
        """Features (S, N, M, D); `inputs` are as in a batch with S before N, `present` (S, N, M)."""
        first = self._networks[0]
        encoded = [self._encoder(m, inputs[name]) for m, name in enumerate(first.modalities)]
        return self._fill_missing(torch.stack(encoded, dim=2), present)

    def fuse(self, features: Tensor, present: Tensor) -> Fused:
        """Logits (S, N, K) and the last layer's input (S, N, D) from features (S, N, M, D)."""
        features = self._fill_missing(features, present)
        fusion = self._networks[0].fusion
        s, n = features.shape[:2]
        token = self.weights["fusion.token"][:, None, None].expand(s, n, 1, -1)
        x = torch.cat([token, features + self.weights["fusion.modality"][:, None]], dim=2)
        last = len(fusion.layers.layers) - 1
        for i, layer in enumerate(fusion.layers.layers):
            # Of the last layer only the fused token is read, so that only it is carried on.
            x = self._layer(f"fusion.layers.layers.{i}", cast(nn.TransformerEncoderLayer, layer), x, 1 if i == last else x.shape[2])
        hidden = functional.gelu(self._norm("fusion.neck.1", self._linear("fusion.neck.0", x[:, :, 0])))
        last_input = self._dropout(hidden, fusion.neck[3])
        return Fused(self._linear("fusion.head", last_input), last_input)

    def classify(self, features: Tensor, detach_weights: bool = False) -> Tensor:
        """Modality classifiers' logits (S, N, M, K) from features (S, N, M, D)."""
        weight: Tensor = self.weights["classifier_weight"]
        bias: Tensor = self.weights["classifier_bias"]
        if detach_weights:
            weight, bias = weight.data, bias.data
        return torch.einsum("snmd,smkd->snmk", features, weight) + bias[:, None]

    def _fill_missing(self, features: Tensor, present: Tensor) -> Tensor:
        return torch.where(present[..., None], features, self.weights["missing"][:, None])

    def _encoder(self, m: int, inputs: Tensor | dict[str, Tensor]) -> Tensor:
        encoder = cast(Encoder, self._networks[0].encoders[m])
        name = f"encoders.{m}"
        if isinstance(inputs, Tensor):
            hidden = self._standardise(f"{name}.backbone.norm", cast(Standardise, encoder.backbone.norm), inputs)
        else:
            backbone = cast(SmallTabular, encoder.backbone)
            values = torch.where(inputs["missing"], self.weights[f"{name}.backbone.missing"][:, None], inputs["values"])
            hidden = functional.gelu(self._norm(f"{name}.backbone.enter.1", self._linear(f"{name}.backbone.enter.0", values)))
            hidden = functional.gelu(self._linear(f"{name}.backbone.block.0", self._dropout(hidden, backbone.enter[3])))
        return self._dropout(self._norm(f"{name}.projection.1", self._linear(f"{name}.projection.0", hidden)), encoder.projection[2])

    def _standardise(self, name: str, norm: Standardise, x: Tensor) -> Tensor:
        """Batch normalisation (S, N, F) with each network's own batch and running values."""
        mean, variance = self._running[f"{name}.running_mean"], self._running[f"{name}.running_var"]
        n = x.shape[1]
        if n == 1 or not self._training:
            return (x - mean[:, None]) / (variance[:, None] + norm.eps).sqrt()
        # As products, which are many times faster than sums over a middle dimension.
        even = torch.full((len(x), 1, n), 1 / n)
        own_mean = torch.bmm(even, x)[:, 0]
        own_variance = torch.bmm(even, (x - own_mean[:, None]).square())[:, 0]
        assert norm.momentum is not None
        mean.lerp_(own_mean, norm.momentum)
        variance.lerp_(own_variance * (n / (n - 1)), norm.momentum)
        for network in self._networks:
            counted = network.get_submodule(name).num_batches_tracked
            cast(Tensor, counted).add_(1)
        return (x - own_mean[:, None]) / (own_variance[:, None] + norm.eps).sqrt()

    def _layer(self, name: str, layer: nn.TransformerEncoderLayer, x: Tensor, kept: int) -> Tensor:
        """The first `kept` tokens after the layer, from all tokens x (S, N, T, D).

        Noise is drawn for all tokens, so that what follows in a stream is what it would be alone.
        """
        tokens = x.shape[2]
        x = x[:, :, :kept] + self._attention(f"{name}.self_attn", layer, self._norm(f"{name}.norm1", x), kept)
        hidden = self._dropout(functional.gelu(self._linear(f"{name}.linear1", self._norm(f"{name}.norm2", x))), layer.dropout, tokens)
        return x + self._dropout(self._linear(f"{name}.linear2", hidden), layer.dropout2, tokens)

    def _attention(self, name: str, layer: nn.TransformerEncoderLayer, x: Tensor, kept: int) -> Tensor:
        attention = layer.self_attn
        s, n, t, d = x.shape
        weight, bias = self.weights[f"{name}.in_proj_weight"], self.weights[f"{name}.in_proj_bias"]
        asked = self._affine(x[:, :, :kept], weight[:, :d], bias[:, :d])
        packed = self._affine(x, weight[:, d:], bias[:, d:])
        query, key, value = (part.unflatten(-1, (attention.num_heads, -1)).transpose(2, 3) for part in (asked, *packed.split(d, dim=-1)))
        share = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(-1)
        if attention.dropout > 0 and self._training:
            share = share * self._noise((n, attention.num_heads, t, t), attention.dropout)[:, :, :, :kept]
        joined = (share @ value).transpose(2, 3).reshape(s, n, kept, d)
        given = self._linear(f"{name}.out_proj", joined)
        if layer.dropout1.p == 0 or not self._training:
            return given
        # What attention returns lies with its tokens first, and noise is drawn in the order in which numbers lie.
        return given * self._noise((t, n, d), layer.dropout1.p).transpose(1, 2)[:, :, :kept]

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return self._affine(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    @staticmethod
    def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """x (S, ..., F), weight (S, G, F), bias (S, G) -> (S, ..., G)."""
        flat = torch.baddbmm(bias[:, None], x.reshape(len(x), -1, x.shape[-1]), weight.transpose(1, 2))
        return flat.view(*x.shape[:-1], weight.shape[1])

    def _norm(self, name: str, x: Tensor) -> Tensor:
        between = (len(x),) + (1,) * (x.dim() - 2) + (-1,)
        return functional.layer_norm(x, x.shape[-1:]) * self.weights[f"{name}.weight"].view(between) + self.weights[f"{name}.bias"].view(between)

    def _dropout(self, x: Tensor, dropout: nn.Module, tokens: int | None = None) -> Tensor:
        """`tokens`: how many there are in all, where x (S, N, kept, D) has only the first ones."""
        share = cast(nn.Dropout, dropout).p
        if share == 0 or not self._training:
            return x
        shape = tuple(x.shape[1:])
        return x * (self._noise(shape, share) if tokens is None else self._noise((shape[0], tokens, shape[2]), share)[:, :, : shape[1]])

    def _noise(self, shape: tuple[int, ...], share: float) -> Tensor:
        """(S, *shape): 0 with probability `share`, else 1 / (1 - share); one stream per network."""
        noise = torch.empty(len(self._streams), *shape)
        for part, stream in zip(noise, self._streams, strict=True):
            part.bernoulli_(1 - share, generator=stream)
        return noise.div_(1 - share)
