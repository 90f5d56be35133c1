"""The kind of component that keeps a copy of finished studies elsewhere: a tracking server, a folder of logs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from xaiexp.contract.component import Component
from xaiexp.core.ids import CellId
from xaiexp.core.record import Record

if TYPE_CHECKING:
    import pandas as pd

    from xaiexp.store.owners import Owner

__all__ = ["KeptRun", "TrackedCell", "TrackedRun", "TrackedStudy", "Tracker"]


@dataclass(frozen=True)
class TrackedStudy:
    """A study, as a tracker is told of it when it starts.

    Args:
        id: of this study and of those that continue it: two starts with one id have one run.
        name: model, dataset and seed in a few words.
        folder: with the files of the study.
        config: the resolved configuration, without passwords.
        record: as far as it is known.
        group: the root key ``tracking.experiment``.
        address: the root key ``tracking.uri``, with its password, or the address of the embedded store.
        process: that runs the study.
    """

    id: str
    name: str
    folder: Path
    config: Mapping[str, Any]
    record: Record
    group: str
    address: str
    process: Owner


@dataclass(frozen=True)
class TrackedCell:
    """A cell of a study that has ended.

    Args:
        id: method and baseline.
        row: of ``cells.parquet``, by column.
        summary: its rows of ``summary.csv``, one for each metric.
        curves: metric to the mean over examples at evenly spaced shares of the features from 0 to 1; NaN where no
            example is defined.
        maps: example to a picture of its map, in the order of the study, for the first examples of images and series.
    """

    id: CellId
    row: Mapping[str, Any]
    summary: Sequence[Mapping[str, Any]]
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    maps: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptRun:
    """What a tracker has of one study.

    Args:
        run: the tracker's name for it.
        status: ``running`` until it is finished or stopped.
        cells: those that were logged, as ``METHOD/BASELINE``; one that was logged twice stands here once.
        values: the numbers of the whole study, by name.
    """

    run: str
    status: Literal["running", "done", "failed"]
    cells: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)


class TrackedRun(ABC):
    """The run of one study, from :meth:`Tracker.start`. Everything may be logged again, which changes nothing.

    Attributes:
        name: the tracker's name for the run.
    """

    name: str

    @abstractmethod
    def log_cell(self, cell: TrackedCell) -> None:
        """Log a cell; a tracker may send it as late as in :meth:`finish` or :meth:`stop`."""

    @abstractmethod
    def log_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Log the tables of the study by name: ``cells scores agreement summary verdicts comparisons``."""

    def log_figures(self, files: Sequence[Path]) -> None:  # noqa: B027  # trackers that copy the folder have them
        """Log images; by default nothing, for trackers that copy the folder of the study."""

    @abstractmethod
    def finish(self, record: Record) -> None:
        """End the run with the final record of the study, whose status is ``done`` or ``failed``."""

    @abstractmethod
    def stop(self, error: str) -> None:
        """End the run of a study that was interrupted or failed as a whole."""


@dataclass(frozen=True)
class Tracker(Component):
    """Keeps a copy of finished studies. Whatever it raises, the study goes on and is sent later.

    Facts (class variables):
        summary, source: as for every component.
    """

    kind: ClassVar[str] = "tracker"

    def prepare(self, address: str, group: str) -> None:
        """Create what several processes share, before any of them starts; called under a lock.

        Args:
            address, group: as in :class:`TrackedStudy`.

        Raises:
            ResourceError: the address is wrong. What raises anything else is away for the time being.
        """

    @abstractmethod
    def start(self, study: TrackedStudy) -> TrackedRun:
        """Start the run of a study, or go on with the one that has its id."""

    @abstractmethod
    def kept(self, study: TrackedStudy) -> list[KeptRun]:
        """The runs with the id of a study: none, or one."""

    def repair(self, address: str) -> list[str]:
        """End the runs of processes of this machine that have ended; returns their names."""
        return []
