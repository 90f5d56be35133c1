"""Maps the elements of a transformer's input to its tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from xaiexp.builtin.methods.attention.weight_capture import Patches
from xaiexp.core.vocabulary import Modality
from xaiexp.errors import Unsupported

__all__ = ["prompt_places", "spread", "token_index"]

# Added tokens before those of the input: class token, distillation token, registers.
_MAX_LEADING = 8


def token_index(shape: tuple[int, ...], modality: Modality, tokens: int, patches: Patches | None) -> tuple[Tensor, int]:
    """The token of each element, int64 ``[*shape]`` (-1 for elements of no token), and the number of leading tokens.

    The tokens of the input are in row-major order of its positions, after the leading tokens that the network adds.

    Args:
        shape: shape of one input.
        modality: of the input.
        tokens: number of tokens.
        patches: the convolution that produced the tokens, if any.

    Raises:
        Unsupported: this number of tokens cannot be mapped to the input.
    """
    for sizes, trailing in _position_axes(shape, modality):
        grid, stride = _grid(sizes, tokens, patches, modality)
        if not grid:
            continue
        index = torch.zeros((), dtype=torch.int64)
        outside = torch.zeros((), dtype=torch.bool)
        for size, cells, step in zip(sizes, grid, stride or (None,) * len(sizes), strict=True):
            position = torch.arange(size)
            cell = position * cells // size if step is None else position // step
            index = index.unsqueeze(-1) * cells + cell
            outside = outside.unsqueeze(-1) | (cell >= cells)
        leading = tokens - math.prod(grid)
        index = (index + leading).masked_fill(outside, -1)
        channel_axes = len(shape) - trailing - len(sizes)
        index = index.view(*[1] * channel_axes, *sizes, *[1] * trailing)
        return index.expand(shape), leading
    raise Unsupported(
        f"the {tokens} tokens cannot be mapped to inputs of shape {list(shape)}: there is neither a patch "
        "convolution nor a grid with as many positions"
    )


def _position_axes(shape: tuple[int, ...], modality: Modality) -> list[tuple[tuple[int, ...], int]]:
    """Candidates for the sizes of the position axes and the number of axes after them, the most likely first."""
    if modality == "image":
        return [(shape[1:], 0)]
    if modality == "series" and len(shape) > 2:  # a volume [C, D, H, W]
        return [(shape[1:], 0)]
    if modality == "series":  # [C, T]; user-provided arrays may be [T, C], the layout of transformers
        return [(shape[1:], 0), (shape[:1], 1)]
    return [(shape[:1], len(shape) - 1)]


def _grid(
    sizes: tuple[int, ...], tokens: int, patches: Patches | None, modality: Modality
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """The tokens along each axis (empty if they do not fit), and the patch size where it is known."""
    if patches is not None and len(patches.grid) == len(sizes):
        leading = tokens - math.prod(patches.grid)
        if 0 <= leading <= _MAX_LEADING:
            return patches.grid, patches.stride if patches.source == sizes else None
    if 0 <= tokens - math.prod(sizes) <= 1:
        return sizes, None
    if modality == "image":  # patches cut without a convolution: a grid with the aspect ratio of the image
        height, width = sizes
        for leading in (0, 1):
            for rows in range(2, tokens - leading + 1):
                columns, rest = divmod(tokens - leading, rows)
                if not rest and rows * width == columns * height and height % rows == 0:
                    return (rows, columns), None
    return (), None


def spread(relevance: Tensor, index: Tensor) -> Tensor:
    """The relevance ``[N, T]`` of every token, divided equally among its elements: ``[N, *shape]``."""
    flat = index.to(relevance.device).flatten()
    token = flat.clamp(min=0)
    sizes = torch.zeros(relevance.shape[1], dtype=torch.int64, device=relevance.device)
    sizes.scatter_add_(0, token, (flat >= 0).long())
    shared = relevance / sizes.clamp(min=1).to(relevance.dtype)
    return (shared[:, token] * (flat >= 0)).view(len(relevance), *index.shape)


def prompt_places(relevance: Tensor, present: Tensor) -> Tensor:
    """The relevance ``[B, T]`` at the places of a prompt, of that ``[B, tokens]`` of a language model.

    The model reads its padding first, then the prompt, then the continuation.

    Args:
        relevance: of all tokens, in the order in which the model reads them.
        present: ``[B, T]``, 0 at the padding of the prompts, on either side.
    """
    width = present.shape[1]
    place = (present.cumsum(dim=1) - 1 + width - present.sum(dim=1, keepdim=True)).clamp(min=0)
    return relevance[:, :width].gather(1, place) * present
