"""The legal values of the facts that components declare. Importing this module imports no torch."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "BACKGROUND_PARTS",
    "MODALITIES",
    "TASKS",
    "BackgroundPart",
    "ExampleOrder",
    "Modality",
    "Precision",
    "Space",
    "Task",
    "plural",
]

Modality = Literal["image", "text", "table", "series"]
"""The kind of input of a model or dataset."""

MODALITIES: tuple[Modality, ...] = ("image", "text", "table", "series")
"""All modalities, in the order in which messages list them."""

Task = Literal["multiclass", "binary", "multilabel", "regression", "probabilities", "log_probabilities"]
"""What the numbers are that a network returns.

``multiclass``: one logit a class, softmax. ``binary``: one logit, sigmoid, which speaks for class 1. ``multilabel``:
one logit a label, sigmoid each. ``regression``: values. ``probabilities``: already in [0, 1]; a single one speaks for
class 1. ``log_probabilities``: the natural logarithm of the probability of a text, or of a part of one.
"""

TASKS: tuple[Task, ...] = (
    "multiclass",
    "binary",
    "multilabel",
    "regression",
    "probabilities",
    "log_probabilities",
)
"""All tasks, in the order in which messages list them."""

ExampleOrder = Literal["drawn", "first"]
"""Which examples a study explains: a seeded draw, stratified by class where labels are known, or the first ones."""

Precision = Literal["fp32", "bf16", "fp16"]
"""The floating-point format of forward and backward passes."""

Space = Literal["input", "layer", "neuron"]
"""What an attribution refers to.

``input``: elements of the input, for the explained score. ``layer``: units of a layer, for the explained score.
``neuron``: elements of the input, for a neuron inside the network.
"""

BackgroundPart = Literal["pool", "mean", "low", "high", "special", "labels", "embed"]
"""A part of what is known of the dataset that may be missing, see :class:`xaiexp.core.batches.Background`."""

BACKGROUND_PARTS: tuple[BackgroundPart, ...] = ("pool", "mean", "low", "high", "special", "labels", "embed")
"""All parts, in the order in which messages list them."""


def plural(modality: str) -> str:
    """The noun, in the plural, that messages use for inputs of a modality.

    >>> plural("series")
    'time series'
    """
    return {"image": "images", "text": "texts", "table": "tables", "series": "time series"}.get(modality, modality)
