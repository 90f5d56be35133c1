"""Sends finished studies to trackers that were away when they ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xaiexp.config.build import listed
from xaiexp.contract.registry import installed
from xaiexp.core.parameters import check
from xaiexp.core.record import Record
from xaiexp.errors import ResourceError
from xaiexp.plan.settings import Tracking
from xaiexp.results.study_folder import FolderWriter
from xaiexp.results.study_tables import read_tables
from xaiexp.tracking.addresses import OFF
from xaiexp.tracking.session import SENT, Session, is_sent

__all__ = ["send"]

Sent = Literal["sent", "known", "not finished", "off", "failed"]


def send(folder: Path, say: Callable[[str], None], uri: str | None = None) -> Sent:
    """Send a study to those of its trackers that do not have it.

    Args:
        folder: of the study.
        say: called with a line for each tracker that fails.
        uri: of the tracking server, in place of ``tracking.uri`` of the study; it may contain a password, which the
            files of a study never do.

    Returns:
        ``sent``; ``known`` where all trackers had it; ``not finished`` for a study that was cut off; ``off`` for one
        that is not tracked; ``failed`` where a tracker lacks it still.

    Raises:
        UserError: a file of the study is damaged, or its tracker is not installed.
    """
    record = Record.read(folder / "record.json")
    if record.status not in ("done", "failed") or record.passes is None:
        return "not finished"
    try:
        config = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"), resolve=True)
    except (OSError, OmegaConfBaseException, ValueError) as error:
        raise ResourceError(str(folder / "config.yaml"), f"cannot be read ({type(error).__name__})") from None
    values = {str(key): value for key, value in config.items()} if isinstance(config, dict) else {}
    tracking = Tracking(**check("tracking", Tracking, values.get("tracking") or {}))
    tracking = replace(tracking, uri=uri) if uri else tracking
    trackers = listed(installed(), "tracker", values.get("tracker") or {})
    lacking = {
        label: tracker
        for label, tracker in trackers.items()
        if label not in record.tracking or record.tracking[label].status != SENT
    }
    if tracking.uri == OFF or not trackers:
        return "off"
    if not lacking:
        return "known"
    session = Session(lacking, tracking, folder.resolve(), say)
    name = f"{record.study.model} on {record.study.dataset}, seed {record.study.seed}"
    session.start(name, values, record)
    session.finish(record, read_tables(folder))
    writer = FolderWriter(folder, record)
    writer.update(tracking={**record.tracking, **session.facts})
    writer.write_record()
    return "sent" if is_sent(writer.record) else "failed"
