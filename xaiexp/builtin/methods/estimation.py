"""Running mean and variance of sampled attributions, with standard errors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from xaiexp.core.feature_map import FeatureMap

__all__ = ["SampleMean", "SampleVariance"]


class SampleMean:
    """The mean of sampled attributions, and the standard error of each pooled feature.

    Args:
        features: maps elements to features.
        like: ``[N, *shape]``, the shape and dtype of one sample.
    """

    def __init__(self, features: FeatureMap, like: Tensor) -> None:
        self.features, self.count = features, 0
        self._total = torch.zeros_like(like)
        self._first: Tensor | None = None
        self._shifted: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0

    def add(self, samples: Tensor) -> None:
        """Add samples ``[N, S, *shape]``."""
        self._total += samples.sum(dim=1)
        self.count += samples.shape[1]
        pooled = self.features.pool(samples)
        if self._first is None:
            self._first = pooled[:, :1].clone()
        # Relative to the first sample, which avoids cancellation and gives exactly 0 for equal samples.
        pooled = pooled - self._first
        self._shifted = self._shifted + pooled.sum(dim=1)
        self._squares = self._squares + pooled.square_().sum(dim=1)

    def value(self) -> Tensor:
        """The mean, ``[N, *shape]``."""
        return self._total / self.count

    def standard_error(self) -> Tensor:
        """The standard error of each pooled feature, ``[N, d]``: ``s / sqrt(S)``; NaN for fewer than two samples."""
        assert isinstance(self._shifted, Tensor)  # noqa: S101 -- add() was called
        if self.count < 2:
            return torch.full_like(self._shifted, math.nan)
        centred = (self._squares - self._shifted.square() / self.count).clamp(min=0.0)
        return (centred / (self.count - 1) / self.count).sqrt()


class SampleVariance:
    """The variance of sampled attributions (divided by S, as in Captum), and its standard error.

    The elements of a feature are correlated, so the standard error of their summed variances does not follow from
    the moments of single elements. It is estimated from the variances of small groups of consecutive samples, in one
    pass over the samples. For normal samples the estimate is about 10 % too large.

    Args:
        features: maps elements to features.
        like: ``[N, *shape]``, the shape and dtype of one sample.
        count: the number of samples that will be added.
    """

    def __init__(self, features: FeatureMap, like: Tensor, count: int) -> None:
        self._group_size = 5 if count >= 15 else 2
        self._groups = SampleMean(features, like)
        self._count = 0
        self._first: Tensor | None = None
        self._shifted, self._squares = torch.zeros_like(like), torch.zeros_like(like)
        self._remainder: Tensor | None = None

    def add(self, samples: Tensor) -> None:
        """Add samples ``[N, S, *shape]``."""
        if self._first is None:
            self._first = samples[:, :1].clone()
        shifted = samples - self._first
        self._shifted += shifted.sum(dim=1)
        self._squares += shifted.square().sum(dim=1)
        self._count += samples.shape[1]
        if self._remainder is not None:
            shifted = torch.cat((self._remainder, shifted), dim=1)
        complete = shifted.shape[1] // self._group_size * self._group_size
        if complete:
            groups = shifted[:, :complete].reshape(len(shifted), -1, self._group_size, *shifted.shape[2:])
            self._groups.add(groups.var(dim=2, correction=1))
        self._remainder = shifted[:, complete:].clone()

    def value(self) -> Tensor:
        """The variance, ``[N, *shape]``."""
        return ((self._squares - self._shifted.square() / self._count) / self._count).clamp(min=0.0)

    def standard_error(self) -> Tensor:
        """The standard error of each pooled feature, ``[N, d]``; NaN for fewer than two groups (four samples)."""
        if not self._groups.count:
            return torch.full_like(self._groups.features.pool(self._shifted), math.nan)
        return self._groups.standard_error()
