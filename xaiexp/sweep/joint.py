"""The tables and the page over all studies of a sweep; what the studies wrote stays the source of truth."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xaiexp import report as reports
from xaiexp.core.record import Record
from xaiexp.errors import ResourceError
from xaiexp.report.seeds import Family, families
from xaiexp.report.studies import Gallery, StudyFolder, find_studies
from xaiexp.report.verdicts import directions, rules
from xaiexp.results.study_tables import COLUMNS, read_tables
from xaiexp.results.verdict import comparison_table
from xaiexp.statistics.summary import summarise
from xaiexp.store.files import write_atomically

__all__ = ["is_due", "joint_tables", "write_joint", "write_when_due"]

Frames = dict[str, pd.DataFrame]
STUDY = "study"
"""The last column of the joint tables: the folder of the study; for rows over several seeds, those of all of them."""

_JOINED = b"xaiexp.studies"
_SEPARATOR = ", "
_SLOW = 10.0  # seconds a study, from which on the page costs little beside it


def is_due(studies: int) -> bool:
    """Whether the tables are written after so many studies: at 1, 2, 4, 8, 16 ...

    So the work over a sweep grows with its studies, not with their square.
    """
    return studies > 0 and studies & (studies - 1) == 0


def write_when_due(folder: Path, page: bool) -> None:
    """Write the tables after a study has ended, unless another process does.

    Where studies take long enough, with the rows over the seeds and the page; otherwise these come at the end.

    Args:
        folder: of the sweep.
        page: whether the page is wanted.
    """
    from filelock import FileLock, Timeout

    studies = sum((study / "comparisons.csv").is_file() for study in find_studies(folder))
    if not is_due(studies):
        return
    started = (folder / "sweep.json").stat().st_mtime
    slow = time.time() - started > _SLOW * studies
    try:
        with FileLock(folder / ".joint.lock", timeout=0):
            _write(folder, page and slow)
    except Timeout:
        return


def write_joint(folder: Path) -> Path | None:
    """Write the tables and the page of a sweep, unless they are those of its studies already.

    Returns:
        The page; None where there is no study.
    """
    from filelock import FileLock

    if not find_studies(folder):
        return None
    with FileLock(folder / ".joint.lock"):
        _write(folder, page=True)
    return folder / "report.html"


def _write(folder: Path, page: bool) -> None:
    target, studies = folder / "report.html", find_studies(folder)
    versions = _versions(folder, studies)
    if _joined(folder) != [versions, page] or (page and not target.is_file()):
        tables = _tables(folder, studies, over_seeds=page)
        if page:
            reports.build(studies, target)
        else:
            target.unlink(missing_ok=True)  # it is of fewer studies
        for name in ("scores", "agreement"):
            write_atomically(folder / f"{name}.parquet", tables[name].to_parquet(index=False))
        for name in ("summary", "verdicts", "comparisons"):
            write_atomically(folder / f"{name}.csv", tables[name].to_csv(index=False).encode())
        # Written last: it says which studies all of these files are of.
        write_atomically(folder / "cells.parquet", _with_studies(tables["cells"], [versions, page]))


def joint_tables(folder: Path) -> Frames:
    """The tables of a sweep: as they were written or, where studies have ended since, from the studies.

    Raises:
        ResourceError: a file is damaged.
    """
    studies = find_studies(folder)
    if _joined(folder) == [_versions(folder, studies), True]:
        return read_tables(folder)
    return _tables(folder, studies, over_seeds=True)


def _with_studies(cells: pd.DataFrame, joined: list[Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(cells, preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, _JOINED: json.dumps(joined)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _joined(folder: Path) -> list[Any] | None:
    """The studies that the tables in a folder are of, as :func:`_versions`, and whether there are rows over seeds.

    None where there are no tables.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(folder / "cells.parquet").metadata or {}
        joined = json.loads(metadata[_JOINED])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    return joined if isinstance(joined, list) else None


def _versions(folder: Path, studies: Iterable[Path]) -> dict[str, int]:
    """The studies that have tables, with the times of their cells."""
    out = {}
    for study in studies:
        file = study / "cells.parquet"
        if file.is_file():
            out[study.relative_to(folder).as_posix()] = file.stat().st_mtime_ns
    return out


def _tables(folder: Path, studies: Sequence[Path], over_seeds: bool) -> Frames:
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in COLUMNS}
    read: list[StudyFolder] = []
    for path in studies:
        name = path.relative_to(folder).as_posix()
        try:
            record, tables = Record.read(path / "record.json"), read_tables(path)
        except (OSError, ResourceError):  # the page names it
            continue
        for key, frame in tables.items():
            parts[key].append(frame.assign(**{STUDY: name}))
        read.append(_study_folder(path, record, tables))
    for family in families(read) if over_seeds else ():
        for key, frame in _over_seeds(family, folder).items():
            parts[key].append(frame)
    return {name: _stacked(name, frames) for name, frames in parts.items()}


def _study_folder(path: Path, record: Record, tables: Frames) -> StudyFolder:
    return StudyFolder(
        path,
        "",
        record,
        tables["cells"],
        tables["scores"],
        tables["agreement"],
        tables["summary"],
        tables["verdicts"],
        Gallery(),
        {},
    )


def _over_seeds(family: Family, folder: Path) -> Frames:
    """Summary, verdicts and comparisons over studies that differ in their seeds."""
    studies = family.studies
    scores = family.scores()
    ranked = directions(studies)
    names = _SEPARATOR.join(study.path.relative_to(folder).as_posix() for study in studies)
    verdicts = family.verdicts()
    every = {str(metric): ranked.get(str(metric)) for metric in scores["metric"].unique()}
    summary = summarise(scores, every, 0, over_seeds=True, families=studies[0].record.study.families)
    by_metric = verdicts.drop_duplicates("metric").set_index("metric")
    for column in ("alpha", "verdict"):
        summary[column] = summary["metric"].map(by_metric[column])
    frames = {
        "summary": summary,
        "verdicts": verdicts,
        "comparisons": comparison_table(_example_means(scores), ranked, 0, rules(studies[0])),
    }
    return {name: frame.assign(**{STUDY: names}) for name, frame in frames.items()}


def _example_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores with the mean over the seeds for each example; NaN where none is finite."""
    value = scores["value"].where(np.isfinite(scores["value"]), math.nan)
    keys = ["model", "dataset", "method", "baseline", "metric", "example", "target"]
    return (
        scores.assign(value=value, seed="all")
        .groupby(["seed", *keys], sort=False, dropna=False)["value"]
        .mean()
        .reset_index()
    )


def _stacked(name: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return pd.DataFrame(columns=[*COLUMNS[name], STUDY])
    if len({each["seed"].dtype for each in filled}) > 1:  # "all" stands beside numbers
        filled = [each.astype({"seed": object}) for each in filled]
    frame = pd.concat(filled, ignore_index=True).astype({"seed": object})
    if name not in ("summary", "verdicts", "comparisons"):
        frame["seed"] = frame["seed"].astype(filled[0]["seed"].dtype)
    return frame[[*(column for column in frame.columns if column != STUDY), STUDY]]
