"""How far the jobs of a sweep are, from the folders that they left."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xaiexp.core.record import Record
from xaiexp.errors import ResourceError
from xaiexp.results.identity import Sources, installed_version, package_versions
from xaiexp.results.job_errors import INTERRUPTED
from xaiexp.sweep.folder import JobEntry

__all__ = ["Job", "State", "counted", "state_of"]

State = Literal["done", "changed", "failed", "cut off", "to do"]
_FILES = ("cells.parquet", "scores.parquet", "agreement.parquet", "summary.csv", "verdicts.csv", "comparisons.csv")


@dataclass(frozen=True)
class Job:
    """A job: what it runs, where, and how far it is.

    Args:
        overrides: of its study.
        folder: of its study, below that of the sweep.
        state: ``done`` jobs are not run again; ``changed`` ones are done, but code or data are not as they were.
        reason: of ``changed`` and ``failed``, in one line.
        shard_of: the folder of the study that it computes a part of; empty for a study.
    """

    overrides: tuple[str, ...]
    folder: str
    state: State = "to do"
    reason: str = ""
    shard_of: str = ""


def state_of(sweep: Path, entry: JobEntry, sources: Sources) -> tuple[State, str]:
    """How far a job is, with the reason.

    Args:
        sweep: the folder of the sweep.
        entry: of the job.
        sources: what decides the numbers now.
    """
    folder = sweep / entry.folder
    try:
        record = Record.read(folder / "record.json")
    except OSError:
        return "to do", ""
    except ResourceError:
        return "cut off", ""
    if record.config != entry.config:
        return "to do", ""
    if record.status == "failed" and record.error != INTERRUPTED:
        return "failed", record.error or "some cells failed"
    files = (*_FILES, "report.html") if entry.report else _FILES
    if record.status != "done" or not all((folder / name).is_file() for name in files):
        return "cut off", ""
    changed = _changed_versions(record) or _changed_sources(record, sources.of(record))
    return ("changed", changed) if changed else ("done", "")


def _changed_versions(record: Record) -> str:
    for name, before in package_versions(record).items():
        now = _version(name)
        if now is not None and now != before:
            return f"{name} {before} is {now} now"
    return ""


def _version(package: str) -> str | None:
    """The installed version; None where it cannot be told without loading the package."""
    if package in ("cuda",):
        return None
    if package == "python":
        return platform.python_version()
    return installed_version(package)


def _changed_sources(record: Record, now: Mapping[str, str]) -> str:
    changed = [name for name, source in now.items() if record.sources.get(name) != source]
    return f"code or files of {', '.join(changed)} changed" if changed else ""


def counted(jobs: Sequence[Job]) -> str:
    """How many jobs are in each state, as text."""
    counts = {state: sum(job.state == state for job in jobs) for state in State.__args__}  # type: ignore[attr-defined]  # typing
    words = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{len(jobs)} {'study' if len(jobs) == 1 else 'studies'}: {words}"
