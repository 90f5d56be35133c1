"""The results of a study, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.core.ids import NO_BASELINE
from xaiexp.errors import UnknownName, UserError, nearest

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from xaiexp.store.objects import Store

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """The tables of a study as pandas frames, and its attributions.

    Attributes:
        path: the folder with its files.
        cells, scores, agreement, summary, verdicts: the tables; their columns are those of the files.
        record: the object of ``record.json``: versions, fingerprints, passes (see :mod:`xaiexp.core.record`); of a
            sweep, that of ``sweep.json``.
        studies: of a sweep, the results of its studies by their folder; empty for a study.
    """

    path: Path
    cells: pd.DataFrame
    scores: pd.DataFrame
    agreement: pd.DataFrame
    summary: pd.DataFrame
    verdicts: pd.DataFrame
    record: Mapping[str, Any]
    _store: Store
    _keys: Mapping[tuple[str, str], tuple[str, ...]]
    studies: Mapping[str, Result] = field(default_factory=dict)

    def attributions(self, method: str, baseline: str | None = None) -> Tensor:
        """Attributions pooled to features, float32 ``[N, *features]``, in the order of the examples.

        With several targets, in the order of the rows of ``scores``: example and target.

        Where examples differ in their number of features (texts), missing ones are NaN.

        Args:
            method, baseline: labels of the cell; the baseline may be left out where the method has one cell.

        Raises:
            UnknownName: there is no such cell, or it is not done.
            UserError: there are several baselines to choose from, or the store has been emptied since.
        """
        return self._stored(method, baseline, "features")

    def standard_errors(self, method: str, baseline: str | None = None) -> Tensor:
        """The standard errors of :meth:`attributions`, from the sampling of the method; of the same shape.

        Args:
            method, baseline: as for :meth:`attributions`.

        Raises:
            UserError: the method does not sample, or as for :meth:`attributions`.
        """
        values = self._stored(method, baseline, "features")
        errors = self._stored(method, baseline, "standard_error")
        return errors.view(values.shape).masked_fill(values.isnan(), float("nan"))

    def _stored(self, method: str, baseline: str | None, name: str) -> Tensor:
        """The tensor ``name`` of a cell from the store: all chunks, padded to one shape with NaN."""
        import torch

        if self.studies:
            raise UserError(
                "attributions", "are those of a study, not of a sweep", hint=f"studies: {', '.join(self.studies)}"
            )
        cells = {cell: keys for cell, keys in self._keys.items() if cell[0] == method and keys}
        if not cells:
            methods = sorted({m for (m, _), keys in self._keys.items() if keys})
            raise UnknownName(
                "method", "has no attributions in this study", got=method, nearest=nearest(method, methods)
            )
        if baseline is None and len(cells) > 1:
            raise UserError("baseline", "several to choose from", hint=", ".join(b for _, b in cells))
        chosen = next(iter(cells))[1] if baseline is None else baseline
        if (method, chosen) not in cells and set(cells) == {(method, NO_BASELINE)}:
            chosen = NO_BASELINE  # a method without a baseline has one cell, whichever baseline is given
        if (method, chosen) not in cells:
            known = [b for _, b in cells]
            raise UnknownName(
                "baseline", "has no attributions in this study", got=chosen, nearest=nearest(chosen, known)
            )
        parts = []
        for key in cells[method, chosen]:
            tensors = self._store.get(key)
            if tensors is None:
                raise UserError("store", "no longer holds these attributions", got=key, hint="run the study again")
            if name not in tensors:
                raise UserError("method", "does not sample, so it has no standard errors", got=method)
            parts.append(tensors[name])
        widest = [max(p.shape[i] for p in parts) for i in range(1, parts[0].ndim)]
        padded = []
        for part in parts:
            out = part.new_full((len(part), *widest), float("nan"))
            out[tuple(slice(side) for side in part.shape)] = part
            padded.append(out)
        return torch.cat(padded)
