"""Weighted least squares over coalitions of features, with standard errors.

A coalition z is a subset of the d features of an example; absent features are replaced by the reference. Coalitions
come in pairs of z and its complement: all pairs if they are few, else random ones. The normal equations of an example
are accumulated as scores arrive and solved after its last score. The coalitions (one byte per feature) and scores of
the current examples are kept until then, because the standard errors need the residuals. Memory does not grow with the
number of examples.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Estimate
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Handle

__all__ = ["MAX_FEATURES", "CoalitionRegression", "Fit", "NormalEquations"]

MAX_FEATURES = 2048
"""The largest supported number of features."""

_MATRIX_ELEMENTS = 1 << 22
"""The largest number of elements of the matrices of the current examples: 32 MiB."""

_COALITION_BYTES = 1 << 26
"""The largest number of bytes for the coalitions of the current examples, unless a single one needs more."""

_BLOCKS = 64
"""Blocks of pairs for the standard errors, whose own relative error is 1 / sqrt(2 (64 - 1)), 9 %."""

_LEVERAGE_BINS = 16
"""Bins of leverages in [0, 1], within which residuals are assumed to have equal variance."""


@dataclass
class NormalEquations:
    """The normal equations of a chunk of examples."""

    gram: Tensor  # sum over coalitions of w z z', [n, d, d]
    moment: Tensor  # sum of w z y, [n, d]
    members: Tensor  # sum of w z, [n, d]
    weight: Tensor  # sum of w, [n, 1]
    total: Tensor  # sum of w y, [n, 1]


@dataclass
class _PairSums:
    """Partial sums of the normal equations, in terms of the first coalition of every pair."""

    square: Tensor  # sum of (w + v) z z', [n, d, d]
    lines: Tensor  # sums of v z, (w - v) z and (w y - v u) z, [n, 3, d]
    numbers: Tensor  # sums of w + v, v, v u and w y + v u, [n, 4]

    def add(self, other: _PairSums) -> None:
        """Add the sums of another chunk of pairs."""
        self.square += other.square
        self.lines += other.lines
        self.numbers += other.numbers

    def normal_equations(self, o: Tensor) -> NormalEquations:
        """The normal equations of both coalitions of every pair: ``(o - z)(o - z)' = z z' - z o' - o z' + o o'``.

        Args:
            o: ones over the features of each example, ``[n, d]``.
        """
        v_sum, difference, moment = self.lines.unbind(1)
        both, v, vu, total = (n.unsqueeze(1) for n in self.numbers.unbind(1))
        cross = (v_sum - v / 2 * o).unsqueeze(2) * o.unsqueeze(1)
        gram = self.square.sub_(cross).sub_(cross.transpose(1, 2))  # in place: these are the largest tensors
        return NormalEquations(gram, moment + vu * o, difference + v * o, both, total)


class _ScoredPairs(NamedTuple):
    """A chunk of pairs with their scores."""

    z: Tensor  # the first of each pair, bool [n, s, d]
    wanted: Tensor  # bool [n, s], whether the example uses this pair
    y: Tensor  # scores of z and of its complement, [n, s, 2]
    start: int  # index of the first pair


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
    """Base class; a subclass defines the sampling of pairs, their weights and the solution.

    Args:
        counts: int64 ``[N]``, the number of features of each example.
        width: at least the largest of these; the number of columns of the results.
        pairs: int64 ``[N]``, the number of pairs of coalitions of each example.
        exhaustive: bool ``[N]``, whether these are all pairs.
    """

    counts: Tensor
    width: int
    pairs: Tensor
    exhaustive: Tensor

    @classmethod
    def of(cls, counts: Tensor, width: int, pairs: Sequence[tuple[int, bool]], **options: Any) -> Self:
        """For examples with ``counts`` features; ``pairs`` are their numbers of pairs, and whether these are all."""
        numbers, exhaustive = (torch.tensor(column, device=counts.device) for column in zip(*pairs, strict=True))
        return cls(counts, width, numbers, exhaustive, **options)

    @abstractmethod
    def sample(self, rng: Draws, rows: slice, chunk: range) -> Tensor:
        """Random coalitions, bool ``[n, s, width]``; columns beyond an example's features are ignored."""

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

    def first(self) -> int:
        """The index of the first pair if all are used: 0 with the empty coalition, 1 without."""
        return 0

    def members(self, rng: Draws, rows: slice, chunk: range) -> Tensor:
        """The coalitions of a range of pairs, bool ``[n, s, width]``."""
        device, counts = self.counts.device, self.counts[rows].view(-1, 1, 1)
        columns = torch.arange(self.width, device=device)
        exhaustive = self.exhaustive[rows].view(-1, 1, 1)
        listed = sampled = torch.zeros((), dtype=torch.bool, device=device)
        if exhaustive.any():
            # The binary digits of a pair's index are its coalition without the last feature.
            number = torch.arange(chunk.start, chunk.stop, device=device).view(1, -1, 1) + self.first()
            listed = (number >> columns.clamp(max=62)).bitwise_and(1).bool() & (columns < 62)
        if not exhaustive.all():
            sampled = self.sample(rng, rows, chunk)
        return torch.where(exhaustive, listed, sampled) & (columns < counts)

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
        # Few examples at a time, so that a pass contains many coalitions of each.
        coalition_bytes = max(1, int(self.pairs.max())) * max(1, d)
        size = min(n, model.passes.budget(batch.shape) // (2 * max(64, d)), _MATRIX_ELEMENTS // max(1, d * d))
        size = max(1, min(size, _COALITION_BYTES // coalition_bytes))
        groups = [slice(a, min(n, a + size)) for a in range(0, n, size)]
        pending: deque[tuple[slice, Tensor, Tensor, range, bool]] = deque()

        def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
            for rows in groups:
                size, pairs = rows.stop - rows.start, self.pairs[rows]
                draws = replace(rng, ids=rng.ids[rows])
                count = int(pairs.max())
                step = max(1, model.passes.budget(batch.shape) // (2 * size))
                for start in range(0, count, step):
                    chunk = range(start, min(count, start + step))
                    z = self.members(draws, rows, chunk)
                    wanted = torch.arange(start, chunk.stop, device=batch.device) < pairs.unsqueeze(1)
                    pending.append((rows, z, wanted, chunk, chunk.stop == count))
                    yield self._perturbed(batch, reference, rows, z, wanted)

        values, errors = full.new_zeros(n, d), full.new_zeros(n, d)
        sums: _PairSums | None = None
        scored: list[_ScoredPairs] = []
        for scores in model.scores_of_rows(perturbed()):
            rows, z, wanted, chunk, last = pending.popleft()
            y = full.new_zeros(*wanted.shape, 2)
            y[wanted] = scores.double().view(-1, 2)
            scored.append(_ScoredPairs(z, wanted, y, chunk.start))
            part = self._pair_sums(z, wanted, y, rows)
            if sums is None:
                sums = part
            else:
                sums.add(part)
            if last:
                fit = self.solve(sums.normal_equations(self.ones(rows)), rows, full[rows], empty[rows])
                values[rows] = fit.phi
                if not self.exhaustive[rows].all():
                    errors[rows] = self._standard_errors(fit, scored, rows)
                sums, scored = None, []
        few = self.counts < 2
        values[few] = (full - empty)[few].unsqueeze(1) * self.ones(slice(None))[few]
        values, errors = values.to(batch.inputs.dtype), errors.to(batch.inputs.dtype)
        return Estimate(batch.features.spread(values), errors)

    def _standard_errors(self, fit: Fit, scored: Sequence[_ScoredPairs], rows: slice) -> Tensor:
        """Standard errors ``[n, width]`` of a fit to sampled pairs; 0 where all pairs are used.

        A cluster-robust sandwich estimator with the pairs as clusters: the residuals of a pair times its coalitions,
        corrected for leverage (see :meth:`_correction`). Every 64th pair belongs to the same block, and the equations
        are solved for the 64 block sums, which is cheaper than for each pair. Each block is a stratified sample of
        all pairs.
        """
        ones = self.ones(rows)
        z_sizes = torch.cat([pairs.z.sum(dim=-1) for pairs in scored], dim=1)
        wanted = torch.cat([pairs.wanted for pairs in scored], dim=1)
        predictions = [torch.bmm(pairs.z.double(), fit.phi.unsqueeze(2)).squeeze(2) for pairs in scored]
        predicted, observed = torch.cat(predictions, dim=1), torch.cat([pairs.y for pairs in scored], dim=1)
        w = self.weights(z_sizes, rows) * wanted
        v = self.weights(self.counts[rows].unsqueeze(1) - z_sizes, rows) * wanted
        leverages = self._leverages(self.information(z_sizes, rows) * wanted, fit.freedom)
        total = w + v
        w = w * (observed[..., 0] - fit.intercept - predicted)
        v = v * (observed[..., 1] - fit.intercept - (fit.phi * ones).sum(1, keepdim=True) + predicted)
        correction = self._correction((w - v).square() / total.clamp(min=1e-300), leverages, wanted)
        w, v = w * correction, v * correction
        blocks = fit.phi.new_zeros(len(ones), _BLOCKS, self.width)
        for pairs in scored:
            columns = slice(pairs.start, pairs.start + pairs.z.shape[1])
            block = torch.arange(columns.start, columns.stop, device=w.device) % _BLOCKS
            chosen = (torch.arange(_BLOCKS, device=w.device).unsqueeze(1) == block).to(w.dtype)
            first, second = w[:, columns], v[:, columns]
            # z times its residual plus (o - z) times the residual of the complement, both centred.
            blocks += torch.bmm((chosen * (first - second).unsqueeze(1)).float(), pairs.z.float())
            blocks += (second @ chosen.t()).unsqueeze(2) * ones.unsqueeze(1)
            blocks -= ((first + second) @ chosen.t()).unsqueeze(2) * fit.centre.unsqueeze(1)
        number = self.pairs[rows].clamp(max=_BLOCKS).view(-1, 1, 1)
        filled = torch.arange(_BLOCKS, device=ones.device).view(1, -1, 1) < number
        blocks = (blocks - blocks.sum(1, keepdim=True) / number) * filled
        changes = self.response(fit, rows, blocks.transpose(1, 2))
        variance = changes.square().sum(dim=2) * (number / (number - 1)).squeeze(2)
        unknown = (self.pairs[rows].unsqueeze(1) <= fit.freedom) & (ones > 0)
        errors = (variance.sqrt() * ones).masked_fill(unknown, float("nan"))
        return errors.masked_fill(self.exhaustive[rows].unsqueeze(1), 0.0)

    def _correction(self, squares: Tensor, h: Tensor, wanted: Tensor) -> Tensor:
        """Factors of the residuals of pairs ``[n, P]``, from their squares and leverages h.

        A fitted residual has mean square ``(1 - h)^2 s^2 + sum of h_q^2 s_q^2`` over the other pairs q, with
        ``sum h_q^2 = h (1 - h)``. If all s are equal, this is ``(1 - h) s^2`` (MacKinnon and White 1985, HC2). But
        large coalitions have larger residuals and larger leverages. Therefore the mean square m of pairs with similar
        leverage is solved for s: ``s^2 / m = 1 / (1 - h)^2 - h / (1 - h) S / m``, with S the mean of s^2 over all
        pairs, weighted by ``h (1 - h)``.
        """
        left = (1 - h).clamp(min=1e-12)
        part = h * left
        whole = part.sum(1, keepdim=True).clamp(min=1e-300)
        mean = (part * squares / left**2).sum(1, keepdim=True) / (whole + (part * h / left).sum(1, keepdim=True))
        bins = (h * _LEVERAGE_BINS).long().clamp(max=_LEVERAGE_BINS - 1)
        sums = squares.new_zeros(len(h), _LEVERAGE_BINS).scatter_add_(1, bins, squares * wanted)
        numbers = squares.new_zeros(len(h), _LEVERAGE_BINS).scatter_add_(1, bins, wanted.to(squares.dtype))
        m = (sums / numbers.clamp(min=1)).gather(1, bins).clamp(min=1e-300)
        return (1 / left**2 - h / left * mean / m).clamp(min=1.0).sqrt()

    def _leverages(self, information: Tensor, freedom: Tensor) -> Tensor:
        """Leverages ``[n, P]`` of pairs that sum to ``freedom [n, 1]``: ``h = c i / (1 + c i)``, i the information.

        ``t'(A + t t')^-1 t = q / (1 + q)`` with ``q = t'A^-1 t``, and q is approximately proportional to the
        information of t; c is determined by bisection.
        """
        low, high = torch.full_like(freedom, -60.0), torch.full_like(freedom, 60.0)
        for _ in range(60):
            middle = (low + high) / 2
            q = information * middle.exp()
            less = (q / (1 + q)).sum(1, keepdim=True) < freedom
            low, high = torch.where(less, middle, low), torch.where(less, high, middle)
        q = information * low.exp()
        return q / (1 + q)

    def _perturbed(
        self, batch: Batch, reference: Tensor, rows: slice, z: Tensor, wanted: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The inputs ``[M, *shape]`` of the wanted pairs ``z [n, s, d]`` and their complements, and their examples."""
        features, valid = batch.features, batch.features.valid.expand(len(batch), self.width)
        owners = torch.arange(rows.start, rows.stop, device=z.device)
        if wanted.all():
            present = torch.stack((z, valid[rows].unsqueeze(1) & ~z), dim=2).flatten(1, 2)
            inputs = features.rows(owners).keep(batch.inputs[rows], reference[rows], present)
            return inputs.flatten(0, 1), owners.repeat_interleave(present.shape[1])
        owners = owners.unsqueeze(1).expand(wanted.shape)[wanted]
        selected = z[wanted]
        present = torch.stack((selected, valid[owners] & ~selected), dim=1).flatten(0, 1)
        owners = owners.repeat_interleave(2)
        return features.rows(owners).keep(batch.inputs[owners], reference[owners], present), owners

    def ones(self, rows: slice) -> Tensor:
        """1 for the features that an example has, else 0; float64 ``[n, width]``."""
        return (torch.arange(self.width, device=self.counts.device) < self.counts[rows].unsqueeze(1)).double()

    def _pair_sums(self, z: Tensor, wanted: Tensor, y: Tensor, rows: slice) -> _PairSums:
        """The sums of a chunk of pairs: z with weight w and score y, its complement with weight v and score u."""
        sizes = z.sum(dim=-1)
        w = self.weights(sizes, rows) * wanted
        v = self.weights(self.counts[rows].unsqueeze(1) - sizes, rows) * wanted
        y, u = y.unbind(-1)
        both = w + v
        # Integers up to 2^24 are exact in float32, at half the cost.
        dense = z.float() if bool((both == both.round()).all()) else z.double()
        square = torch.bmm((dense * both.to(dense.dtype).unsqueeze(-1)).transpose(1, 2), dense).double()
        lines = torch.bmm(torch.stack((v, w - v, w * y - v * u), dim=1), z.double())
        return _PairSums(square, lines, torch.stack((both, v, v * u, w * y + v * u), dim=1).sum(-1))

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
