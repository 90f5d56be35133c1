"""Runs jobs one after the other, in a thread of their own; a job shows its progress and can be stopped."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from xaiexp.engine.progress import Meter
from xaiexp.errors import UserError
from xaiexp.results.job_errors import reason_of

__all__ = ["Job", "JobMeter", "Jobs"]

_OFTEN = 0.15
"""Seconds between two events about the progress of a job."""

_EVENTS = ("stop", "ended")

_MOST = 16
"""Jobs that wait at most."""


class Stopped(KeyboardInterrupt):
    """A job is stopped: no method can take it for a failure of its own."""


@dataclass
class Job:
    """One study that explains a cell again.

    Args:
        id: names it in requests; also the id of its document.
        study: its place on the page.
        cell: its label on the page.
        changes: names of keys with their new values.
        command: the equivalent command line.
        own: the id of an own input, or empty.
        state: how far it is.
        done, total: passes.
        message: why it failed.
        folder: of its results.
        result: the label of the cell in its results.
        seconds: from its start to its end.
        stop: asks it to end.
        ended: is set when it has.
    """

    id: str
    study: int
    cell: str
    changes: list[list[str]]
    command: str
    own: str = ""
    state: Literal["queued", "running", "done", "failed", "stopped"] = "queued"
    done: int = 0
    total: int = 0
    message: str = ""
    folder: str = ""
    result: str = ""
    seconds: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event, repr=False)
    ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def to_mapping(self) -> dict[str, Any]:
        """As the page gets it."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _EVENTS}


class JobMeter(Meter):
    """Tells the progress of a job, and ends it between two passes."""

    def __init__(self, job: Job, tell: Callable[[Job], None]) -> None:
        super().__init__(job.cell, quiet=True)
        self._job, self._tell, self._told = job, tell, 0.0

    def start(self, total: int) -> None:
        """Expect passes."""
        self._job.total = max(1, total)
        self._tell(self._job)

    def advance(self, passes: int) -> None:
        """Count passes.

        Raises:
            Stopped: the job is to end.
        """
        self._job.done += passes
        self._job.total = max(self._job.total, self._job.done)
        if self._job.stop.is_set():
            raise Stopped
        if time.monotonic() - self._told > _OFTEN:
            self._told = time.monotonic()
            self._tell(self._job)


class Jobs:
    """The queue and its thread.

    Args:
        tell: called whenever a job changes.
        before: what the thread does first.
    """

    def __init__(self, tell: Callable[[Job], None], before: Callable[[], None] = lambda: None) -> None:
        self._tell, self._before = tell, before
        self._queue: queue.Queue[tuple[Job, Callable[[JobMeter], None]] | None] = queue.Queue()
        self.known: dict[str, Job] = {}
        self._thread = threading.Thread(target=self._work, name="xaiexp-view", daemon=True)
        self._thread.start()

    def add(self, job: Job, work: Callable[[JobMeter], None]) -> None:
        """Queue a job.

        Raises:
            UserError: too many wait already.
        """
        if sum(each.state == "queued" for each in self.known.values()) >= _MOST:
            raise UserError("view", f"{_MOST} changes wait already", hint="stop some of them")
        self.known[job.id] = job
        self._tell(job)
        self._queue.put((job, work))

    def stop(self, name: str) -> bool:
        """Stop a job; whether there is such a job that has not ended."""
        job = self.known.get(name)
        if job is None or job.state not in ("queued", "running"):
            return False
        job.stop.set()
        return True

    def close(self) -> None:
        """Stop everything."""
        for job in self.known.values():
            job.stop.set()
        self._queue.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until the thread has ended, after :meth:`close`."""
        self._thread.join(seconds)

    def _work(self) -> None:
        self._before()
        while (item := self._queue.get()) is not None:
            self._run(*item)

    def _run(self, job: Job, work: Callable[[JobMeter], None]) -> None:
        started = time.monotonic()
        if job.stop.is_set():
            job.state = "stopped"
            self._tell(job)
            job.ended.set()
            return
        job.state = "running"
        self._tell(job)
        try:
            work(JobMeter(job, self._tell))
            job.state = "done"
        except Stopped:
            job.state = "stopped"
        except BaseException as error:  # a component may raise anything; the thread goes on
            job.state, job.message = "failed", reason_of(error)
        job.seconds = round(time.monotonic() - started, 3)
        self._tell(job)
        job.ended.set()
