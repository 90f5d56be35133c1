"""The file ``sweep.json`` in the folder of a sweep: its line and its jobs, written before the first one starts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from xaiexp.core.json_parts import Part, read_part
from xaiexp.errors import ResourceError
from xaiexp.store.files import write_atomically
from xaiexp.store.owners import Owner, claim, owner_of, release

__all__ = ["JobEntry", "SweepFile", "claim_sweep", "job_owner_file", "release_sweep", "sweep_owner"]

VERSION = 1
_NAME = "sweep.json"
_OWNER = ".owner.json"


@dataclass(frozen=True)
class JobEntry(Part):
    """A job of a sweep.

    Args:
        overrides: without passwords.
        folder: of its study, below that of the sweep.
        config: hash of its resolved configuration, see :func:`xaiexp.results.identity.config_digest`.
        report: whether it writes ``report.html``.
        shard_of: the folder of the study that it computes a part of; empty for a study.
    """

    overrides: tuple[str, ...] = ()
    folder: str = ""
    config: str = ""
    report: bool = True
    shard_of: str = ""


@dataclass(frozen=True)
class SweepFile(Part):
    """The content of ``sweep.json``.

    Args:
        line: hash of the overrides and the configuration that all jobs share; equal for the same line.
        started: date and time, ISO 8601.
        finished: date and time at which all jobs were done; empty before.
        sources: hash of the files and schemas that the configurations of the jobs were composed from.
        jobs: in the order of the line; none where another sweeper than Hydra's basic one chooses them.
    """

    version: int = VERSION
    line: str = ""
    started: str = ""
    finished: str = ""
    sources: str = ""
    jobs: tuple[JobEntry, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> SweepFile | None:
        """The file in a folder; None where there is none that can be read."""
        try:
            values = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return read_part(cls, values) if isinstance(values, dict) else None

    def write(self, folder: Path) -> None:
        """Write the file."""
        write_atomically(folder / _NAME, json.dumps(self.to_mapping(), indent=1).encode())


def claim_sweep(folder: Path) -> None:
    """Make this process the one that runs the sweep in a folder, until :func:`release_sweep` or its end.

    Raises:
        ResourceError: another process runs it.
    """
    other = claim(folder / _OWNER)
    if other is not None:
        where = "" if other.here() else f"; if that machine is gone, remove {folder / _OWNER}"
        raise ResourceError(
            "-m",
            f"process {other.pid} on {other.host} is running this sweep",
            got=str(folder),
            hint=f"wait for it, or start another one: resume=false{where}",
        )


def release_sweep(folder: Path) -> None:
    """Let other processes run the sweep."""
    release(folder / _OWNER)


def sweep_owner(folder: Path) -> Owner | None:
    """The process that runs the sweep in a folder now, or None."""
    return owner_of(folder / _OWNER)


def job_owner_file(folder: Path) -> Path:
    """The file that names the process that runs the study in a folder; beside it, so that no tracker copies it."""
    return folder.with_name(f".{folder.name}.owner.json")
