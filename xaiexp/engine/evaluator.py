"""Scores explanations by metrics and compares them by agreements; a measure that fails loses its own values only."""

from __future__ import annotations

import math
import time
from collections import Counter as Counts
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xaiexp.contract import registry
from xaiexp.contract.identity import component_key
from xaiexp.contract.kinds import Agreement, Metric
from xaiexp.contract.repeats import repeats_of
from xaiexp.core.explanations import CURVE_POINTS, Explanation, Scores
from xaiexp.core.ids import CellId, MetricId
from xaiexp.core.keys import ScoreKey
from xaiexp.engine.comparison import Maps, agree_all, agree_jointly, group_maps
from xaiexp.engine.examples.left_out import ALLOWED, LeftOut
from xaiexp.engine.explainer import Explainer, UndefinedValues
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

_CURVE = "curve"
"""Name in the store of the curve of a metric."""

_DEFINED = "defined draws"
"""Name in the store of the number of draws that have a score, for methods with several draws."""


class Evaluator:
    """Scores explanations and compares them.

    Args:
        metrics, agreements: by label.
        store: where scores are kept.
        on_passes: called with the number of passes each time some are made.

    Attributes:
        counters, seconds: by metric, what it cost so far.
        failures: of agreements, by label, and of metrics, by label and cell.
        undefined: by metric and cell, the examples for which the metric raised while the map is there.
        most: maps of a cell over the whole study at most.
        repeats: by method and metric, over how many draws of a map scores are averaged; only where there are several.
        curves: of the chunk that was scored last: metric and cell to values ``[N, P]``, see
            :class:`~xaiexp.core.explanations.Scores`.
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
        self.undefined: dict[str, list[LeftOut]] = {}
        self.most = 0
        self._explained: Counts[CellId] = Counts()
        self.unsupported: dict[str, str] = {}
        self.curves: dict[tuple[str, CellId], Tensor] = {}
        self.repeats: dict[str, dict[str, int]] = {}
        self._undefined_draws: Counts[tuple[str, CellId]] = Counts()

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
        self.curves = {}
        truth = fingerprint({name: t for name in _TRUTH if (t := getattr(batch, name)) is not None})
        self._explained.update({cell: len(batch) for cell in explanations})
        for label, metric in self.metrics.items():
            if label in self.unsupported:
                continue
            started = time.perf_counter()
            about = component_key(metric, known)
            own = {cell: ScoreKey(about, key, truth).digest for cell, key in keys.items()}
            repeats = {cell: self._repeats(explainer, metric, cell) for cell in keys}
            names = {cell: _names(metric, repeats[cell]) for cell in keys}
            found = {cell: self._store.get(key, *names[cell]) for cell, key in own.items()}
            missing = [cell for cell, tensors in found.items() if tensors is None]
            if missing:
                with scope_of(cache, label) as rows:
                    handle = explainer.handle.counted_by(self.counters[label], rows)
                    bound = {cell: explainer.rebound(cell, explanations[cell], handle) for cell in missing}
                    computed = self._values(label, metric, explainer, guard, handle, bound)
                for cell, tensors in computed.items():
                    found[cell] = tensors
                    name = _metric_of_cell(label, cell)
                    # What was raised is not stored: it would be lost.
                    if label not in self.unsupported and name not in self.failures | self.undefined.keys():
                        self._store.put(own[cell], tensors, "scores")
            for cell, scored in found.items():
                if scored is not None:
                    out[MetricId(label), cell] = scored["values"]
                    out |= {(MetricId(label, name), cell): scored[name] for name in metric.auxiliary}
                    if metric.curve:
                        self.curves[label, cell] = scored[_CURVE]
                    if repeats[cell] > 1:
                        self.repeats.setdefault(cell.method, {})[label] = repeats[cell]
                        lost = repeats[cell] - scored[_DEFINED][scored["values"].isfinite()]
                        self._undefined_draws[label, cell] += int(lost.sum())
            self.seconds[label] += time.perf_counter() - started
        return out

    def _repeats(self, explainer: Explainer, metric: Metric, cell: CellId) -> int:
        batch = explainer.handle.batch
        return repeats_of(explainer.study.methods[cell.method], metric, batch.shape, batch.features.d)

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
        methods = explainer.study.methods
        scored = {
            cell: e
            for cell, e in explanations.items()
            if e.space in metric.spaces and (methods[cell.method].repeatable or not metric.re_explains)
        }
        n = len(handle.batch)
        out = {
            cell: {name: _undefined(name, n) for name in _names(metric, self._repeats(explainer, metric, cell))}
            for cell in explanations
        }
        if not scored:
            return out
        try:
            with guard.watch():
                tables = self._scored(metric, explainer, handle, scored)
        except UserError:
            raise
        except Unsupported as reason:
            self.unsupported[label] = str(reason)
            return out
        except Exception as error:  # a metric that fails loses its own scores only
            if len(scored) == 1:
                (cell,) = scored
                return out | self._value_by_example(label, metric, explainer, guard, handle, cell, scored[cell], error)
            # One explanation may be the reason (its method raises when it explains again): each is scored by itself.
            for cell, e in scored.items():
                out |= self._values(label, metric, explainer, guard, handle, {cell: e})
            return out
        return out | tables

    def _scored(
        self, metric: Metric, explainer: Explainer, handle: Handle, scored: Mapping[CellId, Explanation]
    ) -> dict[CellId, dict[str, Tensor]]:
        """The values as of :meth:`_values`, all from one call of the metric; those of several draws are averaged.

        Raises:
            Exception: as the metric, or the method that draws.
        """
        maps: list[Explanation] = []
        places: dict[CellId, slice] = {}
        for cell, e in scored.items():
            further = range(1, self._repeats(explainer, metric, cell))
            places[cell] = slice(len(maps), len(maps) + 1 + len(further))
            maps += [e, *(explainer.repeated(cell, e, handle, number) for number in further)]
        given = [_defined(e) for e in maps]
        rng = explainer.draws.within(f"metric/{metric.name}")
        returned = metric.score_all(handle, handle.batch, [e for e, _ in given], rng)
        tables = _tables(returned, metric, len(maps), len(handle.batch))
        defined = torch.stack([each for _, each in given])
        out = {}
        for cell, rows in places.items():
            lost = ~defined[rows]
            values = {
                name: table[rows].masked_fill(lost if table.ndim == 2 else lost[..., None], math.nan)
                for name, table in tables.items()
            }
            # A metric that reads signs is undefined for a map without signs.
            if metric.needs_sign and not scored[cell].signed:
                values["values"].fill_(math.nan)
            out[cell] = _averaged(values)
        return out

    def _value_by_example(
        self,
        label: str,
        metric: Metric,
        explainer: Explainer,
        guard: Guard,
        handle: Handle,
        cell: CellId,
        explanation: Explanation,
        together: Exception,
    ) -> dict[CellId, dict[str, Tensor]]:
        """The values of one cell, example by example, after the metric raised ``together`` for all of them.

        The cell has no values where the metric raises for too many examples.
        """
        n, name = len(handle.batch), _metric_of_cell(label, cell)
        names = _names(metric, self._repeats(explainer, metric, cell))
        parts = {key: _undefined(key, n) for key in names}
        if isinstance(together, CellError) and not isinstance(together, UndefinedValues):
            self.failures[name] = Failure.of(together)  # wrong for every example
            return {cell: parts}
        _, defined = _defined(explanation)
        for i in range(n):
            if not bool(defined[i]):
                continue
            raised: Exception | None = together
            if n > 1:
                part = explainer.rows([i])
                own = part.handle.counted_by(handle.counter)
                bound = part.rebound(cell, explanation.rows(torch.tensor([i], device=handle.batch.device)), own)
                raised = None
                try:
                    with guard.watch():
                        scored = self._scored(metric, part, own, {cell: bound})[cell]
                    for key, values in scored.items():
                        parts[key][i] = values[0]
                except (UserError, Unsupported):
                    raise
                except Exception as error:
                    raised = error
            if raised is not None:
                examples = self.undefined.setdefault(name, [])
                examples.append(LeftOut(handle.batch.ids[i], Failure.of(raised).reason))
                if len(examples) > ALLOWED * self.most:
                    self._fail(name, Failure.of(together))
                    return {cell: {key: torch.full_like(values, math.nan) for key, values in parts.items()}}
        return {cell: parts}

    def _fail(self, name: str, failure: Failure) -> None:
        self.failures.setdefault(name, failure)
        self.undefined.pop(name, None)

    def finalize(self) -> None:
        """Fail the metrics of a cell that are undefined for too many of its maps."""
        for label in self.metrics:
            for cell, explained in self._explained.items():
                name = _metric_of_cell(label, cell)
                examples = self.undefined.get(name, [])
                if len(examples) > ALLOWED * explained:
                    self._fail(name, Failure(examples[0].reason))

    def notes(self) -> list[str]:
        """What a reader must know of draws that have no score."""
        return [
            f"{_metric_of_cell(label, cell)}: {lost} draws have no score and are left out of its averages over "
            f"{self.repeats[cell.method][label]} draws"
            for (label, cell), lost in self._undefined_draws.items()
            if lost
        ]

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


def _defined(explanation: Explanation) -> tuple[Explanation, Tensor]:
    """The explanation with zeros in place of maps that are undefined, and which are defined: bool ``[N]``, on the CPU.

    Metrics never see NaN, which sorting would place somewhere.
    """
    defined = explanation.elements.isfinite().flatten(1).all(dim=1)
    if bool(defined.all()):
        return explanation, defined.cpu()
    wide = defined.view(-1, *[1] * (explanation.elements.ndim - 1))
    error = explanation.standard_error
    filled = replace(
        explanation,
        elements=explanation.elements.where(wide, 0.0),
        standard_error=None if error is None else error.where(defined.unsqueeze(1), 0.0),
    )
    return filled, defined.cpu()


def _names(metric: Metric, repeats: int) -> tuple[str, ...]:
    """The tensors that are kept of one cell: values, auxiliary values, its curve, and how many draws have a score."""
    curve = (_CURVE,) if metric.curve else ()
    return ("values", *metric.auxiliary, *curve, *((_DEFINED,) if repeats > 1 else ()))


def _undefined(name: str, n: int) -> Tensor:
    """NaN for N examples: ``[N]``, or ``[N, P]`` for a curve."""
    return torch.full((n, CURVE_POINTS) if name == _CURVE else (n,), math.nan, dtype=torch.float64)


def _averaged(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The means ``[N]`` over the draws, ``[R, N]``, that are defined; NaN where none is."""
    if len(values["values"]) == 1:
        return {name: table[0] for name, table in values.items()}
    defined = values["values"].isfinite().sum(dim=0).double()
    return {
        **{name: table.where(table.isfinite(), math.nan).nanmean(dim=0) for name, table in values.items()},
        _DEFINED: defined,
    }


def _metric_of_cell(label: str, cell: CellId) -> str:
    """How a metric that failed for one cell is named among the errors."""
    return f"{label} of {cell}"


def _tables(returned: Tensor | Scores, metric: Metric, explanations: int, examples: int) -> dict[str, Tensor]:
    """What a metric returned, float64 ``[M, N]`` on the CPU, by name; a curve ``[M, N, P]``."""
    scores = returned if isinstance(returned, Scores) else Scores(returned)
    tables = {"values": scores.values, **scores.auxiliary}
    if scores.curves is not None:
        tables[_CURVE] = scores.curves
    expected = _names(metric, 1)
    if sorted(tables) != sorted(expected):
        raise CellError(f"returned {', '.join(sorted(tables))}; must return {', '.join(sorted(expected))}")
    for name, table in tables.items():
        want = [explanations, examples, *([CURVE_POINTS] if name == _CURVE else [])]
        if list(table.shape) != want:
            raise CellError(f"returned {name} of shape {list(table.shape)}; must be {want}")
    return {name: table.detach().double().cpu() for name, table in tables.items()}
