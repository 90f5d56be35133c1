"""What a removed feature becomes: the same for every explanation of a study, never the cell's own baseline."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.builtin.baselines import COMPONENTS
from xaiexp.draws import Draws
from xaiexp.types import Batch

__all__ = ["AUTO", "removed"]

AUTO = {"image": "blur", "table": "mean", "series": "mean", "text": "zero"}


def removed(removal: str, batch: Batch, rng: Draws) -> Tensor:
    """The inputs with all their features removed, ``[N, *shape]``; elements of no feature stay.

    Args:
        removal: the name of a built-in baseline with one reference, or ``auto``: by modality, as in :data:`AUTO`,
            and zero instead of the mean where there are no data to average (``xaiexp.score`` without background).

    Raises:
        Unsupported: this removal is not for these inputs, or the background lacks what it reads.
    """
    name = AUTO[batch.background.modality] if removal == "auto" else removal
    if removal == "auto" and name == "mean" and batch.background.mean is None:
        name = "zero"
    (baseline,) = (cls() for cls in COMPONENTS if cls.name == name)
    reference = baseline.references(batch, rng.within("removal"))  # type: ignore[attr-defined]  # all are baselines
    return torch.where(batch.features.inside, reference.to(batch.inputs.dtype), batch.inputs)
