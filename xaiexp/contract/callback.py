"""The kind of component that is told how far a study is, and can change nothing in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from xaiexp.contract.component import Component
from xaiexp.core.ids import CellId

__all__ = ["Callback", "FinishedCell", "FinishedChunk", "FinishedStudy", "StartedStudy"]


@dataclass(frozen=True)
class StartedStudy:
    """A study whose model and data are loaded.

    Args:
        id: of this study and of those that continue it.
        name: model, dataset and seed in a few words.
        folder: with the files of the study; a callback writes nowhere else.
        cells: those that run.
        metrics: their labels.
        examples: how many are explained.
        passes: how many are expected, as far as this is known; 0 where it is not.
    """

    id: str
    name: str
    folder: Path
    cells: tuple[CellId, ...]
    metrics: tuple[str, ...]
    examples: int
    passes: int


@dataclass(frozen=True)
class FinishedChunk:
    """A range of examples, explained by every cell and scored by every metric.

    Args:
        study: that it is a part of.
        number: of the chunk, counted from 1 over all targets of the study.
        examples: ids of its examples.
        done: examples that are explained so far; with several targets an example counts once for each.
        cells: those that have attributions of it.
        seconds: since the study was started.
    """

    study: StartedStudy
    number: int
    examples: tuple[str, ...]
    done: int
    cells: tuple[CellId, ...]
    seconds: float


@dataclass(frozen=True)
class FinishedCell:
    """A cell that has ended; all cells end with the last chunk, and are told in the order of the table.

    Args:
        study: that it is a part of.
        id: method and baseline.
        row: of ``cells.parquet``, by column: ``status``, ``reason``, ``forward_passes``, ``seconds`` and so on.
        means: metric to the mean over examples; NaN where undefined.
    """

    study: StartedStudy
    id: CellId
    row: Mapping[str, Any]
    means: Mapping[str, float]


@dataclass(frozen=True)
class FinishedStudy:
    """The end of a study.

    Args:
        study: that has ended.
        status: ``done``; ``failed`` where a cell failed, or the study as a whole.
        error: the reason of the latter; empty otherwise.
        seconds: that it took.
        report: its page; None where there is none.
    """

    study: StartedStudy
    status: Literal["done", "failed"]
    error: str
    seconds: float
    report: Path | None


@dataclass(frozen=True)
class Callback(Component):
    """Is told of the start of a study, of its chunks, its cells and its end. It overrides the methods that it wants.

    What it raises is a warning with its name and stops nothing. What it is told is frozen, so that it decides no
    result, and it has no part in the keys of the store. It runs between chunks: what takes long makes the study longer.

    Facts (class variables):
        summary, source: as for every component.
    """

    kind: ClassVar[str] = "callback"

    def on_start(self, study: StartedStudy) -> None:
        """Model and data are loaded, and nothing is explained yet."""

    def on_chunk(self, chunk: FinishedChunk) -> None:
        """A range of examples is explained and scored."""

    def on_cell(self, cell: FinishedCell) -> None:
        """A cell has ended."""

    def on_study(self, study: FinishedStudy) -> None:
        """The study has ended and its files are written; trackers and the page included, where it did not fail."""
