"""Checks of what a method asks of a model: passes, capabilities and features."""

from __future__ import annotations

from xaiexp.contract.kinds import Method
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import NotApplicable
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.suites.methods.subjects import (
    SUITE,
    attributions_of,
    passes_of_batch,
    seeded_attributions,
    supported_studies,
)
from xaiexp.testing.watch import PARTIAL, share_of_partial_features, watched
from xaiexp.testing.worlds import maps_of_units, other_feature_maps

__all__: list[str] = []


@SUITE.register(after=("shape", "same_seed"))
def passes(method: Method) -> None:
    """The number of forward and backward passes per example is what `passes()` predicts, where it does."""
    predicted = False
    for study in supported_studies(method):
        if study.batch.features.ragged:
            continue  # passes() takes one number of features for all examples
        cost = method.passes(study.batch.shape, study.batch.features.d)
        if cost is None:
            continue
        predicted = True
        actual, n = passes_of_batch(method, study), len(study.batch)
        require(
            actual == cost * n,
            f"passes() predicts {cost.forward} forward and {cost.backward} backward passes per example, "
            f"{actual.forward / n:g} and {actual.backward / n:g} were run ({study.modality})",
        )
    if not predicted:
        raise NotApplicable("passes() predicts nothing")


@SUITE.register(after=("shape", "same_seed"))
def counted(method: Method) -> None:
    """All passes are counted, and none has more rows than the batch budget: they are made through the handle."""
    for study in supported_studies(method):
        side_effects.require_counted_passes(study, lambda copy, handle: attributions_of(method, copy, handle=handle))


@SUITE.register(after=("shape", "same_seed"))
def needs(method: Method) -> None:
    """On a model that offers exactly what `needs` names the method works as on one that offers more."""
    for study in supported_studies(method):
        side_effects.require_declared_needs(
            study, lambda copy, handle: attributions_of(method, copy, handle=handle), method.needs
        )


@SUITE.register(after=("shape", "same_seed"))
def feature_maps(method: Method) -> None:
    """With pixels, superpixels, words and groups of columns attributions are finite, in the shape of the inputs."""
    for study in supported_studies(method):
        for name, other in other_feature_maps(study):
            attributions = seeded_attributions(method, other)
            valid = method.space == "layer" or attributions.shape == other.batch.inputs.shape
            require(valid, f"returned shape {list(attributions.shape)} for {list(other.batch.inputs.shape)} ({name})")
            require(bool(attributions.isfinite().all()), f"returned NaN or infinite attributions ({name})")


@SUITE.register(after=("shape", "same_seed", "feature_maps"))
def whole_features(method: Method) -> None:
    """A method without gradients that removes elements removes whole features: it reads `batch.features`."""
    removes = False
    for study in supported_studies(method):
        for name, other in maps_of_units(study):
            copy = other.copy()
            with watched(copy.module, keep=True) as watch, seeded():
                attributions_of(method, copy)
            if watch.backward:
                continue
            removes = True
            share = share_of_partial_features(copy.batch, watch.rows)
            require(
                share <= PARTIAL,
                f"{share:.0%} of the perturbed inputs change only a part of one feature ({study.modality}, {name}): "
                "remove what batch.features puts together, see FeatureMap.keep",
            )
    if not removes:
        raise NotApplicable("reads gradients")
