"""Methods that take something away and look at the score."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract import Method
from xaiexp.errors import Unsupported
from xaiexp.types import Batch, Cost, Modality

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.draws import Draws
    from xaiexp.passes import Handle

__all__ = ["FeatureAblation", "Occlusion"]


@dataclass(frozen=True)
class FeatureAblation(Method):
    """``f(x) - f(x without feature j)``, one feature at a time."""

    summary = "the change of the score when one feature at a time becomes the reference"
    source = (
        "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, sec. 4.2, feature by feature"
    )
    needs = frozenset[str]()
    reads_baseline = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.Method.attribute`."""
        import torch

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        x, features = batch.inputs, batch.features
        valid = features.valid.expand(len(batch), features.d)
        examples, columns = valid.nonzero(as_tuple=True)
        step = model.passes.budget(batch.shape)
        same: list[Tensor] = []

        def without() -> Iterator[tuple[Tensor, Tensor]]:
            for owners, column in zip(torch.split(examples, step), torch.split(columns, step), strict=True):
                absent = features.rows(owners).index == column.view(-1, *[1] * len(batch.shape))
                rows = torch.where(absent, reference[owners], x[owners])
                same.append((rows == x[owners]).flatten(1).all(dim=1))
                yield rows, owners

        values = x.new_zeros(valid.shape)
        if len(examples):
            values[valid] = _changes(model.scores()[examples], list(model.scores_of_rows(without())), same)
        return features.spread(values)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input, and the input without each feature."""
        return Cost(1 + d)


@dataclass(frozen=True)
class Occlusion(Method):
    """``f(x) - f(x with a window replaced)``, averaged for every element over the windows that cover it.

    As in Captum, a window's difference stands at every one of its elements, and the last window of an axis is cut
    off at the edge.

    Args:
        sliding_window_shapes: size of the window along each axis of an input (``[3, 15, 15]``); by default a
            picture's window is an eighth of its sides over all channels, a series' a sixteenth of its length, a
            table's one column, a text's one token.
        strides: steps along each axis, one number for each (or one for all); by default half a window, and 1
            where ``sliding_window_shapes`` is given, as in Captum.
    """

    summary = "the change of the score when a sliding window becomes the reference"
    source = "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, section 4.2"
    needs = frozenset[str]()
    reads_baseline = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    sliding_window_shapes: tuple[int, ...] | None = None
    strides: tuple[int, ...] | int | None = None

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.Method.attribute`.

        Raises:
            Unsupported: the window or the strides do not fit the input.
        """
        import torch

        from xaiexp.builtin.methods.windows import axis_masks, cover, touched

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        x, shape = batch.inputs, batch.shape
        masks = [
            axis_masks(length, window, stride, x.device)
            for length, window, stride in zip(shape, *self.windows(shape, batch.background.modality), strict=True)
        ]
        counts = [len(mask) for mask in masks]
        # Windows with nothing in them that belongs to a feature (padding) change nothing and cost no pass.
        wanted = touched(batch.features.inside, masks).expand(len(batch), -1)
        examples, windows = wanted.nonzero(as_tuple=True)
        step = model.passes.budget(shape)
        same: list[Tensor] = []

        def occluded() -> Iterator[tuple[Tensor, Tensor]]:
            for owners, window in zip(torch.split(examples, step), torch.split(windows, step), strict=True):
                inside: Tensor | None = None
                for axis, (mask, place) in enumerate(zip(masks, _places(window, counts), strict=True)):
                    along = mask[place].view(len(place), *[-1 if a == axis else 1 for a in range(len(shape))])
                    inside = along if inside is None else inside & along
                assert inside is not None  # noqa: S101 -- inputs have at least one axis
                rows = torch.where(inside, reference[owners], x[owners])
                same.append((rows == x[owners]).flatten(1).all(dim=1))
                yield rows, owners

        differences = x.new_zeros(wanted.shape)
        if len(examples):
            differences[wanted] = _changes(model.scores()[examples], list(model.scores_of_rows(occluded())), same)
        return cover(differences, masks)

    def windows(self, shape: tuple[int, ...], modality: Modality) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Window and strides along each axis of an input.

        Raises:
            Unsupported: they do not fit the input.
        """
        if self.sliding_window_shapes is not None:
            window, default = self.sliding_window_shapes, (1,) * len(shape)
        else:
            window = _default_window(shape, modality)
            default = tuple(
                length if length == size else max(1, size // 2) for length, size in zip(shape, window, strict=True)
            )
        strides = default if self.strides is None else self.strides
        if isinstance(strides, int):
            strides = (strides,) * len(shape)
        for name, given in (("sliding_window_shapes", window), ("strides", strides)):
            if len(given) != len(shape) or min(given, default=1) < 1:
                raise Unsupported(
                    f"{name} must give {len(shape)} numbers of at least 1 for inputs of shape {list(shape)}, "
                    f"not {list(given)}"
                )
        for length, size, stride in zip(shape, window, strides, strict=True):
            if size > length or (stride > size and size < length):
                raise Unsupported(
                    f"a window of {list(window)} with strides {list(strides)} does not cover inputs of shape "
                    f"{list(shape)} (window <= input, stride <= window)"
                )
        return window, strides

    def passes(self, shape: tuple[int, ...], d: int) -> Cost | None:
        """The input and every window; unknown where the shape alone does not tell a series from a text."""
        if len(shape) == 2 and self.sliding_window_shapes is None:
            return None
        try:
            window, strides = self.windows(shape, "image" if len(shape) == 3 else "table")
        except Unsupported:
            return None
        return Cost(1 + math.prod(-(-(n - w) // s) + 1 for n, w, s in zip(shape, window, strides, strict=True)))


def _changes(before: Tensor, after: list[Tensor], same: list[Tensor]) -> Tensor:
    """``f(x) - f(x')``; exactly 0 where x' is x, whatever two batches of different sizes round to."""
    import torch

    return (before - torch.cat(after)).masked_fill(torch.cat(same), 0.0)


def _places(windows: Tensor, counts: list[int]) -> list[Tensor]:
    """Position along each axis of windows that are counted with the last axis fastest."""
    import torch

    return list(torch.unravel_index(windows, counts))


def _default_window(shape: tuple[int, ...], modality: Modality) -> tuple[int, ...]:
    if modality == "image":
        return shape[0], *(max(1, round(side / 8)) for side in shape[1:])
    if modality == "series":
        return *shape[:-1], max(1, round(shape[-1] / 16))
    return 1, *shape[1:]
