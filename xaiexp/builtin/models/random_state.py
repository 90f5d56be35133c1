"""A temporary seed of torch's generator, for random initial weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

__all__ = ["seeded_random_state"]


@contextlib.contextmanager
def seeded_random_state(seed: int) -> Iterator[None]:
    """Seed torch's CPU generator within the block and restore its state afterwards.

    ``torch.manual_seed`` is not used because it would also seed the devices, whose state is not restored.
    """
    state = torch.random.get_rng_state()
    torch.random.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    try:
        yield
    finally:
        torch.random.set_rng_state(state)
