"""Which process works in a folder: a file with its number and host, taken over where that process has ended."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from xaiexp.errors import ResourceError
from xaiexp.store.files import write_atomically

__all__ = ["Owner", "claim", "owner_of", "release", "this_process"]


@dataclass(frozen=True)
class Owner:
    """A process of this or another machine.

    Args:
        pid: its number.
        host: the machine that it runs on.
        started: when it started, as its system says it; numbers of ended processes are given out again. Empty where
            the system does not say it.
    """

    pid: int
    host: str
    started: str = ""

    def here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host == socket.gethostname()

    def ended(self) -> bool:
        """Whether it is known to have ended; of a process of another machine this is not known."""
        if not self.here():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):  # it runs as another user; no process has such a number
            pass
        now = _started(self.pid)
        return bool(self.started and now) and self.started != now


def this_process() -> Owner:
    """The process that asks."""
    return Owner(os.getpid(), socket.gethostname(), _started(os.getpid()))


def _started(pid: int) -> str:
    """Clock ticks from the start of the machine to that of a process; "ended" for one that was not waited for."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()  # the name in brackets may contain spaces
    return "ended" if fields[0] in ("Z", "X") else fields[19]


def owner_of(file: Path) -> Owner | None:
    """The process that a file names and that has not ended; None where there is none."""
    try:
        values = json.loads(file.read_text())
        owner = Owner(int(values["pid"]), str(values["host"]), str(values["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if owner.ended() else owner


def claim(file: Path) -> Owner | None:
    """Write this process into a file, unless another one that has not ended stands there.

    Returns:
        None where the file names this process now; otherwise the other one.

    Raises:
        ResourceError: the file cannot be written.
    """
    from filelock import FileLock

    me = this_process()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f"{file.name}.lock")):
            other = owner_of(file)
            if other is not None and other != me:
                return other
            write_atomically(file, json.dumps(asdict(me)).encode())
    except OSError as error:
        raise ResourceError(str(file), f"cannot be written ({error.strerror or error})") from None
    return None


def release(file: Path) -> None:
    """Remove a file that names this process."""
    if owner_of(file) == this_process():
        file.unlink(missing_ok=True)
        file.with_name(f"{file.name}.lock").unlink(missing_ok=True)
