"""What is to be done: a study, its cells, and the plan. Pure and instant; imports no torch and no Hydra."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from xaiexp.contract import Agreement, Baseline, Component, Dataset, Features, Method, Metric, Model, offered
from xaiexp.errors import MismatchError, ParameterError, UserError
from xaiexp.parameters import Range
from xaiexp.registry import Registry
from xaiexp.types import Cost, Outline

__all__ = ["EVERY_METHOD", "NO_BASELINE", "Cell", "Plan", "Settings", "Study", "Tracking", "identity", "plan"]

NO_BASELINE = "none"
EVERY_METHOD = "all"
"""What stands in the place of a method where a measure is about all of them together."""
DEFAULT_FEATURES = {"image": "pixel", "text": "token", "table": "column", "series": "step"}


@dataclass(frozen=True)
class Tracking:
    """Where MLflow keeps the runs: ``uri`` null is the embedded store, ``off`` tracks nothing."""

    uri: str | None = None
    experiment: str = "xaiexp"


@dataclass(frozen=True)
class Settings:
    """The root keys of a study that are no components.

    Args:
        seed: of every random number of the study.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        precision: of the passes; half precisions by autocast.
        examples: how many, from the first; null for all.
        target: the class that is explained: the predicted one, the label, or an index; several of these, each
            class of an example once; or ``all`` classes.
        output: what is explained: the target's logit or its probability.
        batch_budget: rows that go through the model at once, or ``auto``.
        on_error: what a failed cell does to the others.
        force: compute anew what the store holds.
        store: the folder of attributions and scores.
        tracking: MLflow.
        report: whether ``report.html`` is made.
        trust: module prefixes whose factories this study may name.
        effort: what becomes of steps and samples that nobody set.
        removal: how features are removed, as an axis: every metric that removes features is there once for each
            of these, under the label ``METRIC_REMOVAL``; empty leaves each metric its own.
    """

    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    examples: Annotated[int, Range(1)] | None = 64
    target: (
        Literal["predicted", "label", "all"]
        | Annotated[int, Range(0)]
        | tuple[Literal["predicted", "label"] | Annotated[int, Range(0)], ...]
    ) = "predicted"
    output: Literal["logit", "probability"] = "logit"
    batch_budget: Literal["auto"] | Annotated[int, Range(1)] = "auto"
    on_error: Literal["continue", "stop"] = "continue"
    force: bool = False
    store: str = "outputs/store"
    tracking: Tracking = field(default_factory=Tracking)
    report: bool = True
    trust: tuple[str, ...] = ()
    effort: Literal["draft", "standard", "publication"] = "standard"
    removal: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.target == ():
            raise ParameterError("target", "names no target", hint="as target=predicted or 'target=[predicted,label]'")
        if not self.store.strip():
            raise ParameterError("store", "must name a folder", got=self.store)
        head, _, index = self.device.partition(":")
        if (
            head not in ("auto", "cpu", "cuda")
            or (index and not (head == "cuda" and index.isdigit()))
            or (self.device.endswith(":"))
        ):
            raise ParameterError("device", "must be auto, cpu, cuda or cuda:INDEX", got=self.device)


@dataclass(frozen=True)
class Study:
    """One model on one data set, with lists of methods, baselines, metrics and agreements by label."""

    model: Model
    dataset: Dataset
    features: Features
    methods: Mapping[str, Method]
    baselines: Mapping[str, Baseline]
    metrics: Mapping[str, Metric]
    agreements: Mapping[str, Agreement]
    settings: Settings = field(default_factory=Settings)

    def describe(self) -> str:
        """The study in a few words."""
        return f"{self.model.name} on {self.dataset.name}, seed {self.settings.seed}"


@dataclass(frozen=True)
class Cell:
    """One (method, baseline) of a study.

    Args:
        method, baseline: labels; the baseline is :data:`NO_BASELINE` where the method reads none.
        skip: why the plan leaves it out; empty where it runs.
        cost: passes of one example, as far as the method can tell beforehand.
    """

    method: str
    baseline: str
    skip: str = ""
    cost: Cost | None = None

    def __str__(self) -> str:
        return self.method if self.baseline == NO_BASELINE else f"{self.method} / {self.baseline}"


@dataclass(frozen=True)
class Plan:
    """What would run.

    Args:
        count: examples, or None where the data set does not tell before it is read.
        shape: of one input, or None where the model must be loaded to know.
        exact: whether ``shape`` is certain or typical.
        metric_costs: passes of one example for each metric, over all cells that run.
        metric_skips: metrics that are left out, with the reason.
    """

    study: Study
    cells: tuple[Cell, ...]
    count: int | None
    shape: tuple[int, ...] | None
    exact: bool
    metric_costs: Mapping[str, Cost | None]
    metric_skips: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> tuple[Cell, ...]:
        """The cells that are not skipped."""
        return tuple(cell for cell in self.cells if not cell.skip)

    def passes(self, without: Collection[Cell] = ()) -> tuple[int | None, int | None]:
        """Passes of the attributions and of the metrics; None where nobody can tell beforehand.

        Metrics that explain again are left out: their passes are those of the methods, some ten times over.
        """
        cells = [cell.cost for cell in self.running if cell not in without]
        return self._total(cells), self._total(list(self.metric_costs.values()))

    def _total(self, costs: list[Cost | None]) -> int | None:
        if self.count is None or self.shape is None:
            return None
        return self.count * sum(cost.total for cost in costs if cost is not None)


def plan(study: Study) -> Plan:
    """The cells of a study, impossible ones skipped with the reason.

    Raises:
        MismatchError: model, data set and features do not fit together, or nothing is left to run.
    """
    modality = study.model.modality
    if study.dataset.modality != modality:
        raise MismatchError(
            f"dataset.{study.dataset.name}",
            f"holds {_plural(study.dataset.modality)}, and model {study.model.name!r} takes {_plural(modality)}",
            hint="choose a model and a data set of one kind: xaiexp plugins lists them",
        )
    if modality not in study.features.modalities:
        raise MismatchError(
            f"features.{study.features.name}",
            f"is for {', '.join(map(_plural, study.features.modalities))}, and the data are {_plural(modality)}",
            hint=f"leave it out for the default ({DEFAULT_FEATURES[modality]})",
        )
    if not study.methods:
        raise ParameterError("method", "names no method", hint="as method=[saliency,occlusion]")
    outline = study.dataset.outline()
    shape = study.model.input_shape() or outline.shape
    cells = tuple(cell for label in study.methods for cell in _cells(study, label, shape))
    running = sum(not cell.skip for cell in cells)
    if not running:
        raise MismatchError(
            "method",
            "nothing to run, every cell is skipped",
            notes=[f"{cell}: {cell.skip}" for cell in cells[:5]],
        )
    d = _features(study, shape)
    skips = {label: why for label, metric in study.metrics.items() if (why := _unfit(metric, study.model))}
    costs = {
        label: None if d is None or shape is None else metric.passes(shape, d, running)
        for label, metric in study.metrics.items()
        if label not in skips
    }
    return Plan(study, cells, _count(outline, study.settings.examples), shape, outline.exact, costs, skips)


def _unfit(component: Method | Metric, model: Model) -> str:
    """Why a method or metric is not for this model; empty where it is."""
    lacking = sorted(component.needs - offered(model.offers))
    if model.modality not in component.modalities:
        return f"is for {', '.join(map(_plural, component.modalities))}; the data are {_plural(model.modality)}"
    if lacking:
        return f"needs {', '.join(lacking)}, which model {model.name!r} does not offer"
    return ""


def _cells(study: Study, label: str, shape: tuple[int, ...] | None) -> list[Cell]:
    method, modality = study.methods[label], study.model.modality
    skip = _unfit(method, study.model)
    if not skip and study.settings.precision not in method.precisions:
        skip = f"works in {' and '.join(method.precisions)}, not in {study.settings.precision}"
    if not method.reads_baseline:
        return [Cell(label, NO_BASELINE, skip, _cost(study, method, shape))]
    if not study.baselines:
        return [Cell(label, NO_BASELINE, skip or "reads a baseline, and the study lists none")]
    cells = []
    for name, baseline in study.baselines.items():
        why = skip
        if not why and modality not in baseline.modalities:
            why = (
                f"baseline {name!r} is for {', '.join(map(_plural, baseline.modalities))}; "
                f"the data are {_plural(modality)}"
            )
        cells.append(Cell(label, name, why, _cost(study, method, shape)))
    return cells


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


def _plural(modality: str) -> str:
    return {"image": "pictures", "text": "texts", "table": "tables", "series": "time series"}.get(modality, modality)


def identity(component: Component, registry: Registry) -> dict[str, Any]:
    """What a component contributes to a key: its name, its parameters and the version of its plugin."""
    return {
        "kind": component.kind,
        "name": component.name,
        "parameters": component.parameters(),
        "plugin": str(registry.plugin_of(component)),
    }


def digest(parts: Any) -> str:
    """A key for nested plain values."""
    text = json.dumps(parts, sort_keys=True, default=repr, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def plan_key(plan: Plan, cell: Cell, registry: Registry) -> str:
    """What the plan can say of a cell's results without loading anything: equal keys, equal results.

    The store keeps under it which content keys the last such run had, so that ``xaiexp plan`` can tell what
    will be found.
    """
    study = plan.study
    baseline = study.baselines.get(cell.baseline)
    return digest(
        [
            identity(study.model, registry),
            study.model.fingerprint(),
            identity(study.dataset, registry),
            study.dataset.fingerprint(),
            identity(study.features, registry),
            identity(study.methods[cell.method], registry),
            identity(baseline, registry) if baseline is not None else None,
            [study.settings.seed, study.settings.target, study.settings.output, study.settings.precision],
            plan.count,
        ]
    )


def check_label(kind: str, label: str) -> None:
    """Refuse labels that other parts could not tell apart."""
    if kind == "baseline" and label == NO_BASELINE:
        raise UserError(
            f"baseline.{label}", "is what methods without a baseline have in that column; use another label"
        )
