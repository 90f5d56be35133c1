"""Weighted least squares over coalitions of features, with standard errors.

A coalition z is a subset of the d features of an example; absent features are replaced by the reference. Coalitions
come in pairs of z and its complement. Examples are taken in groups that fit into memory: their coalitions are drawn at
once, the perturbed inputs go through the network in full batches, and one batched solution follows. Coalitions and
scores of a group are kept until then, because the standard errors need the residuals. Memory does not grow with the
number of examples. :mod:`~xaiexp.builtin.methods.shapley.coalition_errors` has what the standard errors need.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from xaiexp.builtin.methods.shapley.coalition_errors import block_sums, leverages, residual_factors
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Estimate
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Handle

__all__ = ["MAX_FEATURES", "CoalitionRegression", "Fit", "NormalEquations"]

MAX_FEATURES = 2048
"""The largest supported number of features."""

_ELEMENTS = 1 << 22
"""The largest number of elements of the coalitions, or of the matrices, of a group: 32 MiB in float64."""


@dataclass
class NormalEquations:
    """The normal equations of a group of examples."""

    gram: Tensor  # sum over coalitions of w z z', [n, d, d]
    moment: Tensor  # sum of w z y, [n, d]
    members: Tensor  # sum of w z, [n, d]
    weight: Tensor  # sum of w, [n, 1]
    total: Tensor  # sum of w y, [n, 1]


class _ScoredPairs(NamedTuple):
    """The coalitions of a group of n examples, the first of every pair, with the scores of both."""

    z: Tensor  # 0 or 1, float64 [n, P, d]
    sizes: Tensor  # of these, int64 [n, P]
    wanted: Tensor  # bool [n, P], whether the example uses this pair
    y: Tensor  # scores of z and of its complement, [n, P, 2]


class Fit(NamedTuple):
    """A solution ``y = intercept + z'phi``, and the factorisation of its normal equations."""

    phi: Tensor  # [n, d]
    intercept: Tensor  # [n, 1]
    centre: Tensor  # the coalition at which the equations are centred, [n, d]
    factor: Tensor  # Cholesky factor of their matrix, [n, d, d]
    freedom: Tensor  # degrees of freedom fitted to the differences within pairs, [n, 1]
    weight: Tensor  # the divisor of the equations, [n, 1]


