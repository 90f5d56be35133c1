"""The model's forward and backward passes: packed to fill the device, retried when memory runs out, counted.

A method sees a :class:`Handle`, bound to one batch: it knows the batch's targets and context, so a method only
says at which inputs it wants scores or gradients. Pieces of any size are packed into full batches of rows.
"""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, overload

import torch
from torch import Tensor, nn

from xaiexp import packing
from xaiexp.block import Block
from xaiexp.errors import MismatchError, Unsupported
from xaiexp.memory import Memory, target_scores
from xaiexp.packing import Piece
from xaiexp.representation import Watch, pool_of
from xaiexp.types import Batch, Output

__all__ = ["PRECISIONS", "Block", "Counter", "Handle", "Passes", "target_scores"]

PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}

# Elements of input that one batch of rows may hold when the budget is "auto"; activations are some tens of
# times that. On a CPU larger batches leave the caches, and their activations are so large that the allocator
# returns them to the system after every layer: MobileNetV2 at 224 x 224 is fastest with 4 to 8 rows.
_AUTO_ELEMENTS = {"cpu": 1_000_000, "cuda": 40_000_000}
_AUTO_ROWS = {"cpu": 1024, "cuda": 8192}


@dataclass
class Counter:
    """Passes made so far, in rows."""

    forward: int = 0
    backward: int = 0
    listener: Callable[[int], None] | None = None

    def add(self, forward: int = 0, backward: int = 0) -> None:
        """Count, and tell the listener."""
        self.forward += forward
        self.backward += backward
        if self.listener is not None:
            self.listener(forward + backward)


