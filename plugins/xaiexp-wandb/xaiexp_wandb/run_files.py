"""The files that W&B writes of a run, ``run-ID.wandb``: a log of protocol buffers in the format of LevelDB's log.

W&B sends a run to its server from this file (``wandb sync``), so what stands in it is what the server gets.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["RunFile", "read_runs", "records"]

_HEADER = 7  # ":W&B", two bytes that stand for the format, its version
_BLOCK, _CHUNK_HEADER = 32768, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass
class RunFile:
    """What the files of one run say; later files of a run that went on complete the earlier ones.

    Args:
        name: of the run.
        status: ``running`` until the run was finished.
        config: top-level key to value.
        summary: key to value.
        history: rows, by key.
        notes: the description of the run.
    """

    name: str = ""
    status: Literal["running", "done", "failed"] = "running"
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: str = ""

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers of the summary, without those of W&B itself."""
        known = {key: value for key, value in self.summary.items() if not key.startswith("_")}
        return {k: float(v) for k, v in known.items() if isinstance(v, int | float) and not isinstance(v, bool)}


def read_runs(folder: Path, group: str) -> dict[str, RunFile]:
    """The runs of a group by id, in the order in which they were started."""
    runs: dict[str, RunFile] = {}
    for file in sorted(folder.glob(f"wandb/*run-*-{group}*/run-{group}*.wandb"), key=lambda f: f.parent.name[-200:]):
        run = runs.setdefault(file.stem.removeprefix("run-"), RunFile())
        run.status, run.history = "running", []
        for record in records(file):
            _add(run, record)
    return runs


def records(file: Path) -> Iterator[Any]:
    """The records of a file, as far as it is written."""
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]  # made from a description

    data, place, whole = file.read_bytes(), _HEADER, b""
    while place + _CHUNK_HEADER <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < _CHUNK_HEADER:  # the rest of a block is empty
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + _CHUNK_HEADER])
        place += _CHUNK_HEADER
        part = data[place : place + length]
        if len(part) < length or kind not in (_FULL, _FIRST, _MIDDLE, _LAST):
            return
        place += length
        whole = part if kind in (_FULL, _FIRST) else whole + part
        if kind in (_FULL, _LAST):
            record = Record()
            record.ParseFromString(whole)
            yield record


def _add(run: RunFile, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run.name, run.notes = record.run.display_name, record.run.notes or run.notes
        _update(run.config, record.run.config.update)
        _update(run.summary, record.run.summary.update)
    elif kind == "config":
        _update(run.config, record.config.update)
    elif kind == "summary":
        _update(run.summary, record.summary.update)
    elif kind == "history":
        row: dict[str, Any] = {}
        _update(row, record.history.item)
        run.history.append(row)
        run.summary |= row
    elif kind == "exit":
        run.status = "failed" if record.exit.exit_code else "done"


def _update(values: dict[str, Any], items: Any) -> None:
    """Set what a record says; the value of a nested key is inside of mappings."""
    for item in items:
        *outer, last = item.nested_key or [item.key]
        inner = values
        for key in outer:
            if not isinstance(inner.get(key), dict):
                inner[key] = {}
            inner = inner[key]
        inner[last] = json.loads(item.value_json)
