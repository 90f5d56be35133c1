"""Counts what would make a GPU wait for the program: numbers and tensors that are read on the host."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Operations whose result, or whose shape, the host waits for.
WAITING = {
    "_local_scalar_dense": "item, bool, int, float",
    "nonzero": "nonzero, or an index of booleans",
    "masked_select": "masked_select",
    "equal": "torch.equal",
    "_unique2": "unique",
    "unique_dim": "unique",
}
METHODS = ("tolist", "cpu", "numpy")
# Sorts by numpy, on the CPU alone.
ON_CPU_ALONE = {"orders.py"}


class _Waiting(TorchDispatchMode):
    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self.counts = counts

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix("aten::")
        if name in WAITING:
            self.counts[name] += 1
        if name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1]):
            self.counts["nonzero"] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def transfers() -> Iterator[Counter[str]]:
    """Count them while the block runs, by what asks for them."""
    counts: Counter[str] = Counter()
    originals = {name: getattr(torch.Tensor, name) for name in METHODS}

    def counting(name):
        def read(tensor, *args, **kwargs):
            if not ON_CPU_ALONE & {sys._getframe(1).f_code.co_filename.rsplit("/", 1)[-1]}:
                counts[name] += 1
            return originals[name](tensor, *args, **kwargs)

        return read

    for name in METHODS:
        setattr(torch.Tensor, name, counting(name))
    try:
        with _Waiting(counts):
            yield counts
    finally:
        for name, original in originals.items():
            setattr(torch.Tensor, name, original)
