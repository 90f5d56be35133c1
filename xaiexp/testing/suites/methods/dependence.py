"""Checks of what the attributions of a method depend on."""

from __future__ import annotations

import itertools

from xaiexp.contract.kinds import Method
from xaiexp.errors import Unsupported, UserError
from xaiexp.testing.assertions import relative_difference, require, require_equal
from xaiexp.testing.definition import NotApplicable
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.suites.methods.subjects import (
    ROUNDING,
    SUITE,
    attributions_of,
    expected_attributions,
    passes_of_batch,
    seeded_attributions,
    supported_studies,
)
from xaiexp.testing.worlds import with_ids, with_other_labels, with_other_targets, with_other_weights

__all__: list[str] = []

_numbers = itertools.count()
"""Ids that no method has seen are numbered by it."""


@SUITE.register(after=("shape", "same_seed"))
def reads_baseline(method: Method) -> None:
    """The attributions depend on the reference if and only if `reads_baseline` is True."""
    depends = False
    for study in supported_studies(method):
        reference = study.reference
        other = study.batch.inputs.unsqueeze(1) - 2 * (study.batch.inputs.unsqueeze(1) - study.reference)
        if not method.reads_distribution:
            reference, other = reference[:, 0], other[:, 0]
        with seeded():
            a = attributions_of(method, study.copy(), reference=reference)
        with seeded():
            b = attributions_of(method, study.copy(), reference=other)
        if not method.reads_baseline:
            message = f"reads_baseline is False, but the reference changes the attributions ({study.modality})"
            require_equal(b, a, message)
            require_equal(a, expected_attributions(method, study), message)
        depends = depends or relative_difference(a, b) > 0
    require(
        depends or not method.reads_baseline, "reads_baseline is True, but the reference does not change attributions"
    )


@SUITE.register(after=("shape", "same_seed", "labels"))
def target(method: Method) -> None:
    """The attributions depend on the target if and only if `target_specific` is True."""
    if method.target_specific:
        _require_dependence(method, "target")
        return
    for study in supported_studies(method):
        message = f"target_specific is False, but the target changes the attributions ({study.modality})"
        other = seeded_attributions(method, with_other_targets(study))
        require_equal(other, expected_attributions(method, study), message)


@SUITE.register(after=("shape", "same_seed", "labels", "target"))
def output(method: Method) -> None:
    """If `target_specific` is True, the attributions for the probability differ from those for the logit."""
    if not method.target_specific:
        raise NotApplicable("target_specific is False")
    _require_dependence(method, "output")


_HINTS = {
    "target": ": explain the score of batch.targets, not that of the predicted class or of the label",
    "output": ": explain model.scores(), or block.scores(rows, model.output) inside of model.apply",
}


def _require_dependence(method: Method, what: str) -> None:
    """Assert that attributions depend on the target, or on the output, where the method runs the network.

    Raises:
        NotApplicable: the method never runs the network.
    """
    runs_network = False
    for study in supported_studies(method):
        other = with_other_targets(study) if what == "target" else study.copy()
        if not passes_of_batch(method, study).total:
            continue
        runs_network = True
        changed = seeded_attributions(method, other, output="probability" if what == "output" else "logit")
        require(
            relative_difference(changed, expected_attributions(method, study)) > ROUNDING,
            f"another {what} does not change the attributions ({study.modality}){_HINTS[what]}",
        )
    if not runs_network:
        raise NotApplicable("does not run the network")


@SUITE.register(after=("shape", "same_seed"))
def labels(method: Method) -> None:
    """The attributions do not depend on labels: `batch.targets` says what is explained."""
    for study in supported_studies(method):
        require_equal(
            seeded_attributions(method, with_other_labels(study)),
            expected_attributions(method, study),
            f"batch.labels change the attributions ({study.modality}): explain batch.targets",
        )


@SUITE.register(after=("shape", "same_seed", "labels", "target"))
def same_ids(method: Method) -> None:
    """Nothing is kept by id: another network has the maps that it has for examples which were not seen before."""
    for study in supported_studies(method):
        for change in (with_other_weights, with_other_targets):
            number = next(_numbers)
            seen, unseen = (with_ids(study, f"{name} {number}") for name in ("seen", "unseen"))
            try:
                seeded_attributions(method, seen)
                maps = [seeded_attributions(method, change(ids), draws=study.draws()) for ids in (seen, unseen)]
            except (Unsupported, UserError) as error:
                raise NotApplicable(f"knows only some examples: {error}") from None
            what = "weights" if change is with_other_weights else "targets"
            require_equal(
                maps[0],
                maps[1],
                f"attributions of other {what} depend on a call before with the same ids ({study.modality}): keep "
                "nothing between calls, or key it by everything that it depends on",
            )
