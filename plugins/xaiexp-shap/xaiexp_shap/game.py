"""The features of one example as shap's explainers take them: columns of a table, with the references as background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xaiexp.plugin import Handle

__all__ = ["Game", "game_of"]

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Game:
    """The scores of one example with features of its references, as a function of rows of codes.

    shap replaces columns of a row by those of background rows. Here a column is a feature of the study, of one element
    or of many, and holds a code for all of its elements: 1 for the values of the example, ``-(r + 1)`` for those of
    reference r. A reference with the values of the example in a feature has code 1 there too, so that shap sees, as
    in a table of values, which features vary.

    Args:
        example: the score of the example, a function of vectors ``[M, E]``.
        references: their vectors ``[R, E]``.
        d: the number of features of the example.
        budget: rows that go through the model at once.
    """

    example: Any
    references: Tensor
    d: int
    budget: int

    @property
    def row(self) -> Table:
        """The codes ``[1, d]`` of the example."""
        return np.ones((1, self.d))

    @cached_property
    def background(self) -> Table:
        """The codes ``[R, d]`` of the references."""
        changed = (self.references != self.example.inputs).long()
        differing = changed.new_zeros(len(changed), self.d).index_add_(1, self.example.index, changed) > 0
        codes = -torch.arange(1.0, len(changed) + 1, dtype=torch.float64).unsqueeze(1)
        table: Table = torch.where(differing, codes, torch.ones_like(codes)).numpy()
        return table

    @cached_property
    def varying(self) -> int:
        """The number of features in which a reference differs from the example."""
        return int((self.background < 0).any(axis=0).sum())

    def __call__(self, rows: Table) -> Table:
        """The scores ``[M]`` of codes ``[M, d]``; a row holds values of at most one reference."""
        parts = []
        for codes in torch.split(torch.from_numpy(np.asarray(rows, dtype=np.float64)), max(1, self.budget)):
            reference = (-codes.amin(dim=1) - 1).clamp(min=0).long()
            kept = (codes > 0)[:, self.example.index]
            parts.append(self.example(torch.where(kept, self.example.inputs, self.references[reference])))
        scores: Table = torch.cat(parts).double().numpy()
        return scores

    def spread(self, values: Any) -> Tensor:
        """Attributions ``[*shape]`` from those of the features, ``[1, d]`` or ``[d]``, in equal shares."""
        shares = torch.from_numpy(np.asarray(values, dtype=np.float64)).reshape(-1)
        sizes = torch.bincount(self.example.index, minlength=self.d).clamp(min=1)
        spread: Tensor = self.example.spread((shares / sizes)[self.example.index])
        return spread


def game_of(model: Handle, reference: Tensor, number: int) -> Game:
    """The game of an example of the batch, with all its references ``[N, R, *shape]``."""
    example = model.example(number)
    batch = model.batch
    d = int(batch.features.counts.expand(len(batch))[number])
    return Game(example, example.vectors(reference[number]), d, model.passes.budget(batch.shape))
