"""Which token of a transformer each element of its input belongs to."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from xaiexp.builtin.methods.attention.weight_capture import Patches
from xaiexp.core.vocabulary import Modality
from xaiexp.errors import Unsupported

__all__ = ["spread", "token_index"]

# Tokens before those of the input: a class token, a distillation token, a few registers.
_MOST_EXTRA = 8


def token_index(shape: tuple[int, ...], modality: Modality, tokens: int, patches: Patches | None) -> tuple[Tensor, int]:
    """The token of each element, int64 ``[*shape]`` (-1 for what no token sees), and how many tokens stand before.

    Tokens of the input stand in the order of its places, row by row, after those that the network adds.

    Args:
        shape: of one input.
        patches: how a convolution made the tokens.

    Raises:
        Unsupported: so many tokens cannot be traced back to the input.
    """
    for places, behind in _axes(shape, modality):
        grid, stride = _grid(places, tokens, patches, modality)
        if not grid:
            continue
        index = torch.zeros((), dtype=torch.int64)
        outside = torch.zeros((), dtype=torch.bool)
        for size, cells, step in zip(places, grid, stride or (None,) * len(places), strict=True):
            at = torch.arange(size)
            cell = at * cells // size if step is None else at // step
            index = index.unsqueeze(-1) * cells + cell
            outside = outside.unsqueeze(-1) | (cell >= cells)
        before = tokens - math.prod(grid)
        index = (index + before).masked_fill(outside, -1)
        lead = len(shape) - behind - len(places)
        index = index.view(*[1] * lead, *places, *[1] * behind)
        return index.expand(shape), before
    raise Unsupported(
        f"its {tokens} tokens cannot be traced back to inputs of shape {list(shape)}: there is neither a patch "
        "convolution nor a grid of as many places"
    )


def _axes(shape: tuple[int, ...], modality: Modality) -> list[tuple[tuple[int, ...], int]]:
    """The sizes of the axes of places, and how many axes stand behind them; several ways, the likeliest first."""
    if modality == "image":
        return [(shape[1:], 0)]
    if modality == "series":  # [C, T]; from arrays of one's own also [T, C], as transformers take them
        return [(shape[1:], 0), (shape[:1], 1)]
    return [(shape[:1], len(shape) - 1)]


def _grid(
    places: tuple[int, ...], tokens: int, patches: Patches | None, modality: Modality
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Tokens along each axis, and the length of a patch where it is known; empty where they do not fit."""
    if patches is not None and len(patches.grid) == len(places):
        before = tokens - math.prod(patches.grid)
        if 0 <= before <= _MOST_EXTRA:
            return patches.grid, patches.stride if patches.source == places else None
    if 0 <= tokens - math.prod(places) <= 1:
        return places, None
    if modality == "image":  # patches cut without a convolution: as many along both sides as fit the picture
        height, width = places
        for before in (0, 1):
            for rows in range(2, tokens - before + 1):
                columns, rest = divmod(tokens - before, rows)
                if not rest and rows * width == columns * height and height % rows == 0:
                    return (rows, columns), None
    return (), None


def spread(relevance: Tensor, index: Tensor) -> Tensor:
    """Share every token's relevance ``[N, T]`` equally among its elements: ``[N, *shape]`` for ``index [*shape]``."""
    flat = index.to(relevance.device).flatten()
    seen = flat.clamp(min=0)
    sizes = torch.zeros(relevance.shape[1], dtype=torch.int64, device=relevance.device)
    sizes.scatter_add_(0, seen, (flat >= 0).long())
    shared = relevance / sizes.clamp(min=1).to(relevance.dtype)
    return (shared[:, seen] * (flat >= 0)).view(len(relevance), *index.shape)
