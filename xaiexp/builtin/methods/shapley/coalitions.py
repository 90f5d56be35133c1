"""Regressions over coalitions of features: coalitions drawn, scored, added up, and how far the result is off.

A coalition z is a subset of the d features of an example: those that are present, the others are replaced by the
reference. Coalitions come in pairs, z and its complement: all of them where they are few, else drawn at random.
The normal equations of an example are added up as its scores arrive and solved when its last one is there. Of the
examples under way, the coalitions (a byte a feature) and their scores stay at hand until then: the standard errors
need the residuals. Memory does not grow with the number of examples.
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

__all__ = ["LARGEST", "Fit", "Regression", "Sums"]

LARGEST = 2048
"""The largest number of features whose equations are solved."""

_EQUATIONS = 1 << 22
"""Numbers that the matrices under way may hold: 32 MiB."""

_KEPT = 1 << 26
"""Bytes of coalitions that the examples under way may keep, beyond those of a single one."""

_BLOCKS = 64
"""Blocks of pairs that standard errors come from: their own relative error is 1 / sqrt(2 (64 - 1)), 9 %."""

_ALIKE = 16
"""Classes of leverages, from 0 to 1, within which residuals are taken to be alike."""


@dataclass
class Sums:
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

    def finished(self, o: Tensor) -> Sums:
        """The equations of both of every pair: ``(o - z)(o - z)' = z z' - z o' - o z' + o o'``.

        ``o``: ones over the features of each example, ``[n, d]``.
        """
        lent, differ, moment = self.lines.unbind(1)
        both, v, vu, total = (n.unsqueeze(1) for n in self.numbers.unbind(1))
        cross = (lent - v / 2 * o).unsqueeze(2) * o.unsqueeze(1)
        gram = self.square.sub_(cross).sub_(cross.transpose(1, 2))  # in place: these are the largest tensors here
        return Sums(gram, moment + vu * o, differ + v * o, both, total)


class _Drawn(NamedTuple):
    """A stretch of pairs and what the model said of them."""

    z: Tensor  # the first of each pair, bool [n, s, d]
    wanted: Tensor  # bool [n, s], whether the example takes this pair
    y: Tensor  # scores of it and its complement, [n, s, 2]
    start: int  # number of the first pair


class Fit(NamedTuple):
    """A solution: ``y = intercept + z'phi``, and how it answers to changes of the normal equations."""

    phi: Tensor  # [n, d]
    intercept: Tensor  # [n, 1]
    centre: Tensor  # the coalition around which the equations are set up, [n, d]
    factor: Tensor  # Cholesky factor of their matrix, [n, d, d]
    freedom: Tensor  # how many numbers were fitted to the differences within pairs, [n, 1]
    weight: Tensor  # by which the equations were divided, [n, 1]


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
    def solve(self, sums: Sums, rows: slice, full: Tensor, empty: Tensor) -> Fit:
        """The fit, float64; ``full`` and ``empty`` are f(x) and f(x0)."""

    @abstractmethod
    def answer(self, fit: Fit, rows: slice, changes: Tensor) -> Tensor:
        """What changes of the right-hand side ``[n, width, G]`` do to the attributions, in the same shape."""

    @abstractmethod
    def information(self, sizes: Tensor, rows: slice) -> Tensor:
        """How far pairs with coalitions of ``sizes [n, s]`` determine the attributions, up to a factor."""

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

    def estimate(self, model: Handle, reference: Tensor, rng: Draws) -> Estimate:
        """The attributions ``[N, *shape]``, and standard errors of the features; 0 beyond an example's own."""
        batch = model.batch
        n, d = len(batch), self.width
        if d > LARGEST:
            raise Unsupported(
                f"{d} features are too many for a regression (at most {LARGEST}): choose larger ones, features=grid"
            )
        full, empty = model.scores().double(), model.scores(reference).double()
        # Few examples at a time, so that a pass holds many coalitions of each.
        most = max(1, int(self.pairs.max())) * max(1, d)
        together = min(n, model.passes.budget(batch.shape) // (2 * max(64, d)), _EQUATIONS // max(1, d * d))
        together = max(1, min(together, _KEPT // most))
        groups = [slice(a, min(n, a + together)) for a in range(0, n, together)]
        under_way: deque[tuple[slice, Tensor, Tensor, range, bool]] = deque()

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
                    under_way.append((rows, z, wanted, stretch, stretch.stop == count))
                    yield self._perturbed(batch, reference, rows, z, wanted)

        values, errors = full.new_zeros(n, d), full.new_zeros(n, d)
        pairs: _Pairs | None = None
        kept: list[_Drawn] = []
        for scores in model.scores_of_rows(perturbed()):
            rows, z, wanted, stretch, last = under_way.popleft()
            y = full.new_zeros(*wanted.shape, 2)
            y[wanted] = scores.double().view(-1, 2)
            kept.append(_Drawn(z, wanted, y, stretch.start))
            part = self._pairs(z, wanted, y, rows)
            if pairs is None:
                pairs = part
            else:
                pairs.add(part)
            if last:
                fit = self.solve(pairs.finished(self.ones(rows)), rows, full[rows], empty[rows])
                values[rows] = fit.phi
                if not self.everything[rows].all():
                    errors[rows] = self._standard_errors(fit, kept, rows)
                pairs, kept = None, []
        few = self.counts < 2
        values[few] = (full - empty)[few].unsqueeze(1) * self.ones(slice(None))[few]
        values, errors = values.to(batch.inputs.dtype), errors.to(batch.inputs.dtype)
        return Estimate(batch.features.spread(values), errors)

    def _standard_errors(self, fit: Fit, kept: Sequence[_Drawn], rows: slice) -> Tensor:
        """Standard errors ``[n, width]`` of a fit to drawn pairs; 0 where all were taken.

        The sandwich estimator of a regression on clusters, the pairs: what a pair adds to the equations with its
        residuals, corrected for having been fitted (see :meth:`_correction`). Pairs are added up in blocks, every
        64th pair in one, because 64 answers of the equations are cheap and as many as there are pairs are not; a
        block is a stratified sample like the whole.
        """
        ones = self.ones(rows)
        z_sizes = torch.cat([drawn.z.sum(dim=-1) for drawn in kept], dim=1)
        wanted = torch.cat([drawn.wanted for drawn in kept], dim=1)
        explained = [torch.bmm(drawn.z.double(), fit.phi.unsqueeze(2)).squeeze(2) for drawn in kept]
        within, rest = torch.cat(explained, dim=1), torch.cat([drawn.y for drawn in kept], dim=1)
        w = self.weights(z_sizes, rows) * wanted
        v = self.weights(self.counts[rows].unsqueeze(1) - z_sizes, rows) * wanted
        leverages = self._leverages(self.information(z_sizes, rows) * wanted, fit.freedom)
        total = w + v
        w = w * (rest[..., 0] - fit.intercept - within)
        v = v * (rest[..., 1] - fit.intercept - (fit.phi * ones).sum(1, keepdim=True) + within)
        correction = self._correction((w - v).square() / total.clamp(min=1e-300), leverages, wanted)
        w, v = w * correction, v * correction
        blocks = fit.phi.new_zeros(len(ones), _BLOCKS, self.width)
        for drawn in kept:
            place = slice(drawn.start, drawn.start + drawn.z.shape[1])
            block = torch.arange(place.start, place.stop, device=w.device) % _BLOCKS
            chosen = (torch.arange(_BLOCKS, device=w.device).unsqueeze(1) == block).to(w.dtype)
            first, second = w[:, place], v[:, place]
            # z (z's residual) + (o - z) (the complement's residual), both around the centre.
            blocks += torch.bmm((chosen * (first - second).unsqueeze(1)).float(), drawn.z.float())
            blocks += (second @ chosen.t()).unsqueeze(2) * ones.unsqueeze(1)
            blocks -= ((first + second) @ chosen.t()).unsqueeze(2) * fit.centre.unsqueeze(1)
        number = self.pairs[rows].clamp(max=_BLOCKS).view(-1, 1, 1)
        filled = torch.arange(_BLOCKS, device=ones.device).view(1, -1, 1) < number
        blocks = (blocks - blocks.sum(1, keepdim=True) / number) * filled
        moved = self.answer(fit, rows, blocks.transpose(1, 2))
        variance = moved.square().sum(dim=2) * (number / (number - 1)).squeeze(2)
        unknown = (self.pairs[rows].unsqueeze(1) <= fit.freedom) & (ones > 0)
        errors = (variance.sqrt() * ones).masked_fill(unknown, float("nan"))
        return errors.masked_fill(self.everything[rows].unsqueeze(1), 0.0)

    def _correction(self, squares: Tensor, h: Tensor, wanted: Tensor) -> Tensor:
        """By what the residuals of pairs ``[n, P]`` are to be multiplied, from their squares and leverages h.

        A fitted residual has mean square ``(1 - h)^2 s^2 + sum of h_q^2 s_q^2`` over the other pairs q, with
        ``sum h_q^2 = h (1 - h)``. Were all s equal, it would be ``(1 - h) s^2`` (MacKinnon and White 1985, HC2);
        but large coalitions have larger residuals, and larger leverages. So the mean square m of pairs of like
        leverage is solved for s: ``s^2 / m = 1 / (1 - h)^2 - h / (1 - h) S / m``, with S the mean of s^2 over all
        pairs, weighed by their part ``h (1 - h)`` in the residuals of others.
        """
        left = (1 - h).clamp(min=1e-12)
        part = h * left
        whole = part.sum(1, keepdim=True).clamp(min=1e-300)
        mean = (part * squares / left**2).sum(1, keepdim=True) / (whole + (part * h / left).sum(1, keepdim=True))
        alike = (h * _ALIKE).long().clamp(max=_ALIKE - 1)
        sums = squares.new_zeros(len(h), _ALIKE).scatter_add_(1, alike, squares * wanted)
        numbers = squares.new_zeros(len(h), _ALIKE).scatter_add_(1, alike, wanted.to(squares.dtype))
        m = (sums / numbers.clamp(min=1)).gather(1, alike).clamp(min=1e-300)
        return (1 / left**2 - h / left * mean / m).clamp(min=1.0).sqrt()

    def _leverages(self, information: Tensor, freedom: Tensor) -> Tensor:
        """Leverages ``[n, P]`` of pairs that sum to ``freedom [n, 1]``: ``h = c i / (1 + c i)``, i the information.

        ``t'(A + t t')^-1 t = q / (1 + q)`` with ``q = t'A^-1 t``, and q is about proportional to the information
        of t; c is found by bisection.
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

    def factor(self, matrix: Tensor, rows: slice, method: str) -> Tensor:
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
