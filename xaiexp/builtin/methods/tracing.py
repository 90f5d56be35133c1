"""A torch function mode that tracks which tensors depend on a network's input.

Rules that change how a network is differentiated apply to torch functions while they run. This covers functional,
in-place and reused activations, and the network is not modified.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from xaiexp.builtin.methods.operations import CONSTRUCTORS, tensors_in
from xaiexp.errors import Unsupported

__all__ = ["OperationTracer"]


def _name(func: Any) -> str:
    name = str(getattr(func, "__name__", func))
    owner = getattr(func, "__self__", None)
    return f"{name} {getattr(owner, '__name__', '')}" if name in ("__get__", "__set__") else name


class OperationTracer(TorchFunctionMode):
    """Passes every torch call whose arguments depend on the input to :meth:`handle_call`.

    Args:
        method: name of the method that uses it, for messages.
        alternative: other methods that the user may choose, for messages.
    """

    def __init__(self, method: str, alternative: str) -> None:
        super().__init__()
        self.method, self.alternative = method, alternative
        # True: depends on the input. A number: depends on parameters only, at that version of the tensor.
        self._dependence: Any = WeakTensorKeyDictionary()

    def mark_input(self, tensor: Tensor) -> Tensor:
        """Mark a tensor as the network's input, and return it."""
        self._dependence[tensor] = True
        return tensor

    @abstractmethod
    def handle_call(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], dependent: list[Tensor]
    ) -> Any:
        """Compute the result of a call with arguments that depend on the input.

        Args:
            name: name of the function.
            func, args, kwargs: the call.
            dependent: the tensors among the arguments that depend on the input; at least one.
        """

    def check_output(self, name: str, out: Tensor) -> None:
        """Validate an output of a call with arguments that depend on the input."""

    def depends(self, tensor: Tensor) -> bool:
        """Whether a tensor was computed from the input.

        Raises:
            Unsupported: it comes from an operation that is hidden from torch function modes.
        """
        dependence = self._dependence.get(tensor)
        if dependence is True:
            return True
        if tensor.grad_fn is None or (dependence is not None and dependence == tensor._version):  # noqa: SLF001 -- no public name
            return False
        raise Unsupported(
            f"{self.method} cannot trace {type(tensor.grad_fn).__name__.removesuffix('Backward')!r} "
            "(a custom autograd function, a compiled or scripted module)"
        )

    def unsupported(self, name: str, why: str = "") -> Unsupported:
        """The error for a function without a rule; names the module that runs it."""
        operation = " ".join(part for part in (repr(name), why, _running_module()) if part)
        return Unsupported(f"{self.method} has no rule for {operation}; {self.alternative}")

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
                    self._dependence[tensor] = tensor._version  # noqa: SLF001 -- no public name
            return out
        out = self.handle_call(name, func, args, kwargs, dependent)
        if name == "__setitem__":
            self._dependence[args[0]] = True
        if name.strip("_") not in CONSTRUCTORS:
            for tensor in tensors_in(out):
                self._dependence[tensor] = True
                self.check_output(name, tensor)
        return out


def _running_module() -> str:
    """The module whose forward is running, such as ``in 'layer1.0.norm' (LayerNorm)``; empty outside of modules."""
    running: list[nn.Module] = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 -- there is no public access to the running frames
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
