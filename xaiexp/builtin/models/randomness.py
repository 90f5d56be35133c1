"""Random numbers for new weights that leave everybody else's alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

__all__ = ["own_randomness"]


@contextlib.contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Torch's generator of the CPU starts from ``seed`` inside, and is as before afterwards.

    ``torch.manual_seed`` would also seed the devices, whose state nobody could put back.
    """
    state = torch.random.get_rng_state()
    torch.random.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    try:
        yield
    finally:
        torch.random.set_rng_state(state)
