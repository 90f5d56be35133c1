"""Means of samples that come in pieces, and how sure they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from xaiexp.core.feature_map import FeatureMap

__all__ = ["Mean", "Spread"]


class Mean:
    """The mean of samples of attributions, and the standard error of its pooled features.

    Args:
        features: how elements add up.
        like: ``[N, *shape]``, the shape and dtype of one sample.
    """

    def __init__(self, features: FeatureMap, like: Tensor) -> None:
        self.features, self.count = features, 0
        self._total = torch.zeros_like(like)
        self._first: Tensor | None = None
        self._shifted: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0

    def add(self, samples: Tensor) -> None:
        """Take in samples ``[N, S, *shape]``."""
        self._total += samples.sum(dim=1)
        self.count += samples.shape[1]
        pooled = self.features.pool(samples)
        if self._first is None:
            self._first = pooled[:, :1].clone()
        # Against the first sample: a variance is a small difference of large sums, and exactly 0 of equal ones.
        pooled = pooled - self._first
        self._shifted = self._shifted + pooled.sum(dim=1)
        self._squares = self._squares + pooled.square_().sum(dim=1)

    def value(self) -> Tensor:
        """The mean, ``[N, *shape]``."""
        return self._total / self.count

    def standard_error(self) -> Tensor:
        """Of each pooled feature, ``[N, d]``: ``s / sqrt(S)``; NaN for less than two samples."""
        assert isinstance(self._shifted, Tensor)  # noqa: S101 -- samples came
        if self.count < 2:
            return torch.full_like(self._shifted, math.nan)
        centred = (self._squares - self._shifted.square() / self.count).clamp(min=0.0)
        return (centred / (self.count - 1) / self.count).sqrt()


class Spread:
    """The variance of samples of attributions (divided by S, as in Captum), and its standard error.

    The elements of a feature vary together, so the error of their summed variances cannot be had from moments of
    single elements. It is told from variances of small groups of consecutive samples: an estimate that is about a
    tenth too large for normal samples and needs no second look at them.

    Args:
        features: how elements add up.
        like: ``[N, *shape]``, the shape and dtype of one sample.
        count: how many samples will come.
    """

    def __init__(self, features: FeatureMap, like: Tensor, count: int) -> None:
        self._group = 5 if count >= 15 else 2
        self._groups = Mean(features, like)
        self._count = 0
        self._first: Tensor | None = None
        self._shifted, self._squares = torch.zeros_like(like), torch.zeros_like(like)
        self._waiting: Tensor | None = None

    def add(self, samples: Tensor) -> None:
        """Take in samples ``[N, S, *shape]``."""
        if self._first is None:
            self._first = samples[:, :1].clone()
        shifted = samples - self._first
        self._shifted += shifted.sum(dim=1)
        self._squares += shifted.square().sum(dim=1)
        self._count += samples.shape[1]
        if self._waiting is not None:
            shifted = torch.cat((self._waiting, shifted), dim=1)
        whole = shifted.shape[1] // self._group * self._group
        if whole:
            groups = shifted[:, :whole].reshape(len(shifted), -1, self._group, *shifted.shape[2:])
            self._groups.add(groups.var(dim=2, correction=1))
        self._waiting = shifted[:, whole:].clone()

    def value(self) -> Tensor:
        """The variance, ``[N, *shape]``."""
        return ((self._squares - self._shifted.square() / self._count) / self._count).clamp(min=0.0)

    def standard_error(self) -> Tensor:
        """Of each pooled feature, ``[N, d]``; NaN for less than two groups, which are four samples."""
        if not self._groups.count:
            return torch.full_like(self._groups.features.pool(self._shifted), math.nan)
        return self._groups.standard_error()
