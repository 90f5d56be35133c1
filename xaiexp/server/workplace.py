"""What the server has: the studies of the page, its document, the jobs, and the results that they leave."""

from __future__ import annotations

import contextlib
import functools
import io
import secrets
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from xaiexp.api.execute import execute
from xaiexp.config.build import plain, study_of
from xaiexp.config.compose import composed
from xaiexp.config.safety import refuse_code
from xaiexp.contract.networks import forget_networks, keeping_networks
from xaiexp.contract.registry import installed
from xaiexp.engine.runner import Run
from xaiexp.errors import ParameterError, ResourceError, UnknownName
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Page
from xaiexp.plan.study import Study
from xaiexp.report.document.build import document
from xaiexp.report.studies import read_study
from xaiexp.server import inputs, presets
from xaiexp.server.changes import Change, changed, words
from xaiexp.server.command_line import command, overrides_of
from xaiexp.server.events import Events
from xaiexp.server.jobs import Job, JobMeter, Jobs
from xaiexp.server.served import Served, served
from xaiexp.store.objects import Store

__all__ = ["FOLDER", "Workplace"]

FOLDER = Path("outputs", "view")
"""Where the results lie, below the working directory."""

_DOCUMENTS = 32
"""Documents of results that are kept."""


class Workplace:
    """The state of a server.

    Args:
        folders: of the studies of the page.
        trust: module prefixes whose factories the studies may name.
        token: see :class:`xaiexp.server.access.Access`; a random one by default.

    Attributes:
        base: the configuration without any overrides.
    """

    def __init__(self, folders: Sequence[Path], trust: Sequence[str] = (), token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(32)
        studies = [read_study(folder) for folder in folders]
        self.document = document(studies)
        self.studies = [served(study, trust) for study in studies]
        self.inputs: dict[str, inputs.OwnInput] = {}
        self.events = Events()
        self._documents: dict[str, bytes] = {}
        self.registry = installed()
        self._composing = threading.Lock()  # Hydra composes for one thread at a time
        self.base: Mapping[str, Any] = plain(composed([]))
        self.jobs = Jobs(self._tell, self._warm_up)

    def study(self, place: int) -> Served:
        """A study of the page.

        Raises:
            UnknownName: there is none at this place.
        """
        if not 0 <= place < len(self.studies):
            raise UnknownName("study", f"the page has {len(self.studies)} studies", got=place)
        return self.studies[place]

    def known(self) -> dict[str, Any]:
        """All jobs, for a page that has just opened."""
        return {"kind": "jobs", "jobs": [job.to_mapping() for job in self.jobs.known.values()]}

    def explain(self, change: Change) -> Job:
        """Queue what a change asks for.

        Raises:
            UserError: something is wrong with it; nothing is queued then.
        """
        shown, values, study = self._asked(change)
        if study.settings.page == Page():  # the page of the server stands in; without inputs the gallery must know it
            study = replace(study, settings=replace(study.settings, report=False))
        job = Job(
            uuid.uuid4().hex[:16],
            change.study,
            change.cell,
            words(shown.values, values),
            self._command(values),
            change.own,
        )
        self.jobs.add(job, functools.partial(self._explain, job, study, values))
        return job

    def equivalent(self, change: Change) -> str:
        """The command line of a change.

        Raises:
            UserError: something is wrong with it.
        """
        return self._command(self._asked(change)[1])

    def save(self, name: object, change: Change) -> Path:
        """Save a change as a preset.

        Raises:
            UserError: something is wrong with it, or with the name.
        """
        values = self._asked(change)[1]
        with self._composing:
            return presets.save(name, values, self.base, self.registry)

    def add_image(self, content: bytes, place: int) -> inputs.OwnInput:
        """Keep an image for a study of the page.

        Raises:
            UserError: it is none, or not for this study.
        """
        return self._kept(inputs.image(content, self.study(place), self.registry))

    def add_words(self, body: Any, place: int) -> inputs.OwnInput:
        """Keep a text or a row for a study of the page.

        Raises:
            UserError: it is none.
        """
        if not isinstance(body, dict) or not {"text", "row"} & set(body):
            raise ParameterError("input", "must hold a text or a row")
        if "text" in body:
            return self._kept(inputs.text(body["text"]))
        return self._kept(inputs.row(body["row"], self.study(place), self.registry))

    def result(self, name: str) -> bytes:
        """The document of a job that is done.

        Raises:
            UnknownName: there is no such job, or it is not done.
        """
        job = self.jobs.known.get(name)
        if job is None or job.state != "done":
            raise UnknownName("document", "there is no such result")
        if name not in self._documents:
            while len(self._documents) >= _DOCUMENTS:
                self._documents.pop(next(iter(self._documents)))
            self._documents[name] = document([read_study(Path(job.folder))])
        return self._documents[name]

    def close(self) -> None:
        """End jobs and listeners."""
        self.jobs.close()
        self.events.close()

    def _asked(self, change: Change) -> tuple[Served, dict[str, Any], Study]:
        """The study that a change is about, the configuration that it asks for, and the study of this."""
        shown = self.study(change.study)
        dataset = None
        if change.own:
            if change.own not in self.inputs:
                raise UnknownName("input", "there is no such input; send it again")
            dataset = self.inputs[change.own].dataset
        values = changed(shown, change, dataset)
        refuse_code(values)
        study = study_of(values, self.registry)
        study.settings.refuse_undivided()
        for cell in plan(study).cells:
            if cell.skip:
                raise ResourceError(str(cell.id), f"would be skipped: {cell.skip}")
        return shown, values, study

    def _command(self, values: Mapping[str, Any]) -> str:
        return command(overrides_of(values, self.base, self.registry))

    def _kept(self, own: inputs.OwnInput) -> inputs.OwnInput:
        self.inputs[own.id] = own
        return own

    def _explain(self, job: Job, study: Study, values: Mapping[str, Any], meter: JobMeter) -> None:
        """What the thread of the jobs does."""
        folder = FOLDER / datetime.now().strftime("%Y-%m-%d/%H-%M-%S-%f")
        job.folder = str(folder)
        try:
            with keeping_networks():
                outcome = execute(study, values, folder, self.registry, meter)
        except BaseException:
            forget_networks()  # it may have been left in the middle of a pass
            raise
        rows = outcome.cells.to_dict("records")
        done = [row for row in rows if row["status"] == "done"]
        if not done:
            raise ResourceError(job.cell, str(rows[0]["reason"] or rows[0]["status"]) if rows else "nothing ran")
        job.result = " / ".join(str(row) for row in (done[0]["method"], done[0]["baseline"]) if row != "none")

    def _tell(self, job: Job) -> None:
        self.events.publish({"kind": "job", "job": job.to_mapping()})

    def _warm_up(self) -> None:
        """Load what the first change needs, while the reader still reads: no pass is made."""
        with contextlib.suppress(Exception):  # what is wrong is told when it is asked for
            shown = next(study for study in self.studies if not study.reason)
            cell = next(iter(shown.cells()))
            study = study_of(changed(shown, Change(0, cell, "", True, {}, None, None, None, "")), self.registry)
            run = Run(plan(study), Store(Path(study.settings.store)))
            with keeping_networks():
                next(run.results())  # network and data
            pd.DataFrame({"warm": [1]}).to_parquet(io.BytesIO())
