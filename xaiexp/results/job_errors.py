"""What becomes of an error that ends a study: its record says so, and the traceback lies in a file beside it."""

from __future__ import annotations

import contextlib
import errno
from dataclasses import replace
from pathlib import Path

from xaiexp.core.record import Record
from xaiexp.engine.failure import Failure
from xaiexp.errors import ResourceError, XaiexpError, printable, without_passwords
from xaiexp.results.foreign_folder import refuse_foreign
from xaiexp.store.files import write_atomically

__all__ = ["ERROR_LOG", "INTERRUPTED", "as_request", "keep_error", "reason_of", "told"]

ERROR_LOG = "error.log"
"""The name of the file with the traceback."""

INTERRUPTED = "KeyboardInterrupt"
"""Why a study ended that was interrupted: nothing is wrong with it, and the same line continues it."""


def as_request(error: BaseException) -> BaseException:
    """An error as a wrong request, where the system refuses a name that the user gave: any look at a file may raise it.

    >>> print(as_request(OSError(errno.ENAMETOOLONG, "File name too long", "xx")))
    xx: is too long for the name of a file
    """
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return ResourceError(str(error.filename), "is too long for the name of a file")
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return ResourceError("a name of a file", "contains a null character")
    return error


def reason_of(error: BaseException) -> str:
    """Why a study failed: the whole message of a request that is wrong, one line of any other error."""
    if isinstance(error, XaiexpError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return printable(without_passwords(f"{name}{error.strerror}"))
    if isinstance(error, MemoryError):
        return "out of memory"
    return printable(without_passwords(Failure.of(error).reason))


def keep_error(folder: Path, error: BaseException) -> str:
    """Keep an error in the folder of a study: ``error.log``, and ``record.json`` with the status ``failed``.

    A folder of others is left as it is, and where nothing can be written nothing is.

    Args:
        folder: of the study.
        error: that ended it.

    Returns:
        What to print: the reason, and unless the request was wrong the place and the path of the traceback.
    """
    with contextlib.suppress(OSError, ResourceError):
        refuse_foreign(folder, "folder")
        _write_record(folder / "record.json", reason_of(error))
        return told(error, folder)
    return reason_of(error)


def told(error: BaseException, folder: Path) -> str:
    """What to print of an error whose traceback goes to ``error.log`` in ``folder``, where that can be written."""
    reason = reason_of(error)
    if isinstance(error, XaiexpError):
        return reason
    failure = Failure.of(error)
    try:
        write_atomically(folder / ERROR_LOG, without_passwords(failure.traceback).encode(errors="replace"))
    except OSError:
        return f"{reason}\n  at {failure.place}"
    return f"{reason}\n  at {failure.place}   traceback: {folder / ERROR_LOG}"


def _write_record(path: Path, reason: str) -> None:
    """Write that a study failed, unless its record says so."""
    record = Record.read(path) if path.is_file() else Record()
    if record.status != "failed":
        write_atomically(path, replace(record, status="failed", error=reason).to_json().encode())