@dataclass(frozen=True)
class CoalitionRegression:
    """Base class; a subclass defines the coalitions, their weights and the solution.

    Args:
        counts: int64 ``[N]``, the number of features of each example.
        width: at least the largest of these; the number of columns of the results.
        pairs: int64 ``[N]``, the number of pairs of coalitions of each example.
        exhaustive: bool ``[N]``, whether these are all pairs.
        numbers: ``pairs`` as whole numbers, so that nothing waits for them.
    """

    counts: Tensor
    width: int
    pairs: Tensor
    exhaustive: Tensor
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, counts: Tensor, width: int, pairs: Sequence[tuple[int, bool]], **options: Any) -> Self:
        """For examples with ``counts`` features; ``pairs`` are their numbers of pairs, and whether these are all."""
        each, exhaustive = (torch.tensor(column, device=counts.device) for column in zip(*pairs, strict=True))
        return cls(counts, width, each, exhaustive, tuple(number for number, _ in pairs), **options)

    @property
    def most(self) -> int:
        """The largest number of pairs of an example."""
        return max(self.numbers)

    @property
    def alike(self) -> bool:
        """Whether all examples have as many pairs."""
        return len(set(self.numbers)) == 1

    @abstractmethod
    def members(self, rng: Draws, rows: slice) -> Tensor:
        """The coalitions of the examples ``rows``, whose draws are ``rng``: bool ``[n, most, width]``."""

    @abstractmethod
    def weights(self, sizes: Tensor, rows: slice) -> Tensor:
        """The weights of coalitions of ``sizes [n, s]``, float64 ``[n, s]``."""

    @abstractmethod
    def solve(self, sums: NormalEquations, rows: slice, full: Tensor, empty: Tensor) -> Fit:
        """The fit, float64; ``full`` and ``empty`` are f(x) and f(x0)."""

    @abstractmethod
    def response(self, fit: Fit, rows: slice, changes: Tensor) -> Tensor:
        """The change of the attributions for a change of the right-hand side, both ``[n, width, G]``."""

    @abstractmethod
    def information(self, sizes: Tensor, rows: slice) -> Tensor:
        """The information of pairs with coalitions of ``sizes [n, s]`` about the attributions, up to a factor."""

    def unseen(self, sizes: Tensor, rows: slice) -> Tensor:
        """The share of the coalitions of ``sizes [n, s]`` that is not used, if they are drawn without replacement."""
        return torch.ones_like(sizes, dtype=torch.float64)

    def estimate(self, model: Handle, reference: Tensor, rng: Draws) -> Estimate:
        """Attributions ``[N, *shape]`` and standard errors of the features, 0 for features that an example lacks."""
        batch = model.batch
        n, d = len(batch), self.width
        if d > MAX_FEATURES:
            raise Unsupported(
                f"{d} features are too many for a regression (at most {MAX_FEATURES}): choose larger ones, "
                "features=grid"
            )
        full, empty = model.scores().double(), model.scores(reference).double()
        values, errors = full.new_zeros(n, d), full.new_zeros(n, d)
        size = max(1, _ELEMENTS // max(1, d * d, self.most * d))
        for start in range(0, n if self.most else 0, size):
            rows = slice(start, min(n, start + size))
            scored = self._scored(model, reference, replace(rng, ids=rng.ids[rows]), rows)
            fit = self.solve(self._normal_equations(scored, rows), rows, full[rows], empty[rows])
            values[rows], errors[rows] = fit.phi, self._standard_errors(fit, scored, rows)
        ones = self.ones(slice(None))
        values = torch.where((self.counts < 2).unsqueeze(1), (full - empty).unsqueeze(1) * ones, values)
        values, errors = values.to(batch.inputs.dtype), errors.to(batch.inputs.dtype)
        return Estimate(batch.features.spread(values), errors)

    def _scored(self, model: Handle, reference: Tensor, rng: Draws, rows: slice) -> _ScoredPairs:
        """The coalitions of a group of examples with their scores."""
        batch = model.batch
        z = self.members(rng, rows)
        wanted = torch.arange(self.most, device=batch.device) < self.pairs[rows].unsqueeze(1)
        y = torch.zeros(*wanted.shape, 2, dtype=torch.float64, device=batch.device)
        places = list(self._pieces(self.numbers[rows], model.passes.stretch(batch.shape)))

        chosen = [self._chosen(rows.start, *place).to(batch.device) if not self.alike else None for place in places]

        def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
            for (examples, pairs), index in zip(places, chosen, strict=True):
                own = slice(rows.start + examples.start, rows.start + examples.stop)
                part = z[examples, pairs] if index is None else z[index[0], index[1]]
                yield self._perturbed(batch, reference, own if index is None else rows.start + index[0], part)

        for place, index, scores in zip(places, chosen, model.scores_of_rows(perturbed()), strict=True):
            if index is None:
                y[place] = scores.double().view_as(y[place])
            else:
                y[index[0], index[1]] = scores.double().view(-1, 2)
        z = z.double()
        return _ScoredPairs(z, z.sum(dim=-1).long(), wanted, y)

    def _pieces(self, numbers: Sequence[int], rows: int) -> Iterator[tuple[slice, slice]]:
        """Examples and pairs, cut into pieces of about ``rows`` inputs: several examples whole, or part of one.

        ``numbers`` are the pairs of each example of the group; pieces without any are left out.
        """
        n = len(numbers)
        examples = max(1, rows // max(1, 2 * self.most))
        pairs = max(1, self.most if examples > 1 else rows // 2)
        for start in range(0, n, examples):
            for first in range(0, self.most, pairs):
                if max(numbers[start : start + examples]) > first:
                    yield slice(start, min(n, start + examples)), slice(first, min(self.most, first + pairs))

    def _chosen(self, offset: int, examples: slice, pairs: slice) -> Tensor:
        """Example and pair of those of a piece that the examples use, int64 ``[2, M]``, on the CPU."""
        return (
            torch.tensor(
                [
                    (i, pair)
                    for i in range(examples.start, examples.stop)
                    for pair in range(pairs.start, min(pairs.stop, self.numbers[offset + i]))
                ],
                dtype=torch.int64,
            )
            .view(-1, 2)
            .t()
        )

    def _standard_errors(self, fit: Fit, scored: _ScoredPairs, rows: slice) -> Tensor:
        """Standard errors ``[n, width]`` of a fit to sampled pairs; 0 where all pairs are used.

        A cluster-robust sandwich estimator with the pairs as clusters: the residuals of a pair times its coalitions,
        corrected for leverage (:func:`residual_factors`) and for the share of the coalitions of a size that is used.
        Every 64th pair belongs to the same block, and the equations are solved for the 64 block sums, which is cheaper
        than for each pair. Each block is a stratified sample of all pairs.
        """
        ones, wanted, counts = self.ones(rows), scored.wanted, self.counts[rows].unsqueeze(1)
        sizes = scored.sizes
        predicted = torch.bmm(scored.z, fit.phi.unsqueeze(2)).squeeze(2)
        w, v = self.weights(sizes, rows) * wanted, self.weights(counts - sizes, rows) * wanted
        total = w + v
        w = w * (scored.y[..., 0] - fit.intercept - predicted)
        v = v * (scored.y[..., 1] - fit.intercept - (fit.phi * ones).sum(1, keepdim=True) + predicted)
        # All pairs of a size are alike, so what is known of pairs is computed by size.
        each = torch.arange(self.width + 1, device=sizes.device).expand(len(ones), -1).minimum(counts)
        number = total.new_zeros(each.shape).scatter_add_(1, sizes, wanted.to(total.dtype))
        squares = (w - v).square() / total.clamp(min=1e-300)
        squares = total.new_zeros(each.shape).scatter_add_(1, sizes, squares)
        h = leverages(self.information(each, rows), number, fit.freedom)
        unseen = self.unseen(each, rows)
        factors = (residual_factors(squares, number, h) * unseen.sqrt()).gather(1, sizes)
        w, v = w * factors, v * factors
        # z times its residual plus (o - z) times the residual of the complement, both centred.
        blocks = block_sums(scored.z * (w - v).unsqueeze(2))
        blocks += block_sums(v).unsqueeze(2) * ones.unsqueeze(1)
        blocks -= block_sums(w + v).unsqueeze(2) * fit.centre.unsqueeze(1)
        sampled = wanted & (unseen.gather(1, sizes) > 0)
        filled = (block_sums(sampled.to(w.dtype)) > 0).unsqueeze(2)
        count = filled.sum(dim=1, keepdim=True)
        blocks = (blocks - blocks.sum(1, keepdim=True) / count.clamp(min=1)) * filled
        changes = self.response(fit, rows, blocks.transpose(1, 2))
        variance = changes.square().sum(dim=2) * (count / (count - 1)).squeeze(2)
        unknown = (self.pairs[rows].unsqueeze(1) <= fit.freedom) & (ones > 0)
        errors = (variance.sqrt() * ones).masked_fill(unknown, float("nan"))
        return errors.masked_fill(self.exhaustive[rows].unsqueeze(1), 0.0)

    def _perturbed(self, batch: Batch, reference: Tensor, rows: slice | Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs ``[M, *shape]`` of pairs and their complements, and their examples.

        Args:
            batch, reference: all examples.
            rows: n examples with s pairs each, or int64 ``[M / 2]``, the example of each pair.
            z: the first of each pair, bool ``[n, s, d]`` or ``[M / 2, d]``.
        """
        features, valid = batch.features, batch.features.valid.expand(len(batch), self.width)
        if isinstance(rows, slice):
            owners = torch.arange(rows.start, rows.stop, device=z.device)
            present = torch.stack((z, valid[rows].unsqueeze(1) & ~z), dim=2).flatten(1, 2)
            inputs = features.rows(owners).keep(batch.inputs[rows], reference[rows], present)
            return inputs.flatten(0, 1), owners.repeat_interleave(present.shape[1])
        present = torch.stack((z, valid[rows] & ~z), dim=1).flatten(0, 1)
        owners = rows.repeat_interleave(2)
        return features.rows(owners).keep(batch.inputs[owners], reference[owners], present), owners

    def ones(self, rows: slice) -> Tensor:
        """1 for the features that an example has, else 0; float64 ``[n, width]``."""
        return (torch.arange(self.width, device=self.counts.device) < self.counts[rows].unsqueeze(1)).double()

    def _normal_equations(self, scored: _ScoredPairs, rows: slice) -> NormalEquations:
        """The normal equations of all pairs: z with weight w and score y, its complement with v and u.

        ``(o - z)(o - z)' = z z' - z o' - o z' + o o'`` with o the ones over the features of an example.
        """
        o, z, sizes = self.ones(rows), scored.z, scored.sizes
        w = self.weights(sizes, rows) * scored.wanted
        v = self.weights(self.counts[rows].unsqueeze(1) - sizes, rows) * scored.wanted
        y, u = scored.y.unbind(-1)
        gram = torch.bmm((z * (w + v).unsqueeze(-1)).transpose(1, 2), z)
        lines = torch.bmm(torch.stack((v, w - v, w * y - v * u), dim=1), z)
        v_sum, difference, moment = lines.unbind(1)
        numbers = torch.stack((w + v, v, v * u, w * y + v * u), dim=1).sum(-1)
        weight, v_total, vu, total = (number.unsqueeze(1) for number in numbers.unbind(1))
        cross = (v_sum - v_total / 2 * o).unsqueeze(2) * o.unsqueeze(1)
        gram = gram.sub_(cross).sub_(cross.transpose(1, 2))  # in place: these are the largest tensors
        return NormalEquations(gram, moment + vu * o, difference + v_total * o, weight, total)

    def factor(self, matrix: Tensor, rows: slice, method: str) -> Tensor:
        """The Cholesky factor ``[n, d, d]`` for the features that each example has.

        Raises:
            Unsupported: the equations have no unique solution.
        """
        counts = self.counts[rows]
        identity = (1 - self.ones(rows)).masked_fill((counts < 2).unsqueeze(1), 1.0)
        matrix = matrix + torch.diag_embed(identity)
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        factor: Tensor
        factor, info = torch.linalg.cholesky_ex(matrix)
        pivots = factor.diagonal(dim1=1, dim2=2) ** 2
        if bool(info.any()) or not bool((pivots > 1e-10 * diagonal).all()):
            count = int(counts.max())
            raise Unsupported(
                f"{method} has no unique solution for {count} features from {2 * int(self.pairs[rows].min())} samples: "
                f"raise n_samples (null is {2 * count + 2048}) or choose larger features, features=grid"
            )
        return factor
