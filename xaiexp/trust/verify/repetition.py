"""Runs a finished study again from its configuration, without what its store has."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from xaiexp.api.execute import execute
from xaiexp.contract.identity import provider
from xaiexp.contract.registry import installed
from xaiexp.core.keys import SpeedKey, digest
from xaiexp.core.record import SpeedFacts
from xaiexp.engine.progress import Meter
from xaiexp.plan.settings import Tracking
from xaiexp.store.objects import Store
from xaiexp.trust.finished import Finished, finished
from xaiexp.trust.verify.changes import configuration

__all__ = ["repeated", "same_passes"]


@contextmanager
def repeated(study: Finished, quiet: bool = False) -> Iterator[Finished]:
    """The study, run again in a folder that is removed afterwards.

    Its store is new, so that everything is computed again, networks that are trained for the study included. Trackers,
    callbacks and panels of the study are not asked, and no page is written.

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
        if (way := _way(study)) is not None:
            Store(folder / "store").put(*way, "ways of passes")
        again = replace(study.study, settings=settings, trackers={}, callbacks={}, panels={})
        with Meter(f"verify {study.folder}", quiet=quiet) as meter:
            outcome = execute(again, configuration(study.folder), folder / "study", installed(), meter)
        yield finished("verify", outcome.folder, study.trust)


def same_passes(study: Finished) -> bool:
    """Whether the repetition makes its passes as the study did: otherwise they round differently."""
    speed = study.record.speed
    return speed is None or speed == SpeedFacts() or _way(study) is not None


def _way(study: Finished) -> tuple[str, dict[str, Tensor]] | None:
    """How the study made its passes, as its store has it; it was measured, and another run may measure otherwise."""
    record = study.record
    if record.weights is None or record.data is None or record.device is None:
        return None
    weights = digest([record.weights.fingerprint, provider(study.study.model, installed())])
    budget = str(study.study.settings.batch_budget)
    device = record.device.partition(":")[0]
    key = SpeedKey(weights, record.data.shape, device, torch.__version__, budget).digest
    found = study.store.get(key, "speed")
    return None if found is None else (key, found)
