"""Modified gradients of ReLU: the rules of guided backpropagation and deconvolution.

A ReLU is any operation that computes ``max(x, 0)``: ``relu``, ``relu6``, ``clamp(min=0)``, ``hardtanh(0, 6)``,
``threshold(x, 0, 0)``, ``maximum(x, 0)``; as a module, a function or a method, in place or not. The ceiling of a
ReLU6 is treated as a separate clamp after the ReLU and keeps its gradient. A clamp to [0, 1] is a restriction of
values and does not count as a ReLU. With ``g`` the gradient of the ReLU's output:

- guided backpropagation (Springenberg et al. 2014, figure 1): ``max(g, 0)`` where the ReLU's input is positive, else 0;
- deconvolution (Zeiler and Fergus 2014, section 2.1): ``max(g, 0)`` everywhere.

Other activations (GELU, SiLU, ELU, ...) have no such rule: they raise ``Unsupported``, as does a network without any
ReLU. All other operations (pooling, normalisation, softmax) keep their gradients.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from xaiexp.builtin.methods.operations import tensors_in
from xaiexp.builtin.methods.tracing import OperationTracer
from xaiexp.errors import Unsupported
from xaiexp.inference.block import Block
from xaiexp.inference.passes import Handle

__all__ = ["RectifierRule", "ceiling_of", "rectified_gradients"]

_ALTERNATIVE = "saliency is the plain gradient of any differentiable network"
_WITHOUT_RULE = frozenset(
    ("leaky_relu", "rrelu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "softplus", "glu")
)


def rectified_gradients(model: Handle, method: str, gated: bool) -> Tensor:
    """The gradient of the score at the batch's inputs with the modified gradient of ReLU, ``[N, *shape]``.

    Args:
        model: the handle.
        method: name of the method, for messages.
        gated: see :class:`RectifierRule`.

    Raises:
        Unsupported: the network runs no ReLU, or an activation that has no rule.
    """

    def run(block: Block) -> Tensor:
        leaf = block.rows.requires_grad_()
        rule = RectifierRule(method, gated)
        with rule:
            scores = block.scores(rule.mark_input(leaf * 1), model.output)
        rule.finish()
        return block.gradients(scores, leaf)

    return model.apply(run)


class RectifierRule(OperationTracer):
    """Replaces the gradient of every ReLU between the input and the scores.

    Args:
        method: name of the method, for messages.
        gated: whether the gradient is also set to 0 where the ReLU's input is not positive (guided
            backpropagation) or not (deconvolution).
    """

    def __init__(self, method: str, gated: bool) -> None:
        super().__init__(method, _ALTERNATIVE)
        self.gated, self.rectifier_count = gated, 0

    def handle_call(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], dependent: list[Tensor]
    ) -> Any:
        """See :meth:`OperationTracer.handle_call`.

        Raises:
            Unsupported: the activation has no rule, or is written with comparisons.
        """
        plain = name if name.startswith("__") else name.removesuffix("_")
        if plain in _WITHOUT_RULE:
            raise self.unsupported(name)
        ceiling = ceiling_of(plain, args, kwargs) if len(dependent) == 1 else None
        if ceiling is None:
            out = func(*args, **kwargs)
            if (
                any(not t.is_floating_point() for t in dependent)
                and isinstance(out, Tensor)
                and out.is_floating_point()
            ):
                # x * (x > 0) is a ReLU too, but cannot be distinguished from other selections.
                raise self.unsupported(name, "selects by comparing activations")
            return out
        if not torch.is_grad_enabled():
            raise self.unsupported(name, "under torch.no_grad() or in a custom autograd function")
        if kwargs.get("out") is not None:
            raise self.unsupported(name, "with an argument 'out'")
        (x,) = dependent
        self.rectifier_count += 1
        out = _Rectifier.apply(x, ceiling, self.gated)
        inplace = name.endswith("_") or kwargs.get("inplace") is True or (len(args) > 1 and args[-1] is True)
        return x.copy_(out) if inplace else out

    def finish(self) -> None:
        """Check that the network ran at least one ReLU.

        Raises:
            Unsupported: it ran none.
        """
        if not self.rectifier_count:
            raise Unsupported(
                f"{self.method} changes the gradient of ReLU, but the network runs none that depends on its input; "
                f"{_ALTERNATIVE}"
            )


def ceiling_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float | None:
    """The upper bound of a ReLU, infinity for a plain one; None if the call is not a ReLU.

    >>> ceiling_of("relu6", (), {}), ceiling_of("clamp", (None, 0), {"max": 20}), ceiling_of("clamp", (None, 0, 1), {})
    (6.0, 20.0, None)
    """

    def argument(position: int, key: str, default: Any = None) -> Any:
        return kwargs.get(key, args[position] if len(args) > position else default)

    if name in ("relu", "relu6"):
        return 6.0 if name == "relu6" else math.inf
    if name in ("threshold", "_threshold"):
        return math.inf if argument(1, "threshold") == 0 and argument(2, "value") == 0 else None
    if name in ("maximum", "fmax"):
        return math.inf if any(not bool(t.detach().any()) for t in tensors_in((args, kwargs))) else None
    low: Any
    high: Any
    if name == "hardtanh":
        low, high = argument(1, "min_val", -1.0), argument(2, "max_val", 1.0)
    elif name in ("clamp", "clip"):
        low, high = argument(1, "min"), argument(2, "max")
    elif name == "clamp_min":
        low, high = argument(1, "min"), None
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
        # The floor below which no gradient passes; without a gate there is none.
        ctx.floor, ctx.ceiling = 0.0 if gated else -1.0, ceiling
        out = x.clamp(min=0.0, max=None if math.isinf(ceiling) else ceiling)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        positive, (out,) = grads[0].clamp(min=0.0), ctx.saved_tensors
        if math.isinf(ctx.ceiling):
            if ctx.floor < 0:
                return positive, None, None
            return torch.ops.aten.threshold_backward(positive, out, 0.0), None, None
        return torch.ops.aten.hardtanh_backward(positive, out, ctx.floor, ctx.ceiling), None, None
