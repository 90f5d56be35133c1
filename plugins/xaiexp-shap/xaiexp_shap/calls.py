"""How shap is called: one example at a time, without its warnings."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xaiexp.plugin import Batch

__all__ = ["by_example", "library", "quiet", "seed"]


@contextmanager
def quiet() -> Iterator[None]:
    """Without shap's warnings: of numpy, of regressions that stop early, and of many references."""
    log = logging.getLogger("shap")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def library() -> Any:
    """The module shap, whose import warns and takes seconds."""
    with quiet():
        import shap

    return shap


def by_example(batch: Batch, run: Callable[[int], Tensor]) -> Tensor:
    """Attributions ``[N, *shape]`` put together from those of single examples, in their order."""
    return torch.stack([run(number) for number in range(len(batch))])


def seed() -> int:
    """A seed from numpy's global generator, for explainers that would otherwise seed it from the system."""
    return int(np.random.randint(2**31))  # noqa: NPY002 -- seeded by rng.legacy
