"""Surrogate regressions over coalitions of features, for KernelSHAP and LIME.

A coalition z is a subset of the d features of an example: those that are present, the others are replaced by the
reference. Coalitions come in pairs, z and its complement: all of them where they are few, else drawn at random.
The normal equations of an example are added up as its scores arrive and solved when its last one is there, so
memory grows neither with the number of coalitions nor, beyond a stretch of examples, with d^2.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from xaiexp.draws import Draws
from xaiexp.errors import Unsupported
from xaiexp.passes import Handle
from xaiexp.types import Batch

__all__ = ["LARGEST", "LimeRegression", "Regression", "ShapleyRegression"]

LARGEST = 2048
"""The largest number of features whose equations are solved."""

_EQUATIONS = 1 << 22
"""Numbers that the matrices under way may hold: 32 MiB."""


@dataclass
class _Sums:
    """The normal equations of a stretch of examples."""

    gram: Tensor  # sum over coalitions of w z z', [n, d, d]
    moment: Tensor  # sum of w z y, [n, d]
    members: Tensor  # sum of w z, [n, d]
    weight: Tensor  # sum of w, [n, 1]
    total: Tensor  # sum of w y, [n, 1]


@dataclass
class _Pairs:
    """The same in the making, in terms of the first of every pair only."""

    square: Tensor  # sum of (w + v) z z', [n, d, d]
    lines: Tensor  # sums of v z, (w - v) z and (w y - v u) z, [n, 3, d]
    numbers: Tensor  # sums of w + v, v, v u and w y + v u, [n, 4]

    def add(self, other: _Pairs) -> None:
        """Add another stretch."""
        self.square += other.square
        self.lines += other.lines
        self.numbers += other.numbers

    def sums(self, o: Tensor) -> _Sums:
        """The equations of both of every pair: ``(o - z)(o - z)' = z z' - z o' - o z' + o o'``.

        ``o``: ones over the features of each example, ``[n, d]``.
        """
        lent, differ, moment = self.lines.unbind(1)
        both, v, vu, total = (n.unsqueeze(1) for n in self.numbers.unbind(1))
        cross = (lent - v / 2 * o).unsqueeze(2) * o.unsqueeze(1)
        gram = self.square - cross - cross.transpose(1, 2)
        return _Sums(gram, moment + vu * o, differ + v * o, both, total)


@dataclass(frozen=True)
class Regression:
    """What the two surrogates share; each says which pairs it draws, how they weigh and how it solves.

    Args:
        counts: int64 ``[N]``, features of each example.
        width: the largest of them, or more: columns of the results.
        pairs: int64 ``[N]``, pairs of coalitions of each example.
        everything: bool ``[N]``, whether these are all there are.
    """

    counts: Tensor
    width: int
    pairs: Tensor
    everything: Tensor

    @classmethod
    def of(cls, counts: Tensor, width: int, taken: Sequence[tuple[int, bool]], **options: Any) -> Self:
        """For examples with ``counts`` features; ``taken`` are their pairs, and whether these are all there are."""
        pairs, everything = (torch.tensor(column, device=counts.device) for column in zip(*taken, strict=True))
        return cls(counts, width, pairs, everything, **options)

    @abstractmethod
    def sample(self, rng: Draws, rows: slice, stretch: range) -> Tensor:
        """Random coalitions, bool ``[n, s, width]``; what lies beyond an example's features does not matter."""

    @abstractmethod
    def weights(self, sizes: Tensor, rows: slice) -> Tensor:
        """Weights, float64 ``[n, s]``, of coalitions of ``sizes [n, s]``."""

    @abstractmethod
    def solve(self, sums: _Sums, rows: slice, full: Tensor, empty: Tensor) -> Tensor:
        """The attributions, float64 ``[n, width]``; ``full`` and ``empty`` are f(x) and f(x0)."""

    def first(self) -> int:
        """The first pair where all are taken: 0 with the empty coalition, 1 without."""
        return 0

    def members(self, rng: Draws, rows: slice, stretch: range) -> Tensor:
        """Coalitions, bool ``[n, s, width]``, of the pairs ``stretch``."""
        device, counts = self.counts.device, self.counts[rows].view(-1, 1, 1)
        columns = torch.arange(self.width, device=device)
        everything = self.everything[rows].view(-1, 1, 1)
        listed = sampled = torch.zeros((), dtype=torch.bool, device=device)
        if everything.any():
            # A pair is the number of the coalition that lacks the last feature, in binary.
            number = torch.arange(stretch.start, stretch.stop, device=device).view(1, -1, 1) + self.first()
            listed = (number >> columns.clamp(max=62)).bitwise_and(1).bool() & (columns < 62)
        if not everything.all():
            sampled = self.sample(rng, rows, stretch)
        return torch.where(everything, listed, sampled) & (columns < counts)

    def attributions(self, model: Handle, reference: Tensor, rng: Draws) -> Tensor:
        """The attributions of the features, ``[N, width]``, 0 beyond an example's own."""
        batch = model.batch
        n, d = len(batch), self.width
        if d > LARGEST:
            raise Unsupported(
                f"{d} features are too many for a regression (at most {LARGEST}): choose larger ones, features=grid"
            )
        full, empty = model.scores().double(), model.scores(reference).double()
        # Few examples at a time, so that a pass holds many coalitions of each.
        together = max(1, min(n, model.passes.budget(batch.shape) // (2 * max(64, d)), _EQUATIONS // max(1, d * d)))
        groups = [slice(a, min(n, a + together)) for a in range(0, n, together)]
        under_way: deque[tuple[slice, Tensor, Tensor, bool]] = deque()

        def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
            for rows in groups:
                size, pairs = rows.stop - rows.start, self.pairs[rows]
                draws = replace(rng, ids=rng.ids[rows])
                count = int(pairs.max())
                step = max(1, model.passes.budget(batch.shape) // (2 * size))
                for start in range(0, count, step):
                    stretch = range(start, min(count, start + step))
                    z = self.members(draws, rows, stretch)
                    wanted = torch.arange(start, stretch.stop, device=batch.device) < pairs.unsqueeze(1)
                    under_way.append((rows, z, wanted, stretch.stop == count))
                    yield self._perturbed(batch, reference, rows, z, wanted)

        values = full.new_zeros(n, d)
        pairs: _Pairs | None = None
        for scores in model.scores_of_rows(perturbed()):
            rows, z, wanted, last = under_way.popleft()
            y = full.new_zeros(*wanted.shape, 2)
            y[wanted] = scores.double().view(-1, 2)
            part = self._pairs(z, wanted, y, rows)
            if pairs is None:
                pairs = part
            else:
                pairs.add(part)
            if last:
                values[rows] = self.solve(pairs.sums(self.ones(rows)), rows, full[rows], empty[rows])
                pairs = None
        few = self.counts < 2
        values[few] = (full - empty)[few].unsqueeze(1) * self.ones(slice(None))[few]
        return values.to(batch.inputs.dtype)

    def _perturbed(
        self, batch: Batch, reference: Tensor, rows: slice, z: Tensor, wanted: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The inputs ``[M, *shape]`` of the wanted pairs ``z [n, s, d]``, each beside its complement; their owners."""
        features, valid = batch.features, batch.features.valid.expand(len(batch), self.width)
        owners = torch.arange(rows.start, rows.stop, device=z.device)
        if wanted.all():
            present = torch.stack((z, valid[rows].unsqueeze(1) & ~z), dim=2).flatten(1, 2)
            inputs = features.rows(owners).keep(batch.inputs[rows], reference[rows], present)
            return inputs.flatten(0, 1), owners.repeat_interleave(present.shape[1])
        owners = owners.unsqueeze(1).expand(wanted.shape)[wanted]
        some = z[wanted]
        present = torch.stack((some, valid[owners] & ~some), dim=1).flatten(0, 1)
        owners = owners.repeat_interleave(2)
        return features.rows(owners).keep(batch.inputs[owners], reference[owners], present), owners

    def ones(self, rows: slice) -> Tensor:
        """float64 ``[n, width]``: 1 for a feature that an example has."""
        return (torch.arange(self.width, device=self.counts.device) < self.counts[rows].unsqueeze(1)).double()

    def _pairs(self, z: Tensor, wanted: Tensor, y: Tensor, rows: slice) -> _Pairs:
        """What a stretch of pairs adds: z with weight w and score y, its complement with weight v and score u."""
        sizes = z.sum(dim=-1)
        w = self.weights(sizes, rows) * wanted
        v = self.weights(self.counts[rows].unsqueeze(1) - sizes, rows) * wanted
        y, u = y.unbind(-1)
        both = w + v
        # Whole numbers up to 2^24 are exact in float32, at half the price.
        dense = z.float() if bool((both == both.round()).all()) else z.double()
        square = torch.bmm((dense * both.to(dense.dtype).unsqueeze(-1)).transpose(1, 2), dense).double()
        lines = torch.bmm(torch.stack((v, w - v, w * y - v * u), dim=1), z.double())
        return _Pairs(square, lines, torch.stack((both, v, v * u, w * y + v * u), dim=1).sum(-1))

    def _factor(self, matrix: Tensor, rows: slice, method: str) -> Tensor:
        """The Cholesky factor ``[n, d, d]`` over the features that each example has.

        Raises:
            Unsupported: the coalitions do not determine the attributions.
        """
        counts = self.counts[rows]
        decided = (1 - self.ones(rows)).masked_fill((counts < 2).unsqueeze(1), 1.0)
        matrix = matrix + torch.diag_embed(decided)
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        factor: Tensor
        factor, info = torch.linalg.cholesky_ex(matrix)
        pivots = factor.diagonal(dim1=1, dim2=2) ** 2
        if bool(info.any()) or not bool((pivots > 1e-10 * diagonal).all()):
            most = int(counts.max())
            raise Unsupported(
                f"{method} cannot tell {most} features apart with {2 * int(self.pairs[rows].min())} samples: raise "
                f"n_samples (null is {2 * most + 2048}) or choose larger features, features=grid"
            )
        return factor


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
        limits = order.sort(dim=-1).values.gather(-1, sizes.unsqueeze(-1))
        return order < limits

    def weights(self, sizes: Tensor, rows: slice) -> Tensor:
        """``(d - 1) / (C(d, k) k (d - k))``, or 1 where sizes were drawn from it."""
        if not self.everything[rows].any():
            return torch.ones_like(sizes, dtype=torch.float64)
        d, k = self.counts[rows].double().unsqueeze(1), sizes.double()
        binomial = torch.lgamma(d + 1) - torch.lgamma(k + 1) - torch.lgamma(d - k + 1)
        kernel = (d - 1) / (k * (d - k) * binomial.exp())
        inside = (k > 0) & (k < d)
        return torch.where(self.everything[rows].unsqueeze(1), torch.where(inside, kernel, 0.0), 1.0)

    def solve(self, sums: _Sums, rows: slice, full: Tensor, empty: Tensor) -> Tensor:
        """``phi = A^-1 (b - o (o'A^-1 b - D) / (o'A^-1 o))``, with A and b the normal equations and D the sum.

        Solved for what is left after sharing D equally, which is the smaller number.
        """
        ones = self.ones(rows)
        share = ((full - empty) / self.counts[rows].clamp(min=1)).unsqueeze(1) * ones
        rest = sums.moment - empty.unsqueeze(1) * sums.members - torch.bmm(sums.gram, share.unsqueeze(2)).squeeze(2)
        factor = self._factor(sums.gram, rows, "kernel_shap")
        free, along = torch.cholesky_solve(torch.stack((rest, ones), dim=2), factor).unbind(2)
        slack = (free * ones).sum(1, keepdim=True) / (along * ones).sum(1, keepdim=True).clamp(min=1e-300)
        return (share + free - slack * along) * ones


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

    def solve(self, sums: _Sums, rows: slice, full: Tensor, empty: Tensor) -> Tensor:
        """The coefficients without the intercept: the normal equations around the weighted means."""
        weight = sums.weight.clamp(min=1e-300)
        mean = sums.members / weight
        gram = sums.gram / weight.unsqueeze(2) - mean.unsqueeze(2) * mean.unsqueeze(1)
        gram += torch.diag_embed(self.alpha * self.ones(rows))
        moment = (sums.moment - mean * sums.total) / weight
        return torch.cholesky_solve(moment.unsqueeze(2), self._factor(gram, rows, "lime")).squeeze(2)
