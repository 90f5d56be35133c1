"""Where the patches of an image stand among the tokens of a vision transformer."""

from __future__ import annotations

import math

__all__ = ["token_grid"]

# The largest number of tokens before those of the patches: class, distillation and register tokens.
_MAX_LEADING = 16


def token_grid(tokens: int, width: int, spatial_sizes: list[tuple[int, int]]) -> tuple[int, int, int] | None:
    """The spatial layout of ``[N, tokens, width]``: leading tokens, height, width; None if there is none or several.

    Args:
        tokens: number of tokens.
        width: number of channels of a token.
        spatial_sizes: output heights and widths of the convolutions that ran before, in call order. If there are
            none, the grid is square, after at most one leading token.

    >>> token_grid(197, 768, [(14, 14)]), token_grid(201, 768, [(14, 14)]), token_grid(197, 768, [])
    ((1, 14, 14), (5, 14, 14), (1, 14, 14))
    >>> token_grid(64, 49, [(7, 7)])  # channels first, flattened
    """
    if not spatial_sizes:
        for leading in (0, 1):
            side = math.isqrt(max(0, tokens - leading))
            if side > 1 and side**2 == tokens - leading:
                return leading, side, side
        return None
    for height, columns in reversed(spatial_sizes):
        leading = tokens - height * columns
        ambiguous = leading > 1 and width == height * columns
        if 0 <= leading <= _MAX_LEADING and height * columns > 1 and not ambiguous:
            return leading, height, columns
    return None
