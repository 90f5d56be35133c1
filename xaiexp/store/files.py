"""Atomic file writes, whether they can be made, and names of files."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

from xaiexp.errors import ResourceError

__all__ = ["ensure_writable", "file_name", "move_aside", "write_atomically"]


def file_name(text: str) -> str:
    """The text as a file name for every file system and artifact store."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:80] or "unnamed"


def write_atomically(path: Path, content: bytes, durable: bool = True) -> None:
    """Write a file atomically: readers see the complete old or the complete new content, also after a crash.

    The content goes to a temporary file in the same folder, which then replaces ``path``. File and folder are flushed
    to the disk, so that this holds after a power failure too. Missing folders are created. The permissions are 0644.

    Args:
        path: of the file.
        content: of the file.
        durable: whether to wait for the disk. Without, a file may be empty after a power failure, which is for files
            whose readers verify a checksum and that can be made again.

    Raises:
        OSError: the file cannot be written; the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the file system can."""
    with contextlib.suppress(OSError):  # Windows and some network file systems cannot
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def move_aside(path: Path) -> None:
    """Rename a folder that lies where a file is to be written, to a name that ends in ``.damaged``.

    Raises:
        OSError: it cannot be renamed.
    """
    if path.is_dir() and not path.is_symlink():
        path.replace(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".damaged"))


def ensure_writable(folder: Path, where: str) -> None:
    """Create a folder if it does not exist, and check that files can be created in it.

    Args:
        folder: the folder.
        where: the option that names it, for the message.

    Raises:
        ResourceError: the folder cannot be created, or no file can be created in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ResourceError(where, f"cannot be written ({error.strerror or error})", got=str(folder)) from None
