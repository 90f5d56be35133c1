"""Worker processes of Hydra's launchers: one that dies ends no sweep, and none outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xaiexp.errors import UserError
from xaiexp.results.job_errors import told
from xaiexp.store.owners import Owner, this_process
from xaiexp.sweep.folder import job_owner_file
from xaiexp.sweep.opening import Sweep
from xaiexp.sweep.states import Job

__all__ = ["at_work", "died", "launch_all", "stop_workers"]

_TRIES = 2
"""How many workers may die with a job before it is given up."""

_LAUNCHER = "XAIEXP_LAUNCHER"
"""The variable of the environment that names the launching process to its workers."""

_SECONDS = 1.0
"""How often a worker looks whether the process that launched it is alive."""

_working = threading.RLock()
_watching: list[Callable[[], bool]] = []
"""Whether nobody waits for this worker any more; empty before its first job."""

_DEATHS = {
    ("concurrent", "BrokenExecutor"),  # loky's TerminatedWorkerError is one
    ("submitit", "UncompletedJobError"),
    ("ray", "WorkerCrashedError"),
    ("ray", "LocalRayletDiedError"),
    ("ray", "OutOfMemoryError"),
}


def died(error: BaseException) -> bool:
    """Whether an error of a launcher says that a worker ended in the middle of a job."""
    return any((cls.__module__.partition(".")[0], cls.__name__) in _DEATHS for cls in type(error).__mro__)


def launch_all(
    sweep: Sweep, jobs: Sequence[Job], launch: Callable[[Sequence[Job]], int], say: Callable[[str], None]
) -> int:
    """Launch jobs, and those that a worker left unfinished when it died once more.

    A launcher raises for all jobs where one worker dies. The jobs that were running are suspects: they are launched
    again after all others and one by one, so that the job which ends its worker takes no other one with it.

    Args:
        sweep: that the jobs belong to.
        jobs: to launch.
        launch: runs jobs and returns an exit code.
        say: tells the user a line.

    Returns:
        The largest exit code.
    """
    deaths: Counter[str] = Counter()
    code, waiting, in_vain = 0, [list(jobs)], 0
    while waiting:
        batch = waiting.pop(0)
        before = _owners(sweep, batch)
        try:
            with _all_awaited(), _named_as_launcher():
                code = max(code, launch(batch))
            continue
        except UserError:
            raise
        except Exception as error:
            stop_workers()
            died_now = died(error)
            say(_sentence(error, sweep.folder))
        if not sweep.basic:  # another sweeper chose the jobs
            break
        sweep = sweep.refreshed()
        states = {job.folder: job.state for job in sweep.jobs}
        left = [job for job in batch if states[job.folder] not in ("done", "failed")]
        suspects = [job for job in left if (now := _owner(sweep, job)) is not None and now != before[job.folder]]
        deaths.update(job.folder for job in suspects)
        for job in suspects:
            if deaths[job.folder] >= _TRIES:
                say(f"  {job.folder} is given up in this sweep: {_TRIES} workers died while they ran it")
        in_vain = 0 if suspects or len(left) < len(batch) else in_vain + 1
        if not died_now or in_vain >= _TRIES:
            break  # the launcher does not work
        others = [job for job in left if job not in suspects]
        waiting = [each for each in (others, *waiting) if each]
        waiting += [[job] for job in suspects if deaths[job.folder] < _TRIES]
    return code


def _sentence(error: Exception, folder: Path) -> str:
    if not died(error):
        return told(error, folder)
    first = str(error).strip().partition("\n")[0].rstrip(". ")
    return f"a worker of the launcher died ({type(error).__name__}: {first[:160]})"


def _owner(sweep: Sweep, job: Job) -> bytes | None:
    """The file of the process that runs a job, or ran it when it died; None where it ended the job."""
    try:
        return job_owner_file(sweep.folder / job.folder).read_bytes()
    except OSError:
        return None


def _owners(sweep: Sweep, jobs: Sequence[Job]) -> Mapping[str, bytes | None]:
    return {job.folder: _owner(sweep, job) for job in jobs}


@contextmanager
def _all_awaited() -> Iterator[None]:
    """Let submitit's launcher wait for all jobs before it raises: the others go on, and must not run twice."""
    if "hydra_plugins.hydra_submitit_launcher" not in sys.modules:
        yield
        return
    from submitit.core.core import Job as Submitted

    before, errors = Submitted.results, list[Exception]()

    def results(self: Any) -> list[Any]:
        try:
            return list(before(self))
        except Exception as error:
            errors.append(error)
            return [_Unfinished()]

    Submitted.results = results  # until all are waited for
    try:
        yield
    finally:
        Submitted.results = before
    if errors:
        raise errors[0]


class _Unfinished:
    """What a job returned whose worker died."""

    return_value = None


def stop_workers() -> None:
    """End the idle workers of this process's launchers; loky's wait for more work long after their last job."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(loky, "_executor", None)
    if executor is not None:
        with contextlib.suppress(Exception):  # it broke
            executor.shutdown(wait=True, kill_workers=True)
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        ray.shutdown()


@contextmanager
def _named_as_launcher() -> Iterator[None]:
    """Let workers that are started meanwhile know this process, whenever their first job begins."""
    os.environ[_LAUNCHER] = json.dumps(asdict(this_process()))
    try:
        yield
    finally:
        os.environ.pop(_LAUNCHER, None)


@contextmanager
def at_work() -> Iterator[None]:
    """The time in which this worker of a launcher runs a job.

    It ends at the end of the job if the process that launched it has ended by then, and between two jobs as soon as
    that one ends: nobody reads its results, and nobody sends it further jobs, but it would wait for both.
    """
    if not _watching:
        parent, launcher = os.getppid(), _launcher()
        _watching.append(lambda: os.getppid() != parent or (launcher is not None and launcher.ended()))
        threading.Thread(target=_leave_when_orphaned, args=_watching, daemon=True).start()
    with _working:
        yield
        if _watching[0]():
            _leave()


def _launcher() -> Owner | None:
    """The process that launched this worker, on whatever machine; None where it is not known."""
    try:
        return Owner(**json.loads(os.environ.get(_LAUNCHER, "")))
    except (ValueError, TypeError):
        return None


def _leave_when_orphaned(orphaned: Callable[[], bool]) -> None:
    while not orphaned():
        time.sleep(_SECONDS)
    with _working:
        _leave()


def _leave() -> None:
    with contextlib.suppress(Exception):  # nobody may read them any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(1)
