"""One broken component for each check of removals; no heavy imports."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from xaiexp.plugin import MODALITIES, Fill, ReferenceFill, Removal


@dataclass(frozen=True)
class CorrectRemoval(Removal):
    """Half of the input plus a random number for each example."""

    summary = "half of the input plus a random number"
    source = "made up"
    modalities = MODALITIES
    differentiable = True

    def fill(self, batch, rng):
        return ReferenceFill(batch, self.reference(batch, rng))

    def reference(self, batch, rng):
        drawn = rng.uniform("number").to(batch.inputs)
        return batch.inputs / 2 + 1 + drawn.view(-1, *[1] * len(batch.shape))


class Wrapped(Fill):
    """A correct fill, as the base of broken ones; without a reference."""

    def __init__(self, whole):
        self.whole = whole

    def __call__(self, owners, present):
        return self.whole(owners, present)


@dataclass(frozen=True)
class UnknownNeed(CorrectRemoval):
    """Needs what no background has."""

    needs = frozenset({"mood"})


@dataclass(frozen=True)
class DoublePrecision(CorrectRemoval):
    """Returns float64."""

    def fill(self, batch, rng):
        class Double(Wrapped):
            def __call__(self, owners, present):
                return self.whole(owners, present).double()

        return Double(super().fill(batch, rng))


@dataclass(frozen=True)
class ShiftsEverything(CorrectRemoval):
    """Adds a small number to every element."""

    def fill(self, batch, rng):
        class Shifted(Wrapped):
            def __call__(self, owners, present):
                return self.whole(owners, present) + 0.01

        return Shifted(super().fill(batch, rng))


@dataclass(frozen=True)
class ChangesNothing(CorrectRemoval):
    """Replaces features with themselves."""

    def reference(self, batch, rng):
        return batch.inputs


@dataclass(frozen=True)
class OverwritesInputs(CorrectRemoval):
    """Changes the targets in place."""

    differentiable = False

    def fill(self, batch, rng):
        batch.targets.add_(1)
        return super().fill(batch, rng)


_calls = itertools.count()


@dataclass(frozen=True)
class OwnGenerator(CorrectRemoval):
    """Draws another number in every call."""

    def reference(self, batch, rng):
        return super().reference(batch, rng) + next(_calls)


@dataclass(frozen=True)
class GlobalGenerator(CorrectRemoval):
    """Draws one number from the global generator of torch."""

    differentiable = False

    def reference(self, batch, rng):
        import torch

        return super().reference(batch, rng) + torch.rand(()).to(batch.inputs)


@dataclass(frozen=True)
class MeanOverBatch(CorrectRemoval):
    """Replaces features with the mean of the batch."""

    def reference(self, batch, rng):
        return batch.inputs.mean() + 0 * batch.inputs


@dataclass(frozen=True)
class CountsRows(CorrectRemoval):
    """Replaces features with the number of rows of their example in the block."""

    differentiable = False

    def fill(self, batch, rng):
        class Counting(Fill):
            def __call__(self, owners, present):
                import torch

                rows = owners.bincount(minlength=len(batch))[owners].to(batch.inputs)
                other = torch.ones_like(batch.inputs[owners]) * rows.view(-1, *[1] * len(batch.shape))
                return batch.features.rows(owners).keep(batch.inputs[owners], other, present)

        return Counting()


@dataclass(frozen=True)
class OtherReference(CorrectRemoval):
    """States another reference than the one that it uses."""

    def fill(self, batch, rng):
        fill = Wrapped(super().fill(batch, rng))
        fill.reference = batch.inputs * 0
        return fill


@dataclass(frozen=True)
class ReadsTheMean(CorrectRemoval):
    """Adds the mean of the data without stating that it needs it."""

    def reference(self, batch, rng):
        return super().reference(batch, rng) + batch.background.mean.to(batch.inputs)


@dataclass(frozen=True)
class Detached(CorrectRemoval):
    """Computes the reference from the input outside of the graph."""

    def reference(self, batch, rng):
        return super().reference(batch, rng).detach()


@dataclass(frozen=True)
class EmptyBlocks(CorrectRemoval):
    """Asks for blocks without rows."""

    def fill(self, batch, rng):
        class Empty(Wrapped):
            def block_size(self, budget):
                return 0

        return Empty(super().fill(batch, rng))
