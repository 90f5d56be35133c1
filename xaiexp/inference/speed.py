"""Cheaper passes with equal results, measured for one network, device and shape of inputs.

On a copy of the network, batch normalisation is folded into the convolution before it, and convolutions run on channels
that lie last in memory. Which of these is used, and how many rows a pass has, is what takes the least time here. The
copy serves plain forward passes and input gradients alone: methods that ask for the module or hook its layers get the
network itself.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from xaiexp.core.batches import Batch
from xaiexp.inference.network_copy import CONVOLUTIONS, KINDS, Copy, copied

if TYPE_CHECKING:
    from xaiexp.inference.pass_engine import PassEngine

__all__ = ["PLAIN", "WORTHWHILE", "Speed", "Work", "copy_of", "measured", "work_bound", "work_of"]

WORTHWHILE = 3e11
"""Multiplications of a study from which measuring pays: some ten seconds of one core."""

_SCORES, _GRADIENTS, _OUTLIERS = 1e-4, 1e-4, 0.05
"""How far a copy may be off: scores, relative to the largest score; gradients in the L2 norm, relative to that of the
plain ones, in the median of the rows and at most. Rounding alone moves single rows by up to a per cent, where it puts
the input of a rectifier on its other side; plain passes with other rows beside them differ as much."""

_CHECKED_ROWS = 8
_GAIN = 0.95  # a copy is used where it takes less than this share of the time of plain passes
_MOST_BYTES = 3 * 2**29  # of the activations of a pass on the CPU; larger ones are slower per row


@dataclass(frozen=True)
class Speed:
    """How the passes of a network are made.

    Args:
        kind: ``plain``, or one of :data:`xaiexp.inference.network_copy.KINDS`.
        rows: that go through the network at once; None where the size of an input decides.
        ratio: time of plain passes by the time of these, forward and backward.
        scores_error: largest difference of scores from plain ones, relative to the largest score.
        gradients_error: difference of gradients in the L2 norm, relative to that of the plain ones: median of the rows.
    """

    kind: str = "plain"
    rows: int | None = None
    ratio: float = 1.0
    scores_error: float = 0.0
    gradients_error: float = 0.0


PLAIN = Speed()


@dataclass(frozen=True)
class Work:
    """What one row costs.

    Args:
        multiplications: of convolutions and linear layers in a forward pass.
        bytes: of the outputs of all layers, which a backward pass keeps.
    """

    multiplications: float
    bytes: float


def work_bound(module: nn.Module, inputs: Tensor) -> float:
    """More multiplications than a row of ``inputs [N, *shape]`` takes, as if each weight were used at each position."""
    positions = max(1, inputs[0].numel() // max(1, inputs.shape[1]))
    return float(sum(parameter.numel() for parameter in module.parameters()) * positions)


def work_of(engine: PassEngine, batch: Batch) -> Work:
    """The work of one row, measured by one forward pass of the first example."""
    multiplications, size = 0.0, 0.0

    def count(layer: nn.Module, _given: object, out: object) -> None:
        nonlocal multiplications, size
        if not isinstance(out, Tensor):
            return
        size += out.numel() * out.element_size()
        weight = getattr(layer, "weight", None)
        if isinstance(layer, (*CONVOLUTIONS, nn.Linear)) and isinstance(weight, Tensor):
            multiplications += out.numel() * weight[0].numel()

    leaves = [layer for layer in engine.module.modules() if not any(True for _ in layer.children())]
    hooks = [layer.register_forward_hook(count) for layer in leaves]
    try:
        with torch.no_grad():
            engine.forward(*_rows(batch, 1))
    finally:
        for hook in hooks:
            hook.remove()
    return Work(multiplications, size)


def copy_of(engine: PassEngine, batch: Batch, kind: str) -> Copy | None:
    """The copy of an engine's network; see :func:`xaiexp.inference.network_copy.copied`."""
    return copied(engine.module, lambda: engine.forward(*_rows(batch, 1)), kind)


