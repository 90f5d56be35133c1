"""Studies of the network that counts its rows, run without Hydra, and the accounts of their passes."""

from __future__ import annotations

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spy_network import NumberedRows, Spied, SpiedModel

from xaiexp import hookimpl
from xaiexp.contract.registry import installed
from xaiexp.engine.chunk import Chunk
from xaiexp.engine.runner import Run
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study
from xaiexp.results.tables import TableBuilder
from xaiexp.store.objects import Store

__all__ = ["accounts", "register", "run", "spied", "study"]

Named = Mapping[str, Mapping[str, Any]]
"""Label to parameters; the label is the name of the component, or ``LABEL:NAME``."""


def register() -> None:
    """Install the network and its dataset, as a plugin would; the fixture ``bring`` removes them."""
    module = types.ModuleType("spied")
    module.xaiexp_components = hookimpl(lambda: [SpiedModel, NumberedRows])  # type: ignore[attr-defined]
    plugin = installed().add("spied", "xaiexp-spied", "1.0", lambda: module)
    assert not plugin.reason, plugin.reason


def study(count: int, methods: Named, baselines: Named, metrics: Named, agreements: Named, **settings: Any) -> Study:
    """A study of ``count`` rows."""

    def built(kind: str, named: Named) -> dict[str, Any]:
        build = installed().build
        return {label.partition(":")[0]: build(kind, label.rpartition(":")[2], v) for label, v in named.items()}

    return Study(
        SpiedModel(),
        NumberedRows(count),
        installed().build("features", "column", {}),
        built("method", methods),
        built("baseline", baselines),
        built("metric", metrics),
        built("agreement", agreements),
        Settings(device="cpu", examples=None, **settings),
    )


def run(asked: Study, folder: Path, stop_after: int | None = None) -> tuple[Run, TableBuilder]:
    """Run a study with a store in ``folder``; with ``stop_after``, cut it off after so many chunks."""
    going, builder = Run(plan(asked), Store(folder)), TableBuilder(asked)
    results = going.results()
    for number, result in enumerate(results):
        if isinstance(result, Chunk):
            builder.add(result)
        if number == stop_after:
            results.close()
            break
    return going, builder


def accounts(done: Run) -> dict[str, tuple[int, int]]:
    """Forward and backward passes by cell, by metric, and of the study."""
    own = {str(cell): (state.forward, state.backward) for cell, state in done.states.items()}
    caused = {label: (counter.forward, counter.backward) for label, counter in done.evaluator.counters.items()}
    return {**own, **caused, "study": (done.other_passes.forward, done.other_passes.backward)}


def spied() -> tuple[int, int]:
    """Rows that went forward and backward through the network since it was loaded."""
    return Spied.forward_rows, Spied.backward_rows
