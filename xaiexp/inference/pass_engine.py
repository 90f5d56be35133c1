"""Rows through a module: packed into full batches, retried with fewer rows when memory runs out.

Importing this module imports no torch.
"""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xaiexp.core.batches import Batch
from xaiexp.core.vocabulary import Precision
from xaiexp.errors import MismatchError, Unsupported
from xaiexp.inference import packing
from xaiexp.inference.block import Block
from xaiexp.inference.counter import Counter
from xaiexp.inference.memory_limit import MemoryLimit
from xaiexp.inference.outputs import head_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from xaiexp.inference.network_copy import Copy
    from xaiexp.inference.packing import Piece
    from xaiexp.inference.representation import Penultimate

    Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]

__all__ = ["PassEngine", "as_module", "autocast_dtype"]

# Elements of input that one batch of rows may hold when the budget is "auto"; activations are some tens of
# times that. On a CPU larger batches leave the caches, and their activations are so large that the allocator
# returns them to the system after every layer: MobileNetV2 at 224 x 224 is fastest with 4 to 8 rows.
_AUTO_ELEMENTS = {"cpu": 1_000_000, "cuda": 40_000_000}
_AUTO_ROWS = {"cpu": 1024, "cuda": 8192}

_STRETCH = 1 << 17  # elements of a stretch of small inputs


def autocast_dtype(precision: Precision) -> torch.dtype | None:
    """The dtype that a precision runs in by autocast; None for the module's own."""
    import torch

    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def _cpu() -> torch.device:
    import torch

    return torch.device("cpu")


