"""The checks of agreements."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.contract.kinds import Agreement
from xaiexp.testing.assertions import relative_difference, require, require_equal
from xaiexp.testing.definition import CheckSuite, NotApplicable
from xaiexp.testing.snapshots import first_difference, seeded, tensor_copies

__all__ = ["SUITE"]

SUITE = CheckSuite("agreement")

_N, _D = 6, 25
_ROUNDING = 1e-5


def _maps() -> tuple[Tensor, Tensor]:
    """Two correlated maps ``[N, d]`` without ties and zeros; row 1 is equal in both, row 2 opposite."""
    generator = torch.Generator().manual_seed(11)
    a, noise = torch.randn(2, _N, _D, generator=generator)
    b = 0.7 * a + 0.7 * noise
    b[1], b[2] = a[1], -a[2]
    return a, b


def _compare(agreement: Agreement, a: Tensor, b: Tensor) -> Tensor:
    """The agreement ``[N]`` of two maps ``[N, d]`` with fixed global random states."""
    a, b = _in_shape(agreement, a), _in_shape(agreement, b)
    with seeded():
        if agreement.joint:
            return agreement.compare_jointly(torch.stack([a, b])).detach()
        return agreement.compare(a.clone(), b.clone()).detach()


def _in_shape(agreement: Agreement, maps: Tensor) -> Tensor:
    """Maps ``[..., d]`` as the agreement reads them, ``[..., 5, 5]`` where it needs a grid."""
    return maps.view(*maps.shape[:-1], 5, 5) if agreement.needs_grid else maps


@SUITE.register()
def shape(agreement: Agreement) -> None:
    """`compare` returns one number per example, [N], and `compare_all` one per pair and example, [P, N]."""
    a, b = _maps()
    values = _compare(agreement, a, b)
    require(list(values.shape) == [_N], f"compare returned shape {list(values.shape)} for {_N} examples")
    require(bool(values.isfinite().all()), f"compare returned {values.tolist()} for maps without ties")
    if agreement.joint:
        return
    with seeded():
        table = agreement.compare_all(_in_shape(agreement, torch.stack([a, b])), [(0, 1), (1, 0), (0, 0)])
    require(
        list(table.shape) == [3, _N], f"compare_all returned shape {list(table.shape)} for 3 pairs of {_N} examples"
    )


@SUITE.register(after=("shape",))
def pairs(agreement: Agreement) -> None:
    """`compare_all` returns for every pair, in the given order, the value of `compare`."""
    if agreement.joint:
        raise NotApplicable("compares all maps jointly")
    a, b = _maps()
    maps, pairs = torch.stack([a, b, b - 2 * a]), [(0, 1), (2, 0), (1, 2), (1, 0)]
    with seeded():
        table = agreement.compare_all(_in_shape(agreement, maps.clone()), pairs)
    for (i, j), values in zip(pairs, table, strict=True):
        require_equal(
            values, _compare(agreement, maps[i], maps[j]), f"compare_all and compare differ for pair {(i, j)}"
        )


@SUITE.register(after=("shape",))
def inputs_unchanged(agreement: Agreement) -> None:
    """Maps are not changed in place."""
    a, b = (_in_shape(agreement, values) for values in _maps())
    maps = torch.stack([a, b])
    before = tensor_copies(a=a, b=b, maps=maps)
    with seeded():
        if agreement.joint:
            agreement.compare_jointly(maps)
        else:
            agreement.compare(a, b)
            agreement.compare_all(maps, [(0, 1)])
    changed = first_difference(before, tensor_copies(a=a, b=b, maps=maps))
    require(not changed, f"changed {changed} in place")


@SUITE.register(after=("shape",))
def batch_mates(agreement: Agreement) -> None:
    """The value of an example does not depend on the other examples in the batch."""
    a, b = _maps()
    expected = _compare(agreement, a, b)
    for rows in ([0], [3, 1], [5, 4, 0]):
        values = _compare(agreement, a[rows], b[rows])
        require_equal(values, expected[rows], f"examples {rows} have other values than in the full batch")


@SUITE.register(after=("shape",))
def bounds(agreement: Agreement) -> None:
    """Values lie within the declared `bounds` for equal, correlated and opposite maps."""
    low, high = agreement.bounds
    a, b = _maps()
    for left, right in ((a, b), (a, a), (a, -a), (100 * a, b)):
        values = _compare(agreement, left, right).double()
        require(
            low is None or float(values.min()) >= low - _ROUNDING, f"returned {values.min():.6g}, below the bound {low}"
        )
        require(
            high is None or float(values.max()) <= high + _ROUNDING,
            f"returned {values.max():.6g}, above the bound {high}",
        )


@SUITE.register(after=("shape",))
def symmetric(agreement: Agreement) -> None:
    """The value is independent of the order of the two maps if and only if `symmetric` is True."""
    a, b = _maps()
    forward, backward = _compare(agreement, a, b), _compare(agreement, b, a)
    if agreement.symmetric:
        require_equal(backward, forward, "symmetric is True, but the order of the maps changes the value")
    else:
        changed = relative_difference(backward, forward) > _ROUNDING
        require(changed, "symmetric is False, but the order of the maps does not change the value")


@SUITE.register(after=("shape",))
def itself(agreement: Agreement) -> None:
    """The agreement of a map with itself is the upper bound, and no other map has a higher agreement with it."""
    a, b = _maps()
    with_itself = _compare(agreement, a, a).double()
    high = agreement.bounds[1]
    if high is not None:
        require(
            float((with_itself - high).abs().max()) <= _ROUNDING,
            f"a map has the agreement {with_itself.min():.6g} with itself, not {high:g}",
        )
    require(
        bool((_compare(agreement, a, b) <= with_itself + _ROUNDING).all()),
        "another map has a higher agreement than the map itself",
    )


@SUITE.register(after=("shape",))
def order_of_features(agreement: Agreement) -> None:
    """The value does not change when the features of both maps are permuted."""
    if agreement.needs_grid:
        raise NotApplicable("reads the positions of features")
    a, b = _maps()
    order = torch.randperm(_D, generator=torch.Generator().manual_seed(5))
    permuted = _compare(agreement, a[:, order], b[:, order])
    require_equal(permuted, _compare(agreement, a, b), "a permutation of the features changes the value")


@SUITE.register(after=("shape",))
def constant_map(agreement: Agreement) -> None:
    """The agreement with a map of zeros is NaN; with any constant map where offsets, or order alone, do not matter.

    An agreement of masses may be defined for a constant map: there a constant is a uniform distribution.
    """
    a, b = _maps()
    reads_mass = not (_same(agreement, a + 3.0, b) or _same(agreement, a.sign() * a.square(), b))
    for value in (0.0,) if reads_mass else (0.0, 1.0):
        constant = torch.full_like(a, value)
        for other, description in ((a, "another map"), (constant, "itself")):
            values = _compare(agreement, constant, other)
            require(
                bool(values.isnan().all()),
                f"a constant map of {value:g} has the agreement {values[0]:.6g} with {description}, not NaN",
            )


def _same(agreement: Agreement, changed: Tensor, other: Tensor) -> bool:
    """Whether the agreement of a changed map is that of the original."""
    return relative_difference(_compare(agreement, changed, other), _compare(agreement, _maps()[0], other)) <= _ROUNDING


@SUITE.register(after=("shape",))
def needs_sign(agreement: Agreement) -> None:
    """The value depends on signs if and only if `needs_sign` is True."""
    a, b = _maps()
    signs = torch.randn(_N, _D, generator=torch.Generator().manual_seed(6)).sign()
    original, flipped = _compare(agreement, a, b), _compare(agreement, a * signs, b)
    if agreement.needs_sign:
        changed = relative_difference(flipped, original) > _ROUNDING
        require(changed, "needs_sign is True, but signs do not change the value")
    else:
        require_equal(flipped, original, "needs_sign is False, but signs change the value")
