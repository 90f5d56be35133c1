"""The rules of DeepLIFT, applied to torch's functions while a network runs.

The network runs twice: at the reference under :class:`Recording`, which keeps the inputs of every nonlinearity
in the order of their calls, and at the input under :class:`Rescaling`, which meets the same calls again and gives
each an autograd function whose backward is its rule. Which axis of an activation holds the examples therefore
does not matter. Whatever is affine needs no rule; whatever is neither is refused.

Rules, with ``D`` for "at the input minus at the reference":

- elementwise ``y = f(x)``: multiplier ``Dy / Dx`` (Shrikumar et al. 2017, section 3.5.1).
- maxima: what an output gains belongs to its input's maximum, what it loses to its reference's maximum (as in
  Captum and SHAP).
- softmax: the chain of its elementwise parts ``exp(z - log(sum(exp(z))))``, each rescaled; adds up to ``Dp`` for
  every class, invariant to a shift of the logits, and no example touches another.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from xaiexp.builtin.methods.operations import FRESH, READS, VIEWS, is_affine, kind_of, tensors_in
from xaiexp.builtin.methods.tracing import Following
from xaiexp.errors import Unsupported

__all__ = ["Recording", "Rescaling"]

_INSTEAD = "integrated_gradients and expected_gradients answer the same question for any differentiable network"


class _Rules(Following):
    """Hands every nonlinearity to :meth:`rule`, lets pass what is affine, and refuses the rest."""

    @abstractmethod
    def rule(self, kind: str, name: str, apply: Callable[[Tensor], Tensor], dim: int, x: Tensor) -> Tensor:
        """The output of a nonlinearity at ``x``.

        Args:
            kind: ``elementwise``, ``maximum``, ``softmax``, ``log_softmax`` or ``logsumexp``.
            name: of the function.
            apply: the function, everything but its input filled in.
            dim: the axis of a softmax.
            x: its input.
        """

    def met(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], dependent: list[Tensor]) -> Any:
        """See :meth:`Following.met`.

        Raises:
            Unsupported: neither affine nor a nonlinearity with a rule.
        """
        if name.startswith("__get__"):
            out = func(*args, **kwargs)
            if isinstance(out, Tensor) and name.split()[-1] not in VIEWS:
                raise self.refusal(name.split()[-1])
            return out
        plain = name if name.startswith("__") else name.removesuffix("_")
        if plain in FRESH:
            return func(*args, **kwargs)
        if any(not t.is_floating_point() for t in dependent):
            if all(not t.is_floating_point() for t in dependent) and plain not in READS and not kwargs.get("out"):
                return self._unspoken(name, func, args, kwargs)
            raise self.refusal(name, "chooses by comparing activations")
        if is_affine(plain, args, kwargs, self.depends):
            return func(*args, **kwargs)
        kind = kind_of(plain, args, kwargs, self.depends)
        if kind is None or len(dependent) > 1 or kwargs.get("out") is not None:
            return self._unspoken(name, func, args, kwargs)
        return self._nonlinear(kind, name, func, args, kwargs)

    def _unspoken(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Functions without a rule: fine as long as what they give is no activation (a shape, a comparison)."""
        if name in READS:
            raise self.refusal(name, "reads the values of activations")
        if name.startswith("__") or not name.endswith("_"):
            with torch.no_grad():
                out = func(*args, **kwargs)
            if all(not t.is_floating_point() for t in tensors_in(out)):
                return out
        raise self.refusal(name)

    def _nonlinear(self, kind: str, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inplace = kwargs.get("inplace") is True or (name.endswith("_") and not name.endswith("__"))
        options = {**kwargs, "inplace": False} if "inplace" in kwargs else kwargs
        place = next((i for i, a in enumerate(args) if isinstance(a, Tensor) and self.depends(a)), None)
        if place is not None:
            x = args[place]
        else:
            keyword, x = next((k, v) for k, v in kwargs.items() if isinstance(v, Tensor) and self.depends(v))

        def apply(at: Tensor) -> Tensor:
            # Functions that work in place, by name or by a positional flag, get a copy to work on.
            at = at * 1
            out = (
                func(*args, **{**options, keyword: at})
                if place is None
                else func(*args[:place], at, *args[place + 1 :], **options)
            )
            return out[0] if isinstance(out, tuple) else out  # type: ignore[no-any-return]  # pools with indices

        dim: Any = 0
        if kind not in ("elementwise", "maximum"):
            dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
            if not isinstance(dim, int):
                raise self.refusal(name, "without one axis")
        inplace = inplace or (kind == "elementwise" and len(args) > 1 and args[-1] is True)
        if inplace and place != 0:
            raise self.refusal(name, "in place")
        out = self.rule(kind, name, apply, dim, x)
        if kind == "elementwise" and out.shape != x.shape:
            raise self.refusal(name, "of tensors that broadcast")
        if inplace:
            return x.copy_(out)
        if kind == "maximum" and (name == "max" or kwargs.get("return_indices") or name.endswith("_with_indices")):
            with torch.no_grad():
                indices = func(*args, **kwargs)[1]
            return torch.return_types.max((out, indices)) if name == "max" else (out, indices)
        return out


class Recording(_Rules):
    """Keeps the input of every nonlinearity, in the order of their calls."""

    def __init__(self, method: str) -> None:
        super().__init__(method, _INSTEAD)
        self.calls: deque[tuple[str, Tensor]] = deque()

    def rule(self, kind: str, name: str, apply: Callable[[Tensor], Tensor], dim: int, x: Tensor) -> Tensor:
        """Keep ``x``; a copy, because a network may go on to work in place."""
        self.calls.append((name, x.detach().clone()))
        return apply(x)


class Rescaling(_Rules):
    """Gives every nonlinearity the rule of its kind, against what :class:`Recording` kept."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording.method, recording.instead)
        self._calls = recording.calls

    def rule(self, kind: str, name: str, apply: Callable[[Tensor], Tensor], dim: int, x: Tensor) -> Tensor:
        """The output at ``x``, with the rule for its backward."""
        met, start = self._calls.popleft() if self._calls else ("", x)
        if met != name or start.shape != x.shape:
            raise Unsupported(
                f"{self.method} needs a network that runs the same operations at the input and the reference"
            )
        function = {"elementwise": _Elementwise, "maximum": _Maximum}.get(kind)
        if function is None:
            return _Softmax.apply(x, start, dim, kind, apply)  # type: ignore[no-any-return]  # autograd functions are untyped
        return function.apply(x, start, apply)  # type: ignore[no-any-return]  # autograd functions are untyped

    def check(self, name: str, out: Tensor) -> None:
        """Refuse activations that are cut off from the input."""
        if out.is_floating_point() and not out.requires_grad:
            raise self.refusal(name, "under torch.no_grad() or in a custom autograd function")

    def finish(self, scores: Tensor) -> None:
        """Check that every rule found its partner and that the scores were followed all the way.

        Raises:
            Unsupported: otherwise.
        """
        if self._calls or not self.depends(scores):
            raise Unsupported(f"{self.method} could not follow the network from its input to its scores")


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class _Elementwise(torch.autograd.Function):
    """``dy/dx`` becomes ``(y - y0) / (x - x0)``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, apply: Callable[[Tensor], Tensor]) -> Tensor:
        dtype = x.dtype
        x, start = _wide(x.detach()), _wide(start)
        with torch.enable_grad():
            ends = [v.clone().requires_grad_() for v in (x, start)]
            outs = [apply(v) for v in ends]
            slopes = torch.autograd.grad(outs, ends, [torch.ones_like(o) for o in outs])
        y, y0 = (o.detach() for o in outs)
        ctx.save_for_backward(_secant(x, start, y, y0, *slopes))
        return y.to(dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (multiplier,) = ctx.saved_tensors
        return (grads[0] * multiplier).to(grads[0].dtype), None, None


def _secant(x: Tensor, x0: Tensor, y: Tensor, y0: Tensor, slope: Tensor, slope0: Tensor) -> Tensor:
    """``(y - y0) / (x - x0)``, without its rounding errors where the two are close.

    Below the cube root of the machine precision the mean of the slopes is the better number, unless there is a
    kink between the two; where x = x0 it is the slope.
    """
    dx = x - x0
    close = dx.abs() <= torch.finfo(x.dtype).eps ** (1 / 3) * (x.abs() + x0.abs())
    smooth = (slope - slope0).abs() < 0.1
    safe = torch.where(dx == 0, torch.ones_like(dx), dx)
    multiplier = torch.where((close & smooth) | (dx == 0), (slope + slope0) / 2, (y - y0) / safe)
    return torch.nan_to_num_(multiplier, nan=0.0, posinf=0.0, neginf=0.0)


class _Maximum(torch.autograd.Function):
    """``Dy = (max(y, y0) - y0) + (y - max(y, y0))``: at the input's and at the reference's maximum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, apply: Callable[[Tensor], Tensor]) -> Tensor:
        x = x.detach()
        ctx.save_for_backward(x, start)
        ctx.maximum = apply
        return apply(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, start = (_wide(t.detach()) for t in ctx.saved_tensors)
        grad = _wide(grads[0])
        with torch.enable_grad():
            ends = [v.requires_grad_() for v in (x, start.clone())]
            y, y0 = (ctx.maximum(v) for v in ends)
        top = torch.maximum(y, y0).detach()
        gained, lost = grad * (top - y0.detach()), grad * (y.detach() - top)
        (plain,) = torch.autograd.grad(y, ends[0], grad, retain_graph=True)
        shares = torch.autograd.grad([y, y0], ends, [gained, lost])
        dx = (x - start).detach()
        safe = torch.where(dx == 0, torch.ones_like(dx), dx)
        return torch.where(dx == 0, plain, (shares[0] + shares[1]) / safe).to(grads[0].dtype), None, None


class _Softmax(torch.autograd.Function):
    """softmax, log-softmax and log-sum-exp as chains of exp, sum and log, each rescaled."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, dim: int, kind: str, apply: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.dim, ctx.kind = dim, kind
        ctx.save_for_backward(x.detach().clone(), start)
        return apply(x.detach())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (z, z0), dim, grad = (_wide(t) for t in ctx.saved_tensors), ctx.dim, _wide(grads[0])
        total, total0 = z.logsumexp(dim, keepdim=True), z0.logsumexp(dim, keepdim=True)
        # exp(z) against z, then log against the sum of them: a ratio of two logarithmic means.
        share = (torch.maximum(z, z0) - torch.maximum(total, total0)).exp()
        share *= _relative(z - z0) / _relative(total - total0)
        if ctx.kind == "logsumexp":
            grad = grad if grad.ndim == z.ndim else grad.unsqueeze(dim)
            return (grad * share).to(grads[0].dtype), None, None, None, None
        if ctx.kind == "softmax":
            log, log0 = z - total, z0 - total0
            grad = grad * torch.maximum(log, log0).exp() * _relative(log - log0)
        return (grad - share * grad.sum(dim, keepdim=True)).to(grads[0].dtype), None, None, None, None


def _relative(difference: Tensor) -> Tensor:
    """``(1 - exp(-t)) / t`` of ``t = |difference|``: the logarithmic mean of a and b over the larger of them."""
    t = difference.abs()
    return torch.where(t == 0, torch.ones_like(t), -torch.expm1(-t) / torch.where(t == 0, torch.ones_like(t), t))