@dataclass
class Passes:
    """The engine for one module on one device.

    Args:
        module: ``(inputs, **context) -> logits [B, classes]`` or ``[B]``.
        device: where the passes run; the module lies there.
        precision: ``fp32`` (the module's own), ``bf16`` or ``fp16`` by autocast.
        batch_budget: rows per pass; None derives it from the size of an input.
        counter: what counts the rows; swap it to count for another cell.
        memory: scores that one target needed and another may need again; None where there is one target.
    """

    module: Any
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "fp32"
    batch_budget: int | None = None
    counter: Counter = field(default_factory=Counter)
    shrunk: int | None = None
    memory: Memory | None = None
    _pool: tuple[Tensor, Tensor | str] | None = field(default=None, init=False, repr=False, compare=False)
    _watch: Watch | None = field(default=None, init=False, repr=False, compare=False)

    def budget(self, shape: tuple[int, ...]) -> int:
        """Rows of inputs of this shape that go through the model at once."""
        rows = self.batch_budget
        if rows is None:
            kind = self.device.type if self.device.type in _AUTO_ROWS else "cpu"
            rows = max(1, min(_AUTO_ROWS[kind], _AUTO_ELEMENTS[kind] // max(1, math.prod(shape))))
        return rows if self.shrunk is None else min(rows, self.shrunk)

    def bind(self, batch: Batch, output: Output = "logit") -> Handle:
        """The handle for one batch."""
        return Handle(self, batch, output)

    def logits(self, inputs: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        """One forward pass of rows as they are, counted: ``[B, classes]``, in the inputs' dtype."""
        autocast = PRECISIONS[self.precision]
        scope: contextlib.AbstractContextManager[object] = (
            contextlib.nullcontext() if autocast is None else torch.autocast(self.device.type, dtype=autocast)
        )
        with scope:
            out = self.module(inputs, **context)
        if not isinstance(out, Tensor):
            raise MismatchError(
                "model", "must return one tensor of scores [N, classes]", got=type(out).__name__, hint="wrap it"
            )
        if out.ndim == 1:
            out = out.unsqueeze(1)
        if out.ndim != 2 or out.shape[0] != inputs.shape[0]:
            raise MismatchError(
                "model",
                f"must return scores [N, classes] or [N] for {inputs.shape[0]} inputs",
                got=tuple(out.shape),
            )
        self.counter.add(forward=len(inputs))
        return out.to(inputs.dtype)

    def packed(
        self,
        batch: Batch,
        pieces: Iterable[Piece],
        run: Callable[[Block], Tensor],
        weight: int = 1,
    ) -> Iterator[Tensor]:
        """Run ``pieces`` through ``run`` in full batches; see :func:`xaiexp.packing.packed`.

        Args:
            run: a block of rows to a tensor with as many rows.
            weight: how many rows go through the model at once for every row of a block.
        """
        return packing.packed(
            pieces,
            len(batch),
            batch.shape,
            lambda: max(1, self.budget(batch.shape) // weight),
            lambda rows, owners: self._retried(batch, rows, owners, run),
        )

    def _retried(self, batch: Batch, rows: Tensor, owners: Tensor, run: Callable[[Block], Tensor]) -> Tensor:
        try:
            return run(Block(self, batch, rows, owners))
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            if len(rows) == 1:
                raise Unsupported("one example alone does not fit into memory") from None
        half = len(rows) // 2
        self.shrunk = half
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return torch.cat(
            [
                self._retried(batch, rows[:half], owners[:half], run),
                self._retried(batch, rows[half:], owners[half:], run),
            ]
        )


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)


class Handle:
    """The model as methods and metrics see it, bound to one batch.

    Results at the batch's own inputs are kept: asking again costs no pass.

    Attributes:
        module: the network itself, in eval mode, for methods that hook its submodules.
        batch: the batch it is bound to.
        output: what is explained, ``logit`` or ``probability``.
    """

    def __init__(self, passes: Passes, batch: Batch, output: Output = "logit") -> None:
        self.passes, self.batch, self.output = passes, batch, output
        self._kept: dict[tuple[str, Output], Tensor] = {}
        self._logits: Tensor | None = None

    @property
    def module(self) -> nn.Module:
        """The network itself.

        Raises:
            Unsupported: the model is not a ``torch.nn.Module``.
        """
        if not isinstance(self.passes.module, nn.Module):
            raise Unsupported("the model is not a torch.nn.Module, so its layers cannot be hooked")
        return self.passes.module

    def blocks(self, count: int, weight: int = 1) -> Iterator[range]:
        """``range(count)`` in stretches of samples that, times the examples of the batch, fill a pass.

        ``weight``: rows that each sample becomes. For generators of perturbed inputs: yield one piece
        ``[N, len(stretch), *shape]`` a stretch, and memory does not grow with ``count``.
        """
        step = max(1, self.passes.budget(self.batch.shape) // max(1, len(self.batch) * weight))
        for start in range(0, count, step):
            yield range(start, min(count, start + step))

    def logits(self) -> Tensor:
        """All logits at the batch's inputs, ``[N, classes]``; computed once."""
        if self._logits is None:
            with torch.no_grad():
                pieces = self.passes.packed(self.batch, [self.batch.inputs], lambda block: block.logits(block.rows))
                self._logits = next(iter(pieces))
        return self._logits

    def remember(self, logits: Tensor) -> None:
        """Take over logits ``[N, classes]`` at the batch's inputs that are known already."""
        self._logits = logits

    def scores(self, inputs: Tensor | Iterable[Tensor] | None = None, output: Output | None = None) -> Tensor:
        """Scores of the targets.

        Args:
            inputs: ``[N, *shape]``, ``[N, S, *shape]``, or an iterable of such pieces that is consumed as
                needed; the batch's own inputs by default.
            output: ``logit`` or ``probability`` instead of the study's.

        Returns:
            ``[N]`` or ``[N, S]``; the pieces of an iterable are put together along S.
        """
        output = output or self.output
        if inputs is None or inputs is self.batch.inputs:
            return target_scores(self.logits(), self.batch.targets, output)

        def run(block: Block) -> Tensor:
            return self._remembered(block, output)

        with torch.no_grad():
            if isinstance(inputs, Tensor):
                return next(iter(self.passes.packed(self.batch, [inputs], run)))
            pieces = [p if p.ndim == 2 else p.unsqueeze(1) for p in self.passes.packed(self.batch, inputs, run)]
        if not pieces:
            return self.batch.inputs.new_zeros(len(self.batch), 0)
        return torch.cat(pieces, dim=1)

    def hidden(self, inputs: Tensor | None = None) -> Tensor:
        """The model's penultimate representation: what its last linear layer reads, or its last convolution.

        Args:
            inputs: ``[N, *shape]`` or ``[N, S, *shape]``; the batch's own by default, whose result is kept.

        Returns:
            float ``[N, H]`` or ``[N, S, H]``; see :class:`xaiexp.representation.Watch`.

        Raises:
            Unsupported: the model is no module, or has no such layer.
        """
        own = inputs is None or inputs is self.batch.inputs
        if own and ("hidden", self.output) in self._kept:
            return self._kept["hidden", self.output]
        given = self.batch.inputs if inputs is None else inputs
        with torch.no_grad():
            seen = next(iter(self.passes.packed(self.batch, [given], lambda block: self._seen(block, self.output))))
        if own:
            self._kept["hidden", self.output] = seen[..., 1:]
        return seen[..., 1:]

    def hidden_of_pool(self) -> Tensor:
        """The penultimate representation ``[P, H]`` of the background's pool; computed, and counted, once a study.

        Raises:
            Unsupported: there is no pool, or as :meth:`hidden`; its context is not known.
        """
        pool, kept = self.batch.background.pool, self.passes._pool  # noqa: SLF001 -- what batches share lies there
        if kept is None or kept[0] is not pool:
            examples = pool_of(self.batch.background, self.batch)
            try:
                kept = (examples.inputs, self.passes.bind(examples).hidden())
            except Unsupported as refused:
                kept = (examples.inputs, str(refused))
            self.passes._pool = kept  # noqa: SLF001
        if isinstance(kept[1], str):
            raise Unsupported(kept[1])
        return kept[1]

    def scores_and_hidden_of_rows(
        self, pieces: Iterable[tuple[Tensor, Tensor]], output: Output | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """As :meth:`scores_of_rows`, with the penultimate representation from the same passes: ``[M]``, ``[M, H]``."""
        run = torch.no_grad()(lambda block: self._seen(block, output or self.output))
        for seen in self.passes.packed(self.batch, pieces, run):
            yield seen[:, 0], seen[:, 1:]

    def _seen(self, block: Block, output: Output) -> Tensor:
        """Scores and representation ``[B, 1 + H]`` of a block."""
        memory = self.passes.memory
        if memory is not None and memory.scope is not None:
            return memory.recall(block, self._ids(block), output, self._watched, "hidden")
        logits, hidden = self._watched(block)
        scores = target_scores(logits, block.batch.targets[block.owners], output)
        return torch.cat([scores.unsqueeze(1), hidden.to(scores.dtype)], dim=1)

    def _watched(self, block: Block) -> tuple[Tensor, Tensor]:
        """Logits ``[B, classes]`` and representation ``[B, H]`` of a block."""
        if self.passes._watch is None:  # noqa: SLF001 -- what batches share lies there
            self.passes._watch = Watch(self.module)  # noqa: SLF001
        return self.passes._watch(lambda: block.logits(block.rows))  # noqa: SLF001

    def elsewhere(self, module: nn.Module) -> Handle:
        """The same batch on another network, which lies on the same device; its passes are counted as ours."""
        passes = replace(self.passes, module=module, memory=None)  # what is remembered are this network's scores
        return passes.bind(self.batch, self.output)

    def scores_of_rows(self, pieces: Iterable[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
        """Scores where examples differ in how many rows they need (ragged features), piece by piece.

        Args:
            pieces: ``(rows [M, *shape], owners [M])``, the example of the batch that each row belongs to; any M
                of at least 1, consumed as needed.

        Returns:
            An iterator of ``[M]``, one for each piece and in their order.
        """
        run = torch.no_grad()(lambda block: self._remembered(block, self.output))
        return self.passes.packed(self.batch, pieces, run)

    def _remembered(self, block: Block, output: Output) -> Tensor:
        """Scores ``[B]`` of a block, without a pass for rows that went through for another target before."""
        memory = self.passes.memory
        if memory is None or memory.scope is None:
            return block.scores(block.rows, output)

        def run(part: Block) -> tuple[Tensor, Tensor]:
            logits = part.logits(part.rows)
            return logits, logits.new_empty(len(logits), 0)

        return memory.recall(block, self._ids(block), output, run).squeeze(1)

    def _ids(self, block: Block) -> list[str]:
        return [self.batch.ids[i] for i in block.owners.tolist()]

    @overload
    def gradients(self, inputs: Tensor | None = None, output: Output | None = None) -> Tensor: ...

    @overload
    def gradients(self, inputs: Iterable[Tensor], output: Output | None = None) -> Iterator[Tensor]: ...

    def gradients(
        self, inputs: Tensor | Iterable[Tensor] | None = None, output: Output | None = None
    ) -> Tensor | Iterator[Tensor]:
        """Gradients of the targets' scores with respect to the inputs.

        Args:
            inputs, output: as in :meth:`scores`.

        Returns:
            Like ``inputs``; for an iterable an iterator of gradients, one for each piece and in their order, of
            which only as many exist at once as fill a pass.
        """
        output = output or self.output

        def run(block: Block) -> Tensor:
            with torch.enable_grad():
                leaf = block.rows.requires_grad_()
                return block.gradients(block.scores(leaf * 1, output), leaf).detach()

        if inputs is not None and not isinstance(inputs, Tensor):
            return self.passes.packed(self.batch, inputs, run)
        if inputs is not None and inputs is not self.batch.inputs:
            return next(iter(self.passes.packed(self.batch, [inputs], run)))
        if ("gradients", output) not in self._kept:
            pieces = self.passes.packed(self.batch, [self.batch.inputs], run)
            self._kept["gradients", output] = next(iter(pieces))
        return self._kept["gradients", output]

    def apply(self, run: Callable[[Block], Tensor], inputs: Tensor | None = None, weight: int = 1) -> Tensor:
        """Run a function of one's own over full blocks of rows, with gradients enabled.

        For methods that need more than scores and gradients at the inputs: hooks on layers, paired inputs.

        Args:
            run: ``block -> [B, ...]``; calls ``block.scores`` and ``block.gradients``, which count.
            inputs: ``[N, *shape]`` or ``[N, S, *shape]``; the batch's own by default.
            weight: rows that go through the model at once for each row of a block.
        """
        with torch.enable_grad():
            pieces = self.passes.packed(self.batch, [self.batch.inputs if inputs is None else inputs], run, weight)
            return next(iter(pieces)).detach()
