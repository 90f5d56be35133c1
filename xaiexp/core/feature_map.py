"""Which feature each element of an input belongs to, and the way from one to the other and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FeatureMap"]


@dataclass(frozen=True)
class FeatureMap:
    """Elements of an input to features of an example.

    Args:
        index: int64 ``[N, *shape]``, or ``[1, *shape]`` where all examples share one map; the feature of each
            element, 0-based, and -1 where an element belongs to none (padding, ``[CLS]``): such an element is
            never removed and its attribution is not counted.
        counts: int64 ``[N]`` (or ``[1]``), features of each example.
        shape: the natural shape of the features (``(H, W)`` for pixels), whose product is at least the largest
            count; a ragged map has one axis.
        names: the names of the features where all examples share them (columns of a table).
    """

    index: Tensor
    counts: Tensor
    shape: tuple[int, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def from_index(cls, index: Tensor, shape: Sequence[int] | None = None, names: Sequence[str] = ()) -> FeatureMap:
        """The map of a non-negative ``index [N or 1, *shape]`` whose features are numbered 0..max without gaps."""
        counts = index.flatten(1).amax(dim=1) + 1
        return cls(index, counts, tuple(shape) if shape is not None else (int(counts.max()),), tuple(names))

    @cached_property
    def d(self) -> int:
        """The largest number of features of an example: the width of pooled tensors."""
        return math.prod(self.shape)

    @cached_property
    def valid(self) -> Tensor:
        """bool ``[N or 1, d]``: which columns of a pooled tensor stand for a feature of the example."""
        import torch

        return torch.arange(self.d, device=self.index.device) < self.counts.unsqueeze(1)

    @cached_property
    def ragged(self) -> bool:
        """Whether the examples differ in their number of features."""
        return not bool(self.valid.all())

    @cached_property
    def inside(self) -> Tensor:
        """bool ``[N or 1, *shape]``: the elements that belong to a feature."""
        return self.index >= 0

    @cached_property
    def identity(self) -> bool:
        """Whether every element is a feature of its own, in order."""
        import torch

        flat = self.index.flatten(1)
        return flat.shape == (1, self.d) and bool((flat[0] == torch.arange(self.d, device=flat.device)).all())

    @cached_property
    def stacked(self) -> bool:
        """Whether the first axis only repeats the features, each of them in order: pixels or steps over channels."""
        import torch

        if self.index.shape[0] != 1 or self.index.ndim < 3 or self.index[0, 0].numel() != self.d:
            return False
        order = torch.arange(self.d, device=self.index.device)
        return bool((self.index[0].flatten(1) == order).all())

    @cached_property
    def distinct(self) -> Tensor:
        """The index with a single element along each axis that changes nothing (channels of pixels, say)."""
        index = self.index
        for axis in range(1, index.ndim):
            first = index.narrow(axis, 0, min(1, index.shape[axis]))
            if bool((index == first).all()):
                index = first
        return index

    @cached_property
    def sizes(self) -> Tensor:
        """int64 ``[N or 1, d]``: how many elements each feature has."""
        return self.pool(self.index.new_ones(self.index.shape))

    def to(self, device: object) -> FeatureMap:
        """The same map on another device."""
        return FeatureMap(self.index.to(device), self.counts.to(device), self.shape, self.names)  # type: ignore[call-overload]  # torch.device or str, both are accepted

    def rows(self, rows: Tensor) -> FeatureMap:
        """The map of the examples ``rows`` (int64 ``[M]``), which may repeat."""
        if self.index.shape[0] == 1:
            return self
        distinct = self.distinct[rows]
        index = distinct.expand(len(rows), *self.index.shape[1:])
        chosen = FeatureMap(index, self.counts[rows], self.shape, self.names)
        chosen.__dict__["distinct"] = distinct  # not to be looked for again in every block of rows
        return chosen

    def pool(self, elements: Tensor) -> Tensor:
        """Add up elements ``[N, *shape]`` or ``[N, S, *shape]`` to features ``[N, d]`` or ``[N, S, d]``."""
        lead = elements.shape[: elements.ndim - (self.index.ndim - 1)]
        flat = elements.reshape(*lead, -1)
        if self.identity:
            return flat
        if self.stacked:
            return flat.view(*lead, self.index.shape[1], self.d).sum(dim=-2)
        index = self._flat(self.index, lead)
        return flat.new_zeros(*lead, self.d + 1).scatter_add_(-1, index, flat)[..., : self.d]

    def expand(self, values: Tensor, outside: float = 0.0) -> Tensor:
        """Give every element its feature's value: ``[N, d]`` or ``[N, S, d]`` to ``[N, (S,) *shape]``.

        Elements of no feature get ``outside``. The result may be a view that repeats elements.
        """
        lead = values.shape[:-1]
        shape = self.index.shape[1:]
        if self.identity:
            return values.reshape(*lead, *shape)
        if self.stacked:  # nothing is copied
            return values.reshape(*lead, 1, *shape[1:]).expand(*lead, *shape)
        padded = values.new_full((*lead, self.d + 1), outside)
        padded[..., : self.d] = values
        found = padded.gather(-1, self._flat(self.distinct, lead))
        return found.view(*lead, *self.distinct.shape[1:]).expand(*lead, *shape)

    def spread(self, values: Tensor) -> Tensor:
        """Share every feature's value equally among its elements, so that :meth:`pool` gives it back."""
        sizes = self.sizes.clamp(min=1).to(values.dtype)
        return self.expand(values / (sizes if values.ndim == 2 else sizes.unsqueeze(1)))

    def keep(self, inputs: Tensor, reference: Tensor, present: Tensor) -> Tensor:
        """Replace absent features by the reference.

        Args:
            inputs: ``[N, *shape]``.
            reference: ``[N, *shape]``.
            present: ``[N, S, d]`` (or ``[N, d]``), bool, or a fraction in [0, 1] of the way from reference to input.

        Returns:
            ``[N, S, *shape]`` (or ``[N, *shape]``). Elements of no feature stay as they are.
        """
        import torch

        if present.ndim == 3:
            inputs, reference = inputs.unsqueeze(1), reference.unsqueeze(1)
        if present.dtype == torch.bool:
            if not _blendable(inputs, reference):
                return torch.where(self.expand(present, outside=1.0), inputs, reference)
            present = present.to(inputs.dtype)
        kept = self.expand(present, outside=1.0)
        return torch.lerp(reference.expand_as(kept), inputs.expand_as(kept), kept)

    def natural(self, values: Tensor) -> Tensor:
        """Pooled ``[N, d]`` in the features' own shape ``[N, *features]``; NaN where an example has no such feature."""
        filled = values.masked_fill(~self.valid, float("nan")) if self.ragged else values
        return filled.view(values.shape[0], *self.shape)

    def _flat(self, index: Tensor, lead: Sequence[int]) -> Tensor:
        """An index, d for no feature, as ``[*lead, elements]``."""
        flat = index.flatten(1)
        flat = flat.masked_fill(flat < 0, self.d)
        if len(lead) == 2:
            flat = flat.unsqueeze(1)
        return flat.expand(*lead, flat.shape[-1])


def _blendable(inputs: Tensor, reference: Tensor) -> bool:
    """Whether 0 and 1 times these are what they should be, so that blending replaces choosing.

    Choosing element by element costs up to ten times as much on a CPU, where neighbours are not of one kind.
    """
    if inputs.device.type != "cpu" or inputs.dtype != reference.dtype:
        return False
    return bool((inputs.sum() + reference.sum()).isfinite())
