"""Runs a finished study again from its configuration, without what its store has."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from xaiexp.api.execute import execute
from xaiexp.contract.registry import installed
from xaiexp.engine.checks.speed import prescribe
from xaiexp.engine.progress import Meter
from xaiexp.inference.speed import Speed
from xaiexp.plan.settings import Tracking
from xaiexp.store.objects import Store
from xaiexp.trust.finished import Finished, finished
from xaiexp.trust.verify.changes import configuration

__all__ = ["repeated"]


@contextmanager
def repeated(study: Finished, quiet: bool = False) -> Iterator[Finished]:
    """The study, run again in a folder that is removed afterwards.

    It makes its passes as the study did. Its store is new, so that everything is computed again, networks that are
    trained for the study included. Trackers, callbacks and panels of the study are not asked, and no page is written.

    Raises:
        UserError: the study cannot be run any more.
    """
    with tempfile.TemporaryDirectory(prefix="xaiexp-verify-") as name:
        folder = Path(name)
        settings = replace(
            study.study.settings,
            store=str(folder / "store"),
            force=False,
            report=False,
            tracking=Tracking(uri="off"),
            trust=study.trust,
        )
        if study.record.speed is not None:  # it was measured, and another run may measure otherwise
            prescribe(Store(folder / "store"), Speed(**asdict(study.record.speed)))
        again = replace(study.study, settings=settings, trackers={}, callbacks={}, panels={})
        with Meter(f"verify {study.folder}", quiet=quiet) as meter:
            outcome = execute(again, configuration(study.folder), folder / "study", installed(), meter)
        yield finished("verify", outcome.folder, study.trust)
