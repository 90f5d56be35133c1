"""The least and largest area over the perturbation curve that any order of the features can have."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["aopc_limits"]

Change = Callable[[Tensor], Tensor]
"""Which features are present, bool ``[B, n]``, to f(x) - f(the rest), ``[B]``, in float64."""


def aopc_limits(change: Change, count: int, exact: int, beam: int) -> tuple[float, float]:
    """The least and largest AOPC of one example: the mean of f(x) - f(x without the first k) over k = 1 ... n.

    Exact by dynamic programming over all subsets up to ``exact`` features; a beam search over orders above.

    Args:
        change: evaluates rows of present features.
        count: number n of features, at least 1.
        exact: largest number of features for which all 2^n subsets are evaluated.
        beam: partial orders that are kept.
    """
    found = _all_subsets(change, count) if count <= exact else _beam(change, count, beam)
    return found[0] / count, found[1] / count


def _all_subsets(change: Change, count: int) -> tuple[float, float]:
    subsets = torch.arange(1, 1 << count)  # removed features as bits
    removed = (subsets.unsqueeze(1) >> torch.arange(count)) & 1
    of_subset = torch.zeros(1 << count, dtype=torch.float64)
    of_subset[1:] = change(removed == 0).double().cpu()
    low, high = of_subset.tolist(), of_subset.tolist()
    for subset in range(1, 1 << count):
        before = [subset ^ (1 << i) for i in range(count) if subset >> i & 1]
        low[subset] += min(low[each] for each in before)
        high[subset] += max(high[each] for each in before)
    return low[-1], high[-1]


def _beam(change: Change, count: int, beam: int) -> tuple[float, float]:
    ends = []
    for sign in (-1.0, 1.0):
        paths: dict[frozenset[int], float] = {frozenset(): 0.0}
        for _ in range(count):
            totals: dict[frozenset[int], float] = {}
            for removed, total in paths.items():
                for feature in range(count):
                    if feature not in removed:
                        key = removed | {feature}
                        totals[key] = max(totals.get(key, -torch.inf), total)
            keys = list(totals)
            present = torch.tensor([[feature not in key for feature in range(count)] for key in keys])
            values = (sign * change(present).double()).tolist()
            ranked = sorted(
                ((totals[key] + v, i) for i, (key, v) in enumerate(zip(keys, values, strict=True))), reverse=True
            )
            paths = {keys[i]: total for total, i in ranked[:beam]}
        ends.append(sign * max(paths.values()))
    return ends[0], ends[1]
