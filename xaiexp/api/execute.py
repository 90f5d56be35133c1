"""Carries out one study: plan, run, results folder, report, tracking."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from xaiexp import report as reports
from xaiexp.api.callbacks import Callbacks
from xaiexp.contract.registry import Registry
from xaiexp.core.record import PassCount, PassCounts, Record
from xaiexp.engine.chunk import Chunk, Loaded
from xaiexp.engine.progress import Meter
from xaiexp.engine.runner import Run
from xaiexp.errors import ResourceError
from xaiexp.plan.keys import timing_key
from xaiexp.plan.plan import Plan, plan
from xaiexp.plan.study import Study
from xaiexp.results.claim import registered, with_verdict
from xaiexp.results.description import add_loaded, add_results, components, describe
from xaiexp.results.examples.curve_table import CurveTable
from xaiexp.results.examples.example_table import ExampleTable
from xaiexp.results.examples.gallery import Gallery
from xaiexp.results.foreign_folder import refuse_foreign
from xaiexp.results.identity import config_digest, saved
from xaiexp.results.job_errors import reason_of
from xaiexp.results.providers import save_providers
from xaiexp.results.study_folder import FolderWriter
from xaiexp.results.tables import TableBuilder, Tables
from xaiexp.store.files import ensure_writable
from xaiexp.store.objects import Store
from xaiexp.store.timings import keep_timing
from xaiexp.tracking.session import Session, is_sent

__all__ = ["Outcome", "execute"]

_ENOUGH_PASSES = 100


@dataclass(frozen=True)
class Outcome:
    """The results of a study.

    Args:
        folder: with its files.
        code: 0 all cells are done or were skipped by the plan, 1 some failed, 2 every cell was skipped.
        cells, scores, agreement, summary, verdicts: see :class:`~xaiexp.results.tables.Tables`.
        record: as written.
        errors: metrics and agreements that failed, with their reasons.
        report: path of the report, or None where none was asked for.
        tracked: whether every tracker has the study; None where there is none.
        keys: (method, baseline) to the keys of its attributions in the store, chunk by chunk.
    """

    folder: Path
    code: int
    cells: pd.DataFrame
    scores: pd.DataFrame
    agreement: pd.DataFrame
    summary: pd.DataFrame
    verdicts: pd.DataFrame
    record: Record
    errors: Mapping[str, str]
    report: Path | None
    tracked: bool | None
    keys: Mapping[tuple[str, str], tuple[str, ...]]


def execute(study: Study, config: Mapping[str, Any], folder: Path, registry: Registry, meter: Meter) -> Outcome:
    """Run a study and write its files to ``folder``.

    Args:
        study: what to run.
        config: the resolved configuration, to be saved with the results.
        folder: is made where it is missing.
        registry: provides the components.
        meter: shows progress and messages.

    Raises:
        UserError: the request cannot be carried out; ``record.json`` then has the status ``failed`` and the reason.
    """
    refuse_foreign(folder, "folder")
    ensure_writable(folder, "folder")
    config = saved(config)
    started = time.perf_counter()
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    record = _continued(folder, replace(describe(study, registry), config=config_digest(config)))
    writer = FolderWriter(folder.resolve(), replace(record, status="running", started=now))
    writer.write_config(OmegaConf.to_yaml(OmegaConf.create(dict(config))))
    writer.write_record()
    whole = study.settings.shard is None  # the study that its shards are parts of has a page and is tracked
    session = Session(study.trackers if whole else {}, study.settings.tracking, writer.path, meter.say)
    callbacks = Callbacks(study.callbacks, record.id, writer.path, meter.say)
    try:
        prepared = plan(study)
        claim = registered(prepared.claim, now, study.settings.until == "decided")
        writer.update(metrics_left_out=dict(prepared.metric_skips), claim=claim)
        if prepared.claim is not None:
            meter.say(prepared.claim.describe())
        writer.write_record()
        store = Store(Path(study.settings.store), study.settings.force)
        ensure_writable(store.folder, "store")
        save_providers(store.folder, components(study), registry)
        session.start(study.describe(), config, writer.record)
        writer.update(tracking=dict(session.facts))
        writer.write_record()
        run, tables = _run(prepared, store, writer, meter, started, callbacks)
        report = _page(study, writer.path, store) if whole else None
        _send(session, writer, tables, meter, store.folder)
        callbacks.end("failed" if run.failed() else "done", "", report)
    except BaseException as error:
        reason = reason_of(error)
        if isinstance(error, Exception) or writer.record.status == "running":  # else it was only not sent any more
            writer.update(status="failed", error=reason, seconds=_seconds_since(started))
        writer.update(tracking=dict(session.facts))
        writer.write_record()
        session.stop(reason)
        callbacks.end("failed", reason, None)
        raise
    return Outcome(
        folder=writer.path,
        code=_code(run),
        cells=tables.cells,
        scores=tables.scores,
        agreement=tables.agreement,
        summary=tables.summary,
        verdicts=tables.verdicts,
        record=writer.record,
        errors={name: failure.reason for name, failure in run.evaluator.failures.items()},
        report=report,
        tracked=is_sent(writer.record) if session.facts else None,
        keys={(cell.method, cell.baseline): tuple(state.keys) for cell, state in run.states.items()},
    )


def _run(
    prepared: Plan, store: Store, writer: FolderWriter, meter: Meter, started: float, callbacks: Callbacks
) -> tuple[Run, Tables]:
    """Run the plan and write its results."""
    study = prepared.study
    run = Run(prepared, store, meter.advance)
    builder, curves, gallery, examples = TableBuilder(study), CurveTable(), None, None
    for result in run.results():
        if isinstance(result, Loaded):
            writer.record = add_loaded(writer.record, result)
            writer.write_record()
            for note in (result.selection.words, *result.notes):
                meter.say(note)
            gallery, examples = Gallery(study, result), ExampleTable(result)
            meter.start(result.passes)
            callbacks.start(prepared, result)
        elif isinstance(result, Chunk) and gallery is not None and examples is not None:
            builder.add(result)
            gallery.add(result)
            examples.add(result)
            curves.add(result)
            callbacks.chunk(result)
        del result  # frees the chunk before the next one is made
    tables = builder.build(run, store)
    run.notes += store.notes()
    for note in run.notes:
        meter.say(note)
    writer.record = add_results(writer.record, run)
    _keep_timing(prepared, store.folder, writer.record.passes, sum(s.seconds for s in run.states.values()))
    if run.claim_test is not None and writer.record.claim is not None and run.loader is not None:
        tested = run.claim_test.claim, run.claim_test.result(), run.loader.count
        writer.update(claim=with_verdict(writer.record.claim, *tested))
    writer.write_tables(tables)
    if gallery is not None and examples is not None:
        writer.write_gallery(gallery)
        writer.write_examples(examples.frame(), curves.frame(run))
    writer.update(seconds=_seconds_since(started))
    writer.write_record()
    callbacks.cells(tables)
    return run, tables


def _keep_timing(prepared: Plan, store: Path, passes: PassCounts | None, seconds: float) -> None:
    """Keep how long a pass took, for the plans of further studies; where enough were made to tell."""
    if passes is None:
        return
    attributions = passes.attributions or PassCount()
    counts = [(attributions, seconds), *((each, each.seconds or 0.0) for each in passes.metrics.values())]
    made = [(each.forward + each.backward, spent) for each, spent in counts if each.forward + each.backward]
    total = sum(number for number, _ in made)
    if total >= _ENOUGH_PASSES:
        with contextlib.suppress(OSError):  # it is for estimates alone
            keep_timing(store, timing_key(prepared), sum(spent for _, spent in made), total)


def _page(study: Study, folder: Path, store: Store) -> Path | None:
    """Write the page of the study; None where none is wanted."""
    if study.settings.page is None:
        return None
    return reports.build([folder], folder / "report.html", cache=store.folder)


def _continued(folder: Path, record: Record) -> Record:
    """The record with the id and the runs of the study of the same configuration that was cut off in this folder.

    One that has all its results, but not all its runs, was cut off too.
    """
    try:
        earlier = Record.read(folder / "record.json")
    except (OSError, ResourceError):
        earlier = Record()
    if earlier.id and earlier.config == record.config and not (earlier.status == "done" and is_sent(earlier)):
        return replace(record, id=earlier.id, tracking=earlier.tracking)
    return replace(record, id=uuid.uuid4().hex)


def _send(session: Session, writer: FolderWriter, tables: Tables, meter: Meter, cache: Path) -> None:
    """Send the study to its trackers; it is complete on disk, whatever happens to them."""
    if not session.facts:
        return
    try:
        reports.export_images(writer.path, cache)
    except (ResourceError, OSError) as error:
        meter.say(f"pictures: {error}")
    session.finish(writer.record, tables.by_name())
    writer.update(tracking=dict(session.facts))
    writer.write_record()
    if not is_sent(writer.record):
        meter.say(f"  the results are complete in {writer.path}; send them later: xaiexp track {writer.path}")


def _code(run: Run) -> int:
    """The exit code of the program; a study whose cells are all skipped is a wrong request, as it is for the plan."""
    if all(state.status == "skipped" for state in run.states.values()):
        return 2
    return int(run.failed())


def _seconds_since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
