"""A torch function mode that follows what depends on a network's input, one function call at a time.

Rules that change how a network is differentiated act on torch's functions while they run, not on modules: so
activations that are functional, in place or used twice need no care, and the network is never touched.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from xaiexp.builtin.methods.operations import FRESH, tensors_in
from xaiexp.errors import Unsupported

__all__ = ["Following"]


def _name(func: Any) -> str:
    name = str(getattr(func, "__name__", func))
    owner = getattr(func, "__self__", None)
    return f"{name} {getattr(owner, '__name__', '')}" if name in ("__get__", "__set__") else name


class Following(TorchFunctionMode):
    """Hands every function of what depends on the input to :meth:`met`.

    Args:
        method: the name of the method that follows, for messages.
        instead: what its users may turn to, for messages.
    """

    def __init__(self, method: str, instead: str) -> None:
        super().__init__()
        self.method, self.instead = method, instead
        # True: depends on the input. A number: depends on parameters only, at that version of the tensor.
        self._known: Any = WeakTensorKeyDictionary()

    def input(self, tensor: Tensor) -> Tensor:
        """Mark the tensor from which dependence starts."""
        self._known[tensor] = True
        return tensor

    @abstractmethod
    def met(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], dependent: list[Tensor]) -> Any:
        """What a function of dependent tensors gives.

        Args:
            name: of the function.
            func, args, kwargs: the call.
            dependent: the tensors among the arguments that depend on the input; at least one.
        """

    def check(self, name: str, out: Tensor) -> None:
        """Look at what a function of dependent tensors gave."""

    def depends(self, tensor: Tensor) -> bool:
        """Whether a tensor was computed from the input.

        Raises:
            Unsupported: it comes from an operation that torch does not show.
        """
        known = self._known.get(tensor)
        if known is True:
            return True
        if tensor.grad_fn is None or (known is not None and known == tensor._version):  # noqa: SLF001 -- no public name
            return False
        raise Unsupported(
            f"{self.method} cannot see into {type(tensor.grad_fn).__name__.removesuffix('Backward')!r} "
            "(a custom autograd function, a compiled or scripted module)"
        )

    def refusal(self, name: str, why: str = "") -> Unsupported:
        """The error for a function without a rule, with the module that runs it."""
        what = " ".join(part for part in (repr(name), why, _place()) if part)
        return Unsupported(f"{self.method} has no rule for {what}; {self.instead}")

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = _name(func)
        dependent = [] if name == "__get__ grad_fn" else [t for t in tensors_in((args, kwargs)) if self.depends(t)]
        if not dependent:
            out = func(*args, **kwargs)
            for tensor in tensors_in(out):
                if tensor.grad_fn is not None:
                    self._known[tensor] = tensor._version  # noqa: SLF001 -- no public name
            return out
        out = self.met(name, func, args, kwargs, dependent)
        if name == "__setitem__":
            self._known[args[0]] = True
        if name.strip("_") not in FRESH:
            for tensor in tensors_in(out):
                self._known[tensor] = True
                self.check(name, tensor)
        return out


def _place() -> str:
    """The module whose forward is running, as ``in 'layer1.0.norm' (LayerNorm)``; empty outside of modules."""
    running: list[nn.Module] = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 -- the only way to the running frames
    while frame is not None:
        module = frame.f_locals.get("self")
        if frame.f_code.co_name == "forward" and isinstance(module, nn.Module):
            running.append(module)
        frame = frame.f_back
    if not running:
        return ""
    inner, outer = running[0], running[-1]
    name = next((name for name, module in outer.named_modules() if module is inner), "")
    return f"in {name!r} ({type(inner).__name__})" if name else f"in {type(inner).__name__}"
