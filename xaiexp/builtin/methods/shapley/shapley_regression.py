"""The regression of KernelSHAP: Shapley values by weighted least squares over coalitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xaiexp.builtin.methods.shapley.coalition_regression import CoalitionRegression, Fit, NormalEquations
from xaiexp.core.draws import Draws

__all__ = ["ShapleyRegression"]


@dataclass(frozen=True)
class ShapleyRegression(CoalitionRegression):
    """Shapley values as weighted least squares with ``sum(phi) = f(x) - f(x0)``.

    If all coalitions are used, their weights are the Shapley kernel. If they are sampled, their sizes are drawn from
    the Shapley kernel and all weights are 1.
    """

    def first(self) -> int:
        """1: the empty and the full coalition enter as a constraint, not as samples."""
        return 1

    def sample(self, rng: Draws, rows: slice, chunk: range) -> Tensor:
        """Sizes from the Shapley kernel, stratified over the pairs; then a random subset of that size."""
        counts, pairs = self.counts[rows], self.pairs[rows]
        k = torch.arange(1, max(2, self.width), device=counts.device, dtype=torch.float64)
        d = counts.double().unsqueeze(1)
        kernel = torch.where(k < d, 1 / (k * (d - k)), 0.0)
        cdf = kernel.cumsum(1) / kernel.sum(1, keepdim=True).clamp(min=1e-300)
        number = torch.arange(chunk.start, chunk.stop, device=counts.device)
        quantile = (number + rng.uniform("size", samples=chunk).double()) / pairs.unsqueeze(1)
        sizes = torch.searchsorted(cdf, quantile, right=True).add_(1)
        sizes = torch.minimum(sizes, (counts - 1).unsqueeze(1)).clamp_(min=0)
        order = rng.uniform("order", (self.width,), samples=chunk)
        order.masked_fill_((torch.arange(self.width, device=counts.device) >= counts.unsqueeze(1)).unsqueeze(1), 2.0)
        # The members are the features below the size-th smallest number.
        return order < ascending(order).gather(-1, sizes.unsqueeze(-1))

    def weights(self, sizes: Tensor, rows: slice) -> Tensor:
        """``(d - 1) / (C(d, k) k (d - k))``, or 1 where sizes are sampled from this kernel."""
        if not self.exhaustive[rows].any():
            return torch.ones_like(sizes, dtype=torch.float64)
        d, k = self.counts[rows].double().unsqueeze(1), sizes.double()
        binomial = torch.lgamma(d + 1) - torch.lgamma(k + 1) - torch.lgamma(d - k + 1)
        kernel = (d - 1) / (k * (d - k) * binomial.exp())
        inside = (k > 0) & (k < d)
        return torch.where(self.exhaustive[rows].unsqueeze(1), torch.where(inside, kernel, 0.0), 1.0)

    def solve(self, sums: NormalEquations, rows: slice, full: Tensor, empty: Tensor) -> Fit:
        """``phi = A^-1 (b - o (o'A^-1 b - D) / (o'A^-1 o))``, with A and b the normal equations and
        ``D = f(x) - f(x0)``.

        Solved for the difference from ``D / d``, for accuracy.
        """
        ones = self.ones(rows)
        equal_share = ((full - empty) / self.counts[rows].clamp(min=1)).unsqueeze(1) * ones
        residual = (
            sums.moment - empty.unsqueeze(1) * sums.members - torch.bmm(sums.gram, equal_share.unsqueeze(2)).squeeze(2)
        )
        fit = Fit(
            phi=equal_share,
            intercept=empty.unsqueeze(1),
            centre=torch.zeros_like(equal_share),
            factor=self.factor(sums.gram, rows, "kernel_shap"),
            freedom=(self.counts[rows] - 1).unsqueeze(1).double(),
            weight=torch.ones_like(sums.weight),
        )
        return fit._replace(phi=(equal_share + self.response(fit, rows, residual.unsqueeze(2)).squeeze(2)) * ones)

    def response(self, fit: Fit, rows: slice, changes: Tensor) -> Tensor:
        """``A^-1 c - A^-1 o (o'A^-1 c) / (o'A^-1 o)``, which sums to 0."""
        ones = self.ones(rows).unsqueeze(2)
        solved = torch.cholesky_solve(torch.cat((changes, ones), dim=2), fit.factor)
        free, constraint = solved[..., :-1], solved[..., -1:]
        slack = (free * ones).sum(1, keepdim=True) / (constraint * ones).sum(1, keepdim=True).clamp(min=1e-300)
        return (free - slack * constraint) * ones

    def information(self, sizes: Tensor, rows: slice) -> Tensor:
        """``k (d - k)``: d times the squared norm of a coalition of size k orthogonal to the vector of ones."""
        return (sizes * (self.counts[rows].unsqueeze(1) - sizes)).double()


def ascending(numbers: Tensor) -> Tensor:
    """The numbers sorted along the last axis; on the CPU by numpy, which is several times faster than torch."""
    if numbers.device.type == "cpu":
        return torch.from_numpy(np.sort(numbers.numpy(), axis=-1))
    return numbers.sort(dim=-1).values
