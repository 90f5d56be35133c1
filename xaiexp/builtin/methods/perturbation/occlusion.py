"""Occlusion: the change of the score when a sliding window is replaced by the reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.core.parameters import PerAxis
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Occlusion"]


@dataclass(frozen=True)
class Occlusion(Method):
    """``f(x) - f(x with a window replaced)``, averaged for every element over the windows that cover it.

    As in Captum, the difference of a window is assigned to all of its elements, and the last window of an axis is
    clipped at the border.

    Args:
        sliding_window_shapes: size of the window along each axis of an input (``[3, 15, 15]``). The default
            covers all channels, and 1/8 of each side of an image or volume or 1/16 of the length of a time series. For
            tables and texts the default is one window per feature (a column with its one-hot elements, a token, a
            word), whose difference is divided equally among its elements, as in ``feature_ablation``.
        strides: steps along each axis, one number for each (or one for all). The default is half a window, or 1 if
            ``sliding_window_shapes`` is given, as in Captum. Only for sliding windows.
    """

    summary = "the change of the score when a sliding window is replaced by the reference"
    source = "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, section 4.2"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could underflow
    reads_baseline = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    sliding_window_shapes: Annotated[tuple[int, ...] | None, PerAxis()] = None
    strides: Annotated[tuple[int, ...] | int | None, PerAxis()] = None

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the window or the strides do not match the shape of the input.
        """
        import torch

        from xaiexp.builtin.methods.perturbation.score_changes import feature_changes, score_changes
        from xaiexp.builtin.methods.perturbation.sliding_windows import axis_masks, overlapping_windows, window_mean

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        x, shape = batch.inputs, batch.shape
        if self.sliding_window_shapes is None and batch.background.modality in ("table", "text"):
            if self.strides is not None:
                raise Unsupported(
                    f"strides need sliding windows: for a {batch.background.modality} set sliding_window_shapes too"
                )
            return batch.features.spread(feature_changes(model, lambda owners, _: reference[owners])[:, 0])
        masks = [
            axis_masks(length, window, stride, x.device)
            for length, window, stride in zip(shape, *self.windows(shape), strict=True)
        ]
        counts = [len(mask) for mask in masks]
        # Windows that contain no element of a feature (padding) change nothing and are skipped.
        wanted = overlapping_windows(batch.features.inside, masks).expand(len(batch), -1)
        examples, windows = wanted.nonzero(as_tuple=True)
        step = model.passes.budget(shape)
        unchanged: list[Tensor] = []

        def occluded() -> Iterator[tuple[Tensor, Tensor]]:
            for owners, window in zip(torch.split(examples, step), torch.split(windows, step), strict=True):
                inside: Tensor | None = None
                for axis, (mask, position) in enumerate(zip(masks, _positions(window, counts), strict=True)):
                    interval = mask[position].view(len(position), *[-1 if a == axis else 1 for a in range(len(shape))])
                    inside = interval if inside is None else inside & interval
                assert inside is not None  # noqa: S101 -- inputs have at least one axis
                rows = torch.where(inside, reference[owners], x[owners])
                unchanged.append((rows == x[owners]).flatten(1).all(dim=1))
                yield rows, owners

        differences = x.new_zeros(wanted.shape)
        if len(examples):
            differences[wanted] = score_changes(
                model.scores()[examples], list(model.scores_of_rows(occluded())), unchanged
            )
        return window_mean(differences, masks)

    def windows(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Window and strides along each axis of an input; the default is that of images and time series.

        Raises:
            Unsupported: they do not match the shape of the input.
        """
        if self.sliding_window_shapes is not None:
            window, default = self.sliding_window_shapes, (1,) * len(shape)
        else:
            window = _default_window(shape)
            default = tuple(
                length if length == size else max(1, size // 2) for length, size in zip(shape, window, strict=True)
            )
        strides = default if self.strides is None else self.strides
        if isinstance(strides, int):
            strides = (strides,) * len(shape)
        for name, sizes in (("sliding_window_shapes", window), ("strides", strides)):
            if len(sizes) != len(shape) or min(sizes, default=1) < 1:
                raise Unsupported(
                    f"{name} must give {len(shape)} numbers of at least 1 for inputs of shape {list(shape)}, "
                    f"not {list(sizes)}"
                )
        for length, size, stride in zip(shape, window, strides, strict=True):
            if size > length or (stride > size and size < length):
                raise Unsupported(
                    f"a window of {list(window)} with strides {list(strides)} does not cover inputs of shape "
                    f"{list(shape)} (window <= input, stride <= window)"
                )
        return window, strides

    def passes(self, shape: tuple[int, ...], d: int) -> Cost | None:
        """One for the input and one for each window; None where the shape fits both time series and text."""
        if self.sliding_window_shapes is None and len(shape) < 3:
            return Cost(1 + d) if len(shape) == 1 and self.strides is None else None
        try:
            window, strides = self.windows(shape)
        except Unsupported:
            return None
        return Cost(1 + math.prod(-(-(n - w) // s) + 1 for n, w, s in zip(shape, window, strides, strict=True)))


def _positions(windows: Tensor, counts: list[int]) -> list[Tensor]:
    """The position along each axis of windows with row-major indices."""
    import torch

    return list(torch.unravel_index(windows, counts))


def _default_window(shape: tuple[int, ...]) -> tuple[int, ...]:
    """1/8 of the sides of an image or a volume, 1/16 of the length of a time series, over all channels."""
    if len(shape) > 2:
        return shape[0], *(max(1, round(side / 8)) for side in shape[1:])
    return *shape[:-1], max(1, round(shape[-1] / 16))
