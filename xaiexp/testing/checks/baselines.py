"""The laws of baselines."""

from __future__ import annotations

from torch import Tensor

from xaiexp.contract.kinds import Baseline
from xaiexp.testing import untouched
from xaiexp.testing.check_types import Chapter, demand
from xaiexp.testing.comparing import same
from xaiexp.testing.toys import World, worlds
from xaiexp.testing.watching import seeded

__all__ = ["LAWS"]

LAWS = Chapter("baseline")


def _drawn(baseline: Baseline, world: World) -> Tensor:
    return baseline.references(world.batch, world.draws().within(f"baseline/{baseline.name}"))


def _quiet(baseline: Baseline, world: World) -> Tensor:
    with seeded():
        return _drawn(baseline, world.fresh()).detach()


@LAWS.law()
def shape(baseline: Baseline) -> None:
    """References are [N, *shape] or [N, R, *shape], finite, in the dtype and on the device of the inputs."""
    for each in worlds(baseline.modalities):
        got, inputs = _quiet(baseline, each), each.batch.inputs
        fits = got.shape == inputs.shape or (
            got.ndim == inputs.ndim + 1 and got.shape[2:] == inputs.shape[1:] and got.shape[0] == inputs.shape[0]
        )
        demand(fits and got.numel(), f"gave {list(got.shape)} for inputs {list(inputs.shape)} ({each.modality})")
        demand(got.dtype == inputs.dtype, f"gave {got.dtype} for inputs of {inputs.dtype} ({each.modality})")
        demand(got.device == inputs.device, f"gave a tensor on {got.device}, inputs lie on {inputs.device}")
        demand(bool(got.isfinite().all()), f"gave NaN or infinite values ({each.modality})")


@LAWS.law(after=("shape",))
def inputs_unchanged(baseline: Baseline) -> None:
    """It changes nothing of the batch in place."""
    for each in worlds(baseline.modalities):
        untouched.inputs_unchanged(each, lambda world: _drawn(baseline, world))


@LAWS.law(after=("shape",))
def same_seed(baseline: Baseline) -> None:
    """The same seed gives the same references, however often it is asked."""
    for each in worlds(baseline.modalities):
        same(_quiet(baseline, each), _quiet(baseline, each), f"two answers to one question ({each.modality})")


@LAWS.law(after=("shape", "same_seed"))
def global_randomness(baseline: Baseline) -> None:
    """It neither reads nor changes the global random state of torch, numpy and Python."""
    for each in worlds(baseline.modalities):
        untouched.randomness_unused(each, lambda world: _drawn(baseline, world))


@LAWS.law(after=("shape", "same_seed"))
def batch_mates(baseline: Baseline) -> None:
    """An example has the same references alone, in a batch and in other company."""
    for each in worlds(baseline.modalities):
        whole = _quiet(baseline, each)
        for rows in ([1], [2, 0], [3, 1, 2]):
            got = _quiet(baseline, each.rows(rows))
            same(got, whole[rows], f"examples {rows} alone and in the batch differ ({each.modality})")
