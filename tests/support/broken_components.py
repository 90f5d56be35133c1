"""One broken component for each check of all components and of agreements; the module imports no heavy package."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated

from xaiexp.plugin import Agreement, Range


@dataclass(frozen=True)
class CorrectAgreement(Agreement):
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


# Broken components of any kind


@dataclass(frozen=True)
class MissingSource(Agreement):
    """States no source."""

    summary = "none"
    bounds = (-1.0, 1.0)
    needs_sign = True
    symmetric = True

    def compare(self, a, b):
        return a.sum(1)


@dataclass(frozen=True)
class Undocumented(CorrectAgreement):
    pass


@dataclass(frozen=True)
class InvalidDefault(CorrectAgreement):
    """The default of the parameter k is outside of its range."""

    k: Annotated[int, Range(1)] = 0


@dataclass(frozen=True)
class UnsupportedParameterType(CorrectAgreement):
    """The parameter names has a type that configurations do not support."""

    names: frozenset[str] = frozenset({"a"})


@dataclass(frozen=True)
class NotPicklable(CorrectAgreement):
    """Contains a lock, which cannot be pickled."""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "_lock", threading.Lock())


@dataclass(frozen=True)
class AddressInRepr(CorrectAgreement):
    """The repr contains the address of the object."""

    def __repr__(self):
        return object.__repr__(self)


# Broken agreements


@dataclass(frozen=True)
class ColumnOfValues(CorrectAgreement):
    """Returns [N, 1] instead of [N]."""

    def compare(self, a, b):
        return super().compare(a, b).unsqueeze(1)


@dataclass(frozen=True)
class ReversedPairs(CorrectAgreement):
    """`compare_all` returns the pairs in reversed order."""

    def compare_all(self, maps, pairs):
        return super().compare_all(maps, list(reversed(pairs)))


@dataclass(frozen=True)
class CentersInPlace(CorrectAgreement):
    """Subtracts the mean in place."""

    def compare(self, a, b):
        a -= a.mean(1, keepdim=True)
        return super().compare(a, b)


@dataclass(frozen=True)
class CentersOverBatch(CorrectAgreement):
    """Subtracts the mean over all examples."""

    def compare(self, a, b):
        a, b = a - a.mean(), b - b.mean()
        return (a * b).sum(1) / a.norm(dim=1) / b.norm(dim=1)


@dataclass(frozen=True)
class WrongBounds(CorrectAgreement):
    """Values exceed the declared bounds."""

    bounds = (0.0, 1.0)


@dataclass(frozen=True)
class WeightedByFirstMap(CorrectAgreement):
    """Declares to be symmetric, but weights features by the first map."""

    def compare(self, a, b):
        return self.correlation(a, b, a.abs())


@dataclass(frozen=True)
class BelowUpperBound(CorrectAgreement):
    """The agreement of a map with itself is 0.9."""

    def compare(self, a, b):
        return 0.9 * super().compare(a, b)


@dataclass(frozen=True)
class WeightedByPosition(CorrectAgreement):
    """Weights features by their position."""

    def compare(self, a, b):
        return self.correlation(a, b, a.new_tensor(range(1, a.shape[1] + 1)).expand_as(a))


@dataclass(frozen=True)
class ZeroForUndefined(CorrectAgreement):
    """Returns 0 instead of NaN for constant maps."""

    def compare(self, a, b):
        return super().compare(a, b).nan_to_num(0.0)


@dataclass(frozen=True)
class UndeclaredSigns(CorrectAgreement):
    """Declares to need no signs, but reads them."""

    needs_sign = False


# Agreements that look wrong and are right


@dataclass(frozen=True)
class MassOverlap(CorrectAgreement):
    """The mass that two maps of magnitudes have in common; a constant map is a uniform distribution."""

    bounds = (0.0, 1.0)
    needs_sign = False

    def compare(self, a, b):
        a, b = (m.abs() / m.abs().sum(1, keepdim=True) for m in (a, b))
        return (a + b - (a - b).abs()).sum(1) / 2
