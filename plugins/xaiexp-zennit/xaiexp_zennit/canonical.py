"""The canonical form of a network, for as long as relevance is propagated, and the refusal of what no rule covers.

A rule stands at a module. What a network does between its modules (``x + shortcut``, ``x.mean((2, 3))``) gets
plain gradients from zennit, which for a sum means that relevance is doubled. So sums and averages between modules
are given their rule here while they run, and an operation for which gradients are not LRP is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.core import Composite, collect_leaves
from zennit.layer import Sum
from zennit.rules import Norm, Pass
from zennit.types import Activation, AvgPool, BatchNorm, Linear

from xaiexp.plugin import Unsupported

__all__ = ["Canonical", "MergeBatchNorms"]

# How far the canonical network may be from the network, as a part of its largest logit: merging a batch
# normalisation leaves its eps in place, so each scales by 1 - 5e-6; a wrong merge is off by far more.
_TOLERANCE = 5e-3

_SUMS = frozenset({"add", "add_", "__add__", "__iadd__", "__radd__"})
_AVERAGES = frozenset({"mean", *(f"{kind}avg_pool{d}d" for kind in ("", "adaptive_") for d in (1, 2, 3))})
# zennit passes relevance through an activation as it is, where it is a module; functional ones are the same.
_ACTIVATIONS = frozenset(
    f"{name}{end}"
    for name in (
        *("celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "relu6", "selu"),
        *("sigmoid", "silu", "softplus", "tanh"),
    )
    for end in ("", "_")
)
# Their gradient is LRP: they move, split, join, or choose elements. (A ReLU also is: what it sets to zero
# receives no relevance from the rule above it.)
_MOVES = frozenset(
    {"flatten", "unflatten", "view", "view_as", "reshape", "permute", "transpose", "t", "swapaxes", "movedim"}
    | {"contiguous", "clone", "squeeze", "unsqueeze", "expand", "expand_as", "to", "float", "double", "type"}
    | {"cat", "concat", "concatenate", "stack", "chunk", "split", "tensor_split", "unbind", "__getitem__", "narrow"}
    | {"pad", "relu", "relu_", "dropout", "dropout_", "channel_shuffle", "pixel_shuffle", "pixel_unshuffle"}
    | {f"{kind}{d}d" for kind in ("max_pool", "adaptive_max_pool", "dropout") for d in (1, 2, 3)}
)


class MergeBatchNorms(SequentialMergeBatchNorm):  # type: ignore[misc]  # zennit has no types
    """Merges every batch normalisation into the linear layer that is defined right before it, all of them or none.

    zennit's own stops where shapes do not fit, or memory runs out, and leaves what it has merged so far.
    """

    def apply(self, root_module: nn.Module) -> list[SequentialMergeBatchNorm]:
        """The merges made, to be removed in any order.

        Raises:
            Unsupported: two of the layers share their weights.
        """
        leaves = list(collect_leaves(root_module))
        pairs = [pair for pair in pairwise(leaves) if _fit(*pair)]
        parameters = [id(tensor) for pair in pairs for child in pair for tensor in child.parameters()]
        if len(set(parameters)) < len(parameters):
            raise Unsupported("layers that batch normalisations would be merged into share their weights")
        instances: list[SequentialMergeBatchNorm] = []
        try:
            for linear, norm in pairs:
                instances.append(self.copy())
                instances[-1].register((linear,), norm)
        except BaseException:
            for instance in instances:
                if instance.batch_norm_params is not None:
                    instance.remove()
            raise
        return instances


def _fit(linear: nn.Module, norm: nn.Module) -> bool:
    """Whether the second is a batch normalisation of as many channels as the first gives."""
    if not isinstance(linear, Linear) or not isinstance(norm, BatchNorm):
        return False
    channels = linear.out_features if isinstance(linear, nn.Linear) else linear.out_channels
    return bool(channels == norm.num_features)


class _Operation(nn.Module):
    """A function as a module, so that a rule can stand at it."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """``function(x)``."""
        return self.function(x)


class Canonical:
    """A network in canonical form within a ``with`` block; afterwards it is what it was, whatever happened.

    Args:
        module: the network, in eval mode.
        composite: with its canonizers; of its own, not shared.
        stabilizer: of the rule for sums and averages between modules.
        first: kinds of layers that the first rule of the composite is for; empty where it has none.
    """

    def __init__(
        self, module: nn.Module, composite: Composite, stabilizer: float, first: tuple[type, ...] = ()
    ) -> None:
        self.module, self.composite, self.stabilizer = module, composite, stabilizer
        self.names = {child: name or "the network" for name, child in module.named_modules()}
        self.first = next((child for child in module.modules() if isinstance(child, first)), None)
        self.wants_first = bool(first)
        self.merged: set[nn.Module] = set()
        self.running: list[nn.Module] = []
        self.ran: list[nn.Module] = []
        self.inside = 0
        self.operations: list[nn.Module] = []  # zennit itself keeps weak references to hooks
        self._undo = ExitStack()

    def __enter__(self) -> Canonical:
        for child in self.names:
            self._check(child)
        with ExitStack() as undo:
            undo.callback(self.composite.remove)
            self.composite.register(self.module)
            self.merged = {h.batch_norm for h in self.composite.handles if isinstance(h, SequentialMergeBatchNorm)}
            for child in self.names:
                undo.callback(child.register_forward_pre_hook(self._enters, prepend=True).remove)
                undo.callback(child.register_forward_hook(self._leaves).remove)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()
        self.operations.clear()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within this scope one forward pass runs, and every operation of it is looked at."""
        with _Watch(self):
            yield

    def check_same(self, logits: Tensor, wanted: Tensor) -> None:
        """Refuse a canonical form that computes something else than the network.

        Raises:
            Unsupported: batch normalisations and linear layers do not run in the order they are defined in.
        """
        off = (logits.detach() - wanted).abs().amax()
        if not bool(off <= _TOLERANCE * wanted.abs().amax().clamp(min=1e-6)):
            raise Unsupported(
                f"the canonical form of the network misses its logits by {float(off):.2g}: batch normalisations "
                "cannot be merged into the layers defined before them"
            )

    def place(self) -> str:
        """The module that runs now, in words."""
        running = self.running[-1]
        return f"{self.names[running]} ({type(running).__name__})"

    def rule(self, hook: Any, operation: nn.Module, x: Tensor) -> Tensor:
        """An operation with a rule of its own."""
        self.operations.append(operation)
        self._undo.callback(hook.register(operation).remove)
        out: Tensor = operation(x)
        return out

    def _check(self, child: nn.Module) -> None:
        name, kind = self.names[child], type(child)
        if isinstance(child, nn.MultiheadAttention):
            raise Unsupported(f"{name} is attention, for which these composites have no rule")
        if _ruled(child) and not kind.forward.__module__.startswith(("torch.nn.", "zennit.")):
            raise Unsupported(f"{name} ({kind.__name__}) has a forward of its own, which no rule knows")
        if isinstance(child, BatchNorm) and (child.weight is None or child.running_mean is None):
            raise Unsupported(f"{name} ({kind.__name__}) has no weights or no running statistics to be merged")

    def _enters(self, child: nn.Module, _inputs: Any) -> None:
        self.running.append(child)
        if not _ruled(child):
            return
        self.inside += 1
        if isinstance(child, BatchNorm) and child not in self.merged:
            raise Unsupported(f"{self.place()} follows no linear layer, so it cannot be merged into one")
        if isinstance(child, Linear | AvgPool):
            if child in self.ran:
                raise Unsupported(f"{self.place()} runs twice in one pass, and a rule remembers one input only")
            first = not any(isinstance(other, Linear) for other in self.ran)
            if self.wants_first and first and isinstance(child, Linear) and child is not self.first:
                raise Unsupported(
                    f"{self.place()} is the first layer to run, and the rule for the first layer is for "
                    + (f"{self.names[self.first]}" if self.first is not None else "convolutions")
                )
            self.ran.append(child)

    def _leaves(self, child: nn.Module, _inputs: Any, _output: Any) -> None:
        self.running.pop()
        self.inside -= _ruled(child)


