"""The laws of methods: what they leave alone, and what their answers may not depend on."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from xaiexp.contract.kinds import Method
from xaiexp.core.explanations import Estimate
from xaiexp.core.vocabulary import Output
from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.passes import Handle
from xaiexp.testing import untouched
from xaiexp.testing.check_types import Chapter, NotApplicable, demand
from xaiexp.testing.comparing import apart, same
from xaiexp.testing.toys import World, trimmed, worlds
from xaiexp.testing.watching import seeded

__all__ = ["LAWS", "answer", "attribute", "quiet", "suited"]

LAWS = Chapter("method")


def attribute(
    method: Method,
    world: World,
    *,
    budget: int | None = None,
    output: Output = "logit",
    reference: Tensor | None = None,
    handle: Handle | None = None,
) -> Tensor:
    """What a method says in a world; ``reference`` and ``handle`` instead of the world's own."""
    got = answer(method, world, budget=budget, output=output, reference=reference, handle=handle)
    return got.values if isinstance(got, Estimate) else got


def answer(
    method: Method,
    world: World,
    *,
    budget: int | None = None,
    output: Output = "logit",
    reference: Tensor | None = None,
    handle: Handle | None = None,
) -> Tensor | Estimate:
    """The same as the method gives it."""
    given = reference
    if given is None and method.reads_baseline:
        given = world.reference if method.reads_distribution else world.reference[:, 0]
    rng = world.draws().within(f"method/{method.name}")
    return method.attribute(handle or world.handle(budget, output), world.batch, given, rng)


def quiet(method: Method, world: World, *, budget: int | None = None, output: Output = "logit") -> Tensor:
    """The same with the global random state fixed, on a copy of the world, detached."""
    with seeded():
        return attribute(method, world.fresh(), budget=budget, output=output).detach()


_SUITED: dict[tuple[type[Method], str, bool], list[World]] = {}


def suited(method: Method, linear: bool = False) -> Iterator[World]:
    """The worlds that a method takes.

    Raises:
        NotApplicable: there is none.
    """
    key = (type(method), repr(method.parameters()), linear)
    if key not in _SUITED:
        found, reasons = [], []
        for each in worlds(method.modalities, method.needs, linear):
            try:
                quiet(method, each)
            except (Unsupported, UserError) as refused:
                reasons.append(str(refused))
            else:
                found.append(each)
        if not found:
            raise NotApplicable(f"it takes none of the kit's networks: {reasons[0]}")
        _SUITED[key] = found
    yield from _SUITED[key]


@LAWS.law()
def shape(method: Method) -> None:
    """Attributions have the shape, dtype and device of the inputs, are finite and detached from any graph."""
    for each in suited(method):
        with seeded():
            got = attribute(method, each.fresh())
        want = each.batch.inputs
        demand(isinstance(got, Tensor), f"gave {type(got).__name__} ({each.modality})")
        if method.space == "layer":
            fits = got.ndim > 1 and len(got) == len(want)
            demand(fits, f"gave {list(got.shape)} for the layers of {len(want)} examples ({each.modality})")
        else:
            demand(got.shape == want.shape, f"gave {list(got.shape)} for inputs {list(want.shape)} ({each.modality})")
        demand(got.dtype == want.dtype, f"gave {got.dtype} for inputs of {want.dtype} ({each.modality})")
        demand(got.device == want.device, f"gave a tensor on {got.device}, inputs lie on {want.device}")
        demand(bool(got.isfinite().all()), f"gave NaN or infinite attributions ({each.modality})")
        demand(not got.requires_grad, f"gave a tensor that requires grad ({each.modality}): detach it")


@LAWS.law(after=("shape",))
def standard_error(method: Method) -> None:
    """Standard errors, where it returns an `Estimate`, are numbers at least 0 or NaN: one for each feature, [N, d]."""
    told = False
    for each in suited(method):
        with seeded():
            got = answer(method, each.fresh())
        if not isinstance(got, Estimate):
            continue
        told, error = True, got.standard_error
        want = (
            list(got.values.flatten(1).shape) if method.space == "layer" else [len(each.batch), each.batch.features.d]
        )
        demand(list(error.shape) == want, f"gave {list(error.shape)}, must be {want} ({each.modality})")
        fine = error.isnan() | ((error >= 0) & error.isfinite())
        demand(bool(fine.all()), f"gave a negative or infinite standard error ({each.modality})")
    if not told:
        raise NotApplicable("it returns no standard errors")


@LAWS.law(after=("shape",))
def same_seed(method: Method) -> None:
    """The same seed gives the same attributions, however often it is asked."""
    for each in suited(method):
        same(quiet(method, each), quiet(method, each), f"two answers to one question ({each.modality})")


