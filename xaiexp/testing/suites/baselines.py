"""The checks of baselines."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.contract.kinds import Baseline
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import require, require_equal
from xaiexp.testing.definition import CheckSuite, NotApplicable
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.studies import TestStudy, studies
from xaiexp.testing.worlds import normalised

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


@SUITE.register(after=("shape", "same_seed"))
def precision(baseline: Baseline) -> None:
    """References for inputs of float64 are those for inputs of float32 up to rounding, in float64."""
    for study in studies(baseline.modalities):
        references = _seeded_references(baseline, study.to(torch.float64))
        require(
            references.dtype == torch.float64, f"returned {references.dtype} for inputs of float64 ({study.modality})"
        )
        expected = _seeded_references(baseline, study)
        require_equal(references, expected, f"float64 and float32 differ ({study.modality})", tolerance=1e-3)


@SUITE.register(after=("shape",))
def differs_from_input(baseline: Baseline) -> None:
    """A reference is not the input itself: nothing would be absent, and all attributions 0."""
    for study in studies(baseline.modalities):
        references, inputs = _seeded_references(baseline, study), study.batch.inputs
        each = references.unsqueeze(1) if references.ndim == inputs.ndim else references
        equal = (each == inputs.unsqueeze(1)).flatten(1).all(dim=1)
        require(not bool(equal.any()), f"the reference of an example is the input itself ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def data_space(baseline: Baseline) -> None:
    """In data space references do not depend on the normalisation of the model, which the background tells."""
    compared = False
    for study in studies(baseline.modalities):
        if study.modality == "text":
            continue
        compared = True
        other = normalised(study)
        expected, references = (_seeded_references(baseline, each) for each in (study, other))
        require_equal(
            other.batch.background.decode(references),
            expected,
            f"a model with another normalisation has other references in data space ({study.modality}): they are in "
            "model space, so write batch.background.encode(value) for a value of the data",
            tolerance=1e-3,
        )
    if not compared:
        raise NotApplicable("texts have no normalisation")


@SUITE.register(after=("shape", "same_seed"))
def own_generator(baseline: Baseline) -> None:
    """Random numbers come from `rng`: no generator is made that the seed of the study does not seed."""
    for study in studies(baseline.modalities):
        side_effects.require_no_own_generator(
            study,
            lambda copy, seed: baseline.references(copy.batch, copy.draws(seed).within(f"baseline/{baseline.name}")),
        )
