"""What Weights & Biases gets of a study and of its cells."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.plugin import (
    Record,
    TrackedCell,
    TrackedRun,
    TrackedStudy,
    cell_numbers,
    cell_parameters,
    curve_points,
    shown_tables,
    study_numbers,
    verdict_lines,
)
from xaiexp_wandb.run_files import records

if TYPE_CHECKING:
    import pandas as pd

    from xaiexp_wandb.tracker import Wandb

__all__ = ["StudyRun"]

_SHARE = "features in percent"
_LONGEST, _PAUSE = 60, 0.05
"""Seconds to wait for a file, and between two looks at it."""


class StudyRun(TrackedRun):
    """The run of a study, and a run of its own for each cell, which W&B compares.

    Args:
        tracker: with its parameters.
        study: what to log.
    """

    def __init__(self, tracker: Wandb, study: TrackedStudy) -> None:
        self._tracker, self._study = tracker, study
        self._statuses: dict[str, str] = {}
        self._ended: list[Path] = []
        self.name = study.id
        self._run = self._start(study.id, study.name, "study", dict(study.config))

    def log_cell(self, cell: TrackedCell) -> None:
        """Log a run: components as its configuration, means and costs as its summary, curves, maps."""
        import wandb

        label = cell.id.joined("/")
        digest = hashlib.blake2b(label.encode(), digest_size=6).hexdigest()
        record, row = self._study.record, cell.row
        run = self._start(f"{self._study.id}-{digest}", label, "cell", cell_parameters(record, cell.id))
        try:
            letters = {f"letters.{each['metric']}": each["letters"] for each in cell.summary if each.get("letters")}
            facts = {key: str(row[key]) for key in ("status", "reason", "key", "cached")}
            if run.step == 0:  # a run that goes on has its rows
                self._log_curves(run, cell.curves)
                if cell.maps:
                    pictures = [wandb.Image(str(file), caption=example) for example, file in cell.maps.items()]
                    run.log({"maps": pictures})
            run.summary.update({**facts, **letters, **_finite(cell_numbers(cell))})
        finally:
            self._end(run, row["status"] in ("done", "skipped"))
        self._statuses[label] = str(row["status"])

    def log_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Log the tables, and the verdicts as the notes of the run."""
        if "verdicts" in tables:
            self._run.notes = "\n".join(f"- **{metric}**: {text}" for metric, text in verdict_lines(tables["verdicts"]))
        if self._run.step == 0:
            shown = shown_tables(tables)
            self._run.log({f"tables/{name}": _table(frame) for name, frame in shown.items()})

    def log_figures(self, files: Sequence[Path]) -> None:
        """Log the figures of the study; the maps of cells are among their runs."""
        import wandb

        pictures = self._study.folder / "pictures"
        own = [file for file in files if file.suffix == ".png" and file.parent == pictures]
        if own:
            self._run.log({"figures": [wandb.Image(str(file), caption=file.stem) for file in own]})

    def finish(self, record: Record) -> None:
        """Log what the whole study came to and its files, and end the run."""
        facts: dict[str, Any] = dict(_finite(study_numbers(record, self._statuses.values())))
        facts |= {f"version.{name}": version for name, version in record.versions.items()}
        if record.git is not None:
            facts |= {"git.commit": record.git.commit, "git.dirty": record.git.dirty}
        if record.error:
            facts["error"] = record.error
        self._run.summary.update(facts)
        if self._tracker.files:
            folder = self._study.folder.resolve()
            for file in sorted(each for each in folder.rglob("*") if each.is_file()):
                self._run.save(str(file), base_path=str(folder), policy="end")
        self._end(self._run, record.status == "done")
        self._wait()

    def stop(self, error: str) -> None:
        """End the run of a study that failed as a whole."""
        if error:
            self._run.summary["error"] = error
        self._end(self._run, False)
        self._wait()

    def _end(self, run: Any, done: bool) -> None:
        self._ended.append(Path(run.settings.sync_file))
        run.finish(exit_code=0 if done else 1)

    def _wait(self) -> None:
        """Wait until the files are written: W&B's own process writes them after it has answered.

        Raises:
            TimeoutError: one of them has no end after a minute.
        """
        limit = time.monotonic() + _LONGEST
        for file in self._ended:
            while not any(record.WhichOneof("record_type") == "exit" for record in records(file)):
                if time.monotonic() > limit:
                    raise TimeoutError(f"{file} was not written to its end within {_LONGEST} s")
                time.sleep(_PAUSE)

    def _log_curves(self, run: Any, curves: Mapping[str, Sequence[float]]) -> None:
        """The points of the curves as rows of the history, over the share of the features."""
        rows: dict[int, dict[str, float]] = {}
        for metric, curve in curves.items():
            for share, value in curve_points(curve):
                if math.isfinite(value):
                    rows.setdefault(share, {})[f"curves/{metric}"] = value
        if rows:
            run.define_metric(_SHARE, hidden=True)
            run.define_metric("curves/*", step_metric=_SHARE)
        for share, row in sorted(rows.items()):
            run.log({_SHARE: share, **row})

    def _start(self, identity: str, name: str, job: str, config: Mapping[str, Any]) -> Any:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would report errors to its makers
        import wandb

        tracker, study = self._tracker, self._study
        Path(tracker.folder).mkdir(parents=True, exist_ok=True)
        wandb.setup(wandb.Settings(silent=True))
        return wandb.init(
            project=study.group,
            entity=tracker.entity,
            id=identity,
            name=name,
            group=study.id,
            job_type=job,
            config=dict(config),
            dir=str(Path(tracker.folder).resolve()),  # another process writes it, from another working directory
            mode=tracker.mode,
            resume="allow" if tracker.mode == "online" else None,
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_code=True,
                disable_git=True,
                disable_job_creation=True,
                x_disable_machine_info=True,
                x_disable_stats=True,
                x_save_requirements=False,
            ),
        )


def _table(frame: pd.DataFrame) -> Any:
    """A table; what is missing or undefined is empty."""
    import wandb

    rows: list[Iterable[Any]] = [[_plain(value) for value in row] for row in frame.itertuples(index=False)]
    return wandb.Table(columns=[*map(str, frame.columns)], data=rows, allow_mixed_types=True)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    import pandas as pd

    if value is None or value is pd.NA or value != value:  # NaN differs from itself
        return None
    plain = value.item() if hasattr(value, "item") else value
    return plain if isinstance(plain, str | bool | int | float) else str(plain)


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
