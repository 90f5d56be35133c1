from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from builders import normal
from reference.imputation_sparse import impute as impute_sparse

from xaiexp.builtin.removals.multigrid import (
    MultigridSolver,
    Stencil,
    from_convolution_layout,
    reduce_planes,
    select_planes,
    to_convolution_layout,
)

SIZES = [(8, 8), (9, 6), (5, 12), (2, 7), (3, 3)]


def masks(size, count=4):
    """Masks with 1 at unknown pixels, ever more of them; the first pixel is always known."""
    unknown = torch.stack([normal(*size, seed=seed) > 1.5 - 0.8 * seed for seed in range(count)])
    unknown[:, 0, 0] = False
    return unknown.double().unsqueeze(0)


def matrix_of(function, size):
    """The matrix of a linear function of one plane ``[1, 1, *size]``."""
    units = torch.eye(size[0] * size[1], dtype=torch.float64).view(-1, 1, 1, *size)
    return torch.stack([function(unit).flatten() for unit in units], dim=1)


def weights(size):
    """The weights of the neighbours of each pixel as a matrix."""
    height, width = size
    matrix = torch.zeros(height * width, height * width, dtype=torch.float64)
    for i in range(height):
        for j in range(width):
            for di in (-1, 0, 1):
                for dj in (-1, 0, 1):
                    if (di or dj) and 0 <= i + di < height and 0 <= j + dj < width:
                        matrix[i * width + j, (i + di) * width + j + dj] = 1 if di and dj else 2
    return matrix


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layout_conversions_are_inverse_and_reductions_are_by_plane(dtype):
    planes = normal(3, 5, 4, 6).to(dtype)
    there = to_convolution_layout(planes)
    assert torch.equal(there, planes)
    assert torch.equal(from_convolution_layout(there), planes.transpose(0, 1))
    assert torch.equal(select_planes(there, torch.tensor([4, 0])), planes[:, [4, 0]])
    torch.testing.assert_close(reduce_planes(there, torch.sum), planes.sum((2, 3)))
    assert torch.equal(reduce_planes(there, torch.amin), planes.amin((2, 3)))


@pytest.mark.parametrize("size", SIZES)
def test_neighbours_have_the_weights_1_and_2(size):
    stencil = Stencil.of(torch.zeros(1, 1, *size, dtype=torch.float64))
    torch.testing.assert_close(matrix_of(stencil.neighbours, size), weights(size))


@pytest.mark.parametrize("size", SIZES)
def test_restriction_is_the_transpose_of_prolongation_and_prolongation_keeps_constants(size):
    stencil = Stencil.of(torch.zeros(1, 1, *size, dtype=torch.float64))
    half = tuple((n + 1) // 2 for n in size)
    down, up = matrix_of(stencil.restrict, size), matrix_of(lambda x: stencil.prolong(x, size), half)
    torch.testing.assert_close(down, up.T)
    kept = stencil.prolong(torch.ones(1, 1, *half, dtype=torch.float64), size) * stencil.edges(size)
    torch.testing.assert_close(kept, torch.ones(1, 1, *size, dtype=torch.float64))


def test_prolongation_is_linear_between_the_centres_of_coarse_pixels():
    stencil = Stencil.of(torch.zeros(1, 1, 12, 12, dtype=torch.float64))
    coarse, fine = torch.arange(6.0).double() * 2 + 0.5, torch.arange(12.0).double()
    ramp = (coarse.view(-1, 1) + 3 * coarse).view(1, 1, 6, 6)
    want = fine.view(-1, 1) + 3 * fine
    torch.testing.assert_close(stencil.prolong(ramp, (12, 12))[0, 0, 1:-1, 1:-1], want[1:-1, 1:-1])


@pytest.mark.parametrize("size", SIZES)
def test_the_coarse_operator_maps_constants_as_galerkins_operator_does(size):
    """``P^T A P 1`` from the matrices; the coarse variables are scaled, so 1 corresponds to ``1 / scale``."""
    unknown, across = masks(size), weights(size)
    grids, half = MultigridSolver.of(unknown), tuple((n + 1) // 2 for n in size)
    stencil, coarse = grids.stencil, grids.grids[1]
    prolongation = matrix_of(lambda x: stencil.prolong(x, size) * stencil.edges(size), half)
    for k in range(unknown.shape[1]):
        masked = prolongation * unknown[0, k].reshape(-1, 1)
        galerkin = masked.T @ (torch.diag(across.sum(1)) - across) @ masked
        active = masked.sum(dim=0) > 1e-6
        scale, inverse = coarse.scale[0, k].flatten(), coarse.inverse[0, k].flatten()
        ones = torch.where(active, 1 / scale, 0.0)
        image = (ones / inverse - weights(half) @ ones) / scale
        torch.testing.assert_close(image[active], galerkin.sum(dim=1)[active])


@pytest.mark.parametrize("size", [(16, 16), (15, 22), (40, 9)])
def test_the_coarsest_grid_is_solved_directly(size):
    solver = MultigridSolver.of(masks(size))
    last = solver.grids[-1]
    b = normal(2, 4, *last.inverse.shape[2:], seed=5) * (last.inverse > 0)
    solution = solver._cycle(b, b, len(solver.grids) - 1)
    torch.testing.assert_close(solution, b + last.inverse * solver.stencil.neighbours(solution))


@pytest.mark.parametrize("size", [(16, 16), (33, 20), (7, 50), (64, 64)])
def test_a_cycle_reduces_the_error_by_a_factor_for_every_size(size):
    unknown = masks(size)
    known = ~unknown[0].bool()
    values = normal(*known.shape, seed=9)
    want = [impute_sparse(v.numpy(), k.numpy()) for v, k in zip(values, known, strict=True)]
    want = torch.from_numpy(np.stack(want)).unsqueeze(0)
    fixed = (values * known).unsqueeze(0)
    solver, x = MultigridSolver.of(unknown), fixed
    errors = []
    for _ in range(6):
        last = solver.sweep(x, fixed)
        x = solver.sweep(last, fixed)
        x, _ = solver.correct(x, x - last)
        x = solver.sweep(x, fixed)
        errors.append((x - want).abs().amax((2, 3))[0])
    assert all(bool((after <= 0.3 * before).all()) for before, after in pairwise(errors[1:]))
    assert torch.equal(x[0][known], values[known])


def test_selected_planes_have_the_same_grids_as_separate_planes():
    unknown, selected = masks((20, 14)), torch.tensor([3, 1])
    joint, separate = MultigridSolver.of(unknown).select(selected), MultigridSolver.of(unknown[:, selected])
    x, b = normal(2, 2, 20, 14), normal(2, 2, 20, 14, seed=1)
    for level, (one, other) in enumerate(zip(joint.grids, separate.grids, strict=True)):
        torch.testing.assert_close(one.inverse, other.inverse, msg=f"level {level}")
    got, _ = joint.correct(x, b.clone())
    torch.testing.assert_close(got, separate.correct(x, b.clone())[0])
