"""The tables and the page over all studies of a sweep; what the studies wrote stays the source of truth."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

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


def is_due(studies: int) -> bool:
    """Whether the tables are written after so many studies: at 1, 2, 3, 4, 6, 9, 13, 19 ...

    Each time is about half as much again as the time before, so that the work over a sweep grows with its studies, not
    with their square.
    """
    at = 1
    while at < studies:
        at = max(at + 1, at * 3 // 2)
    return at == studies


def write_when_due(folder: Path) -> None:
    """Write the tables after a study of the sweep has ended, unless another process does."""
    from filelock import FileLock, Timeout

    if not is_due(sum((study / "comparisons.csv").is_file() for study in find_studies(folder))):
        return
    try:
        with FileLock(folder / ".joint.lock", timeout=0):
            _write(folder)
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
        return _write(folder)


def _write(folder: Path) -> Path:
    page, studies = folder / "report.html", find_studies(folder)
    versions = _versions(folder, studies)
    if not (page.is_file() and _joined(folder) == versions):
        tables = _tables(folder, studies)
        reports.build(studies, page)
        for name in ("scores", "agreement"):
            write_atomically(folder / f"{name}.parquet", tables[name].to_parquet(index=False))
        for name in ("summary", "verdicts", "comparisons"):
            write_atomically(folder / f"{name}.csv", tables[name].to_csv(index=False).encode())
        # Written last: it says which studies all of these files are of.
        write_atomically(folder / "cells.parquet", _with_studies(tables["cells"], versions))
    return page


def joint_tables(folder: Path) -> Frames:
    """The tables of a sweep: as they were written or, where studies have ended since, from the studies.

    Raises:
        ResourceError: a file is damaged.
    """
    studies = find_studies(folder)
    if _joined(folder) == _versions(folder, studies):
        return read_tables(folder)
    return _tables(folder, studies)


def _with_studies(cells: pd.DataFrame, versions: Mapping[str, int]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(cells, preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, _JOINED: json.dumps(versions)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _joined(folder: Path) -> dict[str, int] | None:
    """The studies that the tables in a folder are of, with the times of their records; None where there are none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(folder / "cells.parquet").metadata or {}
        versions = json.loads(metadata[_JOINED])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    return versions if isinstance(versions, dict) else None


def _versions(folder: Path, studies: Iterable[Path]) -> dict[str, int]:
    """The studies that have tables, with the times of their cells."""
    out = {}
    for study in studies:
        file = study / "cells.parquet"
        if file.is_file():
            out[study.relative_to(folder).as_posix()] = file.stat().st_mtime_ns
    return out


def _tables(folder: Path, studies: Sequence[Path]) -> Frames:
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
    for family in families(read):
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
    frame = pd.concat([each.astype({"seed": object}) for each in filled], ignore_index=True)
    if name not in ("summary", "verdicts", "comparisons"):
        frame["seed"] = frame["seed"].astype(filled[0]["seed"].dtype)
    return frame[[*(column for column in frame.columns if column != STUDY), STUDY]]
