"""Whether a model's gradient is that of its scores, and whether its scores depend on the input alone.

At most four examples are looked at, so that the checks cost next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.errors import Unsupported
from xaiexp.inference.block import Block
from xaiexp.inference.outputs import PLAIN
from xaiexp.inference.passes import Handle

__all__ = ["EXAMPLES", "check_gradients", "check_repeatable", "checked_rows", "passes_of"]

EXAMPLES = 4
"""How many examples are looked at."""

STEPS = (0.001, 0.01, 0.1)
"""Half widths of the central differences, relative to the scale of an input."""

TOLERANCE = 0.45
"""The largest relative difference between change and gradient; the kinks of piecewise linear networks cause some.

Trained networks showed at most 0.21."""

# A change of scores counts if it is this many times their rounding error.
_NOISE = 30
# Two passes may differ by this many rounding errors of the largest score: other sizes of a batch take other kernels.
_REPEATED = 2000


def checked_rows(batch: Batch) -> Tensor:
    """The examples that are looked at, int64 ``[M]``: spread evenly over the batch."""
    count = min(EXAMPLES, len(batch))
    rows = [i * len(batch) // count for i in range(count)]
    return torch.tensor(rows, device=batch.device)


def passes_of(count: int, gradients: bool) -> int:
    """Forward and backward passes of the checks for a batch of ``count`` examples."""
    looked_at = min(EXAMPLES, count)
    if not looked_at:
        return 0
    directions = looked_at * -(-EXAMPLES // looked_at) if gradients else 0
    return 3 * looked_at + 6 * len(STEPS) * directions


@dataclass(frozen=True)
class _Probe:
    """Examples with a direction for each.

    Args:
        handle: of the examples.
        direction: ``[N, *shape]``, normal, in units of the scale of each element; 0 outside of all features.
    """

    handle: Handle
    direction: Tensor

    def scores(self, steps: tuple[float, ...]) -> Tensor:
        """Scores ``[N, S]`` at the steps along the direction."""
        return self.handle.scores(self._points(steps), PLAIN)

    def slopes(self, steps: tuple[float, ...]) -> Tensor:
        """Derivatives along the direction and norms of the gradients at the steps, ``[N, S, 2]``."""

        def run(block: Block) -> Tensor:
            leaf = block.rows.requires_grad_()
            gradient = block.gradients(block.scores(leaf * 1, PLAIN), leaf).detach().flatten(1).double()
            along = (gradient * self.direction[block.owners].flatten(1).double()).sum(dim=1)
            return torch.stack([along, gradient.abs().amax(dim=1)], dim=1)

        return self.handle.apply(run, self._points(steps))

    def _points(self, steps: tuple[float, ...]) -> Tensor:
        inputs = self.handle.batch.inputs
        width = torch.tensor(steps, dtype=inputs.dtype, device=inputs.device).view(1, -1, *[1] * (inputs.ndim - 1))
        return inputs.unsqueeze(1) + width * self.direction.unsqueeze(1)


def _scale(batch: Batch) -> Tensor:
    """How far an element varies, ``[N or 1, *shape]``, above 0.

    Columns of a table have each their own: the standard deviation over the batch, or the magnitude of the value.
    Elements of other inputs share one: the standard deviation over the input.
    """
    inputs = batch.inputs.detach()
    if inputs.ndim == 2:
        spread = inputs.std(dim=0, correction=0, keepdim=True)
        own = torch.where(spread > 0, spread, inputs.abs())
    else:
        spread = inputs.flatten(1).std(dim=1, correction=0).view(-1, *[1] * (inputs.ndim - 1))
        own = torch.where(spread > 0, spread, inputs.abs())
    return torch.where(own > 0, own, 1.0)


def _rounding(logits: Tensor) -> Tensor:
    """The rounding error of scores, float64 ``[N]``, from their dtype and the largest score of each example."""
    coarse = torch.finfo(logits.dtype).eps
    if logits.is_cuda and logits.dtype == torch.float32:
        coarse = 2.0**-11  # TensorFloat-32 has ten bits
    return coarse * logits.double().abs().amax(dim=1).clamp(min=1e-30)


def check_gradients(handle: Handle, rows: Tensor) -> str:
    """Why the gradient is not that of the scores; empty where it is, or where the scores do not tell.

    Scores at both ends of a short line through an example are compared with the gradients halfway to the ends, for
    three lengths of line. The gradient is right where they agree at one length.

    Args:
        handle: a batch, with its targets; counts the passes.
        rows: examples to look at, int64 ``[M]``.
    """
    whole = handle.batch
    scale = _scale(whole).expand(len(whole), *whole.shape)[rows]
    batch = whole.rows(rows)
    draws = Draws(0, batch.ids, batch.device, "check/gradients")
    # Fewer examples are looked at in several directions each, one after the other.
    times = -(-EXAMPLES // len(rows))
    normal = draws.normal("direction", batch.shape, range(times)).transpose(0, 1).flatten(0, 1)
    rows = rows.repeat(times)
    batch, scale = whole.rows(rows), scale.repeat(times, *[1] * len(batch.shape))
    direction = (normal * scale * batch.features.inside).to(batch.inputs.dtype)
    probe = _Probe(_in_full_precision(handle).with_batch(batch), direction)
    noise = _NOISE * _rounding(handle.logits()[rows]).unsqueeze(1)
    try:
        slopes = probe.slopes(tuple(s * sign / 2 for s in STEPS for sign in (-1, 1)))
    except Unsupported:
        return "its scores are not differentiable with respect to the inputs"
    ends = probe.scores(tuple(s * sign for s in STEPS for sign in (-1, 1))).double()
    change = ends[:, 1::2] - ends[:, ::2]
    if not bool(slopes[..., 1].any()):
        if bool((change.abs() > noise).any()):
            return "its gradient with respect to the inputs is zero although its scores change with them"
        return ""
    widths = torch.tensor(STEPS, dtype=torch.float64, device=batch.device)
    predicted = slopes[..., 0].view(len(batch), len(STEPS), 2).sum(dim=2) * widths
    missed = _missed(change, predicted, noise)
    if not missed or min(missed) <= TOLERANCE:
        return ""
    return f"its gradient misses {min(missed):.0%} of the change of its scores: a part of it may be detached"


def _missed(change: Tensor, predicted: Tensor, noise: Tensor) -> list[float]:
    """By how much the changes ``[N, S]`` of scores differ from those that the gradient predicts, relative to them.

    One number for each length of line; lengths whose changes are within the rounding errors ``[N, 1]`` say nothing,
    unless the gradient is exactly zero there, as that of an inactive rectifier.
    """
    missed = []
    for told, true in zip(predicted.unbind(dim=1), change.unbind(dim=1), strict=True):
        rows = torch.maximum(told.abs(), true.abs()) > noise[:, 0]
        if bool(rows.any()):
            size = torch.maximum(told[rows].norm(), true[rows].norm())
            missed.append(float((told - true)[rows].norm() / size))
        elif not bool(told.any()):
            missed.append(0.0)
    return missed


def check_repeatable(handle: Handle, rows: Tensor) -> str:
    """Why the scores of an example are not determined by it; empty where they are.

    Args:
        handle: a batch; counts the passes.
        rows: examples to look at, int64 ``[M]``; they are scored alone and among altered copies.
    """
    own = _in_full_precision(handle).with_batch(handle.batch.rows(rows))
    alone, among = (_logits(own, inputs) for inputs in _companies(own.batch))
    allowed = _REPEATED * _rounding(alone)
    off = (alone.double() - among.double()).abs().amax(dim=1)
    bad = ~(off <= allowed)
    if not bool(bad.any()):
        return ""
    worst = int((off / allowed).nan_to_num(math.inf).argmax())
    return (
        f"two passes give different scores for example {own.batch.ids[worst]!r} (by {float(off[worst]):.3g}): "
        "they depend on chance, as of dropout, or on the other rows of the batch"
    )


def _companies(batch: Batch) -> Iterator[Tensor]:
    """The examples as they are, ``[N, 1, *shape]``, and with an altered copy after each, ``[N, 2, *shape]``."""
    yield batch.inputs.unsqueeze(1)
    yield torch.stack([batch.inputs, batch.inputs.flip(0) * 0.5 + 0.1], dim=1)


def _logits(handle: Handle, inputs: Tensor) -> Tensor:
    """Logits ``[N, K]`` of the first version of each example in ``inputs [N, S, *shape]``."""
    with torch.no_grad():
        logits: Tensor = next(iter(handle.packed([inputs], lambda block: block.logits(block.rows))))
    return logits[:, 0]


def _in_full_precision(handle: Handle) -> Handle:
    """The same batch without autocast, whose rounding would hide what is checked."""
    return Handle(replace(handle.passes, precision="fp32"), handle.batch, handle.output, handle.counter)
