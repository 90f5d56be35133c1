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

    from xaiexp.inference.packing import Piece
    from xaiexp.inference.representation import Penultimate

    Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]

__all__ = ["PassEngine", "as_module", "autocast_dtype"]

# Elements of input that one batch of rows may hold when the budget is "auto"; activations are some tens of
# times that. On a CPU larger batches leave the caches, and their activations are so large that the allocator
# returns them to the system after every layer: MobileNetV2 at 224 x 224 is fastest with 4 to 8 rows.
_AUTO_ELEMENTS = {"cpu": 1_000_000, "cuda": 40_000_000}
_AUTO_ROWS = {"cpu": 1024, "cuda": 8192}


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
    """

    module: Any
    device: torch.device = field(default_factory=_cpu)
    precision: Precision = "fp32"
    batch_budget: int | None = None
    counter: Counter = field(default_factory=Counter)
    read: Callable[[Any], Tensor] = head_of
    call_layout: Callable[[Tensor, Mapping[str, Tensor]], Arguments] | None = None
    judge_reference: Callable[[Batch, Tensor], str] | None = None
    _limits: dict[tuple[int, ...], MemoryLimit] = field(default_factory=dict, init=False, repr=False, compare=False)
    _penultimate: Penultimate | None = field(default=None, init=False, repr=False, compare=False)

    def budget(self, shape: tuple[int, ...]) -> int:
        """Rows of inputs of this shape that go through the model at once."""
        rows = self._unlimited(shape)
        limit = self._limits.get(shape)
        return rows if limit is None else limit.bounded(rows)

    def _unlimited(self, shape: tuple[int, ...]) -> int:
        """The budget as long as memory does not run out."""
        rows = self.batch_budget
        if rows is None:
            kind = self.device.type if self.device.type in _AUTO_ROWS else "cpu"
            rows = max(1, min(_AUTO_ROWS[kind], _AUTO_ELEMENTS[kind] // max(1, math.prod(shape))))
        return rows

    @property
    def penultimate(self) -> Penultimate:
        """The penultimate layer of the module, found once.

        Raises:
            Unsupported: the model is not a ``torch.nn.Module``.
        """
        if self._penultimate is None:
            from xaiexp.inference.representation import Penultimate

            self._penultimate = Penultimate(as_module(self.module))
        return self._penultimate

    def arguments(self, inputs: Tensor, context: Mapping[str, Tensor]) -> Arguments:
        """The positional and keyword arguments of the module for rows ``[B, *shape]`` and their context."""
        return ((inputs,), context) if self.call_layout is None else self.call_layout(inputs, context)

    def forward(self, inputs: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        """One forward pass of rows as they are, not counted: ``[B, classes]``, in the inputs' dtype.

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
            out = self.read(self.module(*positional, **named))
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
    ) -> Iterator[Tensor]:
        """Run ``pieces`` through ``run`` in full batches; see :func:`xaiexp.inference.packing.packed`.

        Args:
            batch: the examples that the rows are versions of.
            pieces: see :func:`xaiexp.inference.packing.packed`.
            run: a block of rows to a tensor with as many rows.
            counter: counts the passes.
            weight: how many rows go through the model at once for every row of a block.
        """

        def retried(rows: Tensor, owners: Tensor) -> Tensor:
            return self._retried(batch, rows, owners, run, counter, weight)

        return packing.packed(
            pieces, len(batch), batch.shape, lambda: max(1, self.budget(batch.shape) // weight), retried
        )

    def _retried(
        self, batch: Batch, rows: Tensor, owners: Tensor, run: Callable[[Block], Tensor], counter: Counter, weight: int
    ) -> Tensor:
        import torch

        limit = self._limits.setdefault(batch.shape, MemoryLimit())
        try:
            result = run(Block(batch, rows, owners, self.forward, counter))
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            if len(rows) == 1:
                raise Unsupported("one example alone does not fit into memory") from None
        else:
            limit.succeeded(len(rows) * weight, self._unlimited(batch.shape))
            return result
        half = len(rows) // 2
        limit.failed(len(rows) * weight)
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        parts = (slice(half), slice(half, None))
        return torch.cat([self._retried(batch, rows[part], owners[part], run, counter, weight) for part in parts])


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
