"""``xaiexp plan``: what would run, and what it would cost. Runs nothing and loads no model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE
from xaiexp.core.ids import CellId

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Print the plan of the study, or of every study of a sweep."""
    parser = ToolParser(prog="xaiexp plan", description="What would run, and what it would cost. Runs nothing.")
    parser.add_argument("-m", "--multirun", action="store_true", help="the plan of every study of a sweep")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for the study itself")
    arguments = parser.parse_intermixed_args(list(words))
    from xaiexp.config.compose import expand

    for overrides in expand(arguments.overrides) if arguments.multirun else [arguments.overrides]:
        _print_plan(overrides)
    return DONE


def _print_plan(overrides: Sequence[str]) -> None:
    from xaiexp.cli import tables
    from xaiexp.config.build import to_study
    from xaiexp.config.compose import composed
    from xaiexp.contract.registry import installed
    from xaiexp.engine.progress import console
    from xaiexp.plan.keys import plan_keys
    from xaiexp.plan.plan import Plan, PlannedCell, plan
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
    out.print(tables.plan_table(rows))
    out.print(f"{len(planned.running)} of {len(planned.cells)} cells run, {len(hits)} expected in the store")
    about = f"{'' if planned.complete else 'at least '}{'' if planned.exact else 'about '}"
    attributions, metrics = planned.passes(without=hits)
    passes = [
        f"{what}: {'unknown' if number is None else f'{about}{number:,}'}"
        for what, number in (("attributions", attributions), ("metrics at most", metrics))
    ]
    out.print(f"passes for {', '.join(passes)}")
    if planned.claim is not None:
        out.print(planned.claim.describe(), markup=False)
    for label, reason in planned.metric_skips.items():
        out.print(f"metric {label} is left out: {reason}", markup=False)
    explaining = [label for label, metric in study.metrics.items() if metric.re_explains]
    if explaining:
        out.print(f"not counted: {', '.join(explaining)} (explains perturbed inputs again)")
