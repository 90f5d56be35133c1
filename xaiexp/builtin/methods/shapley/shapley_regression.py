"""The regression of KernelSHAP: Shapley values by weighted least squares over coalitions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from xaiexp.builtin.methods.shapley.coalition_regression import CoalitionRegression, Fit, NormalEquations
from xaiexp.builtin.methods.shapley.coalition_sizes import CoalitionSizes, coalition_sizes
from xaiexp.core.draws import Draws

__all__ = ["ShapleyRegression"]


@dataclass(frozen=True)
class ShapleyRegression(CoalitionRegression):
    """Shapley values as weighted least squares with ``sum(phi) = f(x) - f(x0)``.

    If all coalitions are used, their weights are the Shapley kernel. If not, sizes with few coalitions are used whole
    with this weight, and the others are sampled with it divided by the share of their coalitions that is used; see
    :mod:`~xaiexp.builtin.methods.shapley.coalition_sizes`.
    """

    @cached_property
    def _kinds(self) -> list[tuple[CoalitionSizes, Tensor]]:
        """The numbers of features and pairs that occur, each with the examples that have it, int64 ``[n]``."""
        keys = list(zip(self.counts.tolist(), self.pairs.tolist(), strict=True))
        return [
            (
                coalition_sizes(d, pairs),
                torch.tensor([i for i, key in enumerate(keys) if key == (d, pairs)], device=self.counts.device),
            )
            for d, pairs in dict.fromkeys(keys)
            if d > 1  # a single feature has no coalition
        ]

    @cached_property
    def _tables(self) -> tuple[Tensor, Tensor]:
        """By example and size: the weight of a coalition, the share that is not taken; float64 ``[N, width + 1]``."""
        weights = torch.zeros(len(self.counts), self.width + 1, dtype=torch.float64, device=self.counts.device)
        unseen = torch.zeros_like(weights)
        for sizes, rows in self._kinds:
            weights[rows, : sizes.d + 1] = sizes.weights.to(weights)
            unseen[rows, : sizes.d + 1] = sizes.unseen.to(weights)
        return weights, unseen

    def members(self, rng: Draws, rows: slice) -> Tensor:
        """Whole sizes, then sampled ones; see :meth:`CoalitionSizes.sample`."""
        wanted = range(*rows.indices(len(self.counts)))
        out = torch.zeros(len(wanted), self.most, self.width, dtype=torch.bool, device=self.counts.device)
        for sizes, members in self._kinds:
            own = members[(members >= wanted.start) & (members < wanted.stop)] - wanted.start
            if len(own) == len(wanted):
                out[:, : sizes.pairs, : sizes.d] = sizes.sample(rng)
            elif len(own):
                draws = replace(rng, ids=tuple(rng.ids[i] for i in own.tolist()))
                out[own, : sizes.pairs, : sizes.d] = sizes.sample(draws)
        return out

    def weights(self, sizes: Tensor, rows: slice) -> Tensor:
        """``(d - 1) / (C(d, k) k (d - k))`` over the share of the coalitions of size k that is used."""
        return self._tables[0][rows].gather(1, sizes.long())

    def unseen(self, sizes: Tensor, rows: slice) -> Tensor:
        """The share of the coalitions of a size that is not used."""
        return self._tables[1][rows].gather(1, sizes.long())

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
        """``w k (d - k)``: d times the squared norm of a coalition of size k orthogonal to the vector of ones."""
        return self.weights(sizes, rows) * sizes * (self.counts[rows].unsqueeze(1) - sizes)
