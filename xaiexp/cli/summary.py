"""What the program prints after a study and after a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xaiexp.cli import tables
from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.core.ids import ALL_METHODS
from xaiexp.core.record import Record
from xaiexp.engine.progress import console
from xaiexp.errors import ResourceError

if TYPE_CHECKING:
    from xaiexp.api.execute import Outcome

__all__ = ["print_outcome", "print_sweep"]


_LEGEND = (
    "mean and letters: two cells of a metric that share no letter differ significantly (paired by example, corrected "
    "for all pairs of {of}); below, the 95 % interval of this mean alone, which does not compare cells"
)


def print_outcome(outcome: Outcome, brief: bool) -> None:
    """Print the tables of a study, its warnings and where its files are.

    Args:
        outcome: of the study.
        brief: one line in place of the tables and paths, for the jobs of a sweep, which prints its own at the end.
    """
    out = console()
    if brief:
        study = outcome.record.study
        out.print(f"{study.model} on {study.dataset}, seed {study.seed}: {outcome.record.status}", markup=False)
    performance = tables.performance_line(outcome.record.performance)
    if performance:
        out.print(performance, markup=False)
    if outcome.record.claim is not None:
        out.print(outcome.record.claim.sentence or "", markup=False)
    if not brief and len(outcome.summary):
        refused = set(outcome.verdicts.loc[outcome.verdicts["refused"].astype(bool), "metric"])
        of = "the metric" if outcome.record.study.families == "metric" else "all metrics"
        out.print(_LEGEND.format(of=of), markup=False)
        for table in tables.summary_tables(outcome.summary, outcome.record, refused, out.width):
            out.print(table)
        for line in tables.verdict_lines(outcome.verdicts):
            out.print(line, markup=False)
        out.print()
    if not brief and len(outcome.agreement):
        pairs = outcome.agreement[outcome.agreement["method_a"] != ALL_METHODS]
        measure = (pairs if len(pairs) else outcome.agreement)["measure"].iloc[0]
        out.print(f"agreement: {measure}, mean over examples", markup=False)
        for table in tables.agreement_tables(outcome.agreement, measure, out.width):
            out.print(table)
    for label, reason in (outcome.record.metrics_left_out or {}).items():
        out.print(f"metric {label} is left out: {reason}", markup=False)
    for line in tables.left_out_lines(outcome.record):
        out.print(line, markup=False)
    for note in tables.notes(outcome.cells, outcome.errors):
        out.print(note, markup=False)
    for line in [] if brief else tables.result_paths(outcome.folder, outcome.report, outcome.tracked):
        out.print(line, markup=False)


def print_sweep(folder: Path, jobs: int, continues: bool) -> int:
    """Write the tables and the page of a sweep, also after a crash or an interruption, and print where they are.

    Args:
        folder: of the sweep.
        jobs: how many studies it has.
        continues: whether the same line would run what is left.

    Returns:
        The exit code of the sweep.
    """
    from xaiexp.report import find_studies
    from xaiexp.sweep.joint import write_joint

    out = console()
    studies = find_studies(folder)
    page = write_joint(folder)
    done, all_studies = sum(_is_done(study) for study in studies), max(jobs, len(studies))
    hint = "; the same line continues it" if continues and done < all_studies else ""
    out.print(f"{done} of {all_studies} studies done{hint}", markup=False)
    out.print(f"results: {folder}", markup=False)
    if page is not None:
        out.print(f"report:  {page}", markup=False)
    return DONE if done == all_studies else FAILED


def _is_done(study: Path) -> bool:
    """Whether a study ended well; one whose record is missing or damaged did not."""
    try:
        return Record.read(study / "record.json").status == "done"
    except (OSError, ResourceError):
        return False
