"""The rules of DeepLIFT, applied to torch functions while a network runs.

The network runs twice: at the reference under :class:`NonlinearityRecorder`, which stores the inputs of every
nonlinearity in call order, and at the input under :class:`DeepLiftRules`, which replaces each of these calls by an
autograd function whose backward is its rule. The rules therefore work for any position of the batch axis. Affine
operations need no rule; all others raise ``Unsupported``.

The rules, with ``D`` for the value at the input minus the value at the reference:

- elementwise ``y = f(x)``: multiplier ``Dy / Dx`` (Shrikumar et al. 2017, section 3.5.1).
- maxima: an increase of the output is attributed to the position of the maximum at the input, a decrease to that at
  the reference (as in Captum and SHAP).
- softmax: the chain of elementwise functions ``exp(z - log(sum(exp(z))))``, each rescaled. The contributions sum to
  ``Dp`` for every class and are invariant to a shift of the logits; examples do not affect each other.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from xaiexp.builtin.methods.operations import CONSTRUCTORS, READS, VIEWS, is_affine, nonlinearity_kind, tensors_in
from xaiexp.builtin.methods.rectifiers import ceiling_of
from xaiexp.builtin.methods.tracing import OperationTracer
from xaiexp.errors import Unsupported

__all__ = ["DeepLiftRules", "NonlinearityRecorder"]

# Rectifiers whose slope is 0 at their bounds; a clamp's is 1.
_RECTIFIERS = ("relu", "relu6", "hardtanh")

_ALTERNATIVE = "integrated_gradients and expected_gradients answer the same question for any differentiable network"


class _NonlinearityTracer(OperationTracer):
    """Passes every nonlinearity to :meth:`rule`, runs affine operations unchanged, and raises for all others."""

    @abstractmethod
    def rule(
        self,
        kind: str,
        name: str,
        apply: Callable[[Tensor], Tensor],
        dim: int,
        x: Tensor,
        ceiling: float | None = None,
    ) -> Tensor:
        """The output of a nonlinearity at ``x``.

        Args:
            kind: ``elementwise``, ``maximum``, ``softmax``, ``log_softmax`` or ``logsumexp``.
            name: name of the function.
            apply: the function of its input alone, all other arguments bound.
            dim: the axis of a softmax.
            x: the input.
            ceiling: of a rectifier ``min(max(x, 0), ceiling)``; None for every other function.
        """

    def handle_call(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], dependent: list[Tensor]
    ) -> Any:
        """See :meth:`OperationTracer.handle_call`.

        Raises:
            Unsupported: the operation is neither affine nor a nonlinearity with a rule.
        """
        if name.startswith("__get__"):
            out = func(*args, **kwargs)
            if isinstance(out, Tensor) and name.split()[-1] not in VIEWS:
                raise self.unsupported(name.split()[-1])
            return out
        plain = name if name.startswith("__") else name.removesuffix("_")
        if plain in CONSTRUCTORS:
            return func(*args, **kwargs)
        if any(not t.is_floating_point() for t in dependent):
            if all(not t.is_floating_point() for t in dependent) and plain not in READS and not kwargs.get("out"):
                return self._non_activation(name, func, args, kwargs)
            raise self.unsupported(name, "selects by comparing activations")
        if is_affine(plain, args, kwargs, self.depends):
            return func(*args, **kwargs)
        kind = nonlinearity_kind(plain, args, kwargs, self.depends)
        if kind is None or len(dependent) > 1 or kwargs.get("out") is not None:
            return self._non_activation(name, func, args, kwargs)
        return self._nonlinear(kind, name, func, args, kwargs)

    def _non_activation(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a function without a rule, which must not contain activations (a shape, a comparison)."""
        if name in READS:
            raise self.unsupported(name, "reads the values of activations")
        if name.startswith("__") or not name.endswith("_"):
            with torch.no_grad():
                out = func(*args, **kwargs)
            if all(not t.is_floating_point() for t in tensors_in(out)):
                return out
        raise self.unsupported(name)

    def _nonlinear(self, kind: str, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inplace = kwargs.get("inplace") is True or (name.endswith("_") and not name.endswith("__"))
        options = {**kwargs, "inplace": False} if "inplace" in kwargs else kwargs
        position = next((i for i, a in enumerate(args) if isinstance(a, Tensor) and self.depends(a)), None)
        if position is not None:
            x = args[position]
        else:
            keyword, x = next((k, v) for k, v in kwargs.items() if isinstance(v, Tensor) and self.depends(v))

        def apply(at: Tensor) -> Tensor:
            # A copy, since the function may work in place (by its name or a positional flag).
            at = at * 1
            out = (
                func(*args, **{**options, keyword: at})
                if position is None
                else func(*args[:position], at, *args[position + 1 :], **options)
            )
            return out[0] if isinstance(out, tuple) else out  # type: ignore[no-any-return]  # pooling with indices

        dim: Any = 0
        if kind not in ("elementwise", "maximum"):
            dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
            if not isinstance(dim, int):
                raise self.unsupported(name, "without one axis")
        inplace = inplace or (kind == "elementwise" and len(args) > 1 and args[-1] is True)
        if inplace and position != 0:
            raise self.unsupported(name, "in place")
        plain = name.removesuffix("_")
        ceiling = ceiling_of(plain, args, kwargs) if plain in _RECTIFIERS else None
        out = self.rule(kind, name, apply, dim, x, ceiling)
        if kind == "elementwise" and out.shape != x.shape:
            raise self.unsupported(name, "of tensors that broadcast")
        if inplace:
            return x.copy_(out)
        if kind == "maximum" and (name == "max" or kwargs.get("return_indices") or name.endswith("_with_indices")):
            with torch.no_grad():
                indices = func(*args, **kwargs)[1]
            return torch.return_types.max((out, indices)) if name == "max" else (out, indices)
        return out


class NonlinearityRecorder(_NonlinearityTracer):
    """Stores the input of every nonlinearity, in call order."""

    def __init__(self, method: str) -> None:
        super().__init__(method, _ALTERNATIVE)
        self.calls: deque[tuple[str, Tensor]] = deque()

    def rule(
        self,
        kind: str,
        name: str,
        apply: Callable[[Tensor], Tensor],
        dim: int,
        x: Tensor,
        ceiling: float | None = None,
    ) -> Tensor:
        """Store a copy of ``x``, since later operations may work in place."""
        self.calls.append((name, x.detach().clone()))
        return apply(x)


class DeepLiftRules(_NonlinearityTracer):
    """Applies the rule of its kind to every nonlinearity, relative to the inputs of a :class:`NonlinearityRecorder`."""

    def __init__(self, recorder: NonlinearityRecorder) -> None:
        super().__init__(recorder.method, recorder.alternative)
        self._calls = recorder.calls

    def rule(
        self,
        kind: str,
        name: str,
        apply: Callable[[Tensor], Tensor],
        dim: int,
        x: Tensor,
        ceiling: float | None = None,
    ) -> Tensor:
        """The output at ``x``, whose backward is the rule."""
        recorded_name, start = self._calls.popleft() if self._calls else ("", x)
        if recorded_name != name or start.shape != x.shape:
            raise Unsupported(
                f"{self.method} needs a network that runs the same operations at the input and the reference"
            )
        if ceiling is not None and x.dtype in (torch.float32, torch.float64):
            return _Rectified.apply(x, start, ceiling)  # type: ignore[no-any-return]  # as below
        function = {"elementwise": _Elementwise, "maximum": _Maximum}.get(kind)
        if function is None:
            return _Softmax.apply(x, start, dim, kind, apply)  # type: ignore[no-any-return]  # autograd functions are untyped
        return function.apply(x, start, apply)  # type: ignore[no-any-return]  # autograd functions are untyped

    def check_output(self, name: str, out: Tensor) -> None:
        """Raise for activations that are detached from the input."""
        if out.is_floating_point() and not out.requires_grad:
            raise self.unsupported(name, "under torch.no_grad() or in a custom autograd function")

    def finish(self, scores: Tensor) -> None:
        """Check that every recorded call was replaced and that the scores were traced back to the input.

        Raises:
            Unsupported: one of the two does not hold.
        """
        if self._calls or not self.depends(scores):
            raise Unsupported(f"{self.method} could not trace the network from its input to its scores")


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _weighted(y: Tensor, weights: Tensor) -> Tensor:
    """A scalar whose gradient at ``y`` is ``weights``: handing gradients over makes torch import sympy for a second."""
    return (y * weights.detach()).sum()


class _Rectified(torch.autograd.Function):
    """The rule of :class:`_Elementwise` for ``min(max(x, 0), ceiling)``, without differentiating it.

    Its secant is exact however close x and x0 are: both differences are the same on a slope of 1, and 0 elsewhere.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, ceiling: float) -> Tensor:
        x = x.detach()
        y, y0 = x.clamp(0.0, ceiling), start.clamp(0.0, ceiling)
        dx = x - start
        multiplier = y0.sub(y).neg_().div_(dx)
        # Where x = x0 the slope, which is 0 at both bounds.
        ctx.save_for_backward(
            torch.where(dx == 0, ((y > 0) & (y < ceiling)).to(x.dtype), multiplier).nan_to_num_(0.0, 0.0, 0.0)
        )
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0] * ctx.saved_tensors[0], None, None


class _Elementwise(torch.autograd.Function):
    """``dy/dx`` becomes ``(y - y0) / (x - x0)``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, apply: Callable[[Tensor], Tensor]) -> Tensor:
        dtype = x.dtype
        x, start = _at_least_float32(x.detach()), _at_least_float32(start)
        with torch.enable_grad():
            ends = [v.clone().requires_grad_() for v in (x, start)]
            outs = [apply(v) for v in ends]
            slopes = torch.autograd.grad([o.sum() for o in outs], ends)  # sums: see _weighted
        y, y0 = (o.detach() for o in outs)
        ctx.save_for_backward(_secant(x, start, y, y0, *slopes))
        return y.to(dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (multiplier,) = ctx.saved_tensors
        return (grads[0] * multiplier).to(grads[0].dtype), None, None


def _secant(x: Tensor, x0: Tensor, y: Tensor, y0: Tensor, slope: Tensor, slope0: Tensor) -> Tensor:
    """``(y - y0) / (x - x0)``, computed without cancellation where x and x0 are close.

    For relative differences below the cube root of the machine precision the mean of the slopes is more accurate,
    unless the slopes differ because of a kink in between. Where x = x0 the result is the slope.
    """
    dx = x - x0
    close = dx.abs() <= torch.finfo(x.dtype).eps ** (1 / 3) * (x.abs() + x0.abs())
    smooth = (slope - slope0).abs() < 0.1
    safe = torch.where(dx == 0, torch.ones_like(dx), dx)
    multiplier = torch.where((close & smooth) | (dx == 0), (slope + slope0) / 2, (y - y0) / safe)
    return torch.nan_to_num_(multiplier, nan=0.0, posinf=0.0, neginf=0.0)


class _Maximum(torch.autograd.Function):
    """``Dy = (max(y, y0) - y0) + (y - max(y, y0))``.

    The first term is attributed to the maximum at the input, the second to the maximum at the reference.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, apply: Callable[[Tensor], Tensor]) -> Tensor:
        x = x.detach()
        ctx.save_for_backward(x, start)
        ctx.maximum = apply
        return apply(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, start = (_at_least_float32(t.detach()) for t in ctx.saved_tensors)
        grad = _at_least_float32(grads[0])
        with torch.enable_grad():
            ends = [v.requires_grad_() for v in (x, start.clone())]
            y, y0 = (ctx.maximum(v) for v in ends)
        top = torch.maximum(y, y0).detach()
        increase, decrease = grad * (top - y0.detach()), grad * (y.detach() - top)
        with torch.enable_grad():
            weighted, *both = _weighted(y, grad), _weighted(y, increase), _weighted(y0, decrease)
        (plain,) = torch.autograd.grad(weighted, ends[0], retain_graph=True)
        shares = torch.autograd.grad(both, ends)
        dx = (x - start).detach()
        safe = torch.where(dx == 0, torch.ones_like(dx), dx)
        return torch.where(dx == 0, plain, (shares[0] + shares[1]) / safe).to(grads[0].dtype), None, None


class _Softmax(torch.autograd.Function):
    """Softmax, log-softmax and log-sum-exp as chains of exp, sum and log, each rescaled."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, dim: int, kind: str, apply: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.dim, ctx.kind = dim, kind
        ctx.save_for_backward(x.detach().clone(), start)
        return apply(x.detach())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (z, z0), dim, grad = (_at_least_float32(t) for t in ctx.saved_tensors), ctx.dim, _at_least_float32(grads[0])
        total, total0 = z.logsumexp(dim, keepdim=True), z0.logsumexp(dim, keepdim=True)
        # The rescale rule for exp and then for log: a ratio of two logarithmic means.
        share = (torch.maximum(z, z0) - torch.maximum(total, total0)).exp()
        share *= _relative_log_mean(z - z0) / _relative_log_mean(total - total0)
        if ctx.kind == "logsumexp":
            grad = grad if grad.ndim == z.ndim else grad.unsqueeze(dim)
            return (grad * share).to(grads[0].dtype), None, None, None, None
        if ctx.kind == "softmax":
            log, log0 = z - total, z0 - total0
            grad = grad * torch.maximum(log, log0).exp() * _relative_log_mean(log - log0)
        return (grad - share * grad.sum(dim, keepdim=True)).to(grads[0].dtype), None, None, None, None


def _relative_log_mean(difference: Tensor) -> Tensor:
    """``(1 - exp(-t)) / t`` with ``t = |difference|``: the logarithmic mean of a and b divided by their maximum."""
    t = difference.abs()
    return torch.where(t == 0, torch.ones_like(t), -torch.expm1(-t) / torch.where(t == 0, torch.ones_like(t), t))
