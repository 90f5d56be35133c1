"""The tracker mine for xaiexp."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from xaiexp.plugin import Component, KeptRun, Record, TrackedCell, TrackedRun, TrackedStudy, Tracker, hookimpl

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


class _Run(TrackedRun):
    def __init__(self, file: Path, kept: KeptRun) -> None:
        self.name, self._file, self._kept = file.name, file, kept
        self._write()

    def log_cell(self, cell: TrackedCell) -> None:
        self._write(cells=tuple(dict.fromkeys([*self._kept.cells, cell.id.joined("/")])))

    def log_tables(self, tables: Mapping[str, object]) -> None:
        """The tables stay in the folder of the study."""

    def finish(self, record: Record) -> None:
        self._write(status=record.status)

    def stop(self, error: str) -> None:
        self._write(status="failed")

    def _write(self, **changes: object) -> None:
        self._kept = replace(self._kept, **changes)  # type: ignore[arg-type]  # as the callers above
        self._file.write_text(json.dumps(asdict(self._kept)), encoding="utf-8")


@dataclass(frozen=True)
class Mine(Tracker):
    """A JSON file in ``folder`` for each study: its status and its cells."""

    summary = "a JSON file for each study"
    source = "made up"
    folder: str = "outputs/mine"

    def start(self, study: TrackedStudy) -> TrackedRun:
        """Go on with the file of the study, or begin one."""
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        kept = (*self.kept(study), KeptRun(f"{study.id}.json", "running"))[0]
        return _Run(Path(self.folder) / kept.run, replace(kept, status="running"))

    def kept(self, study: TrackedStudy) -> list[KeptRun]:
        """What the file of the study says, where there is one."""
        return [KeptRun(**json.loads(file.read_text())) for file in Path(self.folder).glob(f"{study.id}.json")]


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
