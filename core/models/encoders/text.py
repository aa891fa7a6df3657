"""A small text encoder on the cohort's own vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.encoders.base import Backbone


class SmallText(Backbone):
    """Token embeddings with learned positions, one Transformer layer, mean over the tokens."""

    def __init__(self, vocabulary: int, length: int, width: int, heads: int = 4) -> None:
        super().__init__()
        self.width = width
        self.token = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.token.weight, std=0.1)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.layer = nn.TransformerEncoderLayer(width, heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)

    @property
    def last_block(self) -> nn.Module:
        return self.layer

    def forward(self, text: dict[str, Tensor]) -> Tensor:
        """{"ids": int64 (N, L), "mask": bool (N, L)} -> (N, width); an empty text is 0."""
        # One position stays open where a text is empty: attention over nothing is NaN.
        attend = text["mask"].clone()
        attend[:, 0] = True
        x = self.token(text["ids"]) + self.position[: text["ids"].shape[1]]
        x = self.layer(x, src_key_padding_mask=~attend)
        weight = text["mask"][..., None].to(x.dtype)
        return (x * weight).sum(1) / weight.sum(1).clamp_min(1)
