"""The laws that methods and metrics share: what they must leave as it was."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from xaiexp.testing.check_types import demand
from xaiexp.testing.comparing import same
from xaiexp.testing.toys import Blown, Fuse, World
from xaiexp.testing.watching import difference, network, randomness, seeded, tensors

__all__ = ["errors_change_nothing", "inputs_unchanged", "network_unchanged", "randomness_unused"]

Run = Callable[[World], Tensor]
"""Uses a component in a world, with the world's own batch and network."""


def network_unchanged(world: World, run: Run) -> None:
    """Demand that the network is as it was."""
    world = world.fresh()
    before = network(world.module)
    with seeded():
        run(world)
    changed = difference(before, network(world.module))
    demand(not changed, f"{changed} is not as it was ({world.modality})")


def inputs_unchanged(world: World, run: Run) -> None:
    """Demand that batch and reference are as they were."""
    world = world.fresh()
    before = tensors(batch=world.batch, reference=world.reference)
    with seeded():
        run(world)
    changed = difference(before, tensors(batch=world.batch, reference=world.reference))
    demand(not changed, f"{changed} is not as it was ({world.modality})")


def errors_change_nothing(world: World, run: Run) -> None:
    """Demand that network, batch and global random state are as they were after forward has raised."""
    for left in (1, 2):
        here = world.fresh()
        (fuse,) = (m for m in here.module.modules() if isinstance(m, Fuse))
        before = network(here.module) | tensors(batch=here.batch, reference=here.reference) | randomness()
        fuse.left = left
        try:
            run(here)
        except Blown:
            after = network(here.module) | tensors(batch=here.batch, reference=here.reference) | randomness()
            changed = difference(before, after)
            demand(not changed, f"{changed} is not as it was after forward raised ({world.modality})")


def randomness_unused(world: World, run: Run) -> None:
    """Demand that the global random state neither changes nor decides the answer."""
    answers = []
    for seed in (1, 2):
        here = world.fresh()
        with seeded(seed):
            before = randomness()
            answers.append(run(here))
            changed = difference(before, randomness())
        demand(not changed, f"{changed} has changed ({world.modality}): draw from rng")
    same(answers[1], answers[0], f"the answer depends on the global random state ({world.modality})")
