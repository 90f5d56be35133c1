"""Seeds of global generators for other libraries."""

# ruff: noqa: NPY002 -- the global generators are what is tested
from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from xaiexp.core.draws import Draws

IDS = ("a", "b", "c")


def drawn(draws, name="x", example=0):
    with draws.legacy(name, example):
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), [random.random() for _ in range(3)]


def drawn_and_raised():
    with Draws(0, IDS).legacy("x"):
        torch.rand(5)
        raise ValueError("boom")


def states():
    return torch.random.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()


def test_an_example_draws_the_same_numbers_in_every_batch():
    assert drawn(Draws(0, IDS), example=1) == drawn(Draws(0, ("b",))) == drawn(Draws(0, ("c", "b", "a")), example=1)


@pytest.mark.parametrize(
    "other",
    [(Draws(1, IDS), "x", 0), (Draws(0, IDS), "y", 0), (Draws(0, IDS), "x", 1), (Draws(0, IDS).within("m"), "x", 0)],
)
def test_other_seeds_names_examples_and_scopes_draw_other_numbers(other):
    for mine, theirs in zip(drawn(Draws(0, IDS)), drawn(*other), strict=True):
        assert not set(mine) & set(theirs)


def test_the_generators_are_neither_read_nor_changed():
    before = states()
    first = drawn(Draws(0, IDS))
    assert states() == before
    torch.rand(1), np.random.rand(), random.random()
    moved = states()
    assert moved != before
    assert drawn(Draws(0, IDS)) == first
    with pytest.raises(ValueError, match="boom"):
        drawn_and_raised()
    assert states() == moved


def test_numbers_of_different_examples_are_independent():
    numbers = np.array([drawn(Draws(0, tuple(map(str, range(200)))), example=i)[1] for i in range(200)])
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.25
    assert len(np.unique(numbers)) == numbers.size
