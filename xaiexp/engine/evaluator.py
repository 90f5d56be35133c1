"""Scores explanations by metrics and compares them by agreements; a measure that fails loses its own values only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from xaiexp.contract import registry
from xaiexp.contract.identity import component_key
from xaiexp.contract.kinds import Agreement, Metric
from xaiexp.core.explanations import Explanation, Scores
from xaiexp.core.ids import CellId, MetricId
from xaiexp.core.keys import ScoreKey
from xaiexp.engine.comparison import Maps, agree_all, agree_jointly, group_maps
from xaiexp.engine.explainer import Explainer
from xaiexp.engine.failure import Failure
from xaiexp.engine.guard import Guard
from xaiexp.errors import CellError, Unsupported, UserError
from xaiexp.inference.counter import Counter
from xaiexp.inference.passes import Handle
from xaiexp.inference.row_cache import RowCache, scope_of
from xaiexp.store.fingerprints import fingerprint
from xaiexp.store.objects import Store

__all__ = ["Evaluator", "JointAgreement", "PairAgreement"]

PairAgreement = dict[tuple[str, CellId, CellId], Tensor]
"""Measure and two cells to values ``[N]``."""

JointAgreement = dict[tuple[str, str], Tensor]
"""Measure and space to values ``[N]`` of all cells of this space jointly."""

# What metrics may read beyond inputs and targets.
_TRUTH = ("labels", "label_sets", "true_values", "masks")


class Evaluator:
    """Scores explanations and compares them.

    Args:
        metrics, agreements: by label.
        store: where scores are kept.
        on_passes: called with the number of passes each time some are made.

    Attributes:
        counters, seconds: by metric, what it cost so far.
        failures: of agreements, by label, and of metrics, by label and cell.
        unsupported: metrics that do not support this model or input, by label, with the reason; their values are NaN.
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
        self.failures: dict[str, Failure] = {}
        self.unsupported: dict[str, str] = {}

    def scores(
        self,
        explainer: Explainer,
        guard: Guard,
        explanations: Mapping[CellId, Explanation],
        keys: Mapping[CellId, str],
        cache: RowCache | None = None,
    ) -> dict[tuple[MetricId, CellId], Tensor]:
        """The values of all metrics, from the store or computed.

        Args:
            explainer: of the chunk.
            guard: undoes what a metric changes of the model or the batch; the metric then fails.
            explanations: by cell.
            keys: of the explanations in the store.
            cache: rows that other targets of the study share.

        Returns:
            Metric and cell to values ``[N]``, float64 on the CPU, NaN where undefined.
        """
        out: dict[tuple[MetricId, CellId], Tensor] = {}
        known, batch = registry.installed(), explainer.handle.batch
        truth = fingerprint({name: t for name in _TRUTH if (t := getattr(batch, name)) is not None})
        for label, metric in self.metrics.items():
            started = time.perf_counter()
            about = component_key(metric, known)
            own = {cell: ScoreKey(about, key, truth).digest for cell, key in keys.items()}
            found = {cell: self._store.get(key, "values", *metric.auxiliary) for cell, key in own.items()}
            missing = [cell for cell, tensors in found.items() if tensors is None]
            if missing:
                with scope_of(cache, label) as rows:
                    handle = explainer.handle.counted_by(self.counters[label], rows)
                    bound = {cell: explainer.rebound(cell, explanations[cell], handle) for cell in missing}
                    computed = self._values(label, metric, explainer, guard, handle, bound)
                for cell, tensors in computed.items():
                    found[cell] = tensors
                    if label not in self.unsupported and _metric_of_cell(label, cell) not in self.failures:
                        self._store.put(own[cell], tensors)
            for cell, scored in found.items():
                if scored is not None:
                    out[MetricId(label), cell] = scored["values"]
                    out |= {(MetricId(label, name), cell): scored[name] for name in metric.auxiliary}
            self.seconds[label] += time.perf_counter() - started
        return out

    def _values(
        self,
        label: str,
        metric: Metric,
        explainer: Explainer,
        guard: Guard,
        handle: Handle,
        explanations: Mapping[CellId, Explanation],
    ) -> dict[CellId, dict[str, Tensor]]:
        """The values of a metric and its auxiliary values by cell, float64 ``[N]`` on the CPU."""
        rng = explainer.draws.within(f"metric/{metric.name}")
        scored = {cell: e for cell, e in explanations.items() if e.space in metric.spaces}
        n, names = len(handle.batch), ("values", *metric.auxiliary)
        undefined = {name: torch.full((n,), math.nan, dtype=torch.float64) for name in names}
        out = {cell: dict(undefined) for cell in explanations}
        if not scored:
            return out
        try:
            with guard.watch():
                returned = metric.score_all(handle, handle.batch, list(scored.values()), rng)
            tables = _tables(returned, metric.auxiliary, len(scored), n)
        except UserError:
            raise
        except Unsupported as reason:
            self.unsupported[label] = str(reason)
            return out
        except Exception as error:  # a metric that fails loses its own scores only
            if len(scored) == 1:
                (cell,) = scored
                self.failures[_metric_of_cell(label, cell)] = Failure.of(error)
                return out
            # One explanation may be the reason (its method raises when it explains again): each is scored by itself.
            for cell, e in scored.items():
                out |= self._values(label, metric, explainer, guard, handle, {cell: e})
            return out
        for i, (cell, e) in enumerate(scored.items()):
            for name in names:
                # A metric that reads signs is undefined for a map without signs.
                unsigned = name == "values" and metric.needs_sign and not e.signed
                out[cell][name] = undefined["values"] if unsigned else tables[name][i]
        return out

    def agreement(self, explanations: Mapping[CellId, Explanation]) -> tuple[PairAgreement, JointAgreement]:
        """Agreement of the maps that are of one space and shape: of every pair, and of all of them jointly."""
        groups: dict[tuple[Any, ...], list[CellId]] = {}
        for cell, explanation in explanations.items():
            groups.setdefault((explanation.space, explanation.features.shape), []).append(cell)
        pairs: PairAgreement = {}
        joint: JointAgreement = {}
        for (space, _), cells in groups.items():
            if len(cells) > 1:
                self._compare(explanations, cells, space, pairs, joint)
        return pairs, joint

    def _compare(
        self,
        explanations: Mapping[CellId, Explanation],
        cells: Sequence[CellId],
        space: str,
        pairs: PairAgreement,
        joint: JointAgreement,
    ) -> None:
        """Add the agreement of the maps of some cells, all of one space and shape."""
        signed = [explanations[cell].signed for cell in cells]

        def fresh() -> Maps:
            stacked = torch.stack([explanations[cell].values.float() for cell in cells])
            return group_maps(stacked, explanations[cells[0]].features)

        maps = fresh()
        for label, measure in self._agreements.items():
            if label in self.failures:
                continue
            try:
                if measure.joint:
                    joint[label, space] = agree_jointly(measure, maps, signed)
                    continue
                table = agree_all(measure, maps, signed)
            except Exception as error:  # a measure that fails loses its own values only
                self.failures[label] = Failure.of(error)
                maps = fresh()
                continue
            for (i, j), values in table.items():
                pairs[label, cells[i], cells[j]] = values


def _metric_of_cell(label: str, cell: CellId) -> str:
    """How a metric that failed for one cell is named among the errors."""
    return f"{label} of {cell}"


def _tables(returned: Tensor | Scores, auxiliary: Sequence[str], explanations: int, examples: int) -> dict[str, Tensor]:
    """What a metric returned, float64 ``[M, N]`` on the CPU, by name."""
    tables = {"values": returned.values, **returned.auxiliary} if isinstance(returned, Scores) else {"values": returned}
    if sorted(tables) != sorted(("values", *auxiliary)):
        raise CellError(
            f"returned {', '.join(sorted(tables))}; must return {', '.join(sorted(('values', *auxiliary)))}"
        )
    want = [explanations, examples]
    for name, table in tables.items():
        if list(table.shape) != want:
            raise CellError(f"returned {name} of shape {list(table.shape)}; must be {want}")
    return {name: table.detach().double().cpu() for name, table in tables.items()}
