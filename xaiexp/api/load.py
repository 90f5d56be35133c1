"""``xaiexp.load``: the results in the folder of a study or of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.api.result import Result
from xaiexp.core.record import Record
from xaiexp.errors import ResourceError
from xaiexp.report.studies import find_studies
from xaiexp.results.study_tables import read_tables
from xaiexp.store.objects import Store
from xaiexp.sweep.folder import SweepFile
from xaiexp.sweep.joint import joint_tables

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load"]


def load(folder: str | Path) -> Result:
    """Read the results that a study or a sweep left in its folder, also after a crash.

    The tables of a sweep are those of its studies, one below the other; the last column, ``study``, holds the folder of
    the study, and rows with the seed ``all`` are over the seeds. ``Result.studies`` holds each study by its folder.

    Args:
        folder: of a study, or of a sweep.

    Raises:
        ResourceError: the folder holds neither, or a file in it is damaged.
    """
    path = Path(folder).resolve()
    if not path.is_dir():
        raise ResourceError("load", "no such folder", got=str(folder))
    if (path / "record.json").is_file():
        return _study(path)
    studies = {each.relative_to(path).as_posix(): _study(each) for each in find_studies(path)}
    if not studies:
        raise ResourceError("load", "contains no study (a folder with record.json)", got=str(folder))
    tables = joint_tables(path)
    sweep = SweepFile.read(path)
    return _result(path, tables, {} if sweep is None else sweep.to_mapping(), Record(), studies)


def _study(path: Path) -> Result:
    try:
        record = Record.read(path / "record.json")
    except FileNotFoundError:
        record = Record(version=0)
    return _result(path, read_tables(path), record.to_mapping(), record, {})


def _result(
    path: Path, tables: dict[str, pd.DataFrame], values: dict[str, Any], record: Record, studies: dict[str, Result]
) -> Result:
    keys = {(cell.method, cell.baseline): keys for cell, keys in (record.objects or {}).items()}
    return Result(
        path,
        tables["cells"],
        tables["scores"],
        tables["agreement"],
        tables["summary"],
        tables["verdicts"],
        values,
        Store(Path(record.store or path / "store")),
        keys,
        studies,
    )
