"""Which features of a map something is true of, a bit each; and of how many it is true in two maps.

On a CPU the bits are packed and counted word by word; elsewhere a flag is a number, and a matrix product counts them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from xaiexp.builtin.agreements.blocks import turns

__all__ = ["above", "both", "held"]

_WORD = 8  # bytes
_WORDS = {"cpu": 1 << 16}  # that are counted at once


def above(left: Tensor, right: Tensor) -> Tensor:
    """Where ``left [M, n, L]`` is larger than ``right``, which broadcasts: flags for :func:`both` and :func:`held`."""
    if left.device.type != "cpu":
        return (left > right).float()
    numbers = [each.float() if each.dtype == torch.bfloat16 else each for each in (left, right)]  # numpy has none
    packed = np.packbits(np.greater(*(each.numpy() for each in numbers)), axis=-1)
    words = np.zeros((*packed.shape[:-1], -(-packed.shape[-1] // _WORD) * _WORD), dtype=np.uint8)
    words[..., : packed.shape[-1]] = packed
    return torch.from_numpy(words)


def held(flags: Tensor) -> Tensor:
    """How many flags ``[M, n, ...]`` of each map are true, float64 ``[n, M]``."""
    if flags.dtype != torch.uint8:
        return flags.sum(-1, dtype=torch.float64).T
    return torch.from_numpy(np.bitwise_count(flags.numpy().view(np.uint64)).sum(-1, dtype=np.float64).T)


def both(left: Tensor, right: Tensor) -> Tensor:
    """How many flags are true in a map of ``left [M, n, ...]`` and in one of ``right``, float64 ``[n, M, M]``."""
    if left.dtype != torch.uint8:
        # Whole numbers, exact in float32 below 2^24.
        return torch.bmm(left.transpose(0, 1), right.permute(1, 2, 0)).double()
    ours, theirs = left.numpy().view(np.uint64), right.numpy().view(np.uint64)
    m, n, width = ours.shape
    short = width < n  # the longer side goes last
    if short:
        ours, theirs = (np.ascontiguousarray(each.transpose(0, 2, 1)) for each in (ours, theirs))
    out = np.empty((n, m, m))
    for some in turns(m, ours.size, _WORDS, left.device):
        counts = np.bitwise_count(ours[some, None] & theirs).sum(2 if short else 3, dtype=np.int64)
        out[:, some] = counts.transpose(2, 0, 1)
    return torch.from_numpy(out)
