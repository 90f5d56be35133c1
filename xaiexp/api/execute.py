"""One study from plan to files: run it, write its folder, tell MLflow, make the report."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from xaiexp.contract.registry import Registry
from xaiexp.core.keys import digest
from xaiexp.engine.progress import Meter
from xaiexp.engine.runner import Chunk, Loaded, Run
from xaiexp.errors import UserError
from xaiexp.plan.plan import Plan, plan
from xaiexp.plan.study import Study
from xaiexp.results import record as records
from xaiexp.results.gallery import Gallery
from xaiexp.results.tables import Tables
from xaiexp.store.files import ensure_writable, write_atomically
from xaiexp.store.objects import Store
from xaiexp.tracking import mlflow as tracking

__all__ = ["Outcome", "execute"]


@dataclass(frozen=True)
class Outcome:
    """What a study left behind.

    Args:
        code: 0 all cells done or skipped by plan, 1 some failed, 2 nothing could be done.
        errors: metrics and agreements that failed, with their reasons.
        report: path of the report, or None where it was not asked for.
        tracked: whether MLflow has it.
    """

    folder: Path
    code: int
    cells: pd.DataFrame
    scores: pd.DataFrame
    agreement: pd.DataFrame
    summary: pd.DataFrame
    verdicts: pd.DataFrame
    record: Mapping[str, Any]
    errors: Mapping[str, str]
    report: Path | None
    tracked: bool
    keys: Mapping[tuple[str, str], tuple[str, ...]]


def execute(study: Study, config: Mapping[str, Any], folder: Path, registry: Registry, meter: Meter) -> Outcome:
    """Run a study and leave its files in ``folder``.

    Raises:
        UserError: the request cannot be carried out; the folder then holds a record that says so.
    """
    ensure_writable(folder, "hydra.run.dir")
    folder = folder.resolve()
    started = time.perf_counter()
    record: dict[str, Any] = {
        "status": "running",
        "error": None,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        **records.describe(study, registry),
        **records.environment(),
    }
    _write_config(folder, config)
    _write_record(folder, record)
    tracker: tracking.Tracker | None = None
    try:
        prepared = plan(study)
        record["metrics_left_out"] = dict(prepared.metric_skips)
        store = Store(Path(study.settings.store), study.settings.force)
        ensure_writable(store.folder, "store")
        records.remember(store.folder, study, registry)
        uri = tracking.prepare_store(study.settings.tracking)
        if uri is not None:
            tracker = tracking.Tracker(uri, study.settings.tracking.experiment, folder)
            tracker.start(study.describe(), config, record)
        return _run(prepared, store, folder, record, tracker, meter, started)
    except BaseException as error:
        record |= {"status": "failed", "error": str(error) or type(error).__name__}
        record["seconds"] = round(time.perf_counter() - started, 3)
        _write_record(folder, record)
        if tracker is not None:
            with contextlib.suppress(Exception):  # the first error is the one to show
                tracker.close("FAILED", record["error"])
        raise


def _run(
    prepared: Plan,
    store: Store,
    folder: Path,
    record: dict[str, Any],
    tracker: tracking.Tracker | None,
    meter: Meter,
    started: float,
) -> Outcome:
    study = prepared.study
    run = Run(prepared, store, meter.advance)
    tables, gallery = Tables(study), None
    for result in run.results():
        if isinstance(result, Loaded):
            record |= _loaded(result)
            _write_record(folder, record)
            gallery = Gallery(study, result)
            meter.start(result.passes)
        elif isinstance(result, Chunk) and gallery is not None:
            tables.add(result)
            gallery.add(result)
        del result  # a chunk is let go before the next one is made
    failed = run.failed()
    nothing = all(state.status == "skipped" for state in run.states.values())
    cells, scores, agreement = tables.cells(run), tables.scores(run), tables.agreement(run)
    verdicts = tables.verdicts(scores)
    summary = tables.summary(scores, verdicts)
    record |= {
        "status": "failed" if failed else "done",
        "error": "; ".join(f"{k}: {v}" for k, v in run.evaluator.errors.items()) or None,
        "passes": _passes(run),
        "data": {**record.get("data", {}), "fingerprint": digest(run.data_fingerprints)},
        "store": str(store.folder.resolve()),
        "objects": {f"{cell.method}|{cell.baseline}": state.keys for cell, state in run.states.items() if state.keys},
    }
    _write_frame(folder / "cells.parquet", cells)
    _write_frame(folder / "scores.parquet", scores)
    _write_frame(folder / "agreement.parquet", agreement)
    write_atomically(folder / "summary.csv", summary.to_csv(index=False).encode())
    write_atomically(folder / "verdicts.csv", verdicts.to_csv(index=False).encode())
    write_atomically(folder / "comparisons.csv", tables.comparisons(scores).to_csv(index=False).encode())
    if gallery is not None:
        gallery.write(folder / "gallery")
    record["seconds"] = round(time.perf_counter() - started, 3)
    _write_record(folder, record)
    report = None
    if study.settings.report:
        from xaiexp import report as reports

        report = reports.build([folder], folder / "report.html")
    tracked = _track(tracker, folder, record, cells, summary, verdicts, agreement, meter)
    keys = {(cell.method, cell.baseline): tuple(state.keys) for cell, state in run.states.items()}
    # That nothing could be done at all is the request's fault, as it is when the plan sees it.
    code = 2 if nothing else int(failed)
    errors = dict(run.evaluator.errors)
    return Outcome(folder, code, cells, scores, agreement, summary, verdicts, record, errors, report, tracked, keys)


def _track(
    tracker: tracking.Tracker | None,
    folder: Path,
    record: Mapping[str, Any],
    cells: pd.DataFrame,
    summary: pd.DataFrame,
    verdicts: pd.DataFrame,
    agreement: pd.DataFrame,
    meter: Meter,
) -> bool:
    if tracker is None:
        return False
    try:
        from xaiexp import report as reports

        reports.export_pictures(folder)
        tracker.finish(record, cells, summary, verdicts, agreement)
    except UserError:
        raise
    except Exception as error:  # the results are on disk: a tracking server that went away must not take them along
        meter.say(f"tracking: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        meter.say(f"  the results are complete in {folder}")
        return False
    return True


def _loaded(result: Loaded) -> dict[str, Any]:
    return {
        "device": str(result.device),
        "weights": {"fingerprint": result.weights_fingerprint},
        "data": {"count": result.count, "shape": list(result.shape)},
        "model_facts": dict(result.network.facts),
        "class_names": list(result.class_names),
    }


def _passes(run: Run) -> dict[str, Any]:
    states = run.states.values()
    return {
        "attributions": {
            "forward": sum(s.forward for s in states),
            "backward": sum(s.backward for s in states),
        },
        "metrics": {
            label: {
                "forward": counter.forward,
                "backward": counter.backward,
                "seconds": round(run.evaluator.seconds[label], 4),
            }
            for label, counter in run.evaluator.counters.items()
        },
        "predictions_and_references": {"forward": run.other_passes.forward, "backward": run.other_passes.backward},
    }


def _write_config(folder: Path, config: Mapping[str, Any]) -> None:
    from omegaconf import OmegaConf

    write_atomically(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(dict(config))).encode())


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    write_atomically(folder / "record.json", json.dumps(record, indent=1, default=str).encode())


def _write_frame(path: Path, frame: pd.DataFrame) -> None:
    write_atomically(path, frame.to_parquet(index=False))
