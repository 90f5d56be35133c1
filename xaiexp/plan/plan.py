"""What would run: the cells of a study, impossible ones skipped with the reason. Imports no torch and no Hydra."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from xaiexp.contract.kinds import Method, Metric, Model, offered
from xaiexp.contract.repeats import maps_scored
from xaiexp.core.explanations import Cost
from xaiexp.core.ids import CellId
from xaiexp.core.samples import Outline
from xaiexp.core.vocabulary import plural
from xaiexp.errors import MismatchError, ParameterError, UnknownName, nearest
from xaiexp.plan.claim import FrozenClaim, frozen
from xaiexp.plan.objective import Objective, objective
from xaiexp.plan.study import DEFAULT_FEATURES, Study

__all__ = ["Plan", "PlannedCell", "cost", "plan", "unfit"]

_FLOAT = 4  # bytes


@dataclass(frozen=True)
class PlannedCell:
    """One cell, and whether it runs.

    Args:
        id: method and baseline, by labels.
        skip: why the plan leaves the cell out; empty where it runs.
        cost: passes of one example, as far as the method can tell beforehand.
    """

    id: CellId
    skip: str = ""
    cost: Cost | None = None


@dataclass(frozen=True)
class Plan:
    """What would run.

    Args:
        count: examples; None where the dataset must be read to know.
        shape: of one input, or None where the model must be loaded to know.
        features: of one input; None where the shape is not known.
        exact: whether ``shape`` is exact, or typical of the dataset.
        metric_costs: passes of one example for each metric, over all cells that run.
        metric_skips: metrics that are left out, with the reason.
        claim: of the study.
        objective: what a sweeper optimises.
    """

    study: Study
    cells: tuple[PlannedCell, ...]
    count: int | None
    shape: tuple[int, ...] | None
    features: int | None
    exact: bool
    metric_costs: Mapping[str, Cost | None]
    metric_skips: Mapping[str, str] = field(default_factory=dict)
    claim: FrozenClaim | None = None
    objective: Objective | None = None

    @property
    def running(self) -> tuple[PlannedCell, ...]:
        """The cells that are not skipped."""
        return tuple(cell for cell in self.cells if not cell.skip)

    def passes(self, without: Collection[CellId] = ()) -> tuple[int | None, int | None]:
        """Passes of the attributions and of the metrics; None where the shape or the number of examples is not known.

        Lower bounds where :attr:`complete` is False: cells and metrics without a known cost are not included. Neither
        are the passes of metrics that explain perturbed inputs again.
        """
        cells = [cell.cost for cell in self.running if cell.id not in without]
        return self._total(cells), self._total(list(self.metric_costs.values()))

    def tokens(self, without: Collection[CellId] = ()) -> tuple[int | None, int | None]:
        """Prompt tokens that these passes read: passes times the tokens of a prompt, as far as the dataset tells them.

        None where :meth:`passes` is None, and for models that are not language models. Those of continuations, which
        every pass reads as well, are not included.
        """
        each = None if self.shape is None else self.study.model.tokens(self.shape)
        attributions, metrics = self.passes(without)
        if each is None or attributions is None or metrics is None:
            return None, None
        return each * attributions, each * metrics

    def stored_bytes(self, without: Collection[CellId] = ()) -> int | None:
        """What the attributions take in the store, in bytes; None where shape or number of examples is not known."""
        if self.count is None or self.shape is None or self.features is None:
            return None
        cells = sum(cell.id not in without for cell in self.running)
        return _FLOAT * cells * self.count * (math.prod(self.shape) + self.features)

    @property
    def complete(self) -> bool:
        """Whether the cost of every cell and metric that runs is known."""
        return all(cell.cost is not None for cell in self.running) and None not in self.metric_costs.values()

    def _total(self, costs: list[Cost | None]) -> int | None:
        if self.count is None or self.shape is None:
            return None
        return self.count * sum(cost.total for cost in costs if cost is not None)


def plan(study: Study) -> Plan:
    """The cells of a study, impossible ones skipped with the reason.

    Raises:
        MismatchError: model, dataset and features do not fit together, or nothing is left to run.
    """
    modality = study.model.modality
    if study.dataset.modality != modality:
        raise MismatchError(
            f"dataset.{study.dataset.name}",
            f"contains {plural(study.dataset.modality)}; model {study.model.name!r} expects {plural(modality)}",
            hint="choose a model and a dataset of one modality: xaiexp plugins lists them",
        )
    if modality not in study.features.modalities:
        raise MismatchError(
            f"features.{study.features.name}",
            f"is for {', '.join(map(plural, study.features.modalities))}; the data are {plural(modality)}",
            hint=f"leave it out for the default ({DEFAULT_FEATURES[modality]})",
        )
    if not study.methods:
        raise ParameterError("method", "lists no method", hint="for example method=[saliency,occlusion]")
    outline = study.dataset.outline()
    shape = study.model.input_shape() or outline.shape
    cells = tuple(cell for label in study.methods for cell in _cells(study, label, shape))
    running = [study.methods[cell.id.method] for cell in cells if not cell.skip]
    if not running:
        raise MismatchError(
            "method",
            "nothing to run, every cell is skipped",
            notes=[f"{cell.id}: {cell.skip}" for cell in cells[:5]],
        )
    d = _features(study, shape)
    skips = {label: why for label, metric in study.metrics.items() if (why := unfit(metric, study.model))}
    costs = {
        label: None if d is None or shape is None else metric.passes(shape, d, maps_scored(running, metric, shape, d))
        for label, metric in study.metrics.items()
        if label not in skips
    }
    count = _count(outline, study.settings.examples)
    directions = {label: metric.higher_is_better for label, metric in study.metrics.items()}
    ids = {cell.id: cell.skip for cell in cells}
    claim = _claim(study, directions, skips, ids)
    goal = objective(study.settings.objective, directions, skips, ids)
    return Plan(study, cells, count, shape, d, outline.exact, costs, skips, claim, goal)


def _claim(
    study: Study, directions: Mapping[str, bool | None], skips: Mapping[str, str], cells: Mapping[CellId, str]
) -> FrozenClaim | None:
    """The claim of the study, if any; checks the metrics of its margins as well."""
    for label in study.settings.margin or {}:
        if label not in directions:
            listed = ", ".join(directions) or "none"
            near = nearest(label, directions)
            raise UnknownName(f"margin.{label}", "no such metric in this study", nearest=near, hint=f"it has: {listed}")
        if directions[label] is None:
            raise MismatchError(f"margin.{label}", "this metric ranks no cells")
    controls = [label for label, method in study.methods.items() if method.control]
    return frozen(study.settings.claim, directions, skips, cells, controls)


def unfit(component: Method | Metric, model: Model) -> str:
    """Why a method or metric is not for this model; empty where it is."""
    lacking = sorted(component.needs - offered(model.offers))
    if model.modality not in component.modalities:
        return f"is for {', '.join(map(plural, component.modalities))}; the data are {plural(model.modality)}"
    if lacking:
        return f"needs {', '.join(lacking)}, which model {model.name!r} does not offer"
    return ""


def _cells(study: Study, label: str, shape: tuple[int, ...] | None) -> list[PlannedCell]:
    method, modality = study.methods[label], study.model.modality
    skip = unfit(method, study.model)
    if not skip and study.settings.precision not in method.precisions:
        skip = f"works in {' and '.join(method.precisions)}, not in {study.settings.precision}"
    if not method.reads_baseline:
        return [PlannedCell(CellId(label), skip, _cost(study, method, shape))]
    if not study.baselines:
        return [PlannedCell(CellId(label), skip or "reads a baseline, and the study lists none")]
    cells = []
    for name, baseline in study.baselines.items():
        why = skip
        if not why and modality not in baseline.modalities:
            why = (
                f"baseline {name!r} is for {', '.join(map(plural, baseline.modalities))}; "
                f"the data are {plural(modality)}"
            )
        cells.append(PlannedCell(CellId(label, name), why, _cost(study, method, shape)))
    return cells


def cost(study: Study, method: Method) -> Cost | None:
    """The passes of a method for one example of the study; None where they depend on the loaded network."""
    return _cost(study, method, study.model.input_shape() or study.dataset.outline().shape)


def _cost(study: Study, method: Method, shape: tuple[int, ...] | None) -> Cost | None:
    d = _features(study, shape)
    return None if shape is None or d is None else method.passes(shape, d)


def _features(study: Study, shape: tuple[int, ...] | None) -> int | None:
    if shape is None:
        return None
    d = 1
    for side in study.features.shape(shape):
        d *= side
    return d


def _count(outline: Outline, examples: int | None) -> int | None:
    if outline.count is None:
        return examples
    return outline.count if examples is None else min(examples, outline.count)
