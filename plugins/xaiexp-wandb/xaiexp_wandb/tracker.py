"""The tracker ``wandb``: a run for a study and one for each of its cells, in one group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from xaiexp.plugin import KeptRun, ParameterError, TrackedRun, TrackedStudy, Tracker

__all__ = ["Wandb"]


@dataclass(frozen=True)
class Wandb(Tracker):
    """Weights & Biases, offline unless told otherwise: no connection is made, and ``wandb sync`` sends the runs later.

    The project is ``tracking.experiment``, the group of a study's runs is its id.

    Args:
        mode: ``offline`` writes files only; ``online`` sends them to the server that ``wandb login`` knows.
        folder: of the files, below ``outputs/``.
        entity: the user or team that the project belongs to; null for the default of the account.
        files: whether the files of the study are added to its run.
    """

    summary = "Weights & Biases: a run for the study and one for each cell, offline by default"
    source = "https://wandb.ai"

    mode: Literal["offline", "online"] = "offline"
    folder: str = "outputs/wandb"
    entity: str | None = None
    files: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = PurePosixPath(self.folder).parts
        inside = Path(self.folder).resolve().is_relative_to(Path("outputs").resolve())
        if parts[:1] != ("outputs",) or ".." in parts or not inside:
            raise ParameterError(
                "tracker.wandb.folder", "must be below outputs/", got=self.folder, hint="as outputs/wandb"
            )

    def start(self, study: TrackedStudy) -> TrackedRun:
        """Start the run of a study, or go on with the one that has its id."""
        from xaiexp_wandb.run import StudyRun

        return StudyRun(self, study)

    def kept(self, study: TrackedStudy) -> list[KeptRun]:
        """The run of a study, as the files on this machine say."""
        from xaiexp_wandb.run_files import read_runs

        runs = read_runs(Path(self.folder), study.id)
        own = runs.pop(study.id, None)
        if own is None:
            return []
        return [KeptRun(study.id, own.status, tuple(run.name for run in runs.values()), own.numbers)]
