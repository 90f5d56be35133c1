"""From attention weights to the relevance of tokens: the formulas alone.

``B`` examples, ``H`` heads, ``T`` tokens; weights ``A[b, h, i, j]``: how much token i takes from token j.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

__all__ = ["HeadFusion", "fuse_heads", "read_by", "relevancy", "rollout", "row"]

HeadFusion = Literal["mean", "max", "min"]


def fuse_heads(weights: Tensor, how: HeadFusion) -> Tensor:
    """``[B, H, T, T]`` to ``[B, T, T]``."""
    return weights.mean(dim=1) if how == "mean" else weights.amax(dim=1) if how == "max" else weights.amin(dim=1)


def rollout(layers: Sequence[Tensor], how: HeadFusion, residual: float) -> Tensor:
    """Attention rollout ``[B, T, T]`` of layers ``[B, H, T, T]``: Abnar and Zuidema 2020, equation 1.

    Every layer is ``residual * I + (1 - residual) * A``, its rows brought to a sum of 1; the layers are multiplied.
    """
    total: Tensor | None = None
    for weights in layers:
        fused = fuse_heads(weights, how)
        step = (1 - residual) * fused + residual * torch.eye(fused.shape[-1]).to(fused)
        step = step / step.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(step.dtype).tiny)
        total = step if total is None else step @ total
    assert total is not None  # noqa: S101 -- there is a layer
    return total


def relevancy(layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """Relevancy ``R - I``, ``[B, T, T]``, of layers and their gradients ``[B, H, T, T]``: Chefer et al. 2021.

    Equation 5, ``A' = mean over heads of max(gradient * A, 0)``, and equation 6, ``R <- R + A' R`` from ``R = I``. The
    start is taken off again: in the row of a class token it says only that the class token is itself, in an
    average of rows it would stand in every token alike.
    """
    gained: Tensor | None = None
    for weights, gradient in zip(layers, gradients, strict=True):
        step = (gradient * weights).clamp(min=0).mean(dim=1)
        gained = step if gained is None else gained + step + step @ gained
    assert gained is not None  # noqa: S101 -- there is a layer
    return gained


def read_by(gradient: Tensor) -> Tensor:
    """Which tokens an output is read from: bool ``[B, T]``, from its gradient ``[B, H, T, T]`` at the last weights.

    A token that nothing reads after the last attention has a row of zeros.
    """
    return (gradient != 0).flatten(3).any(dim=3).any(dim=1)


def row(matrix: Tensor, read: Tensor) -> Tensor:
    """The mean ``[B, T]`` of the rows of ``matrix [B, T, T]`` that are read (bool ``[B, T]``); 0 where none is."""
    share = read.to(matrix.dtype)
    share = share / share.sum(dim=1, keepdim=True).clamp(min=1)
    return (share.unsqueeze(1) @ matrix).squeeze(1)
