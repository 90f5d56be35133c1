"""The callback ``progress_file``: a line of JSON for the start of a study, each chunk, each cell and the end."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from xaiexp.contract.callback import Callback, FinishedCell, FinishedChunk, FinishedStudy, StartedStudy
from xaiexp.errors import ParameterError

__all__ = ["ProgressFile"]

_FILE_NAME = re.compile(r"\w[\w-]*\.jsonl")


@dataclass(frozen=True)
class ProgressFile(Callback):
    """Appends a line of JSON to a file in the folder of the study whenever it gets on, for dashboards and ``tail -f``.

    Each line has ``event`` (``start``, ``chunk``, ``cell``, ``end``) and ``time`` (ISO 8601). A chunk says how many of
    the examples are explained and how many seconds are left at the pace so far.

    Args:
        file: its name; it ends in ``.jsonl``.
    """

    summary: ClassVar[str] = (
        "a line of JSON in the folder of the study for its start, each chunk, each cell and its end"
    )
    source: ClassVar[str] = "https://jsonlines.org"

    file: str = "progress.jsonl"

    def __post_init__(self) -> None:
        super().__post_init__()
        if _FILE_NAME.fullmatch(self.file) is None:
            raise ParameterError(
                "callback.progress_file.file", "must be the name of a file", got=self.file, hint="as progress.jsonl"
            )

    def on_start(self, study: StartedStudy) -> None:
        """What is to be done."""
        cells = [str(cell) for cell in study.cells]
        facts = {"study": study.name, "id": study.id, "examples": study.examples, "passes": study.passes}
        self._write(study, "start", {**facts, "cells": cells, "metrics": list(study.metrics)})

    def on_chunk(self, chunk: FinishedChunk) -> None:
        """How far the study is."""
        of = chunk.study.examples
        left = chunk.seconds / chunk.done * max(0, of - chunk.done) if chunk.done else None
        facts = {"chunk": chunk.number, "done": chunk.done, "of": of, "seconds": round(chunk.seconds, 3)}
        self._write(chunk.study, "chunk", {**facts, "seconds_left": None if left is None else round(left, 3)})

    def on_cell(self, cell: FinishedCell) -> None:
        """What a cell came to."""
        means = {name: value if math.isfinite(value) else None for name, value in cell.means.items()}
        facts = {key: cell.row[key] for key in ("status", "reason", "forward_passes", "backward_passes", "seconds")}
        self._write(cell.study, "cell", {"cell": str(cell.id), **facts, "means": means})

    def on_study(self, study: FinishedStudy) -> None:
        """How the study ended."""
        facts = {"status": study.status, "error": study.error, "seconds": round(study.seconds, 3)}
        self._write(study.study, "end", facts)

    def _write(self, study: StartedStudy, event: str, facts: Mapping[str, Any]) -> None:
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = json.dumps({"event": event, "time": now, **facts}, default=_plain) + "\n"
        # A link in the folder is not followed: it could lead out of it.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(study.folder / self.file, flags, 0o644), "w", encoding="utf-8") as file:
            file.write(line)


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python."""
    return value.item() if hasattr(value, "item") else str(value)
