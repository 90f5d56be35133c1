"""The tracker ``tensorboard``: a folder of event files for each study, with one for each cell inside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from xaiexp.plugin import KeptRun, Owner, ParameterError, TrackedRun, TrackedStudy, Tracker

__all__ = ["FACTS", "Tensorboard"]

FACTS = "xaiexp.json"
"""The file in the folder of a study that says which study it is, how it ended and which process runs it."""


@dataclass(frozen=True)
class Tensorboard(Tracker):
    """TensorBoard: the event files of a study and of its cells, below ``outputs/``.

    A study has the folder ``FOLDER/GROUP/NAME-ID``, where the group is ``tracking.experiment``; each cell has a folder
    inside. A study that is sent again replaces its files.

    Args:
        folder: of the event files, below ``outputs/``; look at it with ``tensorboard --logdir FOLDER``.
    """

    summary = "TensorBoard: means, costs and curves of cells, their maps, tables, and hyperparameters"
    source = "https://www.tensorflow.org/tensorboard"

    folder: str = "outputs/tensorboard"

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = PurePosixPath(self.folder).parts
        if parts[:1] != ("outputs",) or ".." in parts or not _stays_in_outputs(Path(self.folder)):
            raise ParameterError(
                "tracker.tensorboard.folder", "must be below outputs/", got=self.folder, hint="as outputs/tensorboard"
            )

    def start(self, study: TrackedStudy) -> TrackedRun:
        """Start the folder of a study, or go on with the one that has its id."""
        from xaiexp_tensorboard.run import StudyRun

        return StudyRun(Path(self.folder), study)

    def kept(self, study: TrackedStudy) -> list[KeptRun]:
        """The folder of a study, as its event files say."""
        from xaiexp_tensorboard.events import scalars_of
        from xaiexp_tensorboard.run import folder_of

        place = folder_of(Path(self.folder), study)
        facts = _facts(place)
        if facts is None:
            return []
        cells = [json.loads(file.read_text())["cell"] for file in sorted(place.rglob("cell.json"))]
        return [KeptRun(str(place), facts["status"], tuple(cells), scalars_of(place))]

    def repair(self, address: str) -> list[str]:
        """End the runs of processes of this machine that have ended."""
        from xaiexp_tensorboard.run import write_facts

        ended = []
        for file in sorted(Path(self.folder).glob(f"*/*/{FACTS}")):
            facts = _facts(file.parent)
            if facts is not None and facts["status"] == "running" and Owner(**facts["process"]).ended():
                write_facts(file.parent, {**facts, "status": "failed", "error": "its process ended before it"})
                ended.append(str(file.parent))
        return ended


def _stays_in_outputs(folder: Path) -> bool:
    return folder.resolve().is_relative_to(Path("outputs").resolve())


def _facts(place: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((place / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
