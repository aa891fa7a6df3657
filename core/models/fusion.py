"""Transformer over the modality tokens with a fused token of its own."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.batch import Fused


class Fusion(nn.Module):
    """Logits from M modality features.

    The fused representation is read from a learned token that belongs to no modality, so
    that none is favoured. A learned embedding tells the modalities apart.
    """

    def __init__(self, n_modalities: int, width: int, heads: int, layers: int, dropout: float, n_classes: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(width) * 0.02)
        self.modality = nn.Parameter(torch.randn(n_modalities, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, heads, dim_feedforward=2 * width, dropout=dropout, activation="gelu", batch_first=True, norm_first=True)
        # The nested-tensor fast path only serves padding masks, which are not used here.
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.neck = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout))
        self.head = nn.Linear(width, n_classes)

    def forward(self, features: Tensor) -> Fused:
        """`features` (N, M, D) -> logits (N, K) and the last layer's input (N, D)."""
        tokens = torch.cat([self.token.expand(len(features), 1, -1), features + self.modality], dim=1)
        last_input = self.neck(self.layers(tokens)[:, 0] if self.training else self._fused_token(tokens))
        return Fused(self.head(last_input), last_input)

    def _fused_token(self, x: Tensor) -> Tensor:
        """The fused token (N, D) after all layers, in evaluation mode.

        Of the last layer nothing else is read: the other tokens give it keys and values, and are not carried on.
        """
        *earlier, last = (cast(nn.TransformerEncoderLayer, layer) for layer in self.layers.layers)
        for layer in earlier:
            x = layer(x)
        attention, width, own = last.self_attn, x.shape[-1], x[:, :1]
        weight, bias = cast(Tensor, attention.in_proj_weight), cast(Tensor, attention.in_proj_bias)
        normed = last.norm1(x)
        query = functional.linear(normed[:, :1], weight[:width], bias[:width])
        packed = functional.linear(normed, weight[width:], bias[width:])
        parts = (part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for part in (query, *packed.split(width, dim=-1)))
        own = own + attention.out_proj(functional.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2))
        return cast(Tensor, own + last.linear2(functional.gelu(last.linear1(last.norm2(own)))))[:, 0]
