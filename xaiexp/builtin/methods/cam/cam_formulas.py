"""Formulas of class activation maps: activations and gradients ``[B, K, h, w]`` to maps ``[B, h, w]``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["channel_masks", "eigen_map", "gradient_map", "layer_map", "plus_plus_map", "score_map", "upsampled"]


def gradient_map(activations: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM before its ReLU: ``sum_k w_k A_k``, ``w_k`` the spatial mean of channel k's gradients."""
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1)


def plus_plus_map(activations: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM++ before its ReLU, for Y = exp(S) with derivatives ``exp(S) g``, ``exp(S) g^2``, ``exp(S) g^3``.

    ``w_k = sum_ij alpha_ij relu(g_ij)`` with ``alpha_ij = g_ij^2 / (2 g_ij^2 + g_ij^3 sum_ab A_ab)`` (equation 19);
    0 for 0 / 0. The constant factor exp(S), which overflows for large logits, is omitted.
    """
    denominator = 2 + gradients * activations.sum(dim=(2, 3), keepdim=True)
    counted = (gradients > 0) & (denominator != 0)
    alpha = torch.where(counted, 1 / denominator.masked_fill(~counted, 1), 0)
    weights = (alpha * gradients.relu()).sum(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1)


def layer_map(activations: Tensor, gradients: Tensor) -> Tensor:
    """Layer-CAM before its ReLU: ``sum_k relu(g_k) A_k``, elementwise."""
    return (gradients.relu() * activations).sum(dim=1)


def eigen_map(activations: Tensor) -> Tensor:
    """Eigen-CAM: the activations of each position, projected on the first right singular vector, without centring.

    The sign of a singular vector is arbitrary; it is chosen such that the map has a positive sum. Non-negative
    activations then give a non-negative map.
    """
    positions = activations.flatten(2).transpose(1, 2)
    u, s, _ = torch.linalg.svd(positions, full_matrices=False)
    projected = u[..., 0] * s[..., :1]
    sign = torch.where(projected.sum(dim=1, keepdim=True) < 0, -1, 1)
    signed: Tensor = sign * projected
    return signed.view(len(activations), *activations.shape[2:])


def channel_masks(activations: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Score-CAM's masks: each channel upsampled to the input's size and scaled to [0, 1].

    Args:
        activations: ``[B, M, h, w]``.
        size: height and width of the input.

    Returns:
        The masks ``[B, M, H, W]``, and bool ``[B, M]``: False for channels that are constant up to rounding, which
        have no mask.
    """
    enlarged = F.interpolate(activations, list(size), mode="bilinear")
    low, high = enlarged.amin(dim=(2, 3), keepdim=True), enlarged.amax(dim=(2, 3), keepdim=True)
    value_range = high - low
    rounding = 16 * torch.finfo(enlarged.dtype).eps * torch.maximum(low.abs(), high.abs())
    varied = value_range > rounding
    return (enlarged - low) / value_range.masked_fill(~varied, 1), varied[..., 0, 0]


def score_map(activations: Tensor, scores: Tensor, varied: Tensor) -> Tensor:
    """Score-CAM before its ReLU: ``sum_k alpha_k A_k``, alpha the softmax over channels of the masked inputs' scores.

    Args:
        activations: ``[B, M, h, w]``.
        scores: ``[B, M]``.
        varied: bool ``[B, M]``, the channels that are not constant; others have weight 0. The map of an example without
            any such channel is 0.
    """
    weights = scores.masked_fill(~varied, -torch.inf).softmax(dim=1)
    weights = torch.where(varied, weights, 0)
    return torch.einsum("bm,bmhw->bhw", weights, activations)


def upsampled(maps: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Maps ``[B, h, w]`` upsampled bilinearly and repeated in every channel: ``[B, *shape]``."""
    enlarged = F.interpolate(maps.unsqueeze(1), shape[-2:], mode="bilinear")
    return enlarged.expand(-1, *shape).contiguous()
