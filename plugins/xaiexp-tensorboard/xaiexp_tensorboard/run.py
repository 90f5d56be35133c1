"""What TensorBoard gets of a study and of its cells."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.plugin import (
    Record,
    TrackedCell,
    TrackedRun,
    TrackedStudy,
    cell_numbers,
    cell_parameters,
    curve_points,
    flattened,
    shown_tables,
    study_numbers,
    verdict_lines,
)
from xaiexp_tensorboard.events import replaced_events
from xaiexp_tensorboard.tracker import FACTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudyRun", "folder_of", "write_facts"]

_MOST_ROWS = 200
_COSTS = ("forward_passes", "backward_passes", "seconds", "peak_memory_bytes")


def folder_of(folder: Path, study: TrackedStudy) -> Path:
    """The folder of a study: its name for readers, its id for us."""
    return folder / _file_name(study.group) / f"{_file_name(study.name)}-{study.id[:8]}"


def write_facts(place: Path, facts: Mapping[str, Any]) -> None:
    """Write the file that says which study a folder is of, in place of an earlier one."""
    new = place / f"{FACTS}.new"
    new.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    new.replace(place / FACTS)


class StudyRun(TrackedRun):
    """The event files of a study and of its cells.

    Args:
        folder: of all studies.
        study: what to log.
    """

    def __init__(self, folder: Path, study: TrackedStudy) -> None:
        self._study, self._place = study, folder_of(folder, study)
        self._time = _seconds(study.record.started)
        self._statuses: dict[str, str] = {}
        self._tables: Mapping[str, pd.DataFrame] = {}
        self._figures: list[Path] = []
        self.name = str(self._place)
        self._place.mkdir(parents=True, exist_ok=True)
        self._end("running")
        with replaced_events(self._place, self._time) as events:
            events.text("study/parameters", _table(("parameter", "value"), flattened(study.config)))

    def log_cell(self, cell: TrackedCell) -> None:
        """Log a cell: parameters with means as hyperparameters, costs and curves as scalars, maps as images."""
        label, status = cell.id.joined("/"), str(cell.row["status"])
        self._statuses[label] = status
        place = self._place / _cell_name(label)
        place.mkdir(parents=True, exist_ok=True)
        (place / "cell.json").write_text(json.dumps({"cell": label, "status": status}), encoding="utf-8")
        numbers = cell_numbers(cell)
        means = {f"means/{name}": value for name, value in numbers.items() if name not in _COSTS}
        with replaced_events(place, self._time) as events:
            parameters = cell_parameters(self._study.record, cell.id)
            events.hyperparameters(_varied(parameters), means)
            for name in _COSTS:
                events.scalar(f"spent/{name}", numbers[name])
            for metric, curve in cell.curves.items():
                for step, value in curve_points(curve):
                    events.scalar(f"curves/{metric}", value, step)
            for step, (example, picture) in enumerate(cell.maps.items()):
                events.image(f"maps/{example}", picture, step)
            facts = {**parameters, "status": status, "reason": cell.row["reason"], "key": cell.row["key"]}
            facts |= {f"letters.{row['metric']}": row["letters"] for row in cell.summary if row.get("letters")}
            events.text("cell/facts", _table(("fact", "value"), facts.items()))

    def log_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Keep the tables for the end."""
        self._tables = tables

    def log_figures(self, files: Sequence[Path]) -> None:
        """Keep the figures for the end; the maps of cells are among their own events."""
        pictures = self._study.folder / "pictures"
        self._figures = [file for file in files if file.suffix == ".png" and file.parent == pictures]

    def finish(self, record: Record) -> None:
        """Write the event file of the study, and end the run."""
        with replaced_events(self._place, self._time) as events:
            for name, value in study_numbers(record, self._statuses.values()).items():
                events.scalar(f"study/{name}", value)
            events.text("study/parameters", _table(("parameter", "value"), flattened(self._study.config)))
            events.text("study/versions", _table(("package", "version"), record.versions.items()))
            if record.data is not None:
                data = {key: value for key, value in flattened(record.data.to_mapping()) if len(value) < 200}
                events.text("study/data", _table(("fact", "value"), data.items()))
            if "verdicts" in self._tables:
                events.text("study/verdicts", _table(("metric", "verdict"), verdict_lines(self._tables["verdicts"])))
            for name, frame in shown_tables(self._tables).items():
                events.text(f"tables/{name}", _frame(frame))
            for file in self._figures:
                events.image(f"figures/{file.stem}", file)
            if record.error:
                events.text("study/error", _escaped(record.error))
        self._end("done" if record.status == "done" else "failed", record.error or "")

    def stop(self, error: str) -> None:
        """End the run of a study that failed as a whole."""
        self._end("failed", error)

    def _end(self, status: str, error: str = "") -> None:
        facts = {"id": self._study.id, "name": self._study.name, "folder": str(self._study.folder.resolve())}
        process = asdict(self._study.process)
        write_facts(self._place, {**facts, "status": status, "error": error, "process": process})


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:80] or "study"


def _cell_name(label: str) -> str:
    """The folder of a cell: a hash tells labels apart that make one name without it."""
    parts = [_file_name(part) for part in label.split("/")]
    name = "/".join(parts)
    return name if name == label else f"{name}-{hashlib.blake2b(label.encode(), digest_size=3).hexdigest()}"


def _varied(parameters: Mapping[str, str]) -> dict[str, str]:
    """What the table of hyperparameters shows: the components, their parameters, and the seed; its columns are few."""
    names = {f"{kind}.name": parameters.get(kind) for kind in ("method", "baseline")}
    return {
        key: value
        for key, value in parameters.items()
        if (key in ("method", "baseline", "model", "dataset", "seed") or key.startswith(("method.", "baseline.")))
        and names.get(key) != value
    }


def _seconds(started: str) -> float:
    try:
        return datetime.fromisoformat(started).timestamp()
    except ValueError:
        return 0.0


def _table(titles: tuple[str, str], rows: Iterable[tuple[str, Any]]) -> str:
    lines = [f"| {' | '.join(titles)} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_escaped(str(key))} | {_escaped(str(value))} |" for key, value in rows)])


def _frame(frame: pd.DataFrame) -> str:
    """A table in Markdown, its first rows where there are many."""
    shown = frame.head(_MOST_ROWS)
    lines = [f"| {' | '.join(map(str, shown.columns))} |", f"|{'---|' * len(shown.columns)}"]
    rows = ([_escaped(_cell_text(value)) for value in row] for row in shown.itertuples(index=False))
    lines += [f"| {' | '.join(row)} |" for row in rows]
    if len(frame) > len(shown):
        lines.append(f"\n{len(frame) - len(shown):,} further rows are in the folder of the study.")
    return "\n".join(lines)


def _cell_text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", " ".join(text.split())).replace("<", "&lt;")
