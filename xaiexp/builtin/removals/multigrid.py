"""Multigrid for pictures whose unknown pixels are weighted means of their neighbours, many planes at once.

Sweeps of Jacobi even out the error from pixel to pixel; what is left is smooth, and solved for on a grid of half the
pixels a side, and so on (Briggs, Henson, McCormick 2000, A Multigrid Tutorial, chapters 3 and 8). Known pixels do not
lie on the lines of coarse grids. A coarse pixel therefore belongs to the unknown ones by a share, and its equation is
Galerkin's up to what makes every grid a convolution with one and the same kernel: its neighbours weigh as on the fine
grid, scaled by both shares, and the diagonal is such that a constant has the same image.

The variables of a coarse grid are scaled by its shares, so that the weights of the neighbours are 1 and 2 there, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, pad

__all__ = ["Grid", "Grids", "Stencil", "columns", "laid_out", "over_picture", "planes_of"]

# Coarse operators are a little too stiff beside known pixels: corrections are stretched by this much.
_STRETCH = 1.05
# Coarse pixels with a smaller share of unknown ones are left as they are.
_LEAST = 1e-6
# A grid with so few pixels, or so small a part of the picture's, is solved directly.
_FEW, _PART = 16, 512


def _inner(like: Tensor) -> bool:
    """Whether the numbers of one pixel lie side by side, plane by plane: for what oneDNN convolves on a CPU."""
    return like.device.type == "cpu" and like.dtype == torch.float32


def laid_out(x: Tensor) -> Tensor:
    """Planes ``[N, Q, H, W]`` as they are quick to convolve with one kernel a plane.

    On a GPU and in float64 one plane lies after the other. On a GPU that also keeps to kernels in full float32: those
    for the other order round to TF32.
    """
    if not _inner(x):
        return x.contiguous()
    if x.is_contiguous(memory_format=torch.channels_last):
        return x
    n, q, h, w = x.shape
    # A matrix is transposed several times as fast as four axes are permuted.
    return x.transpose(0, 1).reshape(q, -1).t().contiguous().view(n, h, w, q).permute(0, 3, 1, 2)


def planes_of(x: Tensor) -> Tensor:
    """The inverse of :func:`laid_out`, ``[Q, N, H, W]``: one plane after the other."""
    n, q, h, w = x.shape
    if not _inner(x):
        return x.transpose(0, 1).contiguous()
    return x.permute(0, 2, 3, 1).reshape(-1, q).t().contiguous().view(q, n, h, w)


def over_picture(x: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
    """``torch.amax``, ``amin`` or ``sum`` over each plane of ``[N, Q, H, W]``: ``[N, Q]``."""
    n, q, h, w = x.shape
    if _inner(x):  # over rows first: that goes along memory in long stretches
        return reduce(reduce(x.permute(0, 2, 3, 1).reshape(n, h, w * q), 1).view(n, w, q), 1)
    return reduce(x, (2, 3))


def columns(x: Tensor, planes: Tensor) -> Tensor:
    """Some of the Q planes, ``[N, Q, H, W]`` to ``[N, len(planes), H, W]``."""
    if _inner(x):
        return x.permute(0, 2, 3, 1).index_select(3, planes).permute(0, 3, 1, 2)
    return x.index_select(1, planes)


@dataclass(frozen=True)
class Stencil:
    """The convolutions, for up to Q planes.

    Args:
        around: ``[Q, 1, 3, 3]``, the weights of the neighbours.
        halves: ``[Q, 1, 4, 4]``, linear interpolation to twice the pixels.
    """

    around: Tensor
    halves: Tensor

    @classmethod
    def of(cls, like: Tensor) -> Stencil:
        """For planes ``[1, Q, H, W]``."""
        three, four = like.new_tensor([1.0, 2.0, 1.0]), like.new_tensor([0.25, 0.75, 0.75, 0.25])
        around, halves = torch.outer(three, three), torch.outer(four, four)
        around[1, 1] = 0
        return cls(*(kernel.expand(like.shape[1], 1, -1, -1).contiguous() for kernel in (around, halves)))

    def neighbours(self, x: Tensor) -> Tensor:
        """The sum over the eight neighbours inside the picture, direct ones twice."""
        return conv2d(x, self.around[: x.shape[1]], padding=1, groups=x.shape[1])

    def restricted(self, x: Tensor) -> Tensor:
        """The transpose of :meth:`prolonged`, to half the pixels a side, rounded up."""
        h, w = x.shape[2:]
        if h % 2 or w % 2:
            x = laid_out(pad(x, (0, w % 2, 0, h % 2)))
        return conv2d(x, self.halves[: x.shape[1]], stride=2, padding=1, groups=x.shape[1])

    def prolonged(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Linear interpolation from half the pixels a side; times :meth:`edges`, it is constant beyond the ends."""
        fine = conv_transpose2d(x, self.halves[: x.shape[1]], stride=2, padding=1, groups=x.shape[1])
        return fine if fine.shape[2:] == tuple(size) else laid_out(fine[:, :, : size[0], : size[1]])

    def edges(self, size: Sequence[int]) -> Tensor:
        """One over the interpolation of ones, ``[1, 1, *size]``: 1 except at the border."""
        half = self.halves.new_ones(1, 1, (size[0] + 1) // 2, (size[1] + 1) // 2)
        return self.prolonged(half, size).reciprocal_()


@dataclass(frozen=True)
class Grid:
    """The equations ``diagonal * x = right side + neighbours(x)`` of Q planes; 0 stands at what is known.

    Args:
        inverse: of the diagonal, ``[1, Q, h, w]``.
        share: of unknown pixels, times the edges of the interpolation: from here to the coarser grid and back.
        weight: the share times the diagonal, for a residual that is divided by the diagonal.
        scale: one over the share: what the coarse variables are multiplied with.
        onto: the scale times the inverse, for a residual that comes down here.
        solver: the inverse of the whole system, ``[Q, h * w, h * w]``, where there are few enough pixels.
    """

    inverse: Tensor
    share: Tensor
    weight: Tensor
    scale: Tensor
    onto: Tensor
    solver: Tensor | None = None

    def picked(self, planes: Tensor) -> Grid:
        """The same of some of the planes."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        solver = told.pop("solver")
        return Grid(
            **{k: columns(v, planes) for k, v in told.items()}, solver=None if solver is None else solver[planes]
        )


@dataclass(frozen=True)
class Grids:
    """A picture's grids, from fine to coarse.

    Right sides are divided by the diagonal everywhere, so that a sweep of Jacobi is ``b + inverse * neighbours(x)``.
    """

    stencil: Stencil
    grids: tuple[Grid, ...]

    @classmethod
    def of(cls, unknown: Tensor) -> Grids:
        """For Q masks ``[1, Q, H, W]``, 1 at unknown pixels and 0 at known ones, of which there are some in each."""
        stencil, size = Stencil.of(unknown), unknown.shape[2:]
        few = max(_FEW, size.numel() // _PART)
        edges = stencil.edges(size)
        # A picture of one pixel has no neighbours; it is known.
        sums = stencil.neighbours(unknown.new_ones(1, 1, *size)).clamp_(min=1)
        share = unknown * edges
        grids = [Grid(unknown * sums.reciprocal(), share, share * sums, unknown, unknown)]
        # The image of the constant: what known neighbours weigh.
        constant = (sums - stencil.neighbours(unknown)).mul_(share)
        while size.numel() > 1:
            constant, share = stencil.restricted(constant), stencil.restricted(share)
            share.mul_(stencil.restricted(edges).reciprocal_())
            size = share.shape[2:]
            edges, active = stencil.edges(size), share > _LEAST
            scale = share.clamp(min=_LEAST).reciprocal_().mul_(active)
            diagonal = torch.addcmul(constant, share, stencil.neighbours(share)).mul_(scale).mul_(scale)
            inverse = diagonal.clamp(min=_LEAST).reciprocal_().mul_(active)
            share = share.mul_(edges)
            solver = _solver(stencil, inverse) if size.numel() <= few else None
            grids.append(Grid(inverse, share, share * diagonal, scale, inverse * scale, solver))
            if solver is not None:
                break
            constant.mul_(edges)
        return cls(stencil, tuple(grids))

    def picked(self, planes: Tensor) -> Grids:
        """The same of some of the planes (int64 ``[R]``)."""
        return Grids(self.stencil, tuple(grid.picked(planes) for grid in self.grids))

    def swept(self, x: Tensor, b: Tensor, level: int = 0) -> Tensor:
        """``x [N, Q, h, w]`` after one sweep of Jacobi; the smoothing factor is 1/3 with these weights."""
        around = self.stencil.neighbours(x)
        return torch.addcmul(b, self.grids[level].inverse, around, out=around)

    def corrected(self, x: Tensor, change: Tensor, level: int = 0) -> tuple[Tensor, Tensor]:
        """``x`` after a correction from the coarser grids, and that correction on the next one.

        Args:
            change: what the last sweep of x changed, its residual before over the diagonal; it is overwritten.
        """
        if level + 1 == len(self.grids):
            return x, torch.zeros_like(x)
        grid, coarse = self.grids[level], self.grids[level + 1]
        b = self.stencil.restricted(change.mul_(grid.weight)).mul_(coarse.onto)
        error = b
        # Twice from the next grid on, a quarter of the pixels: a single cycle there is what would limit this one.
        for _ in range(2 if level == 0 and coarse.solver is None else 1):
            error = self._cycle(error, b, level + 1)
        error = error * coarse.scale
        fine = self.stencil.prolonged(error, x.shape[2:])
        return torch.addcmul(x, grid.share, fine, value=_STRETCH, out=fine), error

    def _cycle(self, x: Tensor, b: Tensor, level: int) -> Tensor:
        """One V-cycle, a sweep before and one after."""
        solver = self.grids[level].solver
        if solver is not None:
            n, q, h, w = b.shape
            solution = torch.bmm(solver, b.permute(1, 2, 3, 0).reshape(q, h * w, n))
            return laid_out(solution.view(q, h, w, n).permute(3, 0, 1, 2))
        better = self.swept(x, b, level)
        better, _ = self.corrected(better, better - x, level)
        return self.swept(better, b, level)


def _solver(stencil: Stencil, inverse: Tensor) -> Tensor:
    """From ``b`` to the solution of ``x = b + inverse * neighbours(x)``: ``[Q, h * w, h * w]``."""
    q, h, w = inverse.shape[1:]
    unit = torch.eye(h * w, dtype=inverse.dtype, device=inverse.device)
    around = stencil.neighbours(unit.view(-1, 1, h, w)).view(h * w, h * w)
    solver: Tensor = torch.linalg.inv(unit - inverse[0].reshape(q, h * w, 1) * around)
    return solver
