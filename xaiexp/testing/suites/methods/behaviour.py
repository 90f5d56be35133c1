"""Checks of what methods return for any input, of side effects, and of invariances."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.contract.kinds import Method
from xaiexp.core.explanations import Estimate
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import require, require_equal
from xaiexp.testing.definition import NotApplicable
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.studies import without_padding
from xaiexp.testing.suites.methods.subjects import (
    SUITE,
    attributions_of,
    expected_attributions,
    returned_by,
    seeded_attributions,
    supported_studies,
)

__all__: list[str] = []


@SUITE.register()
def shape(method: Method) -> None:
    """Attributions have the shape, dtype and device of the inputs, and are finite and detached."""
    for study in supported_studies(method):
        with seeded():
            attributions = attributions_of(method, study.copy())
        inputs = study.batch.inputs
        require(isinstance(attributions, Tensor), f"returned {type(attributions).__name__} ({study.modality})")
        shape = list(attributions.shape)
        if method.space == "layer":
            valid = attributions.ndim > 1 and len(attributions) == len(inputs)
            require(valid, f"returned shape {shape} for a layer and {len(inputs)} examples ({study.modality})")
        else:
            valid = attributions.shape == inputs.shape
            require(valid, f"returned shape {shape} for inputs {list(inputs.shape)} ({study.modality})")
        require(
            attributions.dtype == inputs.dtype,
            f"returned {attributions.dtype} for inputs of {inputs.dtype} ({study.modality})",
        )
        require(
            attributions.device == inputs.device,
            f"returned a tensor on {attributions.device} for inputs on {inputs.device}",
        )
        require(bool(attributions.isfinite().all()), f"returned NaN or infinite attributions ({study.modality})")
        require(not attributions.requires_grad, f"returned a tensor that requires grad ({study.modality}): detach it")


@SUITE.register(after=("shape",))
def standard_error(method: Method) -> None:
    """The standard errors of an `Estimate` have shape [N, d] and are at least 0, or NaN."""
    estimated = False
    for study in supported_studies(method):
        with seeded():
            returned = returned_by(method, study.copy())
        if not isinstance(returned, Estimate):
            continue
        estimated, error = True, returned.standard_error
        expected = (
            list(returned.values.flatten(1).shape)
            if method.space == "layer"
            else [len(study.batch), study.batch.features.d]
        )
        require(
            list(error.shape) == expected,
            f"returned standard errors of shape {list(error.shape)}, must be {expected} ({study.modality})",
        )
        valid = error.isnan() | ((error >= 0) & error.isfinite())
        require(bool(valid.all()), f"returned a negative or infinite standard error ({study.modality})")
    if not estimated:
        raise NotApplicable("returns no standard errors")


@SUITE.register(after=("shape",))
def same_seed(method: Method) -> None:
    """The same seed gives the same attributions in every call."""
    for study in supported_studies(method):
        first, second = seeded_attributions(method, study), seeded_attributions(method, study)
        require_equal(first, second, f"two calls with the same seed differ ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def precision(method: Method) -> None:
    """Attributions of float64 inputs are float64 and equal to those of float32 inputs up to rounding."""
    for study in supported_studies(method):
        attributions = seeded_attributions(method, study.to(torch.float64))
        require(
            attributions.dtype == torch.float64,
            f"returned {attributions.dtype} for inputs of float64 ({study.modality})",
        )
        expected = expected_attributions(method, study)
        require_equal(attributions, expected, f"float64 and float32 differ ({study.modality})", tolerance=1e-2)


@SUITE.register(after=("shape",))
def network_unchanged(method: Method) -> None:
    """The network is unchanged: weights, buffers, hooks, gradients, requires_grad and training flags."""
    for study in supported_studies(method):
        side_effects.require_unchanged_network(study, lambda copy: attributions_of(method, copy))


@SUITE.register(after=("shape",))
def inputs_unchanged(method: Method) -> None:
    """Batch and reference are not changed in place."""
    for study in supported_studies(method):
        side_effects.require_unchanged_inputs(study, lambda copy: attributions_of(method, copy))


@SUITE.register(after=("shape", "network_unchanged", "inputs_unchanged", "global_randomness"))
def errors_change_nothing(method: Method) -> None:
    """Network, batch and global random states are unchanged after a forward pass raised an exception."""
    for study in supported_studies(method):
        side_effects.require_unchanged_after_errors(study, lambda copy: attributions_of(method, copy))


@SUITE.register(after=("shape", "same_seed"))
def global_randomness(method: Method) -> None:
    """The global random states of torch, numpy and Python are neither read nor changed."""
    for study in supported_studies(method):
        side_effects.require_independence_of_random_state(study, lambda copy: attributions_of(method, copy))


@SUITE.register(after=("shape", "same_seed"))
def batch_mates(method: Method) -> None:
    """The attributions of an example do not depend on the other examples in the batch."""
    for study in supported_studies(method):
        expected = expected_attributions(method, study)
        for rows in ([1], [2, 0], [3, 1, 2]):
            attributions = seeded_attributions(method, study.rows(rows))
            message = f"examples {rows} have other attributions than in the full batch ({study.modality})"
            require_equal(attributions, expected[rows], message)


@SUITE.register(after=("shape", "same_seed", "batch_mates"))
def padding(method: Method) -> None:
    """The attributions of a text do not depend on padding."""
    if method.space == "layer":
        raise NotApplicable("attributes to a layer whose padding is unknown")
    texts = [study for study in supported_studies(method) if study.modality == "text"]
    if not texts:
        raise NotApplicable("does not support texts")
    (study,) = texts
    padded = expected_attributions(method, study)
    for row in range(len(study.batch)):
        alone = without_padding(study, row)
        inside = alone.batch.features.inside
        attributions = seeded_attributions(method, alone)
        expected = padded[row : row + 1, : attributions.shape[1]][inside]
        require_equal(attributions[inside], expected, f"text {row} has other attributions with padding")


@SUITE.register(after=("shape", "same_seed"))
def batch_budget(method: Method) -> None:
    """The attributions do not depend on the number of rows per forward pass."""
    for study in supported_studies(method):
        expected = expected_attributions(method, study)
        for budget in (3, 11):
            attributions = seeded_attributions(method, study, budget=budget)
            require_equal(attributions, expected, f"{budget} rows per pass and a single pass differ ({study.modality})")


@SUITE.register(after=("shape", "same_seed", "batch_mates"))
def device(method: Method) -> None:
    """Attributions on a GPU are equal to those on the CPU up to rounding."""
    if not torch.cuda.is_available():
        raise NotApplicable("no CUDA device is available")
    for study in supported_studies(method):
        attributions = seeded_attributions(method, study.to(torch.device("cuda")))
        require(attributions.is_cuda, f"returned a tensor on {attributions.device} ({study.modality})")
        expected = expected_attributions(method, study)
        require_equal(attributions, expected, f"GPU and CPU differ ({study.modality})", tolerance=1e-2)


@SUITE.register(after=("shape",))
def own_memory(method: Method) -> None:
    """The returned tensor shares no memory with the batch or the reference."""
    for study in supported_studies(method):
        copy = study.copy()
        with seeded():
            attributions = attributions_of(method, copy)
        taken = attributions.untyped_storage().data_ptr()
        given = {"batch.inputs": copy.batch.inputs, "the reference": copy.reference}
        given |= {f"batch.context[{name!r}]": value for name, value in copy.batch.context.items()}
        for name, tensor in given.items():
            shared = tensor.untyped_storage().data_ptr() == taken
            require(not shared, f"returned {name} itself or a view of it ({study.modality}): return a copy")


@SUITE.register(after=("shape", "same_seed"))
def kept_results(method: Method) -> None:
    """What the handle keeps for all methods of a study is unchanged: logits and gradients at the inputs."""
    for study in supported_studies(method):
        side_effects.require_unchanged_results(
            study, lambda copy, handle: attributions_of(method, copy, handle=handle), "gradients" in method.needs
        )


@SUITE.register(after=("shape", "same_seed"))
def low_precision(method: Method) -> None:
    """If `precisions` contains bf16, attributions with passes in bfloat16 are finite and in the dtype of the inputs."""
    if "bf16" not in method.precisions:
        raise NotApplicable("precisions does not contain bf16")
    for study in supported_studies(method):
        copy = study.copy()
        with seeded():
            attributions = attributions_of(method, copy, handle=copy.handle(precision="bf16"))
        require(
            attributions.dtype == study.batch.inputs.dtype,
            f"returned {attributions.dtype} for inputs of {study.batch.inputs.dtype} under bfloat16 autocast "
            f"({study.modality})",
        )
        require(bool(attributions.isfinite().all()), f"returned NaN or infinite values in bfloat16 ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def own_generator(method: Method) -> None:
    """Random numbers come from `rng`: no generator is made that the seed of the study does not seed."""
    for study in supported_studies(method):
        side_effects.require_no_own_generator(study, lambda copy, seed: attributions_of(method, copy, seed=seed))
