"""Formulas of token relevance from attention weights.

Shapes: ``B`` examples, ``H`` heads, ``T`` tokens. ``A[b, h, i, j]`` is the attention of query token i to key token j.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

__all__ = ["HeadFusion", "fuse_heads", "mean_row", "read_tokens", "relevancy", "rollout"]

HeadFusion = Literal["mean", "max", "min"]


def fuse_heads(weights: Tensor, fusion: HeadFusion) -> Tensor:
    """The mean, maximum or minimum over heads: ``[B, H, T, T]`` to ``[B, T, T]``."""
    return weights.mean(dim=1) if fusion == "mean" else weights.amax(dim=1) if fusion == "max" else weights.amin(dim=1)


def rollout(layers: Sequence[Tensor], fusion: HeadFusion, residual: float) -> Tensor:
    """Attention rollout ``[B, T, T]`` of layers ``[B, H, T, T]``: Abnar and Zuidema 2020, equation 1.

    The factor of a layer is ``residual * I + (1 - residual) * A`` with rows normalised to a sum of 1; the result is the
    product over layers.
    """
    total: Tensor | None = None
    for weights in layers:
        fused = fuse_heads(weights, fusion)
        step = (1 - residual) * fused + residual * torch.eye(fused.shape[-1]).to(fused)
        step = step / step.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(step.dtype).tiny)
        total = step if total is None else step @ total
    assert total is not None  # noqa: S101 -- there is at least one layer
    return total


def relevancy(layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """Relevancy ``R - I``, ``[B, T, T]``, of layers and their gradients ``[B, H, T, T]``: Chefer et al. 2021.

    Equation 5 is ``A' = mean over heads of max(gradient * A, 0)``, equation 6 is ``R <- R + A' R`` from ``R = I``. The
    initial identity is subtracted: it contributes only the relevance of a token to itself.
    """
    accumulated: Tensor | None = None
    for weights, gradient in zip(layers, gradients, strict=True):
        step = (gradient * weights).clamp(min=0).mean(dim=1)
        accumulated = step if accumulated is None else accumulated + step + step @ accumulated
    assert accumulated is not None  # noqa: S101 -- there is at least one layer
    return accumulated


def read_tokens(gradient: Tensor) -> Tensor:
    """The tokens that the output depends on after the last attention, bool ``[B, T]``.

    Args:
        gradient: of the output with respect to the last attention weights, ``[B, H, T, T]``. Rows of tokens that the
            output does not depend on are 0.
    """
    return (gradient != 0).flatten(3).any(dim=3).any(dim=1)


def mean_row(matrix: Tensor, read: Tensor) -> Tensor:
    """The mean ``[B, T]`` of the rows of ``matrix [B, T, T]`` selected by ``read`` (bool ``[B, T]``); 0 if none is."""
    share = read.to(matrix.dtype)
    share = share / share.sum(dim=1, keepdim=True).clamp(min=1)
    return (share.unsqueeze(1) @ matrix).squeeze(1)
