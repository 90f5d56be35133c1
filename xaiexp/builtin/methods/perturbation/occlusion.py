"""Methods that take something away and look at the score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.parameters import Effort, Range
from xaiexp.core.vocabulary import Modality
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["FeatureAblation", "FeaturePermutation", "Occlusion", "Rise"]


@dataclass(frozen=True)
class FeatureAblation(Method):
    """``f(x) - f(x without feature j)``, one feature at a time."""

    summary = "the change of the score when one feature at a time becomes the reference"
    source = (
        "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, sec. 4.2, feature by feature"
    )
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could vanish
    reads_baseline = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        values = _without_each(model, lambda owners, _: reference[owners])[:, 0]
        return batch.features.spread(values)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input, and the input without each feature."""
        return Cost(1 + d)


@dataclass(frozen=True)
class FeaturePermutation(Method):
    """``f(x) - f(x with the values of feature j from another example)``, averaged over examples of the data.

    Where Captum's FeaturePermutation shuffles a feature among the examples of a batch, here every example draws
    ``n_samples`` others from the examples that stand for the data, so that it is explained alike in any company;
    all features take their values from the same ones. Not for texts, whose places mean nothing across examples.

    Args:
        n_samples: examples that values are taken from, drawn with replacement, each d passes for d features.
    """

    summary = "the mean change of the score when one feature at a time takes its values from other examples"
    source = "Breiman 2001, Random Forests, section 10; Fisher et al. 2019, All Models are Wrong, equation 3; Captum"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could vanish
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True
    modalities = ("image", "table", "series")

    n_samples: Annotated[int, Range(1), Effort(3, 10, 40)] = 10

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: there are no examples to draw from, or their shape is another.
        """
        import torch

        pool, features = batch.background.pool, batch.features
        if pool is None or not len(pool):
            raise Unsupported(
                "feature_permutation takes values from other examples, and there are none here: give background=, "
                "or use feature_ablation with a baseline"
            )
        if tuple(pool.shape[1:]) != batch.shape:
            raise Unsupported(
                f"feature_permutation needs inputs of one shape: these are {list(batch.shape)}, "
                f"those to take values from are {list(pool.shape[1:])}"
            )
        n, given = self.n_samples, pool.to(batch.inputs)
        rows = rng.integers("row", len(pool), samples=range(n))
        changes = _without_each(model, lambda owners, samples: given[rows[owners, samples]], n).double()
        # The spread of the deviations from the first, which is exactly 0 where all are equal.
        deviations = changes - changes[:, :1]
        values = changes[:, 0] + deviations.mean(dim=1)
        if n == 1:
            errors = torch.full_like(values, float("nan")).masked_fill(~features.valid, 0.0)
        else:
            errors = deviations.std(dim=1) / n**0.5
        return Estimate(features.spread(values.to(batch.inputs.dtype)), errors.to(batch.inputs.dtype))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input, and the input with each feature from each drawn example."""
        return Cost(1 + self.n_samples * d)


