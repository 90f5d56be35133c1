"""What a component does with a network, observed at the network itself: rows, backward passes, generators."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from xaiexp.core.batches import Batch

__all__ = ["PARTIAL", "Watch", "generators_made", "share_of_partial_features", "watched"]

PARTIAL = 0.5
"""The most rows that may change a part of one feature: windows over pixels may lie inside of a superpixel."""


@dataclass
class Watch:
    """The passes through a network, whoever asks for them.

    Attributes:
        forward: rows that went through it.
        backward: rows of scores that were differentiated.
        largest: the most rows of one pass.
        rows: the inputs ``[B, *shape]`` of every pass, where they are kept.
    """

    forward: int = 0
    backward: int = 0
    largest: int = 0
    rows: list[Tensor] = field(default_factory=list)


@contextlib.contextmanager
def watched(module: nn.Module, keep: bool = False) -> Iterator[Watch]:
    """Watch the passes through a network, and through copies that are made of it.

    Args:
        module: the network.
        keep: whether inputs are kept.
    """
    watch = Watch()

    def before(_: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        inputs = next((value for value in (*positional, *named.values()) if isinstance(value, Tensor)), None)
        if inputs is None:
            return
        watch.forward += len(inputs)
        watch.largest = max(watch.largest, len(inputs))
        if keep:
            watch.rows.append(inputs.detach().clone())

    def after(_: nn.Module, __: tuple[Any, ...], returned: Any) -> None:
        def count(gradient: Tensor) -> None:
            watch.backward += len(gradient)

        if isinstance(returned, Tensor) and returned.requires_grad:
            returned.register_hook(count)  # type: ignore[no-untyped-call]  # torch has no types for it

    handles = (module.register_forward_pre_hook(before, with_kwargs=True), module.register_forward_hook(after))
    try:
        yield watch
    finally:
        for handle in handles:
            handle.remove()


_GENERATORS = ((torch, "Generator"), (np.random, "default_rng"), (np.random, "RandomState"), (random, "Random"))


@contextlib.contextmanager
def generators_made() -> Iterator[list[str]]:
    """The generators of random numbers that are made inside by the constructors of torch, numpy and Python."""
    made: list[str] = []

    def recording(place: Any, name: str) -> Any:
        original = getattr(place, name)

        def construct(*positional: Any, **named: Any) -> Any:
            made.append(f"{place.__name__}.{name}")
            return original(*positional, **named)

        return mock.patch.object(place, name, construct)

    with contextlib.ExitStack() as stack:
        for place, name in _GENERATORS:
            stack.enter_context(recording(place, name))
        yield made


def share_of_partial_features(batch: Batch, passes: Sequence[Tensor]) -> float:
    """The share of changed rows that differ from their example in nothing but some elements of one feature.

    Args:
        batch: the examples.
        passes: the inputs ``[B, *shape]`` of each pass; a row is a version of the example that is most like it.
    """
    partial = changed = 0
    for rows in passes:
        if rows.shape[1:] != batch.inputs.shape[1:]:
            continue
        same = (rows.unsqueeze(1) == batch.inputs.unsqueeze(0)).flatten(2)
        owner = same.sum(dim=2).argmax(dim=1)
        differs = ~same[torch.arange(len(rows)), owner].view(rows.shape)
        features = batch.features.rows(owner)
        counts, sizes = features.pool(differs.long()), features.sizes
        touched = counts > 0
        changed += int(touched.any(dim=1).sum())
        partial += int(((touched.sum(dim=1) == 1) & (touched & (counts < sizes)).any(dim=1)).sum())
    return partial / changed if changed else 0.0
