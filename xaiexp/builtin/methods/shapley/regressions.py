"""The two surrogates: Shapley values by KernelSHAP's regression, and LIME's linear model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xaiexp.builtin.methods.shapley.coalitions import Fit, Regression, Sums
from xaiexp.core.draws import Draws

__all__ = ["LimeRegression", "ShapleyRegression"]


@dataclass(frozen=True)
class ShapleyRegression(Regression):
    """Shapley values as weighted least squares with ``sum(phi) = f(x) - f(x0)``.

    The Shapley kernel is the weight where all coalitions are taken; where they are drawn, it is the distribution
    of their sizes and every one weighs the same.
    """

    def first(self) -> int:
        """The empty and the full coalition are not drawn: their scores are kept exactly."""
        return 1

    def sample(self, rng: Draws, rows: slice, stretch: range) -> Tensor:
        """Sizes from the Shapley kernel, stratified over the pairs; then a random subset of that size."""
        counts, pairs = self.counts[rows], self.pairs[rows]
        k = torch.arange(1, max(2, self.width), device=counts.device, dtype=torch.float64)
        d = counts.double().unsqueeze(1)
        kernel = torch.where(k < d, 1 / (k * (d - k)), 0.0)
        steps = kernel.cumsum(1) / kernel.sum(1, keepdim=True).clamp(min=1e-300)
        number = torch.arange(stretch.start, stretch.stop, device=counts.device)
        place = (number + rng.uniform("size", samples=stretch).double()) / pairs.unsqueeze(1)
        sizes = torch.searchsorted(steps, place, right=True).add_(1)
        sizes = torch.minimum(sizes, (counts - 1).unsqueeze(1)).clamp_(min=0)
        order = rng.uniform("order", (self.width,), samples=stretch)
        order.masked_fill_((torch.arange(self.width, device=counts.device) >= counts.unsqueeze(1)).unsqueeze(1), 2.0)
        # The members are those below the size-th smallest number.
        return order < ascending(order).gather(-1, sizes.unsqueeze(-1))

    def weights(self, sizes: Tensor, rows: slice) -> Tensor:
        """``(d - 1) / (C(d, k) k (d - k))``, or 1 where sizes were drawn from it."""
        if not self.everything[rows].any():
            return torch.ones_like(sizes, dtype=torch.float64)
        d, k = self.counts[rows].double().unsqueeze(1), sizes.double()
        binomial = torch.lgamma(d + 1) - torch.lgamma(k + 1) - torch.lgamma(d - k + 1)
        kernel = (d - 1) / (k * (d - k) * binomial.exp())
        inside = (k > 0) & (k < d)
        return torch.where(self.everything[rows].unsqueeze(1), torch.where(inside, kernel, 0.0), 1.0)

    def solve(self, sums: Sums, rows: slice, full: Tensor, empty: Tensor) -> Fit:
        """``phi = A^-1 (b - o (o'A^-1 b - D) / (o'A^-1 o))``, with A and b the normal equations and D the sum.

        Solved for what is left after sharing D equally, which is the smaller number.
        """
        ones = self.ones(rows)
        share = ((full - empty) / self.counts[rows].clamp(min=1)).unsqueeze(1) * ones
        rest = sums.moment - empty.unsqueeze(1) * sums.members - torch.bmm(sums.gram, share.unsqueeze(2)).squeeze(2)
        fit = Fit(
            phi=share,
            intercept=empty.unsqueeze(1),
            centre=torch.zeros_like(share),
            factor=self.factor(sums.gram, rows, "kernel_shap"),
            freedom=(self.counts[rows] - 1).unsqueeze(1).double(),
            weight=torch.ones_like(sums.weight),
        )
        return fit._replace(phi=(share + self.answer(fit, rows, rest.unsqueeze(2)).squeeze(2)) * ones)

    def answer(self, fit: Fit, rows: slice, changes: Tensor) -> Tensor:
        """``A^-1 c - A^-1 o (o'A^-1 c) / (o'A^-1 o)``, which adds up to 0."""
        ones = self.ones(rows).unsqueeze(2)
        solved = torch.cholesky_solve(torch.cat((changes, ones), dim=2), fit.factor)
        free, along = solved[..., :-1], solved[..., -1:]
        slack = (free * ones).sum(1, keepdim=True) / (along * ones).sum(1, keepdim=True).clamp(min=1e-300)
        return (free - slack * along) * ones

    def information(self, sizes: Tensor, rows: slice) -> Tensor:
        """``k (d - k)``: d times the squared length of a coalition of size k beside the direction of the sum."""
        return (sizes * (self.counts[rows].unsqueeze(1) - sizes)).double()


def ascending(numbers: Tensor) -> Tensor:
    """Sorted along the last axis. On the CPU by numpy, which is several times as fast as torch there."""
    if numbers.device.type == "cpu":
        return torch.from_numpy(np.sort(numbers.numpy(), axis=-1))
    return numbers.sort(dim=-1).values


@dataclass(frozen=True)
class LimeRegression(Regression):
    """A weighted linear model with an intercept, fitted around the input.

    Args:
        kernel_width: of the exponential kernel on the cosine distance from the full coalition.
        alpha: ridge penalty, in units of the mean squared coalition.
    """

    kernel_width: float = 0.25
    alpha: float = 0.0

    def sample(self, rng: Draws, rows: slice, stretch: range) -> Tensor:
        """Every feature with probability one half."""
        return rng.uniform("member", (self.width,), samples=stretch) < 0.5

    def weights(self, sizes: Tensor, rows: slice) -> Tensor:
        """``exp(-D^2 / (2 width^2))`` with ``D = 1 - sqrt(k / d)``, the cosine distance from all d features."""
        distance = 1 - (sizes.double() / self.counts[rows].clamp(min=1).unsqueeze(1)).sqrt()
        return torch.exp(-(distance**2) / (2 * self.kernel_width**2))

    def solve(self, sums: Sums, rows: slice, full: Tensor, empty: Tensor) -> Fit:
        """The coefficients and the intercept: the normal equations around the weighted means."""
        ones, weight = self.ones(rows), sums.weight.clamp(min=1e-300)
        mean = sums.members / weight
        gram = sums.gram / weight.unsqueeze(2) - mean.unsqueeze(2) * mean.unsqueeze(1)
        gram += torch.diag_embed(self.alpha * ones)
        moment = (sums.moment - mean * sums.total) / weight
        factor = self.factor(gram, rows, "lime")
        phi = torch.cholesky_solve(moment.unsqueeze(2), factor).squeeze(2)
        freedom = ones.sum(1, keepdim=True)
        if self.alpha:
            # A ridge leaves (1 - S)y of the scores, and the mean square of that is short of 2S - S^2, whose trace
            # is d - alpha^2 tr (A + alpha)^-2.
            inverse = torch.cholesky_inverse(factor) * ones.unsqueeze(1) * ones.unsqueeze(2)
            freedom = freedom - self.alpha**2 * inverse.square().sum((1, 2)).unsqueeze(1)
        intercept = sums.total / weight - (mean * phi).sum(1, keepdim=True)
        return Fit(phi, intercept, mean, factor, freedom, weight)

    def answer(self, fit: Fit, rows: slice, changes: Tensor) -> Tensor:
        """``A^-1 c``, in the units of the weighted mean."""
        return torch.cholesky_solve(changes / fit.weight.unsqueeze(2), fit.factor)

    def information(self, sizes: Tensor, rows: slice) -> Tensor:
        """The weight of both, as all coalitions are equally far from the middle."""
        return self.weights(sizes, rows) + self.weights(self.counts[rows].unsqueeze(1) - sizes, rows)
