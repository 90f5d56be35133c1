"""Class activation maps as formulas: activations and gradients ``[B, K, h, w]`` to maps ``[B, h, w]``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["eigen_map", "gradient_map", "layer_map", "masks", "plus_plus_map", "score_map", "upsampled"]


def gradient_map(activations: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM before its ReLU: ``sum_k w_k A_k``, ``w_k`` the mean of channel k's gradients over the places."""
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1)


def plus_plus_map(activations: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM++ before its ReLU, of Y = exp(S), whose derivatives are ``exp(S) g``, ``exp(S) g^2``, ``exp(S) g^3``.

    ``w_k = sum_ij alpha_ij relu(g_ij)`` with ``alpha_ij = g_ij^2 / (2 g_ij^2 + g_ij^3 sum_ab A_ab)`` (equation 19);
    0 where that is 0 / 0. The factor exp(S) of the whole map, which overflows for large logits, is left out.
    """
    denominator = 2 + gradients * activations.sum(dim=(2, 3), keepdim=True)
    counted = (gradients > 0) & (denominator != 0)
    alpha = torch.where(counted, 1 / denominator.masked_fill(~counted, 1), 0)
    weights = (alpha * gradients.relu()).sum(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1)


def layer_map(activations: Tensor, gradients: Tensor) -> Tensor:
    """Layer-CAM before its ReLU: ``sum_k relu(g_k) A_k``, place by place."""
    return (gradients.relu() * activations).sum(dim=1)


def eigen_map(activations: Tensor) -> Tensor:
    """Eigen-CAM: the activations of each place, projected on their first right singular vector.

    Nothing is subtracted before. A singular vector has no sign of its own; the one whose map has a positive sum is
    taken, so that activations that are nowhere negative give a map that is nowhere negative.
    """
    places = activations.flatten(2).transpose(1, 2)
    u, s, _ = torch.linalg.svd(places, full_matrices=False)
    projected = u[..., 0] * s[..., :1]
    sign = torch.where(projected.sum(dim=1, keepdim=True) < 0, -1, 1)
    signed: Tensor = sign * projected
    return signed.view(len(activations), *activations.shape[2:])


def masks(activations: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Score-CAM's masks: each channel brought to the input's size, and to the range from 0 to 1.

    Args:
        activations: ``[B, M, h, w]``.
        size: height and width of the input.

    Returns:
        Masks ``[B, M, H, W]``, and bool ``[B, M]``, which channels have one: a constant channel, up to rounding, has
        none.
    """
    large = F.interpolate(activations, list(size), mode="bilinear")
    low, high = large.amin(dim=(2, 3), keepdim=True), large.amax(dim=(2, 3), keepdim=True)
    spread = high - low
    rounding = 16 * torch.finfo(large.dtype).eps * torch.maximum(low.abs(), high.abs())
    varied = spread > rounding
    return (large - low) / spread.masked_fill(~varied, 1), varied[..., 0, 0]


def score_map(activations: Tensor, scores: Tensor, varied: Tensor) -> Tensor:
    """Score-CAM before its ReLU: ``sum_k alpha_k A_k``, alpha the softmax of the masked inputs' scores over channels.

    Args:
        activations: ``[B, M, h, w]``.
        scores: ``[B, M]``.
        varied: bool ``[B, M]``: others have weight 0. Where an example has none, its map is 0.
    """
    weights = scores.masked_fill(~varied, -torch.inf).softmax(dim=1)
    weights = torch.where(varied, weights, 0)
    return torch.einsum("bm,bmhw->bhw", weights, activations)


def upsampled(maps: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Maps ``[B, h, w]`` at the input's size, bilinearly, in every channel: ``[B, *shape]``."""
    large = F.interpolate(maps.unsqueeze(1), shape[-2:], mode="bilinear")
    return large.expand(-1, *shape).contiguous()
