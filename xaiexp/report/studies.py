"""Reads what studies left behind; what is missing or broken is noted, not fatal."""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.errors import ResourceError

__all__ = ["CELL", "Gallery", "StudyFolder", "find_studies", "read_study", "table"]

T = TypeVar("T")
CELL = ["method", "baseline"]
_STUDY = ["model", "dataset", "seed"]
_COLUMNS = {
    "cells.parquet": [
        *_STUDY,
        *CELL,
        *("status", "reason", "examples", "forward_passes", "backward_passes"),
        *("seconds", "peak_memory_bytes", "cached", "key"),
    ],
    "scores.parquet": [*_STUDY, *CELL, "metric", "example", "target", "value"],
    "agreement.parquet": [
        *_STUDY,
        *("method_a", "baseline_a", "method_b", "baseline_b"),
        *("measure", "example", "value"),
    ],
    "summary.csv": [*_STUDY, *CELL, "metric", "mean", "low", "high", "n", "undefined", "rank"],
}
_VERDICTS = [*_STUDY, "metric", "verdict", "refused"]
_COPIES = {"mlartifacts", "mlruns"}
_NUMBERS = ["mean", "low", "high", "n", "undefined", "rank"]
_HOLDS = {
    "config.yaml": "what was asked for",
    "record.json": "what was run: versions, fingerprints, facts of methods and metrics",
    "cells.parquet": "which cells ran, and what they cost",
    "scores.parquet": "scores by example",
    "agreement.parquet": "agreement between cells",
    "summary.csv": "means, intervals and ranks",
    "gallery": "the pictures of single examples",
}
_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Gallery:
    """Single examples: what the model saw and what every cell said about it.

    Args:
        modality: image, text, table or series.
        examples: as in ``gallery.json``.
        arrays: inputs and maps by key.
    """

    modality: str = ""
    examples: tuple[dict[str, Any], ...] = ()
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyFolder:
    """One study as it lies on disk; tables that are missing are empty, with their columns.

    Args:
        path: the folder.
        missing: what could not be read, with the reason: ``{file: reason}``.
    """

    path: Path
    config: str
    record: dict[str, Any]
    cells: pd.DataFrame
    scores: pd.DataFrame
    agreement: pd.DataFrame
    summary: pd.DataFrame
    verdicts: pd.DataFrame
    gallery: Gallery
    missing: dict[str, str]

    def facts(self, kind: str) -> dict[str, Any]:
        """A mapping of the record (``study``, ``methods``, ...), empty where the record has none."""
        facts = self.record.get(kind)
        return facts if isinstance(facts, dict) else {}

    def about(self, kind: str, label: str) -> dict[str, Any]:
        """What the record says of one method, baseline, metric or agreement."""
        facts = self.facts(kind).get(label)
        return facts if isinstance(facts, dict) else {}

    def named(self, key: str) -> str:
        """``model``, ``dataset`` or ``seed``, from the record or, without it, from any table."""
        if key in self.facts("study"):
            return str(self.facts("study")[key])
        for frame in (self.cells, self.summary, self.scores, self.agreement):
            if len(frame):
                return str(frame[key].iloc[0])
        return ""

    def signed(self, method: str, values: NDArray[Any]) -> bool:
        """Whether the method's sign has a meaning, by its own word or, without a record, by its numbers."""
        declared = self.about("methods", method).get("signed")
        return bool((np.asarray(values) < 0).any()) if declared is None else bool(declared)

    @property
    def name(self) -> str:
        """Model, data set and seed in one line."""
        model, dataset, seed = (self.named(key) for key in _STUDY)
        return f"{model} on {dataset}, seed {seed}" if model else self.path.name


def find_studies(path: Path) -> list[Path]:
    """The study folders in ``path`` and below it, in the order of their numbers and names.

    A study folder holds a ``record.json`` or, after a crash, at least a ``cells.parquet``. Hidden folders are
    left out, and so are the copies that MLflow keeps.
    """
    found = []
    for folder, below, files in os.walk(path):
        below[:] = [name for name in below if not name.startswith(".") and name not in _COPIES]
        if {"record.json", "cells.parquet"} & set(files):
            found.append(Path(folder))
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.as_posix())  # text and digits take turns
    return [(0, int(part), "") if place % 2 else (1, 0, part) for place, part in enumerate(parts)]


def table(rows: Sequence[Mapping[str, Any]] | pd.DataFrame, file: str) -> pd.DataFrame:
    """A table with the columns of ``file``, in their order."""
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, columns=_COLUMNS[file])
    lacking = [name for name in _COLUMNS[file] if name not in frame.columns]
    if lacking:
        raise ValueError(f"lacks the columns {', '.join(lacking)}")
    return frame[_COLUMNS[file]]


def _parquet(path: Path) -> pd.DataFrame:
    return table(pd.read_parquet(path), path.name)


def _summary(path: Path) -> pd.DataFrame:
    text = dict.fromkeys([*_STUDY, *CELL, "metric"], str)  # a label may be called "null" or "1"
    empty = {name: ["", "nan", "NaN"] for name in _NUMBERS}
    return table(pd.read_csv(path, dtype=text, keep_default_na=False, na_values=empty), path.name)


def _verdicts(path: Path) -> pd.DataFrame:
    """What the study said of its metrics; empty where it said nothing or nobody can read it: scores tell the same."""
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys([*_STUDY, "metric", "verdict"], str))
    except _BROKEN:
        return pd.DataFrame(columns=_VERDICTS)
    return frame if set(_VERDICTS) <= set(frame.columns) else pd.DataFrame(columns=_VERDICTS)


def _record(path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise TypeError("does not hold an object")
    return record


def _gallery(path: Path) -> Gallery:
    described = json.loads((path / "gallery.json").read_text(encoding="utf-8"))
    # Opened here: np.load leaves a file open that it cannot read.
    with (path / "gallery.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Gallery(described["modality"], tuple(described["examples"]), {key: arrays[key] for key in arrays.files})


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def read_study(path: Path) -> StudyFolder:
    """What there is of a study.

    Raises:
        ResourceError: when nothing of a study is there.
    """
    if not any((path / name).exists() for name in _HOLDS):
        raise ResourceError(
            str(path),
            "no study is here" if path.is_dir() else "no such folder",
            hint="name a folder that a study or a sweep wrote (it holds record.json)",
        )
    missing: dict[str, str] = {}

    def part(name: str, read: Callable[[Path], T], otherwise: T) -> T:
        try:
            return read(path / name)
        except FileNotFoundError:
            missing[name] = f"missing ({_HOLDS[name]})"
        except _BROKEN as error:
            missing[name] = f"cannot be read ({str(error) or type(error).__name__})"
        return otherwise

    def frame(name: str) -> pd.DataFrame:
        return part(name, _summary if name == "summary.csv" else _parquet, table([], name))

    return StudyFolder(
        path=path,
        config=part("config.yaml", _text, ""),
        record=part("record.json", _record, {}),
        cells=frame("cells.parquet"),
        scores=frame("scores.parquet"),
        agreement=frame("agreement.parquet"),
        summary=frame("summary.csv"),
        verdicts=_verdicts(path / "verdicts.csv"),
        gallery=part("gallery", _gallery, Gallery()),
        missing=missing,
    )
