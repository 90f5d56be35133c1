"""Checks of side effects that methods, metrics and baselines share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from torch import Tensor

from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.passes import Handle
from xaiexp.testing.assertions import relative_difference, require, require_equal
from xaiexp.testing.networks import FailingIdentity, ForwardFailure
from xaiexp.testing.snapshots import first_difference, network_state, random_state, seeded, tensor_copies
from xaiexp.testing.studies import TestStudy
from xaiexp.testing.watch import generators_made, watched
from xaiexp.testing.worlds import offering

__all__ = [
    "blaming_changes",
    "require_counted_passes",
    "require_declared_needs",
    "require_independence_of_random_state",
    "require_no_own_generator",
    "require_unchanged_after_errors",
    "require_unchanged_inputs",
    "require_unchanged_network",
    "require_unchanged_results",
]

Run = Callable[[TestStudy], Tensor]
"""Runs a component with the batch and the network of a test study."""
RunWithHandle = Callable[[TestStudy, Handle], object]
"""Runs a component with a test study and a handle of it."""

_BUDGET = 5


@contextlib.contextmanager
def blaming_changes(study: TestStudy, copy: TestStudy) -> Iterator[None]:
    """Name what was changed of the copy of a study where the component raises after that: it is the likely cause."""
    try:
        yield
    except Exception as error:  # a component may raise anything
        before = tensor_copies(batch=study.batch, reference=study.reference)
        changed = first_difference(before, tensor_copies(batch=copy.batch, reference=copy.reference))
        require(not changed, f"changed {changed} ({study.modality}), and then raised {type(error).__name__}: {error}")
        raise


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


def require_unchanged_results(study: TestStudy, run: RunWithHandle, gradients: bool) -> None:
    """Assert that the component leaves what the handle keeps at the batch's own inputs unchanged.

    Args:
        study: the network and the batch.
        run: runs the component with a handle.
        gradients: whether gradients are kept, too.
    """
    copy = study.copy()
    handle = copy.handle()
    kept = {"model.logits()": handle.logits()}
    if gradients:
        kept["model.gradients()"] = handle.gradients()
    before = tensor_copies(**kept)
    with seeded():
        run(copy, handle)
    changed = first_difference(before, tensor_copies(**kept))
    require(not changed, f"changed {changed} in place ({study.modality}): other methods get the same tensor")


def require_no_own_generator(study: TestStudy, run: Callable[[TestStudy, int], Tensor]) -> None:
    """Assert that values depend on the seed of the study where a generator is made that is not that of the study.

    Args:
        study: the network and the batch.
        run: runs the component with the random numbers of a seed.
    """
    values = []
    for seed in (0, 1):
        with seeded(), generators_made() as made:
            values.append(run(study.copy(), seed))
    if made and relative_difference(values[0], values[1]) == 0:
        require(
            False,
            f"makes a {made[0]} that the seed of the study does not change ({study.modality}): draw from rng",
        )


def require_counted_passes(study: TestStudy, run: RunWithHandle) -> None:
    """Assert that every row that goes through the network is counted, and that no pass has more rows than the budget.

    Args:
        study: the network and the batch.
        run: runs the component with a handle.
    """
    copy = study.copy()
    handle = copy.handle(_BUDGET)
    with watched(copy.module) as watch, seeded():
        run(copy, handle)
    counter = handle.counter
    # Gradients of neurons are counted and do not start at the scores, so more may be counted than are seen.
    require(
        watch.forward == counter.forward and watch.backward <= counter.backward,
        f"{watch.forward} forward and {watch.backward} backward passes went through the network, {counter.forward} and "
        f"{counter.backward} were counted ({study.modality}): call model.scores, model.gradients or model.apply, and "
        "not the module itself",
    )
    require(
        watch.largest <= _BUDGET,
        f"a pass had {watch.largest} rows with a batch budget of {_BUDGET} ({study.modality})",
    )


def require_declared_needs(study: TestStudy, run: RunWithHandle, needs: frozenset[str]) -> None:
    """Assert that the component works on a model that offers exactly what it needs.

    Args:
        study: the network and the batch.
        run: runs the component with a handle.
        needs: capabilities that it declares.
    """
    copy, handle = offering(study, needs)
    stated = f"needs = {{{', '.join(sorted(needs))}}}" if needs else "needs is empty"
    try:
        with seeded():
            run(copy, handle)
    except (Unsupported, UserError, RuntimeError, AttributeError, TypeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        require(False, f"{stated}, but it does not work on a model that offers no more ({study.modality}): {reason[0]}")
