"""A tracker that keeps runs in a JSON file, and trackers that each break one rule."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xaiexp.contract.tracker import KeptRun, TrackedRun, Tracker


class Page(TrackedRun):
    """The run of a study on a page of a file."""

    def __init__(self, tracker, study):
        self.tracker, self.study = tracker, study
        self.file = study.folder.parent / f"{study.group}.json"
        pages = self.pages()
        self.name = next((name for name, page in pages.items() if page["id"] == study.id), f"run {len(pages)}")
        page = pages.get(self.name, {"id": study.id, "cells": [], "values": {}})
        self.write(page | {"status": "running"})

    def pages(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def write(self, page):
        self.file.write_text(json.dumps(self.pages() | {self.name: page}))

    @property
    def page(self):
        return self.pages()[self.name]

    def log_cell(self, cell):
        page = self.page
        if cell.id.joined("/") not in page["cells"]:
            page["cells"].append(cell.id.joined("/"))
        self.write(page)

    def log_tables(self, tables):
        self.write(self.page | {"values": {"seconds": float(tables["cells"]["seconds"].sum())}})

    def finish(self, record):
        self.write(self.page | {"status": record.status})

    def stop(self, error):
        self.write(self.page | {"status": "failed"})


@dataclass(frozen=True)
class Notes(Tracker):
    """Keeps runs in a JSON file."""

    summary: ClassVar[str] = "keeps runs in a JSON file"
    source: ClassVar[str] = "made up"
    run: ClassVar[type[Page]] = Page

    def start(self, study):
        return self.run(self, study)

    def kept(self, study):
        file = Path(study.folder).parent / f"{study.group}.json"
        pages = json.loads(file.read_text()) if file.exists() else {}
        return [
            KeptRun(name, page["status"], tuple(page["cells"]), page["values"])
            for name, page in pages.items()
            if page["id"] == study.id
        ]


class _AnotherName(Page):
    def __init__(self, tracker, study):
        super().__init__(tracker, study)
        self.kept_as, self.name = self.name, "latest"

    @property
    def page(self):
        return self.pages()[self.kept_as]

    def write(self, page):
        self.file.write_text(json.dumps(self.pages() | {getattr(self, "kept_as", self.name): page}))


class _OneBaseline(Page):
    def log_cell(self, cell):
        if cell.id.baseline == "none":
            super().log_cell(cell)


class _AlwaysDone(Page):
    def finish(self, record):
        self.write(self.page | {"status": "done"})


class _StaysRunning(Page):
    def stop(self, error):
        pass


class _StartsAnew(Page):
    def stop(self, error):
        super().stop(error)
        if self.page["cells"]:
            self.write(self.page | {"id": "forgotten"})


class _AddsUp(Page):
    def log_tables(self, tables):
        values = self.page["values"]
        self.write(self.page | {"values": {"seconds": values.get("seconds", 0.0) + 0.75}})


class _LastStarted(Page):
    def log_cell(self, cell):
        self.name = list(self.pages())[-1]
        super().log_cell(cell)


class _LeavesFile(Page):
    def log_figures(self, files):
        (self.study.folder / "sent.txt").write_text("yes")


@dataclass(frozen=True)
class AnotherName(Notes):
    """The run has another name than it says."""

    run: ClassVar[type[Page]] = _AnotherName


@dataclass(frozen=True)
class OneBaseline(Notes):
    """Loses cells that read a baseline."""

    run: ClassVar[type[Page]] = _OneBaseline


@dataclass(frozen=True)
class AlwaysDone(Notes):
    """Says that failed studies are done."""

    run: ClassVar[type[Page]] = _AlwaysDone


@dataclass(frozen=True)
class StaysRunning(Notes):
    """Leaves interrupted runs running."""

    run: ClassVar[type[Page]] = _StaysRunning


@dataclass(frozen=True)
class StartsAnew(Notes):
    """Forgets a study that was interrupted after a cell."""

    run: ClassVar[type[Page]] = _StartsAnew


@dataclass(frozen=True)
class AddsUp(Notes):
    """Adds what is sent again to what it has."""

    run: ClassVar[type[Page]] = _AddsUp


@dataclass(frozen=True)
class LastStarted(Notes):
    """Gives cells to the study that started last."""

    run: ClassVar[type[Page]] = _LastStarted


@dataclass(frozen=True)
class LeavesFile(Notes):
    """Writes into the folder of the study."""

    run: ClassVar[type[Page]] = _LeavesFile
