"""Checks of the values of methods that their facts imply."""

from __future__ import annotations

from torch import Tensor

from xaiexp.contract.kinds import Method
from xaiexp.core.vocabulary import Task
from xaiexp.testing.assertions import relative_difference, require, require_equal
from xaiexp.testing.definition import NotApplicable
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.studies import TestStudy
from xaiexp.testing.suites.methods.subjects import (
    ROUNDING,
    SUITE,
    attributions_of,
    expected_attributions,
    seeded_attributions,
    supported_studies,
)
from xaiexp.testing.worlds import in_other_units, one_number

__all__: list[str] = []

_INCOMPLETENESS = 0.05
_ALIGNED, _CLOSE, _SMALLER = 0.3, 0.05, 0.8
_ONE_NUMBER: tuple[Task, ...] = ("binary", "regression")


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
    for study in supported_studies(method):
        change = _score_change(method, study)
        attributions = seeded_attributions(method, study)
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
    for study in supported_studies(method, linear=True):
        assert study.weight is not None  # noqa: S101 -- the network is linear
        reference = study.reference.mean(dim=1) if method.reads_distribution else study.reference[:, 0]
        terms = study.weight[study.batch.targets] * (study.batch.inputs - reference)
        features = study.batch.features
        values = features.pool(seeded_attributions(method, study))
        require_equal(
            values,
            features.pool(terms),
            f"attributions differ from the terms of the linear network ({study.modality})",
            tolerance=ROUNDING,
        )


def _linear_terms(method: Method, study: TestStudy) -> Tensor:
    """What the features of a linear network contribute ``[N, d]``; the slopes where nothing is multiplied by inputs."""
    assert study.weight is not None  # noqa: S101 -- the network is linear
    slopes = study.weight[study.batch.targets].expand_as(study.batch.inputs)
    if not method.multiplied_by_inputs:
        return study.batch.features.pool(slopes)
    reference: Tensor | float = 0.0
    if method.reads_baseline:
        reference = study.reference.mean(dim=1) if method.reads_distribution else study.reference[:, 0]
    return study.batch.features.pool(slopes * (study.batch.inputs - reference))


def _pooled(method: Method, study: TestStudy) -> Tensor:
    """The attributions ``[N, d]`` of the features of a test study."""
    return study.batch.features.pool(seeded_attributions(method, study))


def _explains_inputs(method: Method) -> None:
    if method.control or method.space != "input" or not method.target_specific:
        raise NotApplicable("it is no explanation of the score by the input")


@SUITE.register(after=("shape", "same_seed", "labels", "target"))
def signed(method: Method) -> None:
    """If `signed` is False no attribution is negative; else some are, where something lowers the score."""
    if method.space == "layer":
        raise NotApplicable("attributes to a layer")
    if not method.signed:
        for study in supported_studies(method):
            lowest = float(study.batch.features.pool(expected_attributions(method, study)).min())
            require(lowest >= -ROUNDING, f"signed is False, but an attribution is {lowest:.3g} ({study.modality})")
        return
    _explains_inputs(method)
    for study in supported_studies(method, linear=True):
        values = _pooled(method, study)
        both = bool((values < 0).any()) and bool((values > 0).any())
        require(
            both,
            "signed is True, but all attributions of a linear network have one sign, and its terms have both "
            f"({study.modality}): state signed = False",
        )


@SUITE.register(after=("shape", "same_seed", "target", "linear_network", "signed"))
def sign(method: Method) -> None:
    """If `signed` is True, what raises the score of a linear network is positive and what lowers it negative."""
    if not method.signed:
        raise NotApplicable("signed is False")
    _explains_inputs(method)
    for study in supported_studies(method, linear=True):
        values, terms = _pooled(method, study).double(), _linear_terms(method, study).double()
        cosine = float((values * terms).sum() / (values.norm() * terms.norm()).clamp(min=1e-30))
        what = "w * (x - reference)" if method.multiplied_by_inputs else "w"
        require(
            cosine >= _ALIGNED,
            f"the cosine with the {'terms' if method.multiplied_by_inputs else 'slopes'} {what} of a linear network is "
            f"{cosine:.2f} ({study.modality})"
            + (": the sign is reversed" if cosine <= -_ALIGNED else ": see `signed` and `multiplied_by_inputs`"),
        )


@SUITE.register(after=("shape", "same_seed", "batch_mates", "target"))
def units(method: Method) -> None:
    """In other units of the input contributions (`multiplied_by_inputs`) are the same, and sensitivities are not."""
    _explains_inputs(method)
    for study in supported_studies(method, linear=True):
        values, other = _pooled(method, study).double(), _pooled(method, in_other_units(study, 2.0)).double()
        ratio = float((values * other).sum() / values.square().sum().clamp(min=1e-30))
        if method.multiplied_by_inputs:
            require(
                relative_difference(other, values) <= _CLOSE,
                "multiplied_by_inputs is True, but in half the unit of the inputs attributions of a linear network "
                f"are {ratio:.2g} times as large ({study.modality}): contributions have the unit of the score",
            )
        else:
            require(
                ratio < _SMALLER,
                "multiplied_by_inputs is False, but in half the unit of the inputs attributions of a linear network "
                f"are {ratio:.2g} times as large ({study.modality}): sensitivities are per unit, so half as large",
            )


@SUITE.register(after=("shape", "same_seed", "labels", "target"))
def heads(method: Method) -> None:
    """A network with one logit, or one value, has the attributions of one with a zero beside it."""
    for study in supported_studies(method):
        for task in _ONE_NUMBER:
            values = []
            for copy, handle in one_number(study, task):
                with seeded():
                    values.append(attributions_of(method, copy, handle=handle).detach())
            require_equal(
                values[0],
                values[1],
                f"a network with one number (task {task}) has other attributions ({study.modality})",
            )
