"""The checks of features."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from xaiexp.contract.kinds import Features
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import CheckSuite
from xaiexp.testing.snapshots import first_difference, random_state, seeded, tensor_copies
from xaiexp.testing.studies import TestStudy, studies

__all__ = ["SUITE"]

SUITE = CheckSuite("features")


def _encoded(study: TestStudy) -> Encoded:
    """The batch of a test study as encoded samples."""
    batch = study.batch
    if study.modality != "text":
        return Encoded(batch.inputs.clone(), context=dict(batch.context))
    removable = batch.features.inside[..., 0]
    words = torch.where(removable, batch.features.index[..., 0] // 2, -1)  # two tokens per word
    sentences = torch.where(removable, batch.features.index[..., 0] // 3, -1)
    numbers = {"words": words, "sentences": sentences, "slots": sentences}
    return Encoded(batch.inputs.clone(), context=dict(batch.context), removable=removable, **numbers)


def _built(features: Features) -> Iterator[tuple[TestStudy, FeatureMap]]:
    """The test studies of the supported modalities with the feature maps of their batches."""
    for study in studies(features.modalities):
        yield study, features.build(_encoded(study))


@SUITE.register()
def partition(features: Features) -> None:
    """Every element has the index of one feature in 0..count-1, or -1 for none, and no feature is empty."""
    for study, built in _built(features):
        modality, shape = study.modality, study.batch.inputs.shape
        require(built.index.dtype == torch.int64, f"index is {built.index.dtype}, not int64 ({modality})")
        valid = built.index.shape[1:] == shape[1:] and built.index.shape[0] in (1, shape[0])
        require(valid, f"index has shape {list(built.index.shape)} for inputs {list(shape)} ({modality})")
        require(
            len(built.counts) in (1, shape[0]),
            f"counts has shape {list(built.counts.shape)} for inputs {list(shape)} ({modality})",
        )
        for row in range(len(built.index)):
            count = int(built.counts[row if len(built.counts) > 1 else 0])
            indices = set(built.index[row].flatten().tolist()) - {-1}
            require(
                indices == set(range(count)),
                f"counts states {count} features, index contains {sorted(indices)} ({modality})",
            )


@SUITE.register(after=("partition",))
def shape(features: Features) -> None:
    """`shape()` returns the shape of the built map; for texts, whose length varies, an upper bound of it."""
    for study, built in _built(features):
        stated = tuple(features.shape(study.batch.shape))
        require(
            built.d >= int(built.counts.max()), f"the shape {built.shape} has fewer entries than there are features"
        )
        message = f"shape() returned {stated}, the built map has {built.shape} ({study.modality})"
        if study.modality == "text":
            require(math.prod(stated) >= built.d, message)
        else:
            require(stated == tuple(built.shape), message)


@SUITE.register(after=("partition",))
def batch_mates(features: Features) -> None:
    """The features of an example do not depend on the other examples in the batch."""
    for study, built in _built(features):
        for row in range(len(study.batch)):
            alone = features.build(_encoded(study.rows([row])))
            expected = built.rows(torch.tensor([row]))
            require(
                torch.equal(alone.index, expected.index) and torch.equal(alone.counts, expected.counts),
                f"example {row} alone has other features than in the full batch ({study.modality})",
            )


@SUITE.register(after=("partition",))
def inputs_unchanged(features: Features) -> None:
    """The encoded samples are not changed in place."""
    for study in studies(features.modalities):
        encoded = _encoded(study)
        before = tensor_copies(encoded=encoded)
        features.build(encoded)
        changed = first_difference(before, tensor_copies(encoded=encoded))
        require(not changed, f"changed {changed} in place ({study.modality})")


@SUITE.register(after=("partition",))
def global_randomness(features: Features) -> None:
    """The global random states of torch, numpy and Python are neither read nor changed."""
    for study in studies(features.modalities):
        maps = []
        for seed in (1, 2):
            with seeded(seed):
                before = random_state()
                maps.append(features.build(_encoded(study)).index)
                changed = first_difference(before, random_state())
            require(not changed, f"changed {changed} ({study.modality})")
        require(torch.equal(maps[0], maps[1]), f"features depend on the global random state ({study.modality})")
