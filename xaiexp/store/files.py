"""Atomic file writes, and the check that a folder is writable."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from xaiexp.errors import ResourceError

__all__ = ["ensure_writable", "write_atomically"]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the complete old or the complete new content, also after a crash.

    The content goes to a temporary file in the same folder, which then replaces ``path``. Missing folders are created.
    The permissions are 0644.

    Raises:
        OSError: the file cannot be written; the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
