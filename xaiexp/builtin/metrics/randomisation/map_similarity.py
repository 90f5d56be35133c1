"""Similarity of two attribution maps of one example."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from xaiexp.builtin.agreements.ssim_formula import structural_similarity
from xaiexp.core.feature_map import FeatureMap

__all__ = ["Of", "Similarity", "map_similarity", "spearman", "ssim"]

Similarity = Literal["spearman", "ssim"]
Of = Literal["magnitudes", "values"]

_WINDOW = 7  # the default of scikit-image


def map_similarity(a: Tensor, b: Tensor, features: FeatureMap, similarity: Similarity, of: Of) -> Tensor:
    """The similarity of pooled maps ``a`` and ``b``, each ``[N, d]``: float64 ``[N]``, NaN where undefined.

    ``ssim`` is NaN where the features do not form an image.
    """
    if of == "magnitudes":
        a, b = a.abs(), b.abs()
    if similarity == "spearman":
        return spearman(a, b, features.valid)
    if len(features.shape) != 2:
        return a.new_full((len(a),), float("nan"), dtype=torch.float64)
    return ssim(a.view(-1, *features.shape), b.view(-1, *features.shape), magnitudes=of == "magnitudes")


def spearman(a: Tensor, b: Tensor, valid: Tensor) -> Tensor:
    """Spearman's rank correlation of ``a`` and ``b``, float64 ``[N]``; ties get their average rank.

    NaN where one of them is constant or contains NaN.

    Args:
        a, b: ``[N, d]``.
        valid: bool ``[N or 1, d]``; other columns are padding and not counted.
    """
    count = valid.sum(dim=1, keepdim=True)
    centred = []
    for values in (a, b):
        ranks = _ranks(values, valid) * valid
        centred.append((ranks - ranks.sum(dim=1, keepdim=True) / count) * valid)
    first, second = centred
    norm = (first.square().sum(dim=1) * second.square().sum(dim=1)).sqrt()
    # Ranks are multiples of 1/2, so the norm of a constant map is exactly 0.
    value = ((first * second).sum(dim=1) / norm).clamp(-1, 1)
    return value.masked_fill((a.isnan() | b.isnan()).any(dim=1), float("nan"))


def _ranks(values: Tensor, valid: Tensor) -> Tensor:
    """Average ranks from 0 of the valid columns, float64 ``[N, d]``."""
    filled = values.double().masked_fill(~valid, torch.inf).contiguous()
    ordered = filled.sort(dim=1).values
    below, up_to = (torch.searchsorted(ordered, filled, right=right) for right in (False, True))
    return (below + up_to - 1).double() / 2


def ssim(a: Tensor, b: Tensor, magnitudes: bool) -> Tensor:
    """The mean structural similarity of ``a`` and ``b``, each ``[N, H, W]``: float64 ``[N]``.

    Each map is first divided by its largest magnitude; see :func:`structural_similarity`, windows of 7 x 7.

    Args:
        magnitudes: whether ``a`` and ``b`` are magnitudes (at least 0) or signed values.
    """
    return structural_similarity(torch.stack([a, b]).double(), [(0, 1)], _WINDOW, magnitudes)[0]
