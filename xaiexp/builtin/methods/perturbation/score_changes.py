"""Changes of the score when parts of the input are replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from xaiexp.inference.passes import Handle

__all__ = ["feature_changes", "score_changes"]


def feature_changes(model: Handle, replacement: Callable[[Tensor, Tensor], Tensor], samples: int = 1) -> Tensor:
    """``f(x) - f(x with feature j replaced)`` for every feature of every example: ``[N, samples, d]``.

    Args:
        model: the handle.
        replacement: gives the inputs ``[M, *shape]`` that replace a feature, from the indices of examples ``[M]`` and
            of samples ``[M]``.
        samples: number of replacements of each feature.
    """
    batch = model.batch
    x, features = batch.inputs, batch.features
    valid = features.valid.expand(len(batch), features.d).unsqueeze(1).expand(-1, samples, -1)
    examples, numbers, columns = valid.nonzero(as_tuple=True)
    step = model.passes.budget(batch.shape)
    unchanged: list[Tensor] = []

    def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
        chunks = zip(*(torch.split(indices, step) for indices in (examples, numbers, columns)), strict=True)
        for owners, number, column in chunks:
            removed = features.rows(owners).index == column.view(-1, *[1] * len(batch.shape))
            rows = torch.where(removed, replacement(owners, number), x[owners])
            unchanged.append((rows == x[owners]).flatten(1).all(dim=1))
            yield rows, owners

    values = x.new_zeros(valid.shape)
    if len(examples):
        values[valid] = score_changes(model.scores()[examples], list(model.scores_of_rows(perturbed())), unchanged)
    return values


def score_changes(before: Tensor, after: list[Tensor], unchanged: list[Tensor]) -> Tensor:
    """``f(x) - f(x')``, ``[M]``; exactly 0 where x' equals x, regardless of rounding in batches of different sizes.

    Args:
        before: the scores f(x), ``[M]``.
        after: the scores f(x') in chunks.
        unchanged: bool, whether x' equals x, in chunks.
    """
    return (before - torch.cat(after)).masked_fill(torch.cat(unchanged), 0.0)
