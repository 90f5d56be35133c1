"""The laws of features."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from xaiexp.contract.kinds import Features
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded
from xaiexp.testing.check_types import Chapter, demand
from xaiexp.testing.toys import World, worlds

__all__ = ["LAWS"]

LAWS = Chapter("features")


def _encoded(world: World) -> Encoded:
    """A batch as a model would have encoded it."""
    batch = world.batch
    if world.modality != "text":
        return Encoded(batch.inputs.clone(), context=dict(batch.context))
    removable = batch.features.inside[..., 0]
    words = torch.where(removable, batch.features.index[..., 0] // 2, -1)  # two tokens a word
    return Encoded(batch.inputs.clone(), context=dict(batch.context), removable=removable, words=words)


def _built(features: Features) -> Iterator[tuple[World, FeatureMap]]:
    for each in worlds(features.modalities):
        yield each, features.build(_encoded(each))


@LAWS.law()
def partition(features: Features) -> None:
    """Every element belongs to one feature of 0..count-1, or to none (-1), and no feature is empty."""
    for each, built in _built(features):
        where, shape = each.modality, each.batch.inputs.shape
        demand(built.index.dtype == torch.int64, f"index is {built.index.dtype}, not int64 ({where})")
        fits = built.index.shape[1:] == shape[1:] and built.index.shape[0] in (1, shape[0])
        demand(fits, f"index is {list(built.index.shape)} for inputs {list(shape)} ({where})")
        demand(len(built.counts) in (1, shape[0]), f"counts are {list(built.counts.shape)} ({where})")
        for row in range(len(built.index)):
            count = int(built.counts[row if len(built.counts) > 1 else 0])
            seen = set(built.index[row].flatten().tolist()) - {-1}
            demand(seen == set(range(count)), f"says {count} features, and has {sorted(seen)} ({where})")


@LAWS.law(after=("partition",))
def shape(features: Features) -> None:
    """`shape()` foretells the natural shape that `build` gives; of texts, whose length varies, an upper bound."""
    for each, built in _built(features):
        told = tuple(features.shape(each.batch.shape))
        demand(built.d >= int(built.counts.max()), f"the shape {built.shape} has no place for all features")
        if each.modality == "text":
            demand(math.prod(told) >= built.d, f"foretold {told} and built {built.shape} ({each.modality})")
        else:
            demand(told == tuple(built.shape), f"foretold {told} and built {built.shape} ({each.modality})")


@LAWS.law(after=("partition",))
def batch_mates(features: Features) -> None:
    """An example has the same features alone, in a batch and in other company."""
    for each, built in _built(features):
        for row in range(len(each.batch)):
            alone = features.build(_encoded(each.rows([row])))
            whole = built.rows(torch.tensor([row]))
            demand(
                torch.equal(alone.index, whole.index) and torch.equal(alone.counts, whole.counts),
                f"example {row} alone and in the batch has other features ({each.modality})",
            )
