"""Reads the folders of studies; files that are missing or damaged are listed, and the others are read."""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.contract.panel import Chart, Html, PanelSection
from xaiexp.core.record import MethodFacts, Record
from xaiexp.errors import ResourceError
from xaiexp.report.names import shown_name
from xaiexp.results.examples.curve_table import CURVES
from xaiexp.results.examples.example_table import EXAMPLES
from xaiexp.results.study_tables import read_table
from xaiexp.results.verdict import COMPARISONS
from xaiexp.statistics.summary import SUMMARY_COLUMNS, by_cluster

__all__ = ["CELL", "FurtherPanel", "Gallery", "StudyFolder", "find_studies", "read_gallery", "read_study", "table"]

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
    "summary.csv": list(SUMMARY_COLUMNS),
}
_VERDICTS = [*_STUDY, "metric", "verdict", "refused"]
_COPIES = {"mlartifacts", "mlruns"}
_NUMBERS = [c for c in SUMMARY_COLUMNS if c not in (*_STUDY, *CELL, "metric", "letters")]
_CONTENTS = {
    "config.yaml": "the configuration",
    "record.json": "versions, fingerprints, facts of methods and metrics",
    "cells.parquet": "status and cost of each cell",
    "scores.parquet": "scores by example",
    "agreement.parquet": "agreement between cells",
    "summary.csv": "means, intervals, letters and ranks",
    "gallery": "inputs and maps of single examples",
}
_READ_ERRORS = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error)


class Arrays(Mapping[str, NDArray[Any]]):
    """Inputs and maps by key; maps that are kept in steps become numbers when they are read.

    Args:
        kept: as in ``gallery.npz``.
        scales: size of the steps of a map, by key; None for numbers.
    """

    def __init__(self, kept: Mapping[str, NDArray[Any]], scales: Mapping[str, float | None]) -> None:
        self._kept, self._scales = kept, scales

    def __getitem__(self, key: str) -> NDArray[Any]:
        values, scale = self._kept[key], self._scales.get(key)
        if scale is None:
            return values
        undefined = values == np.iinfo(values.dtype).min
        return np.where(undefined, np.nan, values * np.float64(scale)).astype(np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape, without making numbers of steps."""
        return self._kept[key].shape


@dataclass(frozen=True)
class Gallery:
    """Single examples: the input and the map of every cell.

    Args:
        modality: ``image``, ``text``, ``table`` or ``series``.
        examples: as in ``gallery.json``.
        arrays: inputs and maps by key.
        inputs: whether inputs were kept.
    """

    modality: str = ""
    examples: tuple[dict[str, Any], ...] = ()
    arrays: Arrays = field(default_factory=lambda: Arrays({}, {}))
    inputs: bool = True


@dataclass(frozen=True)
class FurtherPanel:
    """A panel that is not named by the configuration of a study, but brought by who has the page made.

    Args:
        title: of the panel.
        section: of the page in which it stands.
        content: what it shows; checked and cleaned as that of any panel.
    """

    title: str
    section: PanelSection
    content: Chart | Html


@dataclass(frozen=True)
class StudyFolder:
    """The files of one study. Tables that are missing are empty, with their columns.

    Args:
        path: the folder.
        record: with its defaults where it is missing.
        missing: the files that could not be read, with the reason: ``{file: reason}``.
        further: panels beside those of the configuration.
    """

    path: Path
    config: str
    record: Record
    cells: pd.DataFrame
    scores: pd.DataFrame
    agreement: pd.DataFrame
    summary: pd.DataFrame
    verdicts: pd.DataFrame
    gallery: Gallery
    missing: dict[str, str]
    comparisons: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COMPARISONS))
    curves: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CURVES))
    examples: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=EXAMPLES))
    further: tuple[FurtherPanel, ...] = ()

    def identity(self, key: str) -> str:
        """``model``, ``dataset`` or ``seed``, from the record or, without it, from any table."""
        value = getattr(self.record.study, key)
        if value not in ("", None):
            return str(value)
        for frame in (self.cells, self.summary, self.scores, self.agreement):
            if len(frame):
                return str(frame[key].iloc[0])
        return ""

    def shown(self, key: str) -> str:
        """``model`` or ``dataset`` as people call it, see :func:`~.names.shown_name`."""
        return shown_name(getattr(self.record, key), self.identity(key))

    @property
    def seed(self) -> int:
        """The seed as a number, for the resampling; 0 where it is unknown."""
        seed = self.identity("seed")
        return int(seed) if seed.isdecimal() else 0

    @property
    def unit(self) -> str:
        """What is resampled and tested, in the plural."""
        return "clusters" if self.clusters else "examples"

    @property
    def units(self) -> pd.DataFrame:
        """The scores, with clusters in place of the examples where the study has clusters."""
        return by_cluster(self.scores, self.clusters)

    @property
    def clusters(self) -> Mapping[str, str]:
        """The cluster of each example; empty where examples are independent."""
        return (None if self.record.data is None else self.record.data.clusters) or {}

    def signed(self, method: str, values: NDArray[Any]) -> bool:
        """Whether the method is signed: as declared, or without a record whether any value is negative."""
        declared = self.record.methods.get(method, MethodFacts()).signed
        return bool((np.asarray(values) < 0).any()) if declared is None else declared

    @property
    def name(self) -> str:
        """Model, dataset and seed in one line."""
        model, dataset = self.shown("model"), self.shown("dataset")
        return f"{model} on {dataset}, seed {self.identity('seed')}" if model else self.path.name


def find_studies(path: Path) -> list[Path]:
    """The study folders in ``path`` and below it, in the order of their numbers and names.

    A study folder holds a ``record.json`` or a ``cells.parquet``. Hidden folders and the copies that MLflow keeps are
    left out, as is the folder of a sweep itself.
    """
    studies = []
    for folder, subfolders, files in os.walk(path):
        subfolders[:] = [name for name in subfolders if not name.startswith(".") and name not in _COPIES]
        if {"record.json", "cells.parquet"} & set(files) and "sweep.json" not in files:  # a sweep has joint tables
            studies.append(Path(folder))
    return sorted(studies, key=_natural_order)


def _natural_order(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.as_posix())  # text and digits alternate
    return [(0, int(part), "") if place % 2 else (1, 0, part) for place, part in enumerate(parts)]


def table(rows: Sequence[Mapping[str, Any]] | pd.DataFrame, file: str) -> pd.DataFrame:
    """A table with the columns of ``file``, in their order.

    Raises:
        ValueError: a column is missing.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, columns=_COLUMNS[file])
    lacking = [name for name in _COLUMNS[file] if name not in frame.columns]
    if lacking:
        raise ValueError(f"lacks the columns {', '.join(lacking)}")
    return frame[_COLUMNS[file]]


