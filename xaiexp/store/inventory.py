"""What lies in a store: its files by kind, whether they are whole, and their removal. Links are never followed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xaiexp.store.objects import OBJECTS, PLANS, SUFFIX
from xaiexp.store.tensor_files import Damaged, read_metadata, read_tensors
from xaiexp.store.timings import TIMING_NAME, TIMINGS

__all__ = ["LEFTOVERS", "LISTS", "MODELS", "StoredFile", "damage", "inventory", "remove"]

MODELS, LISTS, LEFTOVERS = "trained models", "lists of a cell's objects", "leftovers"
TIMES = "times of a pass"
EARLIER = "objects of an earlier version"
"""Kinds of files besides those of objects. Leftovers are of writers that were killed, or were moved aside as damaged.
Objects of an earlier version have no checksum and are never read."""

UNREADABLE = "objects that cannot be read"

_MODELS_FOLDER = "models"
_NAMES = {
    OBJECTS: re.compile(rf"[0-9a-f]{{40}}{re.escape(SUFFIX)}"),
    PLANS: re.compile(r"[0-9a-f]{40}\.json"),
    _MODELS_FOLDER: re.compile(rf"[\w-]+{re.escape(SUFFIX)}"),
    TIMINGS: TIMING_NAME,
}
_LEFTOVER = re.compile(r"\.(?P<of>.+)\.\w{8}(\.damaged)?")
_WRITTEN_WITHIN = 3600.0


@dataclass(frozen=True)
class StoredFile:
    """A file of a store.

    Args:
        path: of the file; a leftover may be a folder.
        kind: of an object as :data:`xaiexp.store.objects.ObjectKind` names it, or one of the kinds of this module.
        size: bytes.
        modified: seconds since 1970.
    """

    path: Path
    kind: str
    size: int
    modified: float


def inventory(folder: Path) -> Iterator[StoredFile]:
    """The files of a store, sorted by path.

    Files that no store writes, links, and temporary files of the last hour, whose writer may be at work, are no part
    of it.
    """
    for room, pattern in _NAMES.items():
        if (folder / room).is_symlink():
            continue
        for place, folders, files in os.walk(folder / room):
            folders.sort()
            deep = 0 if room in (_MODELS_FOLDER, TIMINGS) else 1
            if len(Path(place).relative_to(folder / room).parts) != deep:
                continue
            for name in sorted([*files, *folders]):
                path = Path(place) / name
                found = _stored(path, room, pattern)
                if found is not None:
                    yield found


def _stored(path: Path, room: str, pattern: re.Pattern[str]) -> StoredFile | None:
    leftover = _LEFTOVER.fullmatch(path.name)
    try:
        status = path.lstat()
        if path.is_symlink() or not pattern.fullmatch(leftover["of"] if leftover else path.name):
            return None
        if leftover:
            kind, fresh = LEFTOVERS, time.time() - status.st_mtime < _WRITTEN_WITHIN
            return None if fresh and not path.is_dir() else StoredFile(path, kind, status.st_size, status.st_mtime)
        kind = {PLANS: LISTS, _MODELS_FOLDER: MODELS, TIMINGS: TIMES}.get(room) or _kind_of(path)
        return StoredFile(path, kind, status.st_size, status.st_mtime)
    except OSError:  # another process has removed it
        return None


def _kind_of(path: Path) -> str:
    """What an object says that it holds."""
    try:
        metadata = read_metadata(path)
    except Damaged:
        return UNREADABLE
    return metadata.get("kind", UNREADABLE) if metadata else EARLIER


def damage(file: StoredFile) -> str:
    """What is wrong with a file, which is read for it; empty where it is as it was written."""
    if file.kind in (LISTS, TIMES, EARLIER, LEFTOVERS):
        return "is left over" if file.kind == LEFTOVERS else ""
    try:
        _, metadata = read_tensors(file.path)
    except Damaged as error:
        return str(error)
    except FileNotFoundError:  # another process has removed it
        return ""
    return "" if file.kind == MODELS or metadata.get("key") == file.path.stem else "is the file of another object"


def remove(files: Iterable[StoredFile]) -> int:
    """Remove files of a store; returns how many there were. A link that took the place of one is left."""
    removed = 0
    for file in files:
        with contextlib.suppress(OSError):
            if file.path.is_symlink():
                continue
            if file.path.is_dir():
                shutil.rmtree(file.path)  # does not follow links in it
            else:
                file.path.unlink()
            removed += 1
    return removed