def _ruled(module: nn.Module) -> bool:
    """Whether zennit puts a rule at this kind of module."""
    return isinstance(module, Linear | AvgPool | BatchNorm | Activation | Sum)


class _Watch(TorchFunctionMode):
    """Sees every operation of a forward pass: gives sums and averages between modules a rule, and refuses others."""

    def __init__(self, canonical: Canonical) -> None:
        super().__init__()
        self.canonical = canonical

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by torch in place of ``func``."""
        kwargs = dict(kwargs or {})
        canonical = self.canonical
        # Outside of every module nothing of the network runs: that is the caller preparing its inputs.
        if canonical.inside or not canonical.running or not any(map(_depends, (*args, *kwargs.values()))):
            return func(*args, **kwargs)
        self._refuse_autocast(args)
        name = (resolve_name(func) or getattr(func, "__name__", "")).rpartition(".")[2]
        if name in _SUMS:
            return self._sum(name, args, kwargs)
        if name in _AVERAGES and isinstance(args[0], Tensor):
            operation = _Operation(lambda x: func(x, *args[1:], **kwargs))
            return canonical.rule(Norm(stabilizer=canonical.stabilizer), operation, args[0])
        if name in _ACTIVATIONS and isinstance(args[0], Tensor):
            return canonical.rule(Pass(), _Operation(partial(_activated, func, args[1:], kwargs)), args[0])
        out = func(*args, **kwargs)
        if name not in _MOVES and _numbers(out):
            raise Unsupported(f"{canonical.place()} runs {name}, for which these composites have no rule")
        return out

    def _sum(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        canonical = self.canonical
        addends = [*args, *([kwargs.pop("other")] if "other" in kwargs else [])]
        if kwargs or len(addends) != 2 or not all(isinstance(a, Tensor) and a.is_floating_point() for a in addends):
            raise Unsupported(f"{canonical.place()} adds something else than two tensors ({name})")
        alike = torch.broadcast_tensors(*addends)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        stacked = torch.stack(alike, dim=-1)
        return canonical.rule(Norm(stabilizer=canonical.stabilizer), Sum(), stacked)

    @staticmethod
    def _refuse_autocast(args: tuple[Any, ...]) -> None:
        device = next((a.device.type for a in args if isinstance(a, Tensor)), "cpu")
        if torch.is_autocast_enabled(device):
            raise Unsupported("the rules divide by small numbers and need full precision: precision=fp32")


def _activated(func: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any], x: Tensor) -> Tensor:
    return func(x, *args, **kwargs)


def _depends(value: object) -> bool:
    """Whether a gradient would flow through an argument."""
    if isinstance(value, list | tuple):
        return any(map(_depends, value))
    return isinstance(value, Tensor) and value.requires_grad


def _numbers(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_numbers, value))
    return isinstance(value, Tensor) and value.is_floating_point()
