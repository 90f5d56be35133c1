"""The canonical form of a network during relevance propagation, and checks that every operation has a rule.

zennit attaches rules to modules. For operations between modules (``x + shortcut``, ``x.mean((2, 3))``) it uses plain
gradients, which double the relevance at a sum. Here sums and averages between modules get a rule while they run, and
operations whose gradient is not an LRP rule raise ``Unsupported``.
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

# Largest difference of the logits of the canonical form, relative to the largest logit. A merged batch normalisation
# keeps its eps and scales by 1 - 5e-6; a wrong merge changes the logits far more.
_TOLERANCE = 5e-3

_SUMS = frozenset({"add", "add_", "__add__", "__iadd__", "__radd__"})
_AVERAGES = frozenset({"mean", *(f"{kind}avg_pool{d}d" for kind in ("", "adaptive_") for d in (1, 2, 3))})
# zennit passes relevance unchanged through activations that are modules; functional activations get the same rule.
_ACTIVATIONS = frozenset(
    f"{name}{end}"
    for name in (
        *("celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "relu6", "selu"),
        *("sigmoid", "silu", "softplus", "tanh"),
    )
    for end in ("", "_")
)
# Operations whose gradient is an LRP rule: they move, split, join or select elements. (This includes ReLU: elements
# that it sets to zero receive no relevance from the layer above.)
_REARRANGEMENTS = frozenset(
    {"flatten", "unflatten", "view", "view_as", "reshape", "permute", "transpose", "t", "swapaxes", "movedim"}
    | {"contiguous", "clone", "squeeze", "unsqueeze", "expand", "expand_as", "to", "float", "double", "type"}
    | {"cat", "concat", "concatenate", "stack", "chunk", "split", "tensor_split", "unbind", "__getitem__", "narrow"}
    | {"pad", "relu", "relu_", "dropout", "dropout_", "channel_shuffle", "pixel_shuffle", "pixel_unshuffle"}
    | {f"{kind}{d}d" for kind in ("max_pool", "adaptive_max_pool", "dropout") for d in (1, 2, 3)}
)


class MergeBatchNorms(SequentialMergeBatchNorm):  # type: ignore[misc]  # zennit has no types
    """Merges every batch normalisation into the linear layer defined directly before it; undone if one merge fails.

    zennit's canonizer stops at an error (mismatched shapes, no memory) and keeps the merges made so far.
    """

    def apply(self, root_module: nn.Module) -> list[SequentialMergeBatchNorm]:
        """The merges, which may be removed in any order.

        Raises:
            Unsupported: two of the layers share their weights.
        """
        leaves = list(collect_leaves(root_module))
        pairs = [pair for pair in pairwise(leaves) if _can_merge(*pair)]
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


def _can_merge(linear: nn.Module, norm: nn.Module) -> bool:
    """Whether ``norm`` is a batch normalisation of the output channels of ``linear``, a linear or convolution layer."""
    if not isinstance(linear, Linear) or not isinstance(norm, BatchNorm):
        return False
    channels = linear.out_features if isinstance(linear, nn.Linear) else linear.out_channels
    return bool(channels == norm.num_features)


class _Operation(nn.Module):
    """A function as a module, to which zennit can attach a rule."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """``function(x)``."""
        return self.function(x)


class Canonical:
    """A network in canonical form within a ``with`` block; it is restored afterwards, also after an error.

    Args:
        module: the network, in eval mode.
        composite: composite with canonizers; must not be used by other instances.
        stabilizer: stabilizer of the rule for sums and averages between modules.
        first: kinds of layers that the composite's rule for the first layer applies to; empty without such a rule.
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
        self.operations: list[nn.Module] = []  # kept alive here: zennit holds weak references only
        self._undo = ExitStack()

    def __enter__(self) -> Canonical:
        for child in self.names:
            self._check(child)
        with ExitStack() as undo:
            undo.callback(self.composite.remove)
            self.composite.register(self.module)
            self.merged = {h.batch_norm for h in self.composite.handles if isinstance(h, SequentialMergeBatchNorm)}
            for child in self.names:
                undo.callback(child.register_forward_pre_hook(self._before_forward, prepend=True).remove)
                undo.callback(child.register_forward_hook(self._after_forward).remove)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()
        self.operations.clear()

    @contextmanager
    def forward_pass(self) -> Iterator[None]:
        """A scope for one forward pass, whose operations between modules get their rules or raise."""
        with _OperationRules(self):
            yield

    def check_same(self, logits: Tensor, expected: Tensor) -> None:
        """Check that the canonical form computes the logits of the network.

        Raises:
            Unsupported: it does not, because layers run in another order than they are defined in.
        """
        difference = (logits.detach() - expected).abs().amax()
        if not bool(difference <= _TOLERANCE * expected.abs().amax().clamp(min=1e-6)):
            raise Unsupported(
                f"the canonical form changes the logits of the network by {float(difference):.2g}: batch "
                "normalisations cannot be merged into the layers defined before them"
            )

    def running_module(self) -> str:
        """Name and type of the module that is running, for messages."""
        running = self.running[-1]
        return f"{self.names[running]} ({type(running).__name__})"

    def rule(self, hook: Any, operation: nn.Module, x: Tensor) -> Tensor:
        """The output of an operation with a rule attached to it."""
        self.operations.append(operation)
        self._undo.callback(hook.register(operation).remove)
        out: Tensor = operation(x)
        return out

    def _check(self, child: nn.Module) -> None:
        """Raise ``Unsupported`` for a module that no rule covers."""
        name, kind = self.names[child], type(child)
        if isinstance(child, nn.MultiheadAttention):
            raise Unsupported(f"{name} is attention, for which these composites have no rule")
        if _has_rule(child) and not kind.forward.__module__.startswith(("torch.nn.", "zennit.")):
            raise Unsupported(f"{name} ({kind.__name__}) overrides forward, and no rule covers it")
        if isinstance(child, BatchNorm) and (child.weight is None or child.running_mean is None):
            raise Unsupported(f"{name} ({kind.__name__}) has no weights or no running statistics to be merged")

    def _before_forward(self, child: nn.Module, _inputs: Any) -> None:
        self.running.append(child)
        if not _has_rule(child):
            return
        self.inside += 1
        if isinstance(child, BatchNorm) and child not in self.merged:
            raise Unsupported(f"{self.running_module()} follows no linear layer, so it cannot be merged into one")
        if isinstance(child, Linear | AvgPool):
            if child in self.ran:
                raise Unsupported(f"{self.running_module()} runs twice in one pass, but a rule stores one input only")
            first = not any(isinstance(other, Linear) for other in self.ran)
            if self.wants_first and first and isinstance(child, Linear) and child is not self.first:
                raise Unsupported(
                    f"{self.running_module()} is the first layer to run, but the rule for the first layer is for "
                    + (f"{self.names[self.first]}" if self.first is not None else "convolutions")
                )
            self.ran.append(child)

    def _after_forward(self, child: nn.Module, _inputs: Any, _output: Any) -> None:
        self.running.pop()
        self.inside -= _has_rule(child)


