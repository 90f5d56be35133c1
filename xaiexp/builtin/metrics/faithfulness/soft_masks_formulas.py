"""Formulas of soft sufficiency and comprehensiveness: elements are kept by the importance of their feature."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.core.batches import Batch

__all__ = ["importance", "kept", "soft_comprehensiveness", "soft_sufficiency"]


def importance(values: Tensor, valid: Tensor) -> Tensor:
    """Attributions ``[N, d]`` scaled to 0..1 over the features of each example; NaN where all are equal.

    Args:
        values: of the features.
        valid: bool ``[N or 1, d]``, which columns are features.
    """
    low = values.masked_fill(~valid, torch.inf).amin(dim=1, keepdim=True)
    high = values.masked_fill(~valid, -torch.inf).amax(dim=1, keepdim=True)
    spread = high - low
    return torch.where(spread > 0, (values - low) / spread, torch.nan).masked_fill(~valid, 0.0)


def kept(batch: Batch, absent: Tensor, shares: Tensor, uniform: Tensor) -> Tensor:
    """Inputs ``[N, S, *shape]`` whose elements are kept with the probability of their feature.

    Args:
        batch: the examples.
        absent: ``[N, *shape]``, what stands in place of an element that is not kept.
        shares: ``[N, d]`` in 0..1, the probability of each feature.
        uniform: in 0..1, ``[N, S, *shape]``.
    """
    stays = uniform < batch.features.expand(shares, outside=1.0).unsqueeze(1)
    return torch.where(stays, batch.inputs.unsqueeze(1), absent.unsqueeze(1))


def soft_sufficiency(whole: Tensor, none: Tensor, soft: Tensor) -> Tensor:
    """``(S - S0) / (1 - S0)`` with ``S = 1 - max(0, whole - soft)`` and ``S0 = 1 - max(0, whole - none)``.

    Args:
        whole: p(x), ``[N]``.
        none: p without any feature, ``[N]``.
        soft: mean of p of the masked inputs, ``[M, N]``.

    Returns:
        ``[M, N]``; NaN where removing everything does not lower p.
    """
    least, own = 1 - (whole - none).clamp(min=0), 1 - (whole - soft).clamp(min=0)
    return torch.where(least < 1, (own - least) / (1 - least), torch.nan)


def soft_comprehensiveness(whole: Tensor, none: Tensor, soft: Tensor) -> Tensor:
    """``max(0, whole - soft) / (1 - S0)``; see :func:`soft_sufficiency`."""
    possible = (whole - none).clamp(min=0)
    return torch.where(possible > 0, (whole - soft).clamp(min=0) / possible, torch.nan)
