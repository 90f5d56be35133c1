"""The checks of baselines."""

from __future__ import annotations

from torch import Tensor

from xaiexp.contract.kinds import Baseline
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import require, require_equal
from xaiexp.testing.definition import CheckSuite
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.studies import TestStudy, studies

__all__ = ["SUITE"]

SUITE = CheckSuite("baseline")


def _references(baseline: Baseline, study: TestStudy) -> Tensor:
    """The references of a test study."""
    return baseline.references(study.batch, study.draws().within(f"baseline/{baseline.name}"))


def _seeded_references(baseline: Baseline, study: TestStudy) -> Tensor:
    """The references, computed on a copy with fixed global random states."""
    with seeded():
        return _references(baseline, study.copy()).detach()


@SUITE.register()
def shape(baseline: Baseline) -> None:
    """References are [N, *shape] or [N, R, *shape], finite, and have the dtype and device of the inputs."""
    for study in studies(baseline.modalities):
        references, inputs = _seeded_references(baseline, study), study.batch.inputs
        valid = references.shape == inputs.shape or (
            references.ndim == inputs.ndim + 1
            and references.shape[2:] == inputs.shape[1:]
            and references.shape[0] == inputs.shape[0]
        )
        require(
            valid and references.numel(),
            f"returned shape {list(references.shape)} for inputs {list(inputs.shape)} ({study.modality})",
        )
        require(
            references.dtype == inputs.dtype,
            f"returned {references.dtype} for inputs of {inputs.dtype} ({study.modality})",
        )
        require(
            references.device == inputs.device,
            f"returned a tensor on {references.device} for inputs on {inputs.device}",
        )
        require(bool(references.isfinite().all()), f"returned NaN or infinite values ({study.modality})")


@SUITE.register(after=("shape",))
def inputs_unchanged(baseline: Baseline) -> None:
    """The batch is not changed in place."""
    for study in studies(baseline.modalities):
        side_effects.require_unchanged_inputs(study, lambda copy: _references(baseline, copy))


@SUITE.register(after=("shape",))
def same_seed(baseline: Baseline) -> None:
    """The same seed gives the same references in every call."""
    for study in studies(baseline.modalities):
        first, second = _seeded_references(baseline, study), _seeded_references(baseline, study)
        require_equal(first, second, f"two calls with the same seed differ ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def global_randomness(baseline: Baseline) -> None:
    """The global random states of torch, numpy and Python are neither read nor changed."""
    for study in studies(baseline.modalities):
        side_effects.require_independence_of_random_state(study, lambda copy: _references(baseline, copy))


@SUITE.register(after=("shape", "same_seed"))
def batch_mates(baseline: Baseline) -> None:
    """The references of an example do not depend on the other examples in the batch."""
    for study in studies(baseline.modalities):
        expected = _seeded_references(baseline, study)
        for rows in ([1], [2, 0], [3, 1, 2]):
            references = _seeded_references(baseline, study.rows(rows))
            require_equal(
                references,
                expected[rows],
                f"examples {rows} have other references than in the full batch ({study.modality})",
            )
