"""Things of a machine that one process uses at a time, such as GPUs, reserved by locks of files."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["leased_among"]

log = logging.getLogger("xaiexp")

_POLL_SECONDS = 0.5


@contextmanager
def leased_among(
    things: Sequence[str], folder: Path, *, waiting: str = "", sleep: Callable[[float], None] = time.sleep
) -> Iterator[int]:
    """Reserve one of several things of this machine within the block; wait until one is free.

    A process that died reserves nothing.

    Args:
        things: identifiers that are the same in all processes and can be names of files.
        folder: of the lock files, one each.
        waiting: logged once where all are in use.
        sleep: waits between two attempts, for tests.

    Yields:
        The place of the reserved one in ``things``.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    locks = [FileLock(folder / f"{thing}.lock") for thing in things]
    told = False
    while True:
        for index, lock in enumerate(locks):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            try:
                yield index
            finally:
                lock.release()
            return
        if waiting and not told:
            told = True
            log.warning(waiting)
        sleep(_POLL_SECONDS)
