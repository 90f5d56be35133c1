"""A small network over rows that counts the rows that go through it, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from xaiexp.contract.kinds import Dataset, Model
from xaiexp.core.samples import Encoded, LoadContext, Network, Outline, Sample, Source

FEATURES, CLASSES = 5, 3


class Spied(nn.Module):
    """Two layers; every copy adds to the same two counts."""

    forward_rows: ClassVar[int] = 0
    backward_rows: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.first, self.act, self.last = nn.Linear(FEATURES, 8), nn.Tanh(), nn.Linear(8, CLASSES)

    def forward(self, rows: Tensor) -> Tensor:
        Spied.forward_rows += len(rows)
        scores = self.last(self.act(self.first(rows)))
        if scores.requires_grad:
            with torch._C.DisableTorchFunction():  # the hook is no operation of the network
                scores.register_hook(_count_backward)
        return scores


def _count_backward(gradient: Tensor) -> None:
    Spied.backward_rows += len(gradient)


@dataclass(frozen=True)
class SpiedModel(Model):
    """The network as a model."""

    name: ClassVar[str] = "spied"
    summary = "counts its rows"
    source = "made up"
    modality = "table"
    offers = frozenset({"gradients", "modules"})

    def load(self, context: LoadContext) -> Network:
        Spied.forward_rows = Spied.backward_rows = 0

        def encode(samples):
            return Encoded(torch.stack([s.data for s in samples]))

        return Network(Spied().eval().requires_grad_(False), encode, "table", CLASSES, low=-4.0, high=4.0)


@dataclass(frozen=True)
class NumberedRows(Dataset):
    """Random rows with labels; half of the elements of each are marked."""

    count: int = 1
    name: ClassVar[str] = "numbered_rows"
    summary = "random rows"
    source = "made up"
    modality = "table"

    def open(self) -> Source:
        rows = torch.randn(self.count, FEATURES, generator=torch.Generator().manual_seed(7))
        mask = torch.arange(FEATURES) % 2 == 0

        def read(start: int, stop: int) -> list[Sample]:
            return [Sample(f"row {i}", rows[i], i % CLASSES, mask) for i in range(start, stop)]

        return Source(self.count, read)

    def outline(self) -> Outline:
        return Outline(self.count, (FEATURES,))
