"""Checks of side effects that methods, metrics and baselines share."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from xaiexp.testing.assertions import require, require_equal
from xaiexp.testing.networks import FailingIdentity, ForwardFailure
from xaiexp.testing.snapshots import first_difference, network_state, random_state, seeded, tensor_copies
from xaiexp.testing.studies import TestStudy

__all__ = [
    "require_independence_of_random_state",
    "require_unchanged_after_errors",
    "require_unchanged_inputs",
    "require_unchanged_network",
]

Run = Callable[[TestStudy], Tensor]
"""Runs a component with the batch and the network of a test study."""


def require_unchanged_network(study: TestStudy, run: Run) -> None:
    """Assert that the component leaves the network unchanged."""
    study = study.copy()
    before = network_state(study.module)
    with seeded():
        run(study)
    changed = first_difference(before, network_state(study.module))
    require(not changed, f"changed {changed} ({study.modality})")


def require_unchanged_inputs(study: TestStudy, run: Run) -> None:
    """Assert that the component leaves batch and references unchanged."""
    study = study.copy()
    before = tensor_copies(batch=study.batch, reference=study.reference)
    with seeded():
        run(study)
    changed = first_difference(before, tensor_copies(batch=study.batch, reference=study.reference))
    require(not changed, f"changed {changed} ({study.modality})")


def require_unchanged_after_errors(study: TestStudy, run: Run) -> None:
    """Assert that network, batch and global random state are unchanged after a forward pass raised."""
    for fails_in in (1, 2):
        copy = study.copy()
        (failing,) = (m for m in copy.module.modules() if isinstance(m, FailingIdentity))
        before = _state(copy)
        failing.fails_in = fails_in
        try:
            run(copy)
        except ForwardFailure:
            changed = first_difference(before, _state(copy))
            require(not changed, f"changed {changed} although the forward pass raised ({study.modality})")


def _state(study: TestStudy) -> dict[str, object]:
    """The state of network, batch, references and global random number generators."""
    tensors = tensor_copies(batch=study.batch, reference=study.reference)
    return network_state(study.module) | tensors | random_state()


def require_independence_of_random_state(study: TestStudy, run: Run) -> None:
    """Assert that the component neither changes nor reads the global random state."""
    values = []
    for seed in (1, 2):
        copy = study.copy()
        with seeded(seed):
            before = random_state()
            values.append(run(copy))
            changed = first_difference(before, random_state())
        require(not changed, f"changed {changed} ({study.modality}): draw random numbers from rng")
    require_equal(values[1], values[0], f"the values depend on the global random state ({study.modality})")
