"""The feature map of tokens that are numbered by what they belong to: words, sentences, slots of a template."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.core.feature_map import FeatureMap

__all__ = ["numbered_map"]


def numbered_map(numbers: Tensor, inputs: Tensor, names: Sequence[str] = ()) -> FeatureMap:
    """The map ``index [N, T, D]`` of tokens with the same number; d is the largest count of numbers of an example.

    Numbers are counted again without gaps, because truncation may remove some.

    Args:
        numbers: int64 ``[N, T]``, -1 for tokens of no feature.
        inputs: float ``[N, T, D]``.
        names: of the numbers; kept where all examples have all of them.
    """
    width = max(int(numbers.max()) + 1, 1)
    present = torch.zeros(len(numbers), width + 1, dtype=torch.int64)
    present.scatter_(1, numbers.where(numbers >= 0, width), 1)
    present = present[:, :width]
    place = present.cumsum(dim=1) - 1
    index = place.gather(1, numbers.clamp(min=0)).where(numbers >= 0, -1)
    counts = present.sum(dim=1)
    shared = tuple(names) if bool((counts == len(names)).all()) else ()
    return FeatureMap(index.unsqueeze(-1).expand(inputs.shape), counts, (int(counts.max()),), shared)
