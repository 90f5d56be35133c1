"""Keeps studies in MLflow: one run for the study, one child run for each cell."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from xaiexp.builtin.trackers.mlflow_client import (
    ERROR,
    SQLITE,
    ClientRuns,
    children_of,
    client_at,
    experiment_of,
    runs_of,
)
from xaiexp.builtin.trackers.mlflow_database import database_at
from xaiexp.contract.tracker import KeptRun, TrackedRun, TrackedStudy, Tracker
from xaiexp.errors import ResourceError, without_passwords
from xaiexp.store.owners import Owner

__all__ = ["Mlflow"]

_STATUS = {"RUNNING": "running", "SCHEDULED": "running", "FINISHED": "done"}
_PAGE = 1000


@dataclass(frozen=True)
class Mlflow(Tracker):
    """MLflow at `tracking.uri`, in the experiment `tracking.experiment`.

    Args:
        system_metrics: whether the load of processor, memory and GPU is logged every 10 s while the study runs, by
            MLflow's client, which takes seconds to be imported. It needs psutil, for GPUs nvidia-ml-py;
            MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL sets the seconds.
    """

    summary: ClassVar[str] = "MLflow: a run for the study, a child run for each cell, and a copy of the study's files"
    source: ClassVar[str] = "https://mlflow.org"

    system_metrics: bool = False

    def prepare(self, address: str, group: str) -> None:
        """Create the database and the experiment."""
        if self.system_metrics and find_spec("psutil") is None:
            raise ResourceError("tracker.mlflow.system_metrics", "needs psutil", hint="pip install psutil")
        if database_at(address, group, new=True) is not None:
            return
        try:
            experiment_of(client_at(address), address, group)
        except Exception as error:  # SQLAlchemy, requests and MLflow raise errors of their own
            line = _first_line(error, address)
            if _is_away(error, address):
                raise ConnectionError(line) from None
            raise ResourceError(
                "tracking.uri",
                f"cannot be reached or used ({type(error).__name__}: {line})",
                got=without_passwords(address),
                hint="pip install 'xaiexp[postgres]'"
                if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("psycopg")
                else "leave it out for the embedded store, or tracking.uri=off",
            ) from None

    def start(self, study: TrackedStudy) -> TrackedRun:
        """Start the run, or go on with the one whose tag ``xaiexp.id`` is that of the study."""
        from xaiexp.builtin.trackers.mlflow_runs import StudyRun

        if not self.system_metrics and (runs := database_at(study.address, study.group)) is not None:
            return StudyRun(runs, study)
        client = client_at(study.address)
        runs_of_client = ClientRuns(client, experiment_of(client, study.address, study.group))
        if not self.system_metrics or study.record.status != "running":  # the load of a study that is over is not known
            return StudyRun(runs_of_client, study)
        from xaiexp.builtin.trackers.mlflow_system import watch

        return StudyRun(runs_of_client, study, lambda run: watch(run, study.address))

    def kept(self, study: TrackedStudy) -> list[KeptRun]:
        """The runs of a study with the names of their child runs and their metrics."""
        client = client_at(study.address)
        experiment = experiment_of(client, study.address, study.group)
        out = []
        for run in runs_of(client, experiment, study.id):
            cells = [child.info.run_name for child in children_of(client, experiment, run.info.run_id)]
            status: Any = _STATUS.get(run.info.status, "failed")
            out.append(KeptRun(run.info.run_id, status, tuple(cells), dict(run.data.metrics)))
        return out

    def repair(self, address: str) -> list[str]:
        """End the runs in all experiments whose tags name a process of this machine that has ended."""
        if address.startswith(SQLITE) and not Path(address.removeprefix(SQLITE)).is_file():
            return []
        client = client_at(address)
        experiments = [each.experiment_id for each in client.search_experiments()]
        ended, token = [], None
        while True:
            page = client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=_PAGE, page_token=token)
            ended += [run for run in page if _has_ended(run.data.tags)]
            token = page.token
            if not token:
                break
        for run in ended:
            client.set_tag(run.info.run_id, ERROR, "its process ended before it")
            client.set_terminated(run.info.run_id, "KILLED")
        return [f"{run.info.run_name} ({run.info.run_id})" for run in ended]


def _has_ended(tags: dict[str, str]) -> bool:
    pid = tags.get("xaiexp.pid", "")
    owner = Owner(int(pid), tags.get("xaiexp.host", ""), tags.get("xaiexp.process", "")) if pid.isdecimal() else None
    return owner is not None and owner.ended()


def _is_away(error: Exception, address: str) -> bool:
    """Whether a server does not answer, or has a fault of its own; it may be there later."""
    if address.startswith(("http:", "https:")):
        status = getattr(error, "get_http_status_code", lambda: 500)()
        return type(error).__name__ != "RestException" or status >= 500
    return not address.startswith(SQLITE) and type(error).__name__ == "OperationalError"


def _first_line(error: Exception, address: str) -> str:
    text = str(error).replace(address, without_passwords(address))
    return without_passwords((text.splitlines() or [""])[0])[:80]
