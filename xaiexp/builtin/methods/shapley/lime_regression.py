"""The regression of LIME: a weighted linear model of the scores of coalitions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.builtin.methods.shapley.coalition_regression import CoalitionRegression, Fit, NormalEquations
from xaiexp.core.draws import Draws

__all__ = ["LimeRegression"]


@dataclass(frozen=True)
class LimeRegression(CoalitionRegression):
    """A weighted linear model with an intercept, fitted around the input.

    Args:
        kernel_width: width of the exponential kernel on the cosine distance from the full coalition.
        alpha: ridge penalty, in units of the weighted mean of squared indicators.
    """

    kernel_width: float = 0.25
    alpha: float = 0.0

    def members(self, rng: Draws, rows: slice) -> Tensor:
        """All coalitions, or random ones, in which every feature is present with probability 1/2."""
        columns = torch.arange(self.width, device=self.counts.device)
        # The binary digits of a pair's index are its coalition without the last feature.
        number = torch.arange(self.most, device=self.counts.device).view(-1, 1)
        listed = (number >> columns.clamp(max=62)).bitwise_and(1).bool() & (columns < 62)
        exhaustive = self.exhaustive[rows].view(-1, 1, 1)
        if bool(exhaustive.all()):
            chosen = listed.expand(len(exhaustive), -1, -1)
        else:
            sampled = rng.uniform("member", (self.width,), samples=range(self.most)) < 0.5
            chosen = torch.where(exhaustive, listed, sampled)
        return chosen & (columns < self.counts[rows].view(-1, 1, 1))

    def weights(self, sizes: Tensor, rows: slice) -> Tensor:
        """``exp(-D^2 / (2 width^2))`` with ``D = 1 - sqrt(k / d)``, the cosine distance from the full coalition."""
        distance = 1 - (sizes.double() / self.counts[rows].clamp(min=1).unsqueeze(1)).sqrt()
        return torch.exp(-(distance**2) / (2 * self.kernel_width**2))

    def solve(self, sums: NormalEquations, rows: slice, full: Tensor, empty: Tensor) -> Fit:
        """The coefficients and the intercept, from the normal equations centred at the weighted means."""
        ones, weight = self.ones(rows), sums.weight.clamp(min=1e-300)
        mean = sums.members / weight
        gram = sums.gram / weight.unsqueeze(2) - mean.unsqueeze(2) * mean.unsqueeze(1)
        gram += torch.diag_embed(self.alpha * ones)
        moment = (sums.moment - mean * sums.total) / weight
        factor = self.factor(gram, rows, "lime")
        phi = torch.cholesky_solve(moment.unsqueeze(2), factor).squeeze(2)
        freedom = ones.sum(1, keepdim=True)
        if self.alpha:
            # The residuals of a ridge fit are (1 - S) y. Their degrees of freedom are tr(2S - S^2), which is
            # d - alpha^2 tr (A + alpha)^-2.
            inverse = torch.cholesky_inverse(factor) * ones.unsqueeze(1) * ones.unsqueeze(2)
            freedom = freedom - self.alpha**2 * inverse.square().sum((1, 2)).unsqueeze(1)
        intercept = sums.total / weight - (mean * phi).sum(1, keepdim=True)
        return Fit(phi, intercept, mean, factor, freedom, weight)

    def response(self, fit: Fit, rows: slice, changes: Tensor) -> Tensor:
        """``A^-1 c``, divided by the sum of the weights."""
        return torch.cholesky_solve(changes / fit.weight.unsqueeze(2), fit.factor)

    def information(self, sizes: Tensor, rows: slice) -> Tensor:
        """The weights of both of a pair, as all coalitions have the same distance from the centre."""
        return self.weights(sizes, rows) + self.weights(self.counts[rows].unsqueeze(1) - sizes, rows)