@dataclass
class PassEngine:
    """Runs rows through one module on one device.

    Args:
        module: ``(inputs, **context)`` to what ``read`` takes.
        device: where the passes run; the module lies there.
        precision: ``fp32`` (the module's own), ``bf16`` or ``fp16`` by autocast.
        batch_budget: rows per pass; None derives it from the size of an input.
        counter: counts the passes of handles without a counter of their own.
        read: finds the numbers ``[B, K]`` or ``[B]`` in what the module returns.
        call_layout: rows ``[B, *shape]`` and their context ``[B, ...]`` to the positional and keyword arguments of the
            module, where they are not the rows and the context themselves: other axes, or several inputs.
        judge_reference: see :attr:`xaiexp.core.samples.Network.judge_reference`.
        most_rows: see :attr:`xaiexp.core.samples.Network.most_rows`.
    """

    module: Any
    device: torch.device = field(default_factory=_cpu)
    precision: Precision = "fp32"
    batch_budget: int | None = None
    counter: Counter = field(default_factory=Counter)
    read: Callable[[Any], Tensor] = head_of
    call_layout: Callable[[Tensor, Mapping[str, Tensor]], Arguments] | None = None
    judge_reference: Callable[[Batch, Tensor], str] | None = None
    most_rows: Callable[[tuple[int, ...], str], int] | None = None
    _limits: dict[tuple[int, ...], MemoryLimit] = field(default_factory=dict, init=False, repr=False, compare=False)
    _penultimates: dict[int, Penultimate] = field(default_factory=dict, init=False, repr=False, compare=False)
    _copy: Copy | None = field(default=None, init=False, repr=False, compare=False)
    _make_copy: Callable[[], Copy | None] | None = field(default=None, init=False, repr=False, compare=False)
    _rows: dict[tuple[int, ...], int] = field(default_factory=dict, init=False, repr=False, compare=False)
    _layers: list[nn.Module] | None = field(default=None, init=False, repr=False, compare=False)

    def use(self, rows: int | None, make_copy: Callable[[], Copy | None] | None, shape: tuple[int, ...]) -> None:
        """Make cheaper passes from now on; see :mod:`xaiexp.inference.speed`.

        Args:
            rows: per pass of inputs of this shape; None derives it from the size of an input.
            make_copy: makes the copy of the network that serves plain passes, when the first one is asked for; None
                where there is none.
            shape: of an input.
        """
        self._copy, self._make_copy = None, make_copy
        if rows is not None:
            self._rows[shape] = rows

    def budget(self, shape: tuple[int, ...]) -> int:
        """Rows of inputs of this shape that go through the model at once."""
        rows = self._unlimited(shape)
        limit = self._limits.get(shape)
        return rows if limit is None else limit.bounded(rows)

    def stretch(self, shape: tuple[int, ...]) -> int:
        """Rows of perturbed inputs that are made at a time: those of a pass, or of several where inputs are small.

        What is done for each stretch costs more than the passes of a few numbers. A number of rows that was asked for
        is that of a stretch, too.
        """
        if self.batch_budget is not None:
            return self.budget(shape)
        return max(self.budget(shape), _STRETCH // max(1, math.prod(shape)))

    def _unlimited(self, shape: tuple[int, ...]) -> int:
        """The budget as long as memory does not run out."""
        rows = self.batch_budget
        if rows is None:
            rows = self._rows.get(shape)
        if rows is None:
            kind = self.device.type if self.device.type in _AUTO_ROWS else "cpu"
            rows = max(1, min(_AUTO_ROWS[kind], _AUTO_ELEMENTS[kind] // max(1, math.prod(shape))))
        if self.batch_budget is None and self.most_rows is not None:
            rows = min(rows, self.most_rows(shape, self.device.type))
        return rows

    def penultimate(self, cheap: bool = False) -> Penultimate:
        """The penultimate layer of the module, found once; with ``cheap`` that of what :meth:`cheap_forward` runs.

        Raises:
            Unsupported: the model is not a ``torch.nn.Module``.
        """
        module = self._copy_now() if cheap else None
        network = as_module(self.module) if module is None else module.module
        if id(network) not in self._penultimates:
            from xaiexp.inference.representation import Penultimate

            self._penultimates[id(network)] = Penultimate(network)
        return self._penultimates[id(network)]

    def arguments(self, inputs: Tensor, context: Mapping[str, Tensor]) -> Arguments:
        """The positional and keyword arguments of the module for rows ``[B, *shape]`` and their context."""
        return ((inputs,), context) if self.call_layout is None else self.call_layout(inputs, context)

    def cheap_forward(self, inputs: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        """As :meth:`forward`, by the copy for cheaper passes where there is one and nobody hooks the network."""
        return self.forward(inputs, context, self._copy_now())

    def _copy_now(self) -> Copy | None:
        if (self._copy is None and self._make_copy is None) or self.hooked:
            return None
        if self._make_copy is not None:
            make, self._make_copy = self._make_copy, None
            self._copy = make()
        return self._copy

    @property
    def hooked(self) -> bool:
        """Whether a layer of the network has hooks."""
        from torch import nn

        if self._layers is None:
            self._layers = list(self.module.modules()) if isinstance(self.module, nn.Module) else []
        return any(
            each._forward_hooks or each._forward_pre_hooks or each._backward_hooks or each._backward_pre_hooks  # noqa: SLF001  # torch has no other way to ask
            for each in self._layers
        )

    def forward(self, inputs: Tensor, context: Mapping[str, Tensor], module: Any = None) -> Tensor:
        """One forward pass of rows as they are, not counted: ``[B, classes]``, in the inputs' dtype.

        Args:
            inputs: ``[B, *shape]``.
            context: of the rows.
            module: goes in place of the network; None for the network.

        Raises:
            MismatchError: the model does not return one tensor ``[B, classes]`` or ``[B]``.
        """
        import torch

        dtype = autocast_dtype(self.precision)
        scope: contextlib.AbstractContextManager[object] = (
            contextlib.nullcontext() if dtype is None else torch.autocast(self.device.type, dtype=dtype)
        )
        positional, named = self.arguments(inputs, context)
        with scope:
            out = self.read((self.module if module is None else module)(*positional, **named))
        if out.ndim == 1:
            out = out.unsqueeze(1)
        if out.ndim != 2 or out.shape[0] != inputs.shape[0]:
            raise MismatchError(
                "model",
                f"must return scores [N, classes] or [N] for {inputs.shape[0]} inputs",
                got=tuple(out.shape),
            )
        return out.to(inputs.dtype)

    def packed(
        self,
        batch: Batch,
        pieces: Iterable[Piece],
        run: Callable[[Block], Tensor],
        counter: Counter,
        weight: int = 1,
        cheap: bool = False,
    ) -> Iterator[Tensor]:
        """Run ``pieces`` through ``run`` in full batches; see :func:`xaiexp.inference.packing.packed`.

        Args:
            batch: the examples that the rows are versions of.
            pieces: see :func:`xaiexp.inference.packing.packed`.
            run: a block of rows to a tensor with as many rows.
            counter: counts the passes.
            weight: how many rows go through the model at once for every row of a block.
            cheap: whether ``run`` needs scores and gradients alone, so that a copy of the network may give them.
        """
        each = _Run(batch, run, self.cheap_forward if cheap else self.forward, counter, weight)

        return packing.packed(
            pieces,
            len(batch),
            batch.shape,
            lambda: max(1, self.budget(batch.shape) // weight),
            lambda rows, owners: self._retried(rows, owners, each),
        )

    def _retried(self, rows: Tensor, owners: Tensor, run: _Run) -> Tensor:
        import torch

        shape = run.batch.shape
        limit = self._limits.setdefault(shape, MemoryLimit())
        try:
            result = run(rows, owners)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            if len(rows) == 1:
                raise Unsupported("one example alone does not fit into memory") from None
        else:
            limit.succeeded(len(rows) * run.weight, self._unlimited(shape))
            return result
        half = len(rows) // 2
        limit.failed(len(rows) * run.weight)
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return torch.cat([self._retried(rows[part], owners[part], run) for part in (slice(half), slice(half, None))])


@dataclass(frozen=True)
class _Run:
    """What :meth:`PassEngine.packed` does with rows; its parameters are those of that method."""

    batch: Batch
    function: Callable[[Block], Tensor]
    forward: Callable[[Tensor, Mapping[str, Tensor]], Tensor]
    counter: Counter
    weight: int

    def __call__(self, rows: Tensor, owners: Tensor) -> Tensor:
        return self.function(Block(self.batch, rows, owners, self.forward, self.counter))


def _out_of_memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)


def as_module(module: Any) -> nn.Module:
    """The network as a ``torch.nn.Module``.

    Raises:
        Unsupported: it is some other callable.
    """
    from torch import nn

    if not isinstance(module, nn.Module):
        raise Unsupported("the model is not a torch.nn.Module, so its layers cannot be hooked")
    return module
