"""All pairs of maps in blocks, so that every map is prepared once and memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["Prepared", "over_pairs"]

Prepared = tuple[Tensor, ...]

# Numbers of a map at work at once; some ten working arrays of as many are alive at the same time.
_NUMBERS = {"cpu": 1 << 20, "cuda": 1 << 22}


def over_pairs(
    maps: Tensor,
    pairs: Sequence[tuple[int, int]],
    prepare: Callable[[Tensor], Prepared],
    measure: Callable[[Prepared, Prepared], Tensor],
    bounds: tuple[float, float],
) -> Tensor:
    """A measure of P pairs of M maps.

    Args:
        maps: what is ranked, float ``[M, N, d]``, finite.
        pairs: indices of maps.
        prepare: maps ``[M, n, d]`` of some examples to tensors ``[M, n, ...]``; called once for each example.
        measure: what was prepared for the left and the right of ``p`` pairs, ``[p, n, ...]``, to ``[p, n]``.
        bounds: what rounding may not exceed.

    Returns:
        ``[P, N]`` in the dtype of the maps.
    """
    m, n, d = maps.shape
    out = torch.full((len(pairs), n), float("nan"), dtype=torch.float64, device=maps.device)
    if d and pairs:
        numbers = _NUMBERS.get(maps.device.type, _NUMBERS["cpu"])
        left, right = torch.tensor(list(pairs), device=maps.device).unbind(1)
        examples = max(1, numbers // (m * d))
        for start in range(0, n, examples):
            rows = slice(start, start + examples)
            prepared = prepare(maps[:, rows])
            step = max(1, numbers // (d * prepared[0].shape[1]))
            for first in range(0, len(pairs), step):
                block = slice(first, first + step)
                out[block, rows] = measure(
                    tuple(t[left[block]] for t in prepared), tuple(t[right[block]] for t in prepared)
                ).double()
    return out.clamp_(*bounds).to(maps.dtype)
