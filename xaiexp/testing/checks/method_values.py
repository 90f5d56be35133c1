"""The laws of methods: what their answers must be, from the facts that they state."""

from __future__ import annotations

from torch import Tensor

from xaiexp.contract.kinds import Method
from xaiexp.core.explanations import Cost
from xaiexp.testing.check_types import Chapter, NotApplicable, demand
from xaiexp.testing.checks.methods import attribute, quiet, suited
from xaiexp.testing.comparing import apart, same
from xaiexp.testing.toys import World
from xaiexp.testing.watching import seeded

__all__ = ["LAWS"]

LAWS = Chapter("method")

_INCOMPLETE = 0.05
_ROUNDING = 1e-3


def _change(method: Method, world: World) -> Tensor:
    """f(x) - f(reference), averaged over a distribution: ``[N]``."""
    handle = world.handle()
    reference = world.reference if method.reads_distribution else world.reference[:, :1]
    return handle.scores() - handle.scores(reference).mean(dim=1)


@LAWS.law(after=("shape", "same_seed"))
def complete(method: Method) -> None:
    """Where it claims to be `complete`, attributions add up to f(x) - f(reference) on ReLU networks, within 5 %."""
    if not method.complete:
        raise NotApplicable("it does not claim to be complete")
    if method.space == "neuron":
        raise NotApplicable("it adds up to the change of a neuron that the kit does not know")
    demand(method.reads_baseline, "claims to be complete and reads no reference that it could add up to")
    for each in suited(method):
        change = _change(method, each)
        got = quiet(method, each)
        total = (got.flatten(1) if method.space == "layer" else each.batch.features.pool(got)).sum(dim=1)
        missed = float((total - change).abs().max() / change.abs().max())
        demand(missed <= _INCOMPLETE, f"attributions miss the difference by {missed:.2g} of it ({each.modality})")


@LAWS.law(after=("shape", "same_seed"))
def linear_network(method: Method) -> None:
    """Where it claims to be `complete`, every feature of a linear network gets its own term w * (x - reference)."""
    if not (method.complete and method.multiplied_by_inputs and method.space == "input"):
        raise NotApplicable("it does not claim to be complete in terms of the input")
    for each in suited(method, linear=True):
        assert each.weight is not None  # noqa: S101 -- the world is linear
        reference = each.reference.mean(dim=1) if method.reads_distribution else each.reference[:, 0]
        terms = each.weight[each.batch.targets] * (each.batch.inputs - reference)
        features = each.batch.features
        got = features.pool(quiet(method, each))
        same(got, features.pool(terms), f"not the terms of the sum ({each.modality})", tolerance=_ROUNDING)


@LAWS.law(after=("shape", "same_seed"))
def target(method: Method) -> None:
    """Another target changes what it says if and only if `target_specific` says so (if it asks the network at all)."""
    if method.target_specific:
        _another(method, "target")
        return
    for each in suited(method):
        other = each.fresh()
        other.batch.targets.add_(1).remainder_(3)
        same(quiet(method, other), quiet(method, each), f"says otherwise, and another target differs ({each.modality})")


@LAWS.law(after=("shape", "same_seed"))
def output(method: Method) -> None:
    """A probability is explained otherwise than a logit, by a method that asks the network for the target."""
    if not method.target_specific:
        raise NotApplicable("it does not ask for the target")
    _another(method, "output")


def _another(method: Method, what: str) -> None:
    asked = False
    for each in suited(method):
        other = each.fresh()
        if what == "target":
            other.batch.targets.add_(1).remainder_(3)
        if not _made(method, each).total:
            continue
        asked = True
        there = quiet(method, other, output="probability" if what == "output" else "logit")
        demand(apart(there, quiet(method, each)) > _ROUNDING, f"another {what} changes nothing ({each.modality})")
    if not asked:
        raise NotApplicable("it asks the network nothing")


def _made(method: Method, world: World) -> Cost:
    """The passes of the whole batch."""
    here = world.fresh()
    handle = here.handle()
    with seeded():
        attribute(method, here, handle=handle)
    return Cost(handle.counter.forward, handle.counter.backward)


@LAWS.law(after=("shape", "same_seed"))
def passes(method: Method) -> None:
    """Where `passes()` foretells a cost, that is what every example costs, forward and backward."""
    told = False
    for each in suited(method):
        if each.batch.features.ragged:
            continue  # what is foretold is for one number of features
        cost = method.passes(each.batch.shape, each.batch.features.d)
        if cost is None:
            continue
        told = True
        made, n = _made(method, each), len(each.batch)
        demand(
            made == cost * n,
            f"foretold {cost.forward} forward and {cost.backward} backward passes an example, and made "
            f"{made.forward / n:g} and {made.backward / n:g} ({each.modality})",
        )
    if not told:
        raise NotApplicable("it does not foretell its passes")
