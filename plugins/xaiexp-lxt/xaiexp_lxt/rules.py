"""The rules, in the form of modified gradients: the relevance of a tensor is its value times its modified gradient.

Equations and propositions are those of Achtibat et al. 2024 (AttnLRP). ``R_i`` is the relevance of element i of the
input of an operation, ``R_j`` that of element j of its output, ``g`` a modified gradient, so that ``R = x * g``. With
epsilon 0 the gradient of a linear operation is its epsilon rule (equation 8), and that of a softmax its Taylor
decomposition (proposition 3.1: ``R_i = x_i (R_i - s_i sum_j R_j)``), so these have no function here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Layer", "Rules", "epsilon_rule", "gamma_rule", "identity_rule", "layer_norm", "rms_norm", "scale_gradient"]

Elementwise = Callable[[Tensor], Tensor]
Layer = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Rules:
    """What the methods may choose.

    Args:
        epsilon: of the epsilon rule in layers.
        gamma: of the gamma rule in layers.
        through_attention: whether the output of a softmax and the activation of a gated layer receive relevance;
            otherwise they are constants.
    """

    epsilon: float
    gamma: float
    through_attention: bool


def scale_gradient(tensor: Tensor, factor: float) -> Tensor:
    """The same tensor, whose modified gradient is multiplied by ``factor`` on the way back.

    With 1/2 at the output of a product ``a * b`` or ``A @ B``: half of the relevance to each factor (uniform rule,
    equation 7, propositions 3.2 and 3.3).
    """
    if factor != 1 and tensor.requires_grad:
        tensor.register_hook(lambda gradient: gradient * factor)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return tensor


def epsilon_rule(z: Tensor, epsilon: float) -> Tensor:
    """The same output of a layer, ``R_i = sum_j x_i w_ij / (z_j + epsilon sign(z_j)) R_j`` (equation 8).

    The gradient of the layer is the rule with epsilon 0; this multiplies it by ``|z| / (|z| + epsilon)``.
    """
    if epsilon:
        share = z.detach().abs()
        share = share / (share + epsilon)
        z.register_hook(lambda gradient: gradient * share)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return z


def identity_rule(function: Elementwise, x: Tensor, y: Tensor | None = None) -> Tensor:
    """``function(x)`` of an elementwise function with ``R_i = R_j`` (equation 9).

    The modified gradient is multiplied by ``f(x) / x``, at 0 by its limit from above.

    Args:
        function: elementwise.
        x: float tensor.
        y: ``function(x)`` where it is known.

    Raises:
        ValueError: the function is not 0 at 0, so that ``f(x) / x`` has no limit.
    """
    with torch.no_grad():
        small = torch.finfo(x.dtype).eps ** 2
        at_zero, above = function(x.new_tensor([0.0, small])).tolist()
    if at_zero != 0:
        raise ValueError(f"is {at_zero:.3g} at 0")
    return _Identity.apply(x, function, above / small, y)  # type: ignore[no-any-return]  # autograd functions are untyped


class _Identity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Elementwise, limit: float, y: Tensor | None) -> Tensor:
        y = function(x) if y is None else y.detach().clone()
        zero = x == 0
        ctx.save_for_backward(torch.where(zero, limit, y / torch.where(zero, 1, x)))
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (ratio,) = ctx.saved_tensors
        return grads[0] * ratio, None, None, None


def layer_norm(
    input: Tensor,  # noqa: A002 -- the name in torch
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``F.layer_norm`` with its standard deviation as a constant (proposition 3.4).

    The identity rule in the scale leaves linear operations: the mean is subtracted, the weight multiplied.
    """
    return _Normalised.apply(input, tuple(normalized_shape), weight, bias, eps, True)  # type: ignore[no-any-return]  # autograd functions are untyped


def rms_norm(
    input: Tensor,  # noqa: A002 -- the name in torch
    normalized_shape: Any,
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """``F.rms_norm`` with its root mean square as a constant (proposition 3.4): ``R_i = R_j``."""
    eps = torch.finfo(input.dtype).eps if eps is None else eps
    return _Normalised.apply(input, tuple(normalized_shape), weight, None, eps, False)  # type: ignore[no-any-return]  # autograd functions are untyped


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        shape: tuple[int, ...],
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        centred: bool,
    ) -> Tensor:
        ctx.axes, ctx.centred = tuple(range(-len(shape), 0)), centred
        moment = x.var(ctx.axes, unbiased=False, keepdim=True) if centred else x.square().mean(ctx.axes, keepdim=True)
        factor = (moment + eps).rsqrt()
        ctx.save_for_backward(factor if weight is None else factor * weight)
        return F.layer_norm(x, shape, weight, bias, eps) if centred else F.rms_norm(x, shape, weight, eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (factor,) = ctx.saved_tensors
        gradient = grads[0] * factor
        if ctx.centred:
            gradient = gradient - gradient.mean(ctx.axes, keepdim=True)
        return gradient, None, None, None, None, None


def gamma_rule(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor | None, epsilon: float, gamma: float) -> Tensor:
    """``layer(x, weight, bias)`` with the generalised gamma rule, for inputs of both signs.

    With ``z_ij = x_i w_ij``, and ``(.)^+`` for the positive part where ``z_j > 0``, the negative part elsewhere:
    ``R_i = sum_j (z_ij + gamma z_ij^+) / (z_j + gamma sum_i z_ij^+ + epsilon sign(z_j)) R_j``, where the bias is one
    of the ``z_ij`` of the denominator. This is the rule of zennit's ``Gamma``.
    """
    return _Gamma.apply(x, layer, weight, bias, epsilon, gamma)  # type: ignore[no-any-return]  # autograd functions are untyped


class _Gamma(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, layer: Layer, weight: Tensor, bias: Tensor | None, epsilon: float, gamma: float
    ) -> Tensor:
        ctx.layer, ctx.epsilon, ctx.gamma = layer, epsilon, gamma
        z = layer(x, weight, bias)
        ctx.save_for_backward(x, weight, bias, z)
        return z.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, weight, bias, z = ctx.saved_tensors
        layer, gamma = ctx.layer, ctx.gamma
        x_plus, x_minus = x.clamp(min=0), x.clamp(max=0)
        w_plus, w_minus = weight.clamp(min=0), weight.clamp(max=0)
        positive = z > 0
        supporting = torch.where(
            positive,
            layer(x_plus, w_plus, None if bias is None else bias.clamp(min=0)) + layer(x_minus, w_minus, None),
            layer(x_plus, w_minus, None if bias is None else bias.clamp(max=0)) + layer(x_minus, w_plus, None),
        )
        size = (z + gamma * supporting).abs() + ctx.epsilon
        slope = grads[0] * torch.where(size > 0, z.abs() / size, 1.0)
        gradient = _transposed(layer, x, weight, slope)
        up, down = slope * positive, slope * ~positive
        above = _transposed(layer, x, w_plus, up) + _transposed(layer, x, w_minus, down)
        below = _transposed(layer, x, w_minus, up) + _transposed(layer, x, w_plus, down)
        gradient = gradient + gamma * torch.where(x > 0, above, torch.where(x < 0, below, 0.0))
        return gradient, None, None, None, None, None


def _transposed(layer: Layer, x: Tensor, weight: Tensor, slope: Tensor) -> Tensor:
    """The gradient of ``layer(x, weight)`` at ``x``, for the gradient ``slope`` at its output."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        weighted = (layer(leaf, weight, None) * slope).sum()
    return torch.autograd.grad(weighted, leaf)[0]
