"""The curves of the metrics that have one: a row a cell, metric and example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from xaiexp.core.ids import CellId
from xaiexp.engine.chunk import Chunk
from xaiexp.engine.runner import Run

__all__ = ["CURVES", "CurveTable"]

CURVES = ["method", "baseline", "metric", "example", "target", "values"]


class CurveTable:
    """Collects curves chunk by chunk, with columns :data:`CURVES`.

    ``values`` is a list of float32: the values at evenly spaced shares of the features from 0 to 1, NaN where
    undefined.
    """

    def __init__(self) -> None:
        self._parts: dict[tuple[CellId, str], list[np.ndarray[Any, Any]]] = {}
        self._rows: dict[tuple[CellId, str], list[tuple[str, int]]] = {}

    def add(self, chunk: Chunk) -> None:
        """Add the curves of a chunk."""
        rows = list(zip(chunk.batch.ids, chunk.batch.targets.tolist(), strict=True))
        for (metric, cell), values in chunk.curves.items():
            self._parts.setdefault((cell, metric), []).append(values.float().numpy())
            self._rows.setdefault((cell, metric), []).extend(rows)

    def frame(self, run: Run) -> pd.DataFrame:
        """The curves of the cells that are done."""
        frames = [
            pd.DataFrame(
                {
                    "method": cell.method,
                    "baseline": cell.baseline,
                    "metric": metric,
                    "example": [example for example, _ in self._rows[cell, metric]],
                    "target": [target for _, target in self._rows[cell, metric]],
                    "values": list(np.concatenate(parts)),
                }
            )
            for (cell, metric), parts in self._parts.items()
            if run.states[cell].status == "done" and metric not in run.evaluator.unsupported
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=CURVES)