def _parquet(path: Path) -> pd.DataFrame:
    return table(pd.read_parquet(path), path.name)


def _agreement(path: Path) -> pd.DataFrame:
    """The agreement, its texts as categories: a study of 200 cells has millions of rows of few texts."""
    columns = [name for name in _COLUMNS[path.name] if name not in ("seed", "value")]
    return table(pd.read_parquet(path, engine="pyarrow", read_dictionary=columns), path.name)


def _summary(path: Path) -> pd.DataFrame:
    text = dict.fromkeys([*_STUDY, *CELL, "metric", "letters"], str)  # a label may be "null" or "1"
    empty = {name: ["", "nan", "NaN"] for name in _NUMBERS}
    return table(pd.read_csv(path, dtype=text, keep_default_na=False, na_values=empty), path.name)


def _verdicts(path: Path) -> pd.DataFrame:
    """The verdicts; empty where they cannot be read, since they can be computed from the scores."""
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys([*_STUDY, "metric", "verdict"], str))
    except _READ_ERRORS:
        return pd.DataFrame(columns=_VERDICTS)
    return frame if set(_VERDICTS) <= set(frame.columns) else pd.DataFrame(columns=_VERDICTS)


def _comparisons(folder: Path) -> pd.DataFrame:
    """The paired tests; empty where they cannot be read, since they can be computed from the scores."""
    try:
        frame = read_table(folder, "comparisons")
    except ResourceError:
        return pd.DataFrame(columns=COMPARISONS)
    return frame if set(COMPARISONS) <= set(frame.columns) else pd.DataFrame(columns=COMPARISONS)


def _kept(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table that no number depends on; empty where it cannot be read, or an older version did not write it."""
    try:
        frame = pd.read_parquet(path)
    except _READ_ERRORS:
        return pd.DataFrame(columns=list(columns))
    return frame if set(columns) <= set(frame.columns) else pd.DataFrame(columns=list(columns))


def read_gallery(path: Path) -> Gallery:
    """Read the folder ``gallery`` of a study."""
    content = json.loads((path / "gallery.json").read_text(encoding="utf-8"))
    # Opened here, since np.load does not close a file that it cannot read.
    with (path / "gallery.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        kept = {key: arrays[key] for key in arrays.files}
    examples = tuple(content["examples"])
    scales = {of["key"]: of.get("scale") for example in examples for of in example.get("maps") or ()}
    return Gallery(content["modality"], examples, Arrays(kept, scales), content.get("inputs", True))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def read_study(path: Path) -> StudyFolder:
    """Read the folder of a study.

    Raises:
        ResourceError: it holds no file of a study.
    """
    if not any((path / name).exists() for name in _CONTENTS):
        raise ResourceError(
            str(path),
            "holds no study" if path.is_dir() else "no such folder",
            hint="name a folder that a study or a sweep wrote (it holds record.json)",
        )
    missing: dict[str, str] = {}

    def part(name: str, read: Callable[[Path], T], otherwise: T) -> T:
        try:
            return read(path / name)
        except FileNotFoundError:
            missing[name] = f"missing ({_CONTENTS[name]})"
        except ResourceError as error:
            missing[name] = f"cannot be read ({error.what})"
        except _READ_ERRORS as error:
            missing[name] = f"cannot be read ({str(error) or type(error).__name__})"
        return otherwise

    readers = {"summary.csv": _summary, "agreement.parquet": _agreement}

    def frame(name: str) -> pd.DataFrame:
        return part(name, readers.get(name, _parquet), table([], name))

    return StudyFolder(
        path=path,
        config=part("config.yaml", _text, ""),
        record=part("record.json", Record.read, Record(version=0)),
        cells=frame("cells.parquet"),
        scores=frame("scores.parquet"),
        agreement=frame("agreement.parquet"),
        summary=frame("summary.csv"),
        verdicts=_verdicts(path / "verdicts.csv"),
        comparisons=_comparisons(path),
        curves=_kept(path / "curves.parquet", CURVES),
        examples=_kept(path / "examples.parquet", EXAMPLES),
        gallery=part("gallery", read_gallery, Gallery()),
        missing=missing,
    )
