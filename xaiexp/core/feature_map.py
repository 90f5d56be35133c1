"""The map from elements of an input to features, with pooling and expansion. Importing this module imports no torch."""

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
    """The assignment of the elements of each input to features.

    Args:
        index: int64 ``[N, *shape]``, or ``[1, *shape]`` where all examples share one map: the index of each element's
            feature, from 0; -1 where an element belongs to no feature (padding, ``[CLS]``). Such an element is never
            removed, and its attribution is ignored.
        counts: int64 ``[N]`` (or ``[1]``), the number of features of each example.
        shape: the shape of the features, ``(H, W)`` for pixels. Its product is at least the largest of ``counts``. A
            ragged map has one axis.
        names: names of the features where all examples share them (columns of a table), or empty.
    """

    index: Tensor
    counts: Tensor
    shape: tuple[int, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def from_index(cls, index: Tensor, shape: Sequence[int] | None = None, names: Sequence[str] = ()) -> FeatureMap:
        """The map of an ``index [N or 1, *shape]`` whose features are numbered from 0 without gaps.

        ``counts`` is one more than the largest index of each example; -1 is allowed as in :class:`FeatureMap`.
        """
        counts = index.flatten(1).amax(dim=1) + 1
        return cls(index, counts, tuple(shape) if shape is not None else (int(counts.max()),), tuple(names))

    @cached_property
    def d(self) -> int:
        """Number of columns of pooled tensors: the largest number of features of an example."""
        return math.prod(self.shape)

    @cached_property
    def valid(self) -> Tensor:
        """bool ``[N or 1, d]``: the columns of a pooled tensor that are features of the example."""
        import torch

        return torch.arange(self.d, device=self.index.device) < self.counts.unsqueeze(1)

    @cached_property
    def ragged(self) -> bool:
        """Whether an example has fewer than ``d`` features."""
        return not bool(self.valid.all())

    @cached_property
    def inside(self) -> Tensor:
        """bool ``[N or 1, *shape]``: the elements that belong to a feature."""
        return self.index >= 0

    @cached_property
    def identity(self) -> bool:
        """Whether each element is one feature, in the same order."""
        import torch

        flat = self.index.flatten(1)
        return flat.shape == (1, self.d) and bool((flat[0] == torch.arange(self.d, device=flat.device)).all())

    @cached_property
    def stacked(self) -> bool:
        """Whether each slice along the first axis contains every feature once, in order (pixels with channels)."""
        import torch

        if self.index.shape[0] != 1 or self.index.ndim < 3 or self.index[0, 0].numel() != self.d:
            return False
        order = torch.arange(self.d, device=self.index.device)
        return bool((self.index[0].flatten(1) == order).all())

    @cached_property
    def distinct(self) -> Tensor:
        """``index`` with size 1 along each axis on which it does not depend (the channels of pixels, for example)."""
        index = self.index
        for axis in range(1, index.ndim):
            first = index.narrow(axis, 0, min(1, index.shape[axis]))
            if bool((index == first).all()):
                index = first
        return index

    @cached_property
    def sizes(self) -> Tensor:
        """int64 ``[N or 1, d]``: number of elements of each feature."""
        return self.pool(self.index.new_ones(self.index.shape))

    def to(self, device: object) -> FeatureMap:
        """This map on another device."""
        return FeatureMap(self.index.to(device), self.counts.to(device), self.shape, self.names)  # type: ignore[call-overload]  # torch.device or str, both are accepted

    def rows(self, rows: Tensor) -> FeatureMap:
        """The map of the examples with the indices ``rows`` (int64 ``[M]``), which may repeat."""
        if self.index.shape[0] == 1:
            return self
        distinct = self.distinct[rows]
        index = distinct.expand(len(rows), *self.index.shape[1:])
        chosen = FeatureMap(index, self.counts[rows], self.shape, self.names)
        chosen.__dict__["distinct"] = distinct  # known already: spares its computation for every block of rows
        return chosen

    def pool(self, elements: Tensor) -> Tensor:
        """Sum elements ``[N, *shape]`` or ``[N, S, *shape]`` over each feature: ``[N, d]`` or ``[N, S, d]``."""
        lead = elements.shape[: elements.ndim - (self.index.ndim - 1)]
        flat = elements.reshape(*lead, -1)
        if self.identity:
            return flat
        if self.stacked:
            return flat.view(*lead, self.index.shape[1], self.d).sum(dim=-2)
        index = self._flat(self.index, lead)
        return flat.new_zeros(*lead, self.d + 1).scatter_add_(-1, index, flat)[..., : self.d]

    def expand(self, values: Tensor, outside: float = 0.0) -> Tensor:
        """Copy each feature's value to its elements: ``[N, d]`` or ``[N, S, d]`` to ``[N, (S,) *shape]``.

        Elements of no feature get the value ``outside``. The result may be a broadcast view; do not modify it in place.
        """
        lead = values.shape[:-1]
        shape = self.index.shape[1:]
        if self.identity:
            return values.reshape(*lead, *shape)
        if self.stacked:  # a view, without a copy
            return values.reshape(*lead, 1, *shape[1:]).expand(*lead, *shape)
        padded = values.new_full((*lead, self.d + 1), outside)
        padded[..., : self.d] = values
        gathered = padded.gather(-1, self._flat(self.distinct, lead))
        return gathered.view(*lead, *self.distinct.shape[1:]).expand(*lead, *shape)

    def spread(self, values: Tensor) -> Tensor:
        """Divide each feature's value equally among its elements: :meth:`pool` of the result returns the values."""
        sizes = self.sizes.clamp(min=1).to(values.dtype)
        return self.expand(values / (sizes if values.ndim == 2 else sizes.unsqueeze(1)))

    def keep(self, inputs: Tensor, reference: Tensor, present: Tensor) -> Tensor:
        """Replace absent features by the reference.

        Args:
            inputs: ``[N, *shape]``.
            reference: ``[N, *shape]``.
            present: ``[N, S, d]`` (or ``[N, d]``): bool, or an interpolation weight in [0, 1], where 0 is the reference
                and 1 the input.

        Returns:
            ``[N, S, *shape]`` (or ``[N, *shape]``). Elements of no feature keep their input value.
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
        """Reshape pooled values ``[N, d]`` to ``[N, *self.shape]``; NaN beyond an example's number of features."""
        filled = values.masked_fill(~self.valid, float("nan")) if self.ragged else values
        return filled.view(values.shape[0], *self.shape)

    def _flat(self, index: Tensor, lead: Sequence[int]) -> Tensor:
        """``index`` flattened and expanded to ``[*lead, elements]``, with d in place of -1."""
        flat = index.flatten(1)
        flat = flat.masked_fill(flat < 0, self.d)
        if len(lead) == 2:
            flat = flat.unsqueeze(1)
        return flat.expand(*lead, flat.shape[-1])


def _blendable(inputs: Tensor, reference: Tensor) -> bool:
    """Whether ``torch.lerp`` with weights 0 and 1 gives exactly the reference and the input.

    It does not for NaN and infinite values, or for mixed dtypes. On a CPU, ``torch.where`` with an irregular condition
    takes up to ten times as long.
    """
    if inputs.device.type != "cpu" or inputs.dtype != reference.dtype:
        return False
    return bool((inputs.sum() + reference.sum()).isfinite())
