"""The checks of methods: side effects and invariances first, then the values that their facts imply."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from xaiexp.contract.kinds import Method
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.passes import Handle
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import relative_difference, require, require_equal
from xaiexp.testing.definition import CheckSuite, NotApplicable
from xaiexp.testing.networks import CLASSES
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.studies import TestStudy, studies, without_padding

__all__ = ["SUITE"]

SUITE = CheckSuite("method")

_INCOMPLETENESS = 0.05
_ROUNDING = 1e-3


def _attributions(
    method: Method,
    study: TestStudy,
    *,
    budget: int | None = None,
    output: str = "logit",
    reference: Tensor | None = None,
    handle: Handle | None = None,
) -> Tensor:
    """The attributions of a test study; ``reference`` and ``handle`` replace those of the study."""
    returned = _returned(method, study, budget=budget, output=output, reference=reference, handle=handle)
    return returned.values if isinstance(returned, Estimate) else returned


def _returned(
    method: Method,
    study: TestStudy,
    *,
    budget: int | None = None,
    output: str = "logit",
    reference: Tensor | None = None,
    handle: Handle | None = None,
) -> Tensor | Estimate:
    """The value that the method returns for a test study."""
    if reference is None and method.reads_baseline:
        reference = study.reference if method.reads_distribution else study.reference[:, 0]
    rng = study.draws().within(f"method/{method.name}")
    return method.attribute(handle or study.handle(budget, output), study.batch, reference, rng)


def _seeded_attributions(
    method: Method, study: TestStudy, *, budget: int | None = None, output: str = "logit"
) -> Tensor:
    """The detached attributions, computed on a copy of the study with fixed global random states."""
    with seeded():
        return _attributions(method, study.copy(), budget=budget, output=output).detach()


_SUPPORTED: dict[tuple[type[Method], str, bool], list[TestStudy]] = {}


def _supported_studies(method: Method, linear: bool = False) -> Iterator[TestStudy]:
    """The test studies that a method supports; cached.

    Raises:
        NotApplicable: there is none.
    """
    key = (type(method), repr(method.parameters()), linear)
    if key not in _SUPPORTED:
        supported, reasons = [], []
        for study in studies(method.modalities, method.needs, linear):
            try:
                _seeded_attributions(method, study)
            except (Unsupported, UserError) as error:
                reasons.append(str(error))
            else:
                supported.append(study)
        if not supported:
            raise NotApplicable(f"supports none of the test networks: {reasons[0]}")
        _SUPPORTED[key] = supported
    yield from _SUPPORTED[key]


@SUITE.register()
def shape(method: Method) -> None:
    """Attributions have the shape, dtype and device of the inputs, and are finite and detached."""
    for study in _supported_studies(method):
        with seeded():
            attributions = _attributions(method, study.copy())
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
    for study in _supported_studies(method):
        with seeded():
            returned = _returned(method, study.copy())
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
    for study in _supported_studies(method):
        first, second = _seeded_attributions(method, study), _seeded_attributions(method, study)
        require_equal(first, second, f"two calls with the same seed differ ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def precision(method: Method) -> None:
    """Attributions of float64 inputs are float64 and equal to those of float32 inputs up to rounding."""
    for study in _supported_studies(method):
        attributions = _seeded_attributions(method, study.to(torch.float64))
        require(
            attributions.dtype == torch.float64,
            f"returned {attributions.dtype} for inputs of float64 ({study.modality})",
        )
        expected = _seeded_attributions(method, study)
        require_equal(attributions, expected, f"float64 and float32 differ ({study.modality})", tolerance=1e-2)


@SUITE.register(after=("shape",))
def network_unchanged(method: Method) -> None:
    """The network is unchanged: weights, buffers, hooks, gradients, requires_grad and training flags."""
    for study in _supported_studies(method):
        side_effects.require_unchanged_network(study, lambda copy: _attributions(method, copy))


@SUITE.register(after=("shape",))
def inputs_unchanged(method: Method) -> None:
    """Batch and reference are not changed in place."""
    for study in _supported_studies(method):
        side_effects.require_unchanged_inputs(study, lambda copy: _attributions(method, copy))


@SUITE.register(after=("shape", "network_unchanged", "inputs_unchanged", "global_randomness"))
def errors_change_nothing(method: Method) -> None:
    """Network, batch and global random states are unchanged after a forward pass raised an exception."""
    for study in _supported_studies(method):
        side_effects.require_unchanged_after_errors(study, lambda copy: _attributions(method, copy))


@SUITE.register(after=("shape", "same_seed"))
def global_randomness(method: Method) -> None:
    """The global random states of torch, numpy and Python are neither read nor changed."""
    for study in _supported_studies(method):
        side_effects.require_independence_of_random_state(study, lambda copy: _attributions(method, copy))


@SUITE.register(after=("shape", "same_seed"))
def batch_mates(method: Method) -> None:
    """The attributions of an example do not depend on the other examples in the batch."""
    for study in _supported_studies(method):
        expected = _seeded_attributions(method, study)
        for rows in ([1], [2, 0], [3, 1, 2]):
            attributions = _seeded_attributions(method, study.rows(rows))
            message = f"examples {rows} have other attributions than in the full batch ({study.modality})"
            require_equal(attributions, expected[rows], message)


@SUITE.register(after=("shape", "same_seed", "batch_mates"))
def padding(method: Method) -> None:
    """The attributions of a text do not depend on padding."""
    if method.space == "layer":
        raise NotApplicable("attributes to a layer whose padding is unknown")
    texts = [study for study in _supported_studies(method) if study.modality == "text"]
    if not texts:
        raise NotApplicable("does not support texts")
    (study,) = texts
    padded = _seeded_attributions(method, study)
    for row in range(len(study.batch)):
        alone = without_padding(study, row)
        inside = alone.batch.features.inside
        attributions = _seeded_attributions(method, alone)
        expected = padded[row : row + 1, : attributions.shape[1]][inside]
        require_equal(attributions[inside], expected, f"text {row} has other attributions with padding")


@SUITE.register(after=("shape", "same_seed"))
def batch_budget(method: Method) -> None:
    """The attributions do not depend on the number of rows per forward pass."""
    for study in _supported_studies(method):
        expected = _seeded_attributions(method, study)
        for budget in (3, 11):
            attributions = _seeded_attributions(method, study, budget=budget)
            require_equal(attributions, expected, f"{budget} rows per pass and a single pass differ ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def reads_baseline(method: Method) -> None:
    """The attributions depend on the reference if and only if `reads_baseline` is True."""
    depends = False
    for study in _supported_studies(method):
        reference = study.reference
        other = study.batch.inputs.unsqueeze(1) - 2 * (study.batch.inputs.unsqueeze(1) - study.reference)
        if not method.reads_distribution:
            reference, other = reference[:, 0], other[:, 0]
        with seeded():
            a = _attributions(method, study.copy(), reference=reference)
        with seeded():
            b = _attributions(method, study.copy(), reference=other)
        if not method.reads_baseline:
            message = f"reads_baseline is False, but the reference changes the attributions ({study.modality})"
            require_equal(b, a, message)
            require_equal(a, _seeded_attributions(method, study), message)
        depends = depends or relative_difference(a, b) > 0
    require(
        depends or not method.reads_baseline, "reads_baseline is True, but the reference does not change attributions"
    )


@SUITE.register(after=("shape", "same_seed", "batch_mates"))
def device(method: Method) -> None:
    """Attributions on a GPU are equal to those on the CPU up to rounding."""
    if not torch.cuda.is_available():
        raise NotApplicable("no CUDA device is available")
    for study in _supported_studies(method):
        attributions = _seeded_attributions(method, study.to(torch.device("cuda")))
        require(attributions.is_cuda, f"returned a tensor on {attributions.device} ({study.modality})")
        expected = _seeded_attributions(method, study)
        require_equal(attributions, expected, f"GPU and CPU differ ({study.modality})", tolerance=1e-2)


def _score_change(method: Method, study: TestStudy) -> Tensor:
    """f(x) - f(reference), with f(reference) averaged over a distribution of references: ``[N]``."""
    handle = study.handle()
    reference = study.reference if method.reads_distribution else study.reference[:, :1]
    return handle.scores() - handle.scores(reference).mean(dim=1)


@SUITE.register(after=("shape", "same_seed"))
def complete(method: Method) -> None:
    """If `complete` is True, attributions sum to f(x) - f(reference) on ReLU networks, within 5 %."""
    if not method.complete:
        raise NotApplicable("complete is False")
    if method.space == "neuron":
        raise NotApplicable("attributions sum to the change of a neuron, which is unknown")
    require(method.reads_baseline, "complete is True, but no reference is read that attributions could sum to")
    for study in _supported_studies(method):
        change = _score_change(method, study)
        attributions = _seeded_attributions(method, study)
        values = attributions.flatten(1) if method.space == "layer" else study.batch.features.pool(attributions)
        error = float((values.sum(dim=1) - change).abs().max() / change.abs().max())
        require(
            error <= _INCOMPLETENESS,
            f"the sum of attributions differs from f(x) - f(reference) by {error:.2g} of it ({study.modality})",
        )


@SUITE.register(after=("shape", "same_seed"))
def linear_network(method: Method) -> None:
    """If `complete` is True, the attribution of a feature of a linear network is its term w * (x - reference)."""
    if not (method.complete and method.multiplied_by_inputs and method.space == "input"):
        raise NotApplicable("complete is not stated for contributions of the input")
    for study in _supported_studies(method, linear=True):
        assert study.weight is not None  # noqa: S101 -- the network is linear
        reference = study.reference.mean(dim=1) if method.reads_distribution else study.reference[:, 0]
        terms = study.weight[study.batch.targets] * (study.batch.inputs - reference)
        features = study.batch.features
        values = features.pool(_seeded_attributions(method, study))
        require_equal(
            values,
            features.pool(terms),
            f"attributions differ from the terms of the linear network ({study.modality})",
            tolerance=_ROUNDING,
        )


@SUITE.register(after=("shape", "same_seed"))
def target(method: Method) -> None:
    """The attributions depend on the target if and only if `target_specific` is True."""
    if method.target_specific:
        _require_dependence(method, "target")
        return
    for study in _supported_studies(method):
        message = f"target_specific is False, but the target changes the attributions ({study.modality})"
        other = _seeded_attributions(method, _with_other_targets(study))
        require_equal(other, _seeded_attributions(method, study), message)


@SUITE.register(after=("shape", "same_seed"))
def output(method: Method) -> None:
    """If `target_specific` is True, the attributions for the probability differ from those for the logit."""
    if not method.target_specific:
        raise NotApplicable("target_specific is False")
    _require_dependence(method, "output")


def _with_other_targets(study: TestStudy) -> TestStudy:
    """A copy of the study in which every example has the next class as its target."""
    other = study.copy()
    other.batch.targets.add_(1).remainder_(CLASSES)
    return other


def _require_dependence(method: Method, what: str) -> None:
    """Assert that attributions depend on the target, or on the output, where the method runs the network.

    Raises:
        NotApplicable: the method never runs the network.
    """
    runs_network = False
    for study in _supported_studies(method):
        other = _with_other_targets(study) if what == "target" else study.copy()
        if not _passes_of_batch(method, study).total:
            continue
        runs_network = True
        changed = _seeded_attributions(method, other, output="probability" if what == "output" else "logit")
        require(
            relative_difference(changed, _seeded_attributions(method, study)) > _ROUNDING,
            f"another {what} does not change the attributions ({study.modality})",
        )
    if not runs_network:
        raise NotApplicable("does not run the network")


def _passes_of_batch(method: Method, study: TestStudy) -> Cost:
    """The number of passes that the method runs for the whole batch."""
    copy = study.copy()
    handle = copy.handle()
    with seeded():
        _attributions(method, copy, handle=handle)
    return Cost(handle.counter.forward, handle.counter.backward)


@SUITE.register(after=("shape", "same_seed"))
def passes(method: Method) -> None:
    """The number of forward and backward passes per example is what `passes()` predicts, where it does."""
    predicted = False
    for study in _supported_studies(method):
        if study.batch.features.ragged:
            continue  # passes() takes one number of features for all examples
        cost = method.passes(study.batch.shape, study.batch.features.d)
        if cost is None:
            continue
        predicted = True
        actual, n = _passes_of_batch(method, study), len(study.batch)
        require(
            actual == cost * n,
            f"passes() predicts {cost.forward} forward and {cost.backward} backward passes per example, "
            f"{actual.forward / n:g} and {actual.backward / n:g} were run ({study.modality})",
        )
    if not predicted:
        raise NotApplicable("passes() predicts nothing")