@dataclass(frozen=True)
class Rise(Method):
    """What the score is when a feature shows: the mean score under random masks, weighed by how far they show it.

    ``1 / (n p) sum_i f(x0 + M_i (x - x0)) M_i(j)`` over n masks in which a feature shows with probability p. A
    picture's masks are coarse random grids, smoothly enlarged and shifted at random; elsewhere every feature by
    itself shows or not. What a mask hides is taken from the reference (black in the paper). The value of a
    feature of several elements is their mean, so that a large feature weighs no more than a small one.

    Args:
        n_masks: null is ``2 c + 2048``, c the cells of a picture's grid, or the features elsewhere.
        grid: cells along each side of a picture's masks (h = w in the paper).
        p: probability that a cell, or a feature, shows.
        centered: take the mean score away before weighing. That shifts a map by about a constant, gives its sign a
            meaning (whether the score is higher than usual where the feature shows) and takes away the larger part
            of its noise; with false it is the paper's formula to the letter, whose map has no sign.
        sample_factor: multiplies what null stands for in ``n_masks``.
    """

    summary = "the mean score under random masks, weighed by how far they show a feature"
    source = "Petsiuk et al. 2018, RISE, equation 6 and section 3.2 (masks)"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could vanish
    reads_baseline = True
    complete = False
    multiplied_by_inputs = True

    n_masks: Annotated[int, Range(2)] | None = None
    grid: Annotated[int, Range(1)] = 7
    p: Annotated[float, Range(0.0, 1.0, exclusive=True)] = 0.5
    centered: bool = True
    sample_factor: Annotated[float, Range(0.01), Effort(0.32, 1.0, 4.0)] = 1.0

    @property
    def signed(self) -> bool:
        """Whether the sign tells for from against."""
        return self.centered

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        import torch

        from xaiexp.builtin.methods.perturbation.random_masks import Masks, picture_masks

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        counts, shape = batch.features.counts.expand(len(batch)), batch.shape
        wanted = torch.tensor([self.masks(shape, d) for d in counts.tolist()], device=batch.device)

        def shown(stretch: range) -> Tensor:
            if len(shape) == 3:
                return picture_masks(rng, shape, self.grid, self.p, stretch)
            return rng.uniform("shown", (batch.features.d,), samples=stretch) < self.p

        return Masks(wanted, self.p, self.centered).estimate(model, reference, shown)

    def masks(self, shape: tuple[int, ...], d: int) -> int:
        """How many masks an example of this shape with d features gets."""
        cells = self.grid**2 if len(shape) == 3 else d
        if d < 1:
            return 0
        return max(2, round(self.sample_factor * (2 * cells + 2048))) if self.n_masks is None else self.n_masks

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One for each mask."""
        return Cost(self.masks(shape, d))


@dataclass(frozen=True)
class Occlusion(Method):
    """``f(x) - f(x with a window replaced)``, averaged for every element over the windows that cover it.

    As in Captum, a window's difference stands at every one of its elements, and the last window of an axis is cut
    off at the edge.

    Args:
        sliding_window_shapes: size of the window along each axis of an input (``[3, 15, 15]``). By default a
            picture's window is an eighth of its sides over all channels, and a series' a sixteenth of its length
            over all channels. A table's columns have no order along which a window could slide, and the places of
            a text hold tokens of words: there every feature (a column with its one-hot elements, a token, a word)
            is a window, whose difference is shared among its elements, as in ``feature_ablation``.
        strides: steps along each axis, one number for each (or one for all); by default half a window, and 1
            where ``sliding_window_shapes`` is given, as in Captum. Only with windows that slide.
    """

    summary = "the change of the score when a sliding window becomes the reference"
    source = "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, section 4.2"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could vanish
    reads_baseline = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    sliding_window_shapes: tuple[int, ...] | None = None
    strides: tuple[int, ...] | int | None = None

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the window or the strides do not fit the input.
        """
        import torch

        from xaiexp.builtin.methods.perturbation.sliding_windows import axis_masks, cover, touched

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        x, shape, modality = batch.inputs, batch.shape, batch.background.modality
        if self.sliding_window_shapes is None and modality in ("table", "text"):
            if self.strides is not None:
                raise Unsupported(
                    f"strides are for windows that slide; for a {modality} give sliding_window_shapes too"
                )
            return batch.features.spread(_without_each(model, lambda owners, _: reference[owners])[:, 0])
        masks = [
            axis_masks(length, window, stride, x.device)
            for length, window, stride in zip(shape, *self.windows(shape, modality), strict=True)
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
        """Window and strides along each axis of an input; by default those of a picture or a series.

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
        if self.sliding_window_shapes is None and len(shape) < 3:
            return Cost(1 + d) if len(shape) == 1 and self.strides is None else None
        try:
            window, strides = self.windows(shape, "image")
        except Unsupported:
            return None
        return Cost(1 + math.prod(-(-(n - w) // s) + 1 for n, w, s in zip(shape, window, strides, strict=True)))


def _without_each(model: Handle, taken: Callable[[Tensor, Tensor], Tensor], samples: int = 1) -> Tensor:
    """``f(x) - f(x with feature j from elsewhere)`` for every feature of every example: ``[N, samples, d]``.

    Args:
        taken: what it is taken from, ``[M, *shape]``, for examples ``[M]`` and samples ``[M]``.
    """
    import torch

    batch = model.batch
    x, features = batch.inputs, batch.features
    valid = features.valid.expand(len(batch), features.d).unsqueeze(1).expand(-1, samples, -1)
    examples, numbers, columns = valid.nonzero(as_tuple=True)
    step = model.passes.budget(batch.shape)
    same: list[Tensor] = []

    def without() -> Iterator[tuple[Tensor, Tensor]]:
        pieces = zip(*(torch.split(part, step) for part in (examples, numbers, columns)), strict=True)
        for owners, number, column in pieces:
            absent = features.rows(owners).index == column.view(-1, *[1] * len(batch.shape))
            rows = torch.where(absent, taken(owners, number), x[owners])
            same.append((rows == x[owners]).flatten(1).all(dim=1))
            yield rows, owners

    values = x.new_zeros(valid.shape)
    if len(examples):
        values[valid] = _changes(model.scores()[examples], list(model.scores_of_rows(without())), same)
    return values


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
    return *shape[:-1], max(1, round(shape[-1] / 16))
