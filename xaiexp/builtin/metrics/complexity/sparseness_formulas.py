"""Gini index (Chalasani et al. 2020) and entropy (Bhatt et al. 2020) of the magnitudes of attributions."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["entropy", "gini"]


def gini(values: Tensor, valid: Tensor) -> Tensor:
    """The Gini index of the magnitudes of features, float64 ``[N]`` in [0, 1); NaN for a map of zeros.

    ``1 - 2 * sum_k v_k / sum(v) * (d - k + 1/2) / d`` with magnitudes ``v_1 <= ... <= v_d`` (Hurley and Rickard
    2009, equation 5).

    Args:
        values: ``[N, d]``.
        valid: bool ``[N or 1, d]``; other columns are padding and not counted.

    >>> gini(torch.tensor([[0.0, 0.0, -5.0, 0.0], [1.0, 1.0, -1.0, 1.0]]), torch.ones(1, 4, dtype=torch.bool))
    tensor([0.7500, 0.0000], dtype=torch.float64)
    """
    # Padding becomes zero. Zeros sort to the front and add nothing to the sum.
    ordered = (values.abs().double() * valid).sort(dim=1).values
    above = torch.arange(values.shape[1], device=values.device).flip(0).double() + 0.5  # d - k + 1/2
    return 1 - 2 * (ordered * above).sum(dim=1) / ordered.sum(dim=1) / valid.sum(dim=1)


def entropy(values: Tensor, valid: Tensor) -> Tensor:
    """``-sum_j p_j ln p_j`` with ``p_j = |phi_j| / sum_k |phi_k|``, float64 ``[N]`` in nats; NaN for a map of zeros.

    Args:
        values: ``[N, d]``.
        valid: bool ``[N or 1, d]``; other columns are padding and not counted.

    >>> entropy(torch.tensor([[0.0, 0.0, -5.0, 0.0], [1.0, 1.0, -1.0, 1.0]]), torch.ones(1, 4, dtype=torch.bool))
    tensor([0.0000, 1.3863], dtype=torch.float64)
    """
    magnitudes = values.abs().double() * valid
    total = magnitudes.sum(dim=1, keepdim=True)
    value = torch.special.entr(magnitudes / total).sum(dim=1).clamp(min=0)
    return torch.where(total.squeeze(1) == 0, float("nan"), value)
