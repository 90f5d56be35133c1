"""One wrong agreement, or one wrong component of any kind, for each law. Imports nothing heavy: that is a law."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated

from xaiexp.contract.kinds import Agreement
from xaiexp.core.parameters import Range


@dataclass(frozen=True)
class Honest(Agreement):
    """Pearson's correlation."""

    summary = "the correlation of two maps"
    source = "Pearson 1895"
    bounds = (-1.0, 1.0)
    needs_sign = True
    symmetric = True

    def compare(self, a, b):
        return self.correlation(a, b, a.abs() * 0 + 1)

    def correlation(self, a, b, weight):
        a = a - (weight * a).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        b = b - (weight * b).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        product = (weight * a * a).sum(1).sqrt() * (weight * b * b).sum(1).sqrt()
        return ((weight * a * b).sum(1) / product).clamp(-1, 1)


# Laws of every component


@dataclass(frozen=True)
class StatesNoSource(Agreement):
    """Does not say where it comes from."""

    summary = "none"
    bounds = (-1.0, 1.0)
    needs_sign = True
    symmetric = True

    def compare(self, a, b):
        return a.sum(1)


@dataclass(frozen=True)
class Undocumented(Honest):
    pass


@dataclass(frozen=True)
class BadDefault(Honest):
    """Has a default k that its own type refuses."""

    k: Annotated[int, Range(1)] = 0


@dataclass(frozen=True)
class NotPlain(Honest):
    """Has a parameter, names, that no configuration can hold."""

    names: frozenset[str] = frozenset({"a"})


@dataclass(frozen=True)
class HoldsALock(Honest):
    """Cannot travel to another process."""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "_lock", threading.Lock())


@dataclass(frozen=True)
class TellsItsAddress(Honest):
    """Two of the same parameters have two names."""

    def __repr__(self):
        return object.__repr__(self)


# Laws of agreements


@dataclass(frozen=True)
class ColumnOfValues(Honest):
    """Gives [N, 1]."""

    def compare(self, a, b):
        return super().compare(a, b).unsqueeze(1)


@dataclass(frozen=True)
class PairsReversed(Honest):
    """Takes the pairs in another order when it has many."""

    def compare_all(self, maps, pairs):
        return super().compare_all(maps, list(reversed(pairs)))


@dataclass(frozen=True)
class CentresInPlace(Honest):
    """Subtracts the mean from the caller's own map."""

    def compare(self, a, b):
        a -= a.mean(1, keepdim=True)
        return super().compare(a, b)


@dataclass(frozen=True)
class CentresOverTheBatch(Honest):
    """Subtracts the mean over all examples."""

    def compare(self, a, b):
        a, b = a - a.mean(), b - b.mean()
        return (a * b).sum(1) / a.norm(dim=1) / b.norm(dim=1)


@dataclass(frozen=True)
class NeverNegative(Honest):
    """Declares bounds that it does not keep."""

    bounds = (0.0, 1.0)


@dataclass(frozen=True)
class WeighedByTheFirst(Honest):
    """Says that it is symmetric, and weighs features by the first map."""

    def compare(self, a, b):
        return self.correlation(a, b, a.abs())


@dataclass(frozen=True)
class NeverQuiteOne(Honest):
    """A map agrees with itself to 0.9."""

    def compare(self, a, b):
        return 0.9 * super().compare(a, b)


@dataclass(frozen=True)
class FirstFeaturesFirst(Honest):
    """Weighs features by their position."""

    def compare(self, a, b):
        return self.correlation(a, b, a.new_tensor(range(1, a.shape[1] + 1)).expand_as(a))


@dataclass(frozen=True)
class ZeroForUndefined(Honest):
    """Gives 0 where there is nothing to tell."""

    def compare(self, a, b):
        return super().compare(a, b).nan_to_num(0.0)


@dataclass(frozen=True)
class ReadsSigns(Honest):
    """Says that it needs no signs, and reads them."""

    needs_sign = False