def _has_rule(module: nn.Module) -> bool:
    """Whether zennit attaches a rule to this kind of module."""
    return isinstance(module, Linear | AvgPool | BatchNorm | Activation | Sum)


class _OperationRules(TorchFunctionMode):
    """Gives sums, averages and activations between modules a rule in a forward pass; raises for other operations."""

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
        # Outside of all modules, the caller prepares inputs; inside a module with a rule, that rule applies.
        if canonical.inside or not canonical.running or not any(map(_requires_grad, (*args, *kwargs.values()))):
            return func(*args, **kwargs)
        self._refuse_autocast(args)
        name = (resolve_name(func) or getattr(func, "__name__", "")).rpartition(".")[2]
        if name in _SUMS:
            return self._sum(name, args, kwargs)
        if name in _AVERAGES and isinstance(args[0], Tensor):
            operation = _Operation(lambda x: func(x, *args[1:], **kwargs))
            return canonical.rule(Norm(stabilizer=canonical.stabilizer), operation, args[0])
        if name in _ACTIVATIONS and isinstance(args[0], Tensor):
            return canonical.rule(Pass(), _Operation(partial(_activation, func, args[1:], kwargs)), args[0])
        out = func(*args, **kwargs)
        if name not in _REARRANGEMENTS and _is_float(out):
            raise Unsupported(f"{canonical.running_module()} runs {name}, for which these composites have no rule")
        return out

    def _sum(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """The sum of two tensors, with a rule that distributes relevance in proportion to the addends."""
        canonical = self.canonical
        addends = [*args, *([kwargs.pop("other")] if "other" in kwargs else [])]
        if kwargs or len(addends) != 2 or not all(isinstance(a, Tensor) and a.is_floating_point() for a in addends):
            raise Unsupported(f"{canonical.running_module()} adds other values than two tensors ({name})")
        broadcast = torch.broadcast_tensors(*addends)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        stacked = torch.stack(broadcast, dim=-1)
        return canonical.rule(Norm(stabilizer=canonical.stabilizer), Sum(), stacked)

    @staticmethod
    def _refuse_autocast(args: tuple[Any, ...]) -> None:
        device = next((a.device.type for a in args if isinstance(a, Tensor)), "cpu")
        if torch.is_autocast_enabled(device):
            raise Unsupported("the rules divide by small numbers and need full precision: use precision=fp32")


def _activation(func: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any], x: Tensor) -> Tensor:
    return func(x, *args, **kwargs)


def _requires_grad(value: object) -> bool:
    """Whether a value is or contains a tensor that requires a gradient."""
    if isinstance(value, list | tuple):
        return any(map(_requires_grad, value))
    return isinstance(value, Tensor) and value.requires_grad


def _is_float(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_float, value))
    return isinstance(value, Tensor) and value.is_floating_point()
