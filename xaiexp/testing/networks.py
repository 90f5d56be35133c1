"""Small networks of the test studies, with the parts of real ones: batch normalisation, dropout, in-place activations.

Each contains a module that can fail in the middle of a forward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.core.vocabulary import Modality

__all__ = ["CLASSES", "PADDED_LENGTH", "FailingIdentity", "ForwardFailure", "forest", "network", "transformer"]

CLASSES = 3
PADDED_LENGTH = 9
"""Positions of a text: [CLS], tokens, [SEP] and padding."""
_EMBEDDING = 3
_WIDTH, _HEADS, _LAYERS = 8, 2, 2


class ForwardFailure(RuntimeError):
    """The error that :class:`FailingIdentity` raises in the middle of a forward pass."""


class FailingIdentity(nn.Identity):
    """The identity, which raises in the ``fails_in``-th forward pass from now; never where ``fails_in`` is None."""

    fails_in: int | None = None

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 -- nn.Identity calls it that
        """The input."""
        if self.fails_in is not None:
            self.fails_in -= 1
            if self.fails_in <= 0:
                raise ForwardFailure("the network raised in the middle of a forward pass")
        return input


class _TextNetwork(nn.Module):
    """A classifier of token embeddings ``[N, T, D]`` that sums over the positions of a mask ``[N, T]``."""

    def __init__(self, linear: bool) -> None:
        super().__init__()
        self.inner: nn.Module = (
            nn.Identity() if linear else nn.Sequential(nn.Linear(_EMBEDDING, 6), nn.ReLU(), nn.Dropout())
        )
        self.failing = FailingIdentity()
        self.head = nn.Linear(_EMBEDDING if linear else 6, CLASSES)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Logits ``[N, classes]``; ``mask`` is 0 at padding."""
        hidden = self.failing(self.inner(inputs))
        logits: Tensor = self.head((hidden * mask.to(hidden.dtype).unsqueeze(-1)).sum(1))
        return logits


class _Transformer(nn.Module):
    """A transformer encoder with two layers of self-attention whose head reads the first token.

    Args:
        embed: maps inputs to tokens: a linear map of token embeddings, or a convolution over image patches.
        middle: is applied between the layers.
        classes: the number of logits.
    """

    def __init__(self, embed: nn.Module, middle: nn.Module, classes: int) -> None:
        super().__init__()
        self.embed, self.middle = embed, middle
        # Images need a class token; texts start with [CLS].
        self.class_token = nn.Parameter(torch.zeros(1, 1, _WIDTH)) if isinstance(embed, nn.Conv2d) else None
        self.attentions = nn.ModuleList(nn.MultiheadAttention(_WIDTH, _HEADS, batch_first=True) for _ in range(_LAYERS))
        self.mlps = nn.ModuleList(nn.Linear(_WIDTH, _WIDTH) for _ in range(_LAYERS))
        self.head = nn.Linear(_WIDTH, classes)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits ``[N, classes]``; ``mask [N, T]`` is 0 at padding."""
        tokens = self.embed(inputs)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(len(inputs), -1, -1), tokens.flatten(2).mT], dim=1)
        padding = None if mask is None else mask == 0
        for number, (attention, mlp) in enumerate(zip(self.attentions, self.mlps, strict=True)):
            tokens = tokens + attention(tokens, tokens, tokens, key_padding_mask=padding, need_weights=False)[0]
            tokens = tokens + mlp(tokens).relu()
            if not number:
                tokens = self.middle(tokens)
        logits: Tensor = self.head(tokens[:, 0])
        return logits


def network(modality: Modality, linear: bool) -> tuple[tuple[int, ...], nn.Module]:
    """The shape of an input and a network for it; the global random state is left unchanged."""
    state = torch.random.get_rng_state()
    try:
        if modality == "text":
            return (PADDED_LENGTH, _EMBEDDING), _TextNetwork(linear)
        shape: tuple[int, ...] = {"image": (2, 6, 6), "series": (2, 6), "table": (5,)}[modality]
        if linear:
            size = int(torch.tensor(shape).prod())
            return shape, nn.Sequential(nn.Flatten(), FailingIdentity(), nn.Linear(size, CLASSES))
        if modality == "image":
            first, second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            start = nn.Sequential(first, nn.BatchNorm2d(4), nn.ReLU(inplace=True))
            end = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(36, CLASSES))
            return shape, nn.Sequential(*start, FailingIdentity(), second, nn.ReLU(inplace=True), end)
        if modality == "series":
            convolution = nn.Conv1d(2, 4, 3, padding=1)
            return shape, nn.Sequential(
                convolution, nn.ReLU(inplace=True), FailingIdentity(), nn.Flatten(), nn.Linear(24, CLASSES)
            )
        return shape, nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(), FailingIdentity(), nn.Linear(8, CLASSES))
    finally:
        torch.random.set_rng_state(state)


def transformer(modality: Modality) -> tuple[tuple[int, ...], nn.Module]:
    """The shape of an input and a transformer for it; the global random state is left unchanged.

    Image patches are 3 x 3 pixels, unlike the features of the test study, which are tiles of 2 x 2 pixels.
    """
    state = torch.random.get_rng_state()
    try:
        if modality == "text":
            embed: nn.Module = nn.Linear(_EMBEDDING, _WIDTH)
            return (PADDED_LENGTH, _EMBEDDING), _Transformer(embed, FailingIdentity(), CLASSES)
        return (2, 6, 6), _Transformer(nn.Conv2d(2, _WIDTH, 3, stride=3), FailingIdentity(), CLASSES)
    finally:
        torch.random.set_rng_state(state)


class _Forest(nn.Module):
    """The scores of a random forest for rows of a table; they have no gradients."""

    def __init__(self, estimator: Any) -> None:
        super().__init__()
        self.estimator, self.failing = estimator, FailingIdentity()

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores ``[N, classes]``."""
        rows = self.failing(inputs.detach()).cpu().double().numpy()
        return torch.from_numpy(self.estimator.predict(rows)).to(inputs)


def forest() -> tuple[tuple[int, ...], nn.Module]:
    """The shape of an input and a random forest for it; no global random state is read."""
    from sklearn.ensemble import RandomForestRegressor

    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(60, 5, generator=generator)
    scores = torch.stack([rows[:, i] * rows[:, i + 1] + rows[:, i + 2] for i in range(CLASSES)], dim=1)
    fitted = RandomForestRegressor(n_estimators=5, max_depth=4, random_state=0).fit(rows.numpy(), scores.numpy())
    return (5,), _Forest(fitted)
