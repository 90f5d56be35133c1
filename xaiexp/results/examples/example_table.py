"""The table of the examples of a study: what is known of each, and what the model says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from xaiexp.core.samples import Label
from xaiexp.engine.chunk import Chunk, Loaded
from xaiexp.inference.outputs import Readout, predicted_classes

__all__ = ["EXAMPLES", "ExampleTable", "Predicted", "class_name", "is_wrong", "predicted_labels"]

EXAMPLES = ["example", "target", "name", "label", "predicted", "wrong", "probability", "score"]

Predicted = int | float | tuple[int, ...]
"""A class, a value, or the classes of several labels."""


class ExampleTable:
    """Collects a row for each example and target, with columns :data:`EXAMPLES`.

    ``label`` and ``predicted`` are in words: the name of a class or ``class 3``, several names joined by ``, ``, a
    value; empty where unknown. ``wrong`` is 1 or 0, -1 where there is no label or a value. ``probability`` is that of
    the explained class, NaN where there is none. ``score`` is the explained scalar.

    Args:
        loaded: what the study loaded, with the names of classes.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._names = loaded.class_names
        self._rows: list[tuple[Any, ...]] = []

    def add(self, chunk: Chunk) -> None:
        """Add the examples of a chunk."""
        readout, targets = chunk.readout, chunk.batch.targets.cpu()
        scores = _of_targets(readout, chunk, targets)
        bounded = readout.task is not None and readout.is_probability
        probability = _of_targets(readout.bounded, chunk, targets) if bounded else [math.nan] * len(targets)
        predicted = predicted_labels(chunk, readout)
        for i, sample in enumerate(chunk.examples.samples):
            has_classes = readout.task != "log_probabilities"  # of texts there are neither classes nor labels
            wrong = is_wrong(sample.label, predicted[i]) if has_classes else None
            self._rows.append(
                (
                    sample.id,
                    int(targets[i]),
                    sample.name or sample.id,
                    class_name(sample.label, self._names),
                    class_name(predicted[i], self._names) if has_classes else "",
                    -1 if wrong is None else int(wrong),
                    probability[i],
                    scores[i],
                )
            )

    def frame(self) -> pd.DataFrame:
        """The table."""
        return pd.DataFrame(self._rows, columns=EXAMPLES)


def _of_targets(readout: Readout, chunk: Chunk, targets: Any) -> list[float]:
    scalars: list[float] = readout.scalars(chunk.logits.cpu()).gather(1, targets[:, None])[:, 0].double().tolist()
    return scalars


def predicted_labels(chunk: Chunk, readout: Readout) -> list[Predicted]:
    """What the model says of each example: a class, the labels with a probability above 1/2, or its first value."""
    head = chunk.logits.cpu()
    if readout.task == "multilabel":
        return [tuple(row.nonzero()[:, 0].tolist()) for row in head > 0]
    if readout.task == "regression":
        return [float(value) for value in head[:, 0]]
    return [int(label) for label in predicted_classes(head, readout.task).tolist()]


def class_name(label: Label, names: Sequence[str]) -> str:
    """A label in words; empty where it is unknown.

    >>> class_name(1, ("cat", "dog")), class_name(2, ("cat", "dog")), class_name((0, 1), ("cat", "dog"))
    ('dog', 'class 2', 'cat, dog')
    """
    if label is None:
        return ""
    if isinstance(label, tuple):
        return ", ".join(class_name(each, names) for each in label) or "none"
    if isinstance(label, int):
        return names[label] if 0 <= label < len(names) else f"class {label}"
    return f"{label:.6g}"


def is_wrong(label: Label, predicted: Predicted) -> bool | None:
    """Whether the prediction differs from the label; None without a label, and for values.

    >>> is_wrong(1, 2), is_wrong((0, 1), (1, 0)), is_wrong(None, 1), is_wrong(0.5, 0.4)
    (True, False, None, None)
    """
    if isinstance(label, tuple) and isinstance(predicted, tuple):
        return set(label) != set(predicted)
    return label != predicted if type(label) is type(predicted) is int else None
