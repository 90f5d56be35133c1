"""A small transformer encoder for the kit's worlds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Encoder"]

_WIDTH, _HEADS, _LAYERS = 8, 2, 2


class Encoder(nn.Module):
    """Two layers of self-attention and a head that reads the first token.

    Args:
        embed: inputs to tokens: a linear map of token embeddings, or a patch convolution over pictures.
        middle: stands between the layers.
        classes: how many logits.
    """

    def __init__(self, embed: nn.Module, middle: nn.Module, classes: int) -> None:
        super().__init__()
        self.embed, self.middle = embed, middle
        # A picture has no token of its own that stands for the whole; a text has [CLS].
        self.class_token = nn.Parameter(torch.zeros(1, 1, _WIDTH)) if isinstance(embed, nn.Conv2d) else None
        self.attentions = nn.ModuleList(nn.MultiheadAttention(_WIDTH, _HEADS, batch_first=True) for _ in range(_LAYERS))
        self.mlps = nn.ModuleList(nn.Linear(_WIDTH, _WIDTH) for _ in range(_LAYERS))
        self.head = nn.Linear(_WIDTH, classes)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits; ``mask [N, T]`` is 0 at padding."""
        tokens = self.embed(inputs)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(len(inputs), -1, -1), tokens.flatten(2).mT], dim=1)
        padding = None if mask is None else mask == 0
        for number, (attend, mlp) in enumerate(zip(self.attentions, self.mlps, strict=True)):
            tokens = tokens + attend(tokens, tokens, tokens, key_padding_mask=padding, need_weights=False)[0]
            tokens = tokens + mlp(tokens).relu()
            if not number:
                tokens = self.middle(tokens)
        logits: Tensor = self.head(tokens[:, 0])
        return logits
