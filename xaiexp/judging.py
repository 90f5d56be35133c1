"""What metrics and agreements say of the explanations of a chunk; one that fails costs its own numbers alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from xaiexp import registry
from xaiexp.books import reason_of
from xaiexp.comparison import Maps, agree_all, agree_together, gathered
from xaiexp.contract import Agreement, Metric
from xaiexp.draws import Draws
from xaiexp.errors import CellError, UserError
from xaiexp.memory import remembering
from xaiexp.passes import Counter, Handle
from xaiexp.store import Store
from xaiexp.study import EVERY_METHOD, NO_BASELINE, Cell, digest, identity
from xaiexp.types import Explanation, Scores

__all__ = ["Judge"]


class Judge:
    """Scores explanations and compares them.

    Args:
        metrics, agreements: by label.
        store: where scores are kept.
        on_passes: told how many passes were just made.

    Attributes:
        counters, seconds: by metric, what it cost so far.
        errors: what failed, with the reason: a measure, or a metric of one cell.
    """

    def __init__(
        self,
        metrics: Mapping[str, Metric],
        agreements: Mapping[str, Agreement],
        store: Store,
        on_passes: Callable[[int], None] | None,
    ) -> None:
        self.metrics, self._agreements, self._store = metrics, agreements, store
        self.counters = {label: Counter(listener=on_passes) for label in metrics}
        self.seconds = dict.fromkeys(metrics, 0.0)
        self.errors: dict[str, str] = {}

    def scores(
        self, handle: Handle, draws: Draws, explanations: Mapping[Cell, Explanation], keys: Mapping[Cell, str]
    ) -> dict[tuple[str, Cell], Tensor]:
        """The values ``[N]`` by metric and cell, from the store or computed, float64 on the CPU.

        Args:
            keys: what the explanations are called in the store.
        """
        out: dict[tuple[str, Cell], Tensor] = {}
        known, passes = registry.installed(), handle.passes
        for label, metric in self.metrics.items():
            started = time.perf_counter()
            about = identity(metric, known)
            own = {cell: digest(["score", about, key]) for cell, key in keys.items()}
            found = {cell: self._store.get(key, "values", *metric.also) for cell, key in own.items()}
            missing = {cell: explanations[cell] for cell, tensors in found.items() if tensors is None}
            if missing:
                passes.counter = self.counters[label]
                with remembering(passes.memory, label):
                    computed = self._values(label, metric, handle, draws, missing)
                for cell, tensors in computed.items():
                    found[cell] = tensors
                    if f"{label} of {cell}" not in self.errors:
                        self._store.put(own[cell], tensors)
            for cell, scored in found.items():
                if scored is not None:
                    out[label, cell] = scored["values"]
                    out |= {(f"{label}.{name}", cell): scored[name] for name in metric.also}
            self.seconds[label] += time.perf_counter() - started
        return out

    def _values(
        self, label: str, metric: Metric, handle: Handle, draws: Draws, explanations: Mapping[Cell, Explanation]
    ) -> dict[Cell, dict[str, Tensor]]:
        """The values of a metric by cell, float64 ``[N]`` on the CPU, with what it noticed beside them."""
        rng = draws.within(f"metric/{metric.name}")
        judged = {cell: e for cell, e in explanations.items() if e.space in metric.spaces}
        n, names = len(handle.batch), ("values", *metric.also)
        unknown = {name: torch.full((n,), math.nan, dtype=torch.float64) for name in names}
        out = {cell: dict(unknown) for cell in explanations}
        if not judged:
            return out
        try:
            scored = metric.score_all(handle, handle.batch, list(judged.values()), rng)
            tables = _tables(scored, metric.also, len(judged), n)
        except UserError:
            raise
        except Exception as error:  # a metric that fails costs its own scores, nothing else
            if len(judged) == 1:
                (cell,) = judged
                self.errors[f"{label} of {cell}"] = reason_of(error)
                return out
            # One explanation may be the reason (a method that raises when it explains again): each by itself.
            for cell, e in judged.items():
                out |= self._values(label, metric, handle, draws, {cell: e})
            return out
        for i, (cell, e) in enumerate(judged.items()):
            for name in names:
                # A measure that reads signs says nothing about a map that has none.
                unsigned = name == "values" and metric.needs_sign and not e.signed
                out[cell][name] = unknown["values"] if unsigned else tables[name][i]
        return out

    def agreement(self, explanations: Mapping[Cell, Explanation]) -> dict[tuple[str, Cell, Cell], Tensor]:
        """Agreement of the maps that speak about the same things."""
        groups: dict[tuple[Any, ...], list[Cell]] = {}
        for cell, explanation in explanations.items():
            groups.setdefault((explanation.space, explanation.features.shape), []).append(cell)
        out: dict[tuple[str, Cell, Cell], Tensor] = {}
        for (space, _), cells in groups.items():
            if len(cells) > 1:
                out |= self._agreement(explanations, cells, space)
        return out

    def _agreement(
        self, explanations: Mapping[Cell, Explanation], cells: Sequence[Cell], space: str
    ) -> dict[tuple[str, Cell, Cell], Tensor]:
        """Agreement of the maps of some cells, all of one space and shape."""
        out: dict[tuple[str, Cell, Cell], Tensor] = {}
        signed = [explanations[cell].signed for cell in cells]
        everybody = Cell(EVERY_METHOD if space == "input" else f"{EVERY_METHOD} ({space})", NO_BASELINE)

        def fresh() -> Maps:
            stacked = torch.stack([explanations[cell].values.float() for cell in cells])
            return gathered(stacked, explanations[cells[0]].features)

        maps = fresh()
        for label, measure in self._agreements.items():
            if label in self.errors:
                continue
            try:
                if measure.together:
                    out[label, everybody, everybody] = agree_together(measure, maps, signed)
                    continue
                table = agree_all(measure, maps, signed)
            except Exception as error:  # a measure that fails costs its own numbers, nothing else
                self.errors[label] = reason_of(error)
                maps = fresh()
                continue
            for (i, j), values in table.items():
                out[label, cells[i], cells[j]] = values
        return out


def _tables(scored: Tensor | Scores, also: Sequence[str], explanations: int, examples: int) -> dict[str, Tensor]:
    """What a metric returned, float64 ``[M, N]`` on the CPU, by name."""
    tables = {"values": scored.values, **scored.also} if isinstance(scored, Scores) else {"values": scored}
    if sorted(tables) != sorted(("values", *also)):
        raise CellError(f"gave {', '.join(sorted(tables))}; must give {', '.join(sorted(('values', *also)))}")
    want = [explanations, examples]
    for name, table in tables.items():
        if list(table.shape) != want:
            raise CellError(f"gave {name} of shape {list(table.shape)}; must be {want}")
    return {name: table.detach().double().cpu() for name, table in tables.items()}
