"""The callback mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xaiexp.plugin import Callback, Component, FinishedCell, FinishedStudy, StartedStudy, hookimpl

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Callback):
    """Leaves a file in the folder of a study that failed, or in which a cell failed.

    Args:
        file: its name.
    """

    summary = "a file in the folder of a study in which something failed"
    source = "made up"
    file: str = "FAILED.txt"

    def on_cell(self, cell: FinishedCell) -> None:
        """Write the reason of a cell that failed."""
        if cell.row["status"] == "failed":
            self._write(cell.study, f"{cell.id}: {cell.row['reason']}")

    def on_study(self, study: FinishedStudy) -> None:
        """Write the reason of a study that failed as a whole."""
        if study.error:
            self._write(study.study, study.error)

    def _write(self, study: StartedStudy, line: str) -> None:
        with (study.folder / self.file).open("a", encoding="utf-8") as file:
            file.write(f"{study.name}: {line}\n")


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
