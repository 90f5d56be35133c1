"""Guided backpropagation and deconvolution: another gradient for every ReLU, wherever and however it runs.

A ReLU is what computes ``max(x, 0)``: ``relu``, ``relu6``, ``clamp(min=0)``, ``hardtanh(0, 6)``,
``threshold(x, 0, 0)``, ``maximum(x, 0)``; as a module, a function, a method, in place. A ceiling, as ReLU6 has, is a
function of its own behind the ReLU and keeps its gradient. (A clamp to 0..1 is a range of values and no ReLU.)
Writing ``g`` for the gradient that arrives from above:

- guided backpropagation (Springenberg et al. 2014, figure 1): ``max(g, 0)`` where the ReLU let its input through;
- deconvolution (Zeiler and Fergus 2014, section 2.1): ``max(g, 0)``, wherever.

Other activations that take the place of a ReLU (GELU, SiLU, ELU ...) have no such rule and are refused, as is a network
without any ReLU. What is no activation of this kind (pooling, normalisation, softmax) keeps its gradient.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from xaiexp.builtin.methods.operations import tensors_in
from xaiexp.builtin.methods.tracing import Following
from xaiexp.errors import Unsupported

__all__ = ["Rectifying"]

_INSTEAD = "saliency is the plain gradient of any differentiable network"
_WITHOUT_RULE = frozenset(
    ("leaky_relu", "rrelu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "softplus", "glu")
)


class Rectifying(Following):
    """Gives every ReLU between the input and the scores the gradient of a method.

    Args:
        method: its name, for messages.
        gated: whether the gradient is stopped where the ReLU was closed (guided backpropagation) or not
            (deconvolution).
    """

    def __init__(self, method: str, gated: bool) -> None:
        super().__init__(method, _INSTEAD)
        self.gated, self.rectifiers = gated, 0

    def met(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], dependent: list[Tensor]) -> Any:
        """See :meth:`Following.met`.

        Raises:
            Unsupported: an activation without a rule, or one that is written with comparisons.
        """
        plain = name if name.startswith("__") else name.removesuffix("_")
        if plain in _WITHOUT_RULE:
            raise self.refusal(name)
        ceiling = _ceiling(plain, args, kwargs) if len(dependent) == 1 else None
        if ceiling is None:
            out = func(*args, **kwargs)
            if (
                any(not t.is_floating_point() for t in dependent)
                and isinstance(out, Tensor)
                and out.is_floating_point()
            ):
                # x * (x > 0) is a ReLU, too, and nothing tells it from other choices.
                raise self.refusal(name, "chooses by comparing activations")
            return out
        if not torch.is_grad_enabled():
            raise self.refusal(name, "under torch.no_grad() or in a custom autograd function")
        if kwargs.get("out") is not None:
            raise self.refusal(name, "with an argument 'out'")
        (x,) = dependent
        self.rectifiers += 1
        out = _Rectifier.apply(x, ceiling, self.gated)
        inplace = name.endswith("_") or kwargs.get("inplace") is True or (len(args) > 1 and args[-1] is True)
        return x.copy_(out) if inplace else out

    def finish(self) -> None:
        """Check that there was something to change.

        Raises:
            Unsupported: the network ran no ReLU.
        """
        if not self.rectifiers:
            raise Unsupported(
                f"{self.method} changes the gradient of ReLU, and the network runs none that depends on its input; "
                f"{_INSTEAD}"
            )


def _ceiling(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float | None:
    """The upper end of a ReLU, infinity for most; None where a call is none.

    >>> _ceiling("relu6", (), {}), _ceiling("clamp", (None, 0), {"max": 20}), _ceiling("clamp", (None, 0, 1), {})
    (6.0, 20.0, None)
    """

    def given(place: int, key: str, default: Any = None) -> Any:
        return kwargs.get(key, args[place] if len(args) > place else default)

    if name in ("relu", "relu6"):
        return 6.0 if name == "relu6" else math.inf
    if name in ("threshold", "_threshold"):
        return math.inf if given(1, "threshold") == 0 and given(2, "value") == 0 else None
    if name in ("maximum", "fmax"):
        return math.inf if any(not bool(t.detach().any()) for t in tensors_in((args, kwargs))) else None
    low: Any
    high: Any
    if name == "hardtanh":
        low, high = given(1, "min_val", -1.0), given(2, "max_val", 1.0)
    elif name in ("clamp", "clip"):
        low, high = given(1, "min"), given(2, "max")
    elif name == "clamp_min":
        low, high = given(1, "min"), None
    else:
        return None
    if isinstance(low, Tensor):
        low = 0.0 if not bool(low.detach().any()) else None
    if low is None or low != 0 or isinstance(high, Tensor):
        return None
    high = math.inf if high is None else float(high)
    return high if high > 1 else None


class _Rectifier(torch.autograd.Function):
    """``min(max(x, 0), ceiling)`` with the gradient of guided backpropagation or deconvolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ceiling: float, gated: bool) -> Tensor:
        open_ = x < ceiling
        if gated:
            open_ &= x > 0
        ctx.save_for_backward(open_)
        return x.clamp(min=0.0, max=None if math.isinf(ceiling) else ceiling)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0].clamp(min=0.0) * ctx.saved_tensors[0], None, None
