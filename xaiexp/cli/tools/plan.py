"""``xaiexp plan``: what would run, what it would cost, and how many examples a difference needs. Runs nothing."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE
from xaiexp.core.ids import CellId
from xaiexp.core.record import Record
from xaiexp.errors import MismatchError, ParameterError, ResourceError, UnknownName, UserError, nearest

if TYPE_CHECKING:
    from xaiexp.plan.plan import Plan

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Print the plan of the study, or of every study of a sweep."""
    parser = ToolParser(prog="xaiexp plan", description="What would run, and what it would cost. Runs nothing.")
    parser.add_argument("-m", "--multirun", action="store_true", help="the plan of every study of a sweep")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for the study itself")
    parser.add_argument("--power", metavar="DIFFERENCE", help="how many examples find this difference of two cells")
    parser.add_argument("--pilot", metavar="DIR", type=Path, help="with --power: a finished study, for its variance")
    parser.add_argument("--metric", metavar="NAME", help="with --power: this metric alone")
    arguments = parser.parse_intermixed_args(list(words))
    if arguments.power is not None:
        _print_examples_needed(arguments.power, arguments.pilot, arguments.metric, arguments.overrides)
        return DONE
    for name in ("pilot", "metric"):
        if getattr(arguments, name) is not None:
            raise UserError(
                f"plan --{name}", "goes with --power DIFFERENCE", hint="xaiexp plan --power 0.05 --pilot DIR"
            )
    if arguments.multirun:
        _print_sweep(arguments.overrides)
    else:
        _print_plan(arguments.overrides)
    return DONE


def _print_sweep(overrides: Sequence[str]) -> None:
    """Print the plan of every study that is left, and how far the sweep is that the line would continue."""
    from xaiexp.engine.progress import console
    from xaiexp.sweep.folder import sweep_owner
    from xaiexp.sweep.opening import found
    from xaiexp.sweep.states import counted

    sweep, out = found(overrides), console()
    for job in sweep.left:
        if not job.shard_of:
            _print_plan(job.overrides)
    if not sweep.continued:
        return
    out.print(f"continues {sweep.folder}, {counted(sweep.jobs)}", markup=False, soft_wrap=True)
    for job in sweep.jobs:
        words = f": {job.reason}" if job.reason else ""
        out.print(f"  {job.folder}: {job.state}{words}", markup=False)
    owner = sweep_owner(sweep.folder)
    if owner is not None:
        out.print(f"process {owner.pid} on {owner.host} is running it now", markup=False)


def _print_plan(overrides: Sequence[str]) -> None:
    from xaiexp.cli import tables
    from xaiexp.config.build import to_study
    from xaiexp.config.compose import composed
    from xaiexp.contract.registry import installed
    from xaiexp.engine.progress import console
    from xaiexp.plan.keys import plan_keys
    from xaiexp.plan.plan import PlannedCell, plan
    from xaiexp.store.objects import Store

    def cost(planned: Plan, cell: PlannedCell, hits: Collection[CellId]) -> str:
        if cell.skip or cell.id in hits:
            return "0"
        if cell.cost is None or planned.count is None:
            return "?"
        return f"{'' if planned.exact else '~'}{cell.cost.total * planned.count:,}"

    registry = installed()
    study = to_study(composed(overrides), registry)
    planned = plan(study)
    store = Store(Path(study.settings.store), study.settings.force)
    keys = plan_keys(planned, registry)
    hits = {cell.id for cell in planned.running if store.has_cell(keys[cell.id])}
    rows = [
        {
            "method": cell.id.method,
            "baseline": cell.id.baseline,
            "runs": "skipped" if cell.skip else ("from the store" if cell.id in hits else "yes"),
            "passes": cost(planned, cell, hits),
            "reason": cell.skip,
        }
        for cell in planned.cells
    ]
    out = console()
    count = "all" if planned.count is None else str(planned.count)
    out.print(f"{study.describe()}: {count} examples, features {study.features.name}", markup=False)
    out.print(f"which examples: {study.settings.describe_draw()}", markup=False)
    out.print(tables.plan_table(rows))
    out.print(f"{len(planned.running)} of {len(planned.cells)} cells run, {len(hits)} expected in the store")
    about = f"{'' if planned.complete else 'at least '}{'' if planned.exact else 'about '}"
    attributions, metrics = planned.passes(without=hits)
    passes = [
        f"{what}: {'unknown' if number is None else f'{about}{number:,}'}"
        for what, number in (("attributions", attributions), ("metrics at most", metrics))
    ]
    out.print(f"passes for {', '.join(passes)}")
    tokens_attributed, tokens_scored = planned.tokens(without=hits)
    if tokens_attributed is not None and tokens_scored is not None:
        out.print(
            f"tokens of prompts for attributions: {about}{tokens_attributed:,}, metrics at most: {about}"
            f"{tokens_scored:,}; those of continuations come on top",
            soft_wrap=True,
        )
    for line in _estimates(planned, hits, None if attributions is None or metrics is None else attributions + metrics):
        out.print(line, markup=False)
    if planned.claim is not None:
        out.print(planned.claim.describe(), markup=False)
    for label, reason in planned.metric_skips.items():
        out.print(f"metric {label} is left out: {reason}", markup=False)
    explaining = [label for label, metric in study.metrics.items() if metric.re_explains]
    if explaining:
        out.print(f"not counted: {', '.join(explaining)} (explains perturbed inputs again)")


