"""The laws of agreements."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.contract.kinds import Agreement
from xaiexp.testing.check_types import Chapter, NotApplicable, demand
from xaiexp.testing.comparing import apart, same
from xaiexp.testing.watching import difference, seeded, tensors

__all__ = ["LAWS"]

LAWS = Chapter("agreement")

_N, _D = 6, 25
_ROUNDING = 1e-5


def _maps() -> tuple[Tensor, Tensor]:
    """Two maps ``[N, d]`` that agree somewhat, without ties and zeros; one pair is the same, one opposite."""
    generator = torch.Generator().manual_seed(11)
    a, noise = torch.randn(2, _N, _D, generator=generator)
    b = 0.7 * a + 0.7 * noise
    b[1], b[2] = a[1], -a[2]
    return a, b


def _compared(measure: Agreement, a: Tensor, b: Tensor) -> Tensor:
    a, b = _shaped(measure, a), _shaped(measure, b)
    with seeded():
        if measure.joint:
            return measure.compare_jointly(torch.stack([a, b])).detach()
        return measure.compare(a.clone(), b.clone()).detach()


def _shaped(measure: Agreement, maps: Tensor) -> Tensor:
    """Maps in the shape in which the measure reads them."""
    return maps.view(*maps.shape[:-1], 5, 5) if measure.needs_grid else maps


@LAWS.law()
def shape(measure: Agreement) -> None:
    """It gives one number per example: `compare` [N] of two maps, `compare_all` [P, N] of P pairs."""
    a, b = _maps()
    got = _compared(measure, a, b)
    demand(list(got.shape) == [_N], f"compare gave {list(got.shape)} for {_N} examples")
    demand(bool(got.isfinite().all()), f"compare gave {got.tolist()} for maps without ties")
    if measure.joint:
        return
    with seeded():
        table = measure.compare_all(_shaped(measure, torch.stack([a, b])), [(0, 1), (1, 0), (0, 0)])
    demand(list(table.shape) == [3, _N], f"compare_all gave {list(table.shape)} for 3 pairs of {_N} examples")


@LAWS.law(after=("shape",))
def pairs(measure: Agreement) -> None:
    """`compare_all` gives for every pair, in its order, what `compare` gives for it alone."""
    if measure.joint:
        raise NotApplicable("it compares all maps at once")
    a, b = _maps()
    maps, asked = torch.stack([a, b, b - 2 * a]), [(0, 1), (2, 0), (1, 2), (1, 0)]
    with seeded():
        table = measure.compare_all(_shaped(measure, maps.clone()), asked)
    for (i, j), got in zip(asked, table, strict=True):
        same(got, _compared(measure, maps[i], maps[j]), f"pair {(i, j)} differs from compare")


@LAWS.law(after=("shape",))
def inputs_unchanged(measure: Agreement) -> None:
    """It changes no map in place."""
    a, b = (_shaped(measure, each) for each in _maps())
    maps = torch.stack([a, b])
    before = tensors(a=a, b=b, maps=maps)
    with seeded():
        if measure.joint:
            measure.compare_jointly(maps)
        else:
            measure.compare(a, b)
            measure.compare_all(maps, [(0, 1)])
    changed = difference(before, tensors(a=a, b=b, maps=maps))
    demand(not changed, f"{changed} is not as it was")


@LAWS.law(after=("shape",))
def batch_mates(measure: Agreement) -> None:
    """An example is compared alike alone, in a batch and in other company."""
    a, b = _maps()
    whole = _compared(measure, a, b)
    for rows in ([0], [3, 1], [5, 4, 0]):
        same(_compared(measure, a[rows], b[rows]), whole[rows], f"examples {rows} alone and in the batch differ")


@LAWS.law(after=("shape",))
def bounds(measure: Agreement) -> None:
    """Its values lie within the declared `bounds`, for like, unlike and opposite maps."""
    low, high = measure.bounds
    a, b = _maps()
    for left, right in ((a, b), (a, a), (a, -a), (100 * a, b)):
        got = _compared(measure, left, right).double()
        demand(low is None or float(got.min()) >= low - _ROUNDING, f"gave {got.min():.6g}, below its bound {low}")
        demand(high is None or float(got.max()) <= high + _ROUNDING, f"gave {got.max():.6g}, above its bound {high}")


@LAWS.law(after=("shape",))
def symmetric(measure: Agreement) -> None:
    """The order of the two maps changes nothing if and only if `symmetric` says so."""
    a, b = _maps()
    there, back = _compared(measure, a, b), _compared(measure, b, a)
    if measure.symmetric:
        same(back, there, "says that it is symmetric, and the order matters")
    else:
        demand(apart(back, there) > _ROUNDING, "says that it is not symmetric, and the order never matters")


@LAWS.law(after=("shape",))
def itself(measure: Agreement) -> None:
    """A map agrees with itself to the upper bound, and no other map agrees with it more."""
    a, b = _maps()
    own = _compared(measure, a, a).double()
    high = measure.bounds[1]
    if high is not None:
        demand(float((own - high).abs().max()) <= _ROUNDING, f"a map with itself gives {own.min():.6g}, not {high:g}")
    demand(bool((_compared(measure, a, b) <= own + _ROUNDING).all()), "another map agrees more than the map itself")


@LAWS.law(after=("shape",))
def order_of_features(measure: Agreement) -> None:
    """Putting the features of both maps in another order changes nothing."""
    if measure.needs_grid:
        raise NotApplicable("it reads where features stand")
    a, b = _maps()
    order = torch.randperm(_D, generator=torch.Generator().manual_seed(5))
    same(
        _compared(measure, a[:, order], b[:, order]), _compared(measure, a, b), "another order of the features differs"
    )


@LAWS.law(after=("shape",))
def constant_map(measure: Agreement) -> None:
    """A map that is the same everywhere ranks nothing: it agrees with nothing, NaN, not even with itself."""
    a, _ = _maps()
    for value in (0.0, 1.0):
        constant = torch.full_like(a, value)
        for other, what in ((a, "another map"), (constant, "itself")):
            got = _compared(measure, constant, other)
            demand(bool(got.isnan().all()), f"a map of {value:g} with {what} gives {got[0]:.6g}, not NaN")


@LAWS.law(after=("shape",))
def needs_sign(measure: Agreement) -> None:
    """Signs change something if and only if `needs_sign` says so."""
    a, b = _maps()
    flips = torch.randn(_N, _D, generator=torch.Generator().manual_seed(6)).sign()
    plain, flipped = _compared(measure, a, b), _compared(measure, a * flips, b)
    if measure.needs_sign:
        demand(apart(flipped, plain) > _ROUNDING, "says that it needs signs, and they change nothing")
    else:
        same(flipped, plain, "says that it needs no signs, and they change its values")