def _rows(batch: Batch, count: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Rows ``[count, *shape]`` and their context: the examples again and again, each time a little paler."""
    index = torch.arange(count, device=batch.device) % len(batch)
    pale = 1 - 0.07 * (torch.arange(count, device=batch.device) // len(batch) % 8)
    inputs = batch.inputs.detach()[index] * pale.view(-1, *[1] * len(batch.shape)).to(batch.inputs.dtype)
    return inputs, {name: value[index] for name, value in batch.context.items()}


def measured(engine: PassEngine, batch: Batch, work: Work) -> tuple[Speed, Copy | None]:
    """The passes that take the least time on this machine.

    Args:
        engine: without a copy so far; its network is a ``torch.nn.Module`` without hooks.
        batch: some examples.
        work: of a row.

    Returns:
        How passes are made, and the copy that makes them; None for plain passes.
    """
    plain = _Passes(engine, engine.module, batch)
    base = engine.budget(batch.shape)
    each = plain.seconds(base)
    fixed = engine.batch_budget is not None
    most = base if fixed else _most_rows(engine, work)
    for kind in KINDS:
        try:
            twin = copy_of(engine, batch, kind)
            errors = None if twin is None else _equal(engine, twin, batch)
        except Exception:  # noqa: S112  # a network that cannot be copied or laid out so runs as it is
            continue
        if twin is None or errors is None:
            continue
        rows, took = _fastest(_Passes(engine, twin, batch), base, most, fixed)
        if took < _GAIN * each:
            return Speed(kind, None if fixed else rows, round(each / took, 3), *errors), twin
        break
    rows, took = _fastest(plain, base, most, fixed)
    if fixed or took > _GAIN * each:
        return PLAIN, None
    return Speed(rows=rows, ratio=round(each / took, 3)), None


@dataclass
class _Passes:
    """Forward and backward passes of a network or of its copy."""

    engine: PassEngine
    module: Any
    batch: Batch

    def scores_and_gradients(self, count: int) -> tuple[Tensor, Tensor | None]:
        """Scores ``[count, K]`` and gradients of the largest ones ``[count, *shape]``; None without any."""
        rows, context = _rows(self.batch, count)
        with torch.enable_grad():
            leaf = rows.requires_grad_()
            logits = self.engine.forward(leaf * 1, context, self.module)
            if not logits.requires_grad:
                return logits, None
            (gradient,) = torch.autograd.grad(logits.amax(dim=1).sum(), leaf, allow_unused=True)
        return logits.detach(), gradient

    def seconds(self, count: int) -> float:
        """Seconds a row, of a forward pass and one of both directions; the better of two."""
        best = math.inf
        for _ in range(2):
            started = _now(self.engine.device)
            with torch.no_grad():
                self.engine.forward(*_rows(self.batch, count), self.module)
            self.scores_and_gradients(count)
            best = min(best, (_now(self.engine.device) - started) / count)
        return best


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _fastest(passes: _Passes, base: int, most: int, fixed: bool) -> tuple[int, float]:
    """Rows per pass and seconds a row: twice as many as long as that is faster."""
    if fixed:
        return base, passes.seconds(base)
    best = (0, math.inf)
    for rows in _doubled(min(most, 2 ** round(math.log2(max(1, base)))), most):
        try:
            took = passes.seconds(rows)
        except (torch.OutOfMemoryError, RuntimeError):
            break
        if took > 0.97 * best[1]:
            break
        best = (rows, took)
    return best


def _doubled(rows: int, most: int) -> Iterator[int]:
    while rows <= most:
        yield rows
        rows *= 2


def _most_rows(engine: PassEngine, work: Work) -> int:
    """As many rows as a share of the memory holds."""
    if engine.device.type == "cuda":
        room = torch.cuda.mem_get_info(engine.device)[0] // 2
    else:
        room = min(_MOST_BYTES, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") // 4)
    return max(1, int(room // max(1.0, work.bytes)))


def _equal(engine: PassEngine, twin: Copy, batch: Batch) -> tuple[float, float] | None:
    """The errors of a copy's scores and gradients; None where they are too large."""
    for count in (1, _CHECKED_ROWS):  # layouts of a single row are a case of their own
        want, given = (_Passes(engine, module, batch).scores_and_gradients(count) for module in (engine.module, twin))
        errors = _errors(want, given)
        if errors is None:
            return None
    return errors


def _errors(want: tuple[Tensor, Tensor | None], given: tuple[Tensor, Tensor | None]) -> tuple[float, float] | None:
    scores = float((given[0] - want[0]).abs().amax() / want[0].abs().amax().clamp(min=1e-30))
    if not scores <= _SCORES:
        return None
    if want[1] is None or given[1] is None:
        return (scores, 0.0) if want[1] is given[1] else None
    off = (given[1] - want[1]).flatten(1).norm(dim=1)
    relative = off / want[1].flatten(1).norm(dim=1).clamp(min=1e-30)
    relative = torch.where(off == 0, torch.zeros_like(off), relative)
    median, worst = float(relative.median()), float(relative.amax())
    alone = len(relative) == 1  # a single row may be one of those that rounding moves
    return (scores, median) if worst <= _OUTLIERS and (alone or median <= _GRADIENTS) else None
