"""Multigrid solver for images whose unknown pixels are weighted means of their neighbours, for many planes jointly.

Jacobi sweeps reduce the error between neighbouring pixels. The remaining smooth error is solved for on a grid of half
the side length, recursively (Briggs, Henson, McCormick 2000, A Multigrid Tutorial, chapters 3 and 8). Known pixels do
not lie on the lines of coarse grids, so a coarse pixel has a share of unknown pixels. Its equation simplifies
Galerkin's, and every grid becomes a convolution with the same kernel: neighbours have the weights of the fine grid,
scaled by both shares, and the diagonal is chosen to give a constant the same image.

The variables of a coarse grid are scaled by its shares, which makes the weights of the neighbours 1 and 2 on all grids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, pad

__all__ = [
    "Grid",
    "MultigridSolver",
    "Stencil",
    "from_convolution_layout",
    "reduce_planes",
    "select_planes",
    "to_convolution_layout",
]

# Coarse operators underestimate corrections next to known pixels; corrections are scaled up by this factor.
_CORRECTION_FACTOR = 1.05
# Coarse pixels with a smaller share of unknown pixels are not corrected.
_MIN_SHARE = 1e-6
# A grid is solved directly if it has at most this many pixels, or this fraction of the image's.
_DIRECT_PIXELS, _DIRECT_FRACTION = 16, 512


def _planes_innermost(like: Tensor) -> bool:
    """Whether the plane axis is innermost in memory (``channels_last``), which oneDNN convolves fastest on a CPU."""
    return like.device.type == "cpu" and like.dtype == torch.float32


def to_convolution_layout(x: Tensor) -> Tensor:
    """Planes ``[N, Q, H, W]`` in the memory layout that depthwise convolutions are fastest for.

    On a GPU and in float64, planes are contiguous. On a GPU this also selects kernels in full float32; those for
    ``channels_last`` round to TF32.
    """
    if not _planes_innermost(x):
        return x.contiguous()
    if x.is_contiguous(memory_format=torch.channels_last):
        return x
    n, q, h, w = x.shape
    # Transposing a matrix is several times as fast as permuting four axes.
    return x.transpose(0, 1).reshape(q, -1).t().contiguous().view(n, h, w, q).permute(0, 3, 1, 2)


def from_convolution_layout(x: Tensor) -> Tensor:
    """The inverse of :func:`to_convolution_layout` with the first axes exchanged: contiguous ``[Q, N, H, W]``."""
    n, q, h, w = x.shape
    if not _planes_innermost(x):
        return x.transpose(0, 1).contiguous()
    return x.permute(0, 2, 3, 1).reshape(-1, q).t().contiguous().view(q, n, h, w)


def reduce_planes(x: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
    """``torch.amax``, ``amin`` or ``sum`` over each plane of ``[N, Q, H, W]``: ``[N, Q]``."""
    n, q, h, w = x.shape
    if _planes_innermost(x):  # rows first, which reads memory sequentially
        return reduce(reduce(x.permute(0, 2, 3, 1).reshape(n, h, w * q), 1).view(n, w, q), 1)
    return reduce(x, (2, 3))


def select_planes(x: Tensor, planes: Tensor) -> Tensor:
    """A selection of the Q planes, ``[N, Q, H, W]`` to ``[N, len(planes), H, W]``."""
    if _planes_innermost(x):
        return x.permute(0, 2, 3, 1).index_select(3, planes).permute(0, 3, 1, 2)
    return x.index_select(1, planes)


@dataclass(frozen=True)
class Stencil:
    """The convolutions, for up to Q planes.

    Args:
        weights: ``[Q, 1, 3, 3]``, the weights of the neighbours.
        interpolation: ``[Q, 1, 4, 4]``, linear interpolation to twice the side length.
    """

    weights: Tensor
    interpolation: Tensor

    @classmethod
    def of(cls, like: Tensor) -> Stencil:
        """For planes ``[1, Q, H, W]``."""
        three, four = like.new_tensor([1.0, 2.0, 1.0]), like.new_tensor([0.25, 0.75, 0.75, 0.25])
        weights, interpolation = torch.outer(three, three), torch.outer(four, four)
        weights[1, 1] = 0
        return cls(*(kernel.expand(like.shape[1], 1, -1, -1).contiguous() for kernel in (weights, interpolation)))

    def neighbours(self, x: Tensor) -> Tensor:
        """The sum over the eight neighbours inside the image, weighted 2 (direct) and 1 (diagonal)."""
        return conv2d(x, self.weights[: x.shape[1]], padding=1, groups=x.shape[1])

    def restrict(self, x: Tensor) -> Tensor:
        """The transpose of :meth:`prolong`, to half the side length, rounded up."""
        h, w = x.shape[2:]
        if h % 2 or w % 2:
            x = to_convolution_layout(pad(x, (0, w % 2, 0, h % 2)))
        return conv2d(x, self.interpolation[: x.shape[1]], stride=2, padding=1, groups=x.shape[1])

    def prolong(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Linear interpolation from half the side length; multiplied by :meth:`edges`, it extrapolates constantly."""
        fine = conv_transpose2d(x, self.interpolation[: x.shape[1]], stride=2, padding=1, groups=x.shape[1])
        return fine if fine.shape[2:] == tuple(size) else to_convolution_layout(fine[:, :, : size[0], : size[1]])

    def edges(self, size: Sequence[int]) -> Tensor:
        """The reciprocal of the interpolation of ones, ``[1, 1, *size]``: 1 except at the border."""
        half = self.interpolation.new_ones(1, 1, (size[0] + 1) // 2, (size[1] + 1) // 2)
        return self.prolong(half, size).reciprocal_()


@dataclass(frozen=True)
class Grid:
    """The equations ``diagonal * x = right side + neighbours(x)`` of Q planes; known pixels have the value 0.

    Args:
        inverse: the inverse of the diagonal, ``[1, Q, h, w]``.
        share: the share of unknown pixels times the edges of the interpolation, for transfers to the coarser grid and
            back.
        weight: the share times the diagonal, for a residual that is divided by the diagonal.
        scale: the reciprocal of the share, which the coarse variables are multiplied by.
        residual_scale: the scale times the inverse, for a residual restricted to this grid.
        solution: the inverse of the whole system, ``[Q, h * w, h * w]``, on a grid that is solved directly.
    """

    inverse: Tensor
    share: Tensor
    weight: Tensor
    scale: Tensor
    residual_scale: Tensor
    solution: Tensor | None = None

    def select(self, planes: Tensor) -> Grid:
        """The grid of a selection of the planes."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        solution = tensors.pop("solution")
        return Grid(
            **{name: select_planes(tensor, planes) for name, tensor in tensors.items()},
            solution=None if solution is None else solution[planes],
        )


@dataclass(frozen=True)
class MultigridSolver:
    """The grids of an image, from fine to coarse.

    Right sides are divided by the diagonal everywhere, so a Jacobi sweep is ``b + inverse * neighbours(x)``.
    """

    stencil: Stencil
    grids: tuple[Grid, ...]

    @classmethod
    def of(cls, unknown: Tensor) -> MultigridSolver:
        """For Q masks ``[1, Q, H, W]``, 1 at unknown pixels and 0 at known ones; each has at least one known pixel."""
        stencil, size = Stencil.of(unknown), unknown.shape[2:]
        direct_pixels = max(_DIRECT_PIXELS, size.numel() // _DIRECT_FRACTION)
        edges = stencil.edges(size)
        # An image of one pixel has no neighbours; the pixel is known.
        sums = stencil.neighbours(unknown.new_ones(1, 1, *size)).clamp_(min=1)
        share = unknown * edges
        grids = [Grid(unknown * sums.reciprocal(), share, share * sums, unknown, unknown)]
        # The image of the constant 1: the total weight of the known neighbours.
        constant = (sums - stencil.neighbours(unknown)).mul_(share)
        while size.numel() > 1:
            constant, share = stencil.restrict(constant), stencil.restrict(share)
            share.mul_(stencil.restrict(edges).reciprocal_())
            size = share.shape[2:]
            edges, active = stencil.edges(size), share > _MIN_SHARE
            scale = share.clamp(min=_MIN_SHARE).reciprocal_().mul_(active)
            diagonal = torch.addcmul(constant, share, stencil.neighbours(share)).mul_(scale).mul_(scale)
            inverse = diagonal.clamp(min=_MIN_SHARE).reciprocal_().mul_(active)
            share = share.mul_(edges)
            solution = _direct_solution(stencil, inverse) if size.numel() <= direct_pixels else None
            grids.append(Grid(inverse, share, share * diagonal, scale, inverse * scale, solution))
            if solution is not None:
                break
            constant.mul_(edges)
        return cls(stencil, tuple(grids))

    def select(self, planes: Tensor) -> MultigridSolver:
        """The solver of a selection of the planes (int64 ``[R]``)."""
        return MultigridSolver(self.stencil, tuple(grid.select(planes) for grid in self.grids))

    def sweep(self, x: Tensor, b: Tensor, level: int = 0) -> Tensor:
        """``x [N, Q, h, w]`` after one Jacobi sweep; the smoothing factor is 1/3 with these weights."""
        sums = self.stencil.neighbours(x)
        return torch.addcmul(b, self.grids[level].inverse, sums, out=sums)

    def correct(self, x: Tensor, change: Tensor, level: int = 0) -> tuple[Tensor, Tensor]:
        """``x`` after a correction from the coarser grids, and the correction on the next coarser grid.

        Args:
            change: the change of x by the last sweep, i.e. its previous residual over the diagonal; it is overwritten.
        """
        if level + 1 == len(self.grids):
            return x, torch.zeros_like(x)
        grid, coarse = self.grids[level], self.grids[level + 1]
        b = self.stencil.restrict(change.mul_(grid.weight)).mul_(coarse.residual_scale)
        error = b
        # Two cycles on the first coarse grid, which has a quarter of the pixels; a single one would limit convergence.
        for _ in range(2 if level == 0 and coarse.solution is None else 1):
            error = self._cycle(error, b, level + 1)
        error = error * coarse.scale
        fine = self.stencil.prolong(error, x.shape[2:])
        return torch.addcmul(x, grid.share, fine, value=_CORRECTION_FACTOR, out=fine), error

    def _cycle(self, x: Tensor, b: Tensor, level: int) -> Tensor:
        """One V-cycle with a sweep before and one after the correction; a direct solution on the coarsest grid."""
        solution = self.grids[level].solution
        if solution is not None:
            n, q, h, w = b.shape
            solved = torch.bmm(solution, b.permute(1, 2, 3, 0).reshape(q, h * w, n))
            return to_convolution_layout(solved.view(q, h, w, n).permute(3, 0, 1, 2))
        swept = self.sweep(x, b, level)
        corrected, _ = self.correct(swept, swept - x, level)
        return self.sweep(corrected, b, level)


def _direct_solution(stencil: Stencil, inverse: Tensor) -> Tensor:
    """The matrix from ``b`` to the solution of ``x = b + inverse * neighbours(x)``: ``[Q, h * w, h * w]``."""
    q, h, w = inverse.shape[1:]
    unit = torch.eye(h * w, dtype=inverse.dtype, device=inverse.device)
    neighbours = stencil.neighbours(unit.view(-1, 1, h, w)).view(h * w, h * w)
    solution: Tensor = torch.linalg.inv(unit - inverse[0].reshape(q, h * w, 1) * neighbours)
    return solution