@LAWS.law(after=("shape", "same_seed"))
def precision(method: Method) -> None:
    """Float64 inputs get float64 attributions, equal to the float32 ones up to rounding."""
    for each in suited(method):
        got = quiet(method, each.to(torch.float64))
        demand(got.dtype == torch.float64, f"gave {got.dtype} for float64 ({each.modality})")
        same(got, quiet(method, each), f"float64 and float32 differ ({each.modality})", tolerance=1e-2)


@LAWS.law(after=("shape",))
def network_unchanged(method: Method) -> None:
    """It leaves the network as it found it: weights, buffers, hooks, gradients, requires_grad and train flags."""
    for each in suited(method):
        untouched.network_unchanged(each, lambda world: attribute(method, world))


@LAWS.law(after=("shape",))
def inputs_unchanged(method: Method) -> None:
    """It changes nothing of the batch and the reference in place."""
    for each in suited(method):
        untouched.inputs_unchanged(each, lambda world: attribute(method, world))


@LAWS.law(after=("shape", "network_unchanged", "inputs_unchanged", "global_randomness"))
def errors_change_nothing(method: Method) -> None:
    """When the network's forward raises, network, batch and random state are left as they were, too."""
    for each in suited(method):
        untouched.errors_change_nothing(each, lambda world: attribute(method, world))


@LAWS.law(after=("shape", "same_seed"))
def global_randomness(method: Method) -> None:
    """It neither reads nor changes the global random state of torch, numpy and Python."""
    for each in suited(method):
        untouched.randomness_unused(each, lambda world: attribute(method, world))


@LAWS.law(after=("shape", "same_seed"))
def batch_mates(method: Method) -> None:
    """An example is explained alike alone, in a batch and in other company."""
    for each in suited(method):
        whole = quiet(method, each)
        for rows in ([1], [2, 0], [3, 1, 2]):
            got = quiet(method, each.rows(rows))
            same(got, whole[rows], f"examples {rows} alone and in the batch differ ({each.modality})")


@LAWS.law(after=("shape", "same_seed", "batch_mates"))
def padding(method: Method) -> None:
    """A text is explained alike whether or not it is padded to the length of a longer one."""
    if method.space == "layer":
        raise NotApplicable("it speaks about a layer, whose padding the kit does not know")
    texts = [each for each in suited(method) if each.modality == "text"]
    if not texts:
        raise NotApplicable("it takes no texts")
    (each,) = texts
    whole = quiet(method, each)
    for row in range(len(each.batch)):
        alone = trimmed(each, row)
        inside = alone.batch.features.inside
        got = quiet(method, alone)
        same(got[inside], whole[row : row + 1, : got.shape[1]][inside], f"text {row} with and without padding differs")


@LAWS.law(after=("shape", "same_seed"))
def batch_budget(method: Method) -> None:
    """However many rows go through the network at once, the attributions are the same."""
    for each in suited(method):
        whole = quiet(method, each)
        for budget in (3, 11):
            got = quiet(method, each, budget=budget)
            same(got, whole, f"{budget} rows a pass differ from all at once ({each.modality})")


@LAWS.law(after=("shape", "same_seed"))
def reads_baseline(method: Method) -> None:
    """It reads the reference if and only if `reads_baseline` says so."""
    moves = False
    for each in suited(method):
        one, two = (
            each.reference,
            each.batch.inputs.unsqueeze(1) - 2 * (each.batch.inputs.unsqueeze(1) - each.reference),
        )
        if not method.reads_distribution:
            one, two = one[:, 0], two[:, 0]
        with seeded():
            a = attribute(method, each.fresh(), reference=one)
        with seeded():
            b = attribute(method, each.fresh(), reference=two)
        if not method.reads_baseline:
            same(b, a, f"says that it reads no baseline, and another reference changes it ({each.modality})")
            same(
                a, quiet(method, each), f"says that it reads no baseline, and a reference changes it ({each.modality})"
            )
        moves = moves or apart(a, b) > 0
    demand(moves or not method.reads_baseline, "says that it reads the baseline, and no reference changes anything")


@LAWS.law(after=("shape", "same_seed", "batch_mates"))
def device(method: Method) -> None:
    """A GPU gives the answers of the CPU."""
    if not torch.cuda.is_available():
        raise NotApplicable("there is no CUDA device here")
    for each in suited(method):
        there = each.to(torch.device("cuda"))
        got = quiet(method, there)
        demand(got.is_cuda, f"gave a tensor on {got.device} ({each.modality})")
        same(got, quiet(method, each), f"GPU and CPU differ ({each.modality})", tolerance=1e-2)
