"""One broken component for each check of callbacks; no heavy imports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xaiexp.plugin import Callback


@dataclass(frozen=True)
class CorrectCallback(Callback):
    """Counts chunks in a file."""

    summary = "counts chunks in a file"
    source = "made up"

    def on_chunk(self, chunk):
        with (chunk.study.folder / "chunks.txt").open("a") as file:
            file.write(f"{chunk.number}\n")


@dataclass(frozen=True)
class NeedsReport(CorrectCallback):
    """Expects a page of every study."""

    def on_study(self, study):
        study.report.stat()


@dataclass(frozen=True)
class NewFile(CorrectCallback):
    """Expects a folder without its file."""

    def on_start(self, study):
        (study.folder / "started.txt").open("x").close()


@dataclass(frozen=True)
class WorkingDirectory(CorrectCallback):
    """Writes into the working directory."""

    def on_study(self, study):
        Path("last.txt").write_text(study.status)


@dataclass(frozen=True)
class EditsRecord(CorrectCallback):
    """Writes into the record."""

    def on_study(self, study):
        (study.study.folder / "record.json").write_text("{}")