def _estimates(planned: Plan, hits: Collection[CellId], passes: int | None) -> list[str]:
    """Time and disk, as far as they can be told."""
    from xaiexp.plan.keys import timing_key
    from xaiexp.store.timings import timing

    store = Path(planned.study.settings.store)
    each, size = timing(store, timing_key(planned)), planned.stored_bytes(without=hits)
    if each is None:
        lines = ["time: not known before a first study of this model on this machine, such as one with examples=4"]
    else:
        known = "not known" if passes is None else f"at most about {_duration(each * passes)}"
        lines = [
            f"time: {known}, at {1000 * each:.2g} ms a pass as in the last study of this model, start not included"
        ]
    if size is not None:
        lines.append(f"disk: about {decimal(size)} of attributions in the store")
    return lines


def _duration(seconds: float) -> str:
    """In the unit that fits: s, min or h."""
    for least, unit, size in ((5400, "h", 3600), (90, "min", 60)):
        if seconds >= least:
            return f"{seconds / size:,.1f} {unit}"
    return f"{max(1, math.ceil(seconds))} s"


def _print_examples_needed(difference: str, pilot: Path | None, metric: str | None, overrides: Sequence[str]) -> None:
    """How many examples a difference needs, from the variance of a pilot study.

    Raises:
        UserError: no positive difference, no pilot study with scores, or no such metric.
    """
    size = _positive(difference)
    if pilot is None:
        hint = "--pilot DIR: the folder of a finished study of this model and these data, such as one of 32 examples"
        raise UserError("plan --power", "needs the scores of a pilot study", hint=hint)
    if overrides:
        raise UserError("plan --power", "the pilot says what is studied", got=" ".join(overrides), hint="leave it out")
    from xaiexp.cli import tables
    from xaiexp.engine.progress import console
    from xaiexp.report.studies import find_studies, read_study
    from xaiexp.statistics.power import pairs_needed
    from xaiexp.statistics.summary import tables as score_tables

    found = find_studies(pilot)
    if len(found) != 1:
        what = f"contains {len(found)} studies" if found else "contains no study (a folder with record.json)"
        raise ResourceError("plan --pilot", what, got=str(pilot), hint="name the folder of one study")
    study = read_study(found[0])
    if not len(study.scores):
        what = f"has no scores ({study.missing.get('scores.parquet', 'the table is empty')})"
        raise ResourceError("plan --pilot", what, got=str(found[0]), hint="name the folder of a finished study")
    ranked = {table.metric: table for table in score_tables(study.units) if _is_ranked(study.record, table.metric)}
    if metric is not None and metric not in ranked:
        known = metric in study.record.metrics
        what = "ranks nothing, or has no scores in the pilot" if known else "the pilot has no such metric"
        hint = f"metrics: {', '.join(ranked)}"
        raise UnknownName("plan --metric", what, got=metric, nearest=nearest(metric, ranked), hint=hint)
    rows = []
    for name, table in ranked.items():
        pairs = pairs_needed(table.values, size) if metric in (None, name) else None
        cells = [str(CellId(*pair)) for pair in table.cells.itertuples(index=False, name=None)]
        for which, pair in zip(("median", "largest"), pairs or (), strict=False):
            rows.append((name, f"{which}: {cells[pair.left]}\nagainst {cells[pair.right]}", pair))
    if not rows:
        raise MismatchError(
            "plan --pilot", "no two cells have two examples in common", got=str(found[0]), hint="a larger pilot"
        )
    out = console()
    unit = study.unit
    out.print(f"pilot: {study.name}, {found[0]}", markup=False)
    out.print(f"{unit} that find a difference of {size:g} with 80 % power, for the two pairs of")
    out.print("cells whose differences have the median and the largest variance; below, the")
    out.print("95 % interval, since the variance is that of a pilot")
    out.print(tables.power_table(rows, unit))
    out.print("corrected for all pairs of a metric (Bonferroni, 5 %); for normal differences")


def _positive(difference: str) -> float:
    try:
        size = float(difference)
    except ValueError:
        size = math.nan
    if not (math.isfinite(size) and size > 0):
        hint = "the smallest difference of two means that matters, in the unit of the metric, such as 0.05"
        raise ParameterError("plan --power", "must be a number above 0", got=difference, hint=hint)
    return size


def _is_ranked(record: Record, metric: str) -> bool:
    return metric in record.metrics and record.metrics[metric].higher_is_better is not None
