"""The record of a study: its components and the machine, the loaded model and data, and the run."""

from __future__ import annotations

import platform
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from xaiexp.contract.component import parts, plain_parameters
from xaiexp.contract.kinds import Agreement, Component, Method, Metric
from xaiexp.contract.registry import Registry
from xaiexp.core.ids import MetricId
from xaiexp.core.keys import digest
from xaiexp.core.record import (
    AgreementFacts,
    ComponentFacts,
    DataFacts,
    FailureFacts,
    LeftOutFacts,
    MethodFacts,
    MetricFacts,
    PassCount,
    PassCounts,
    PluginFacts,
    Record,
    SpeedFacts,
    StudyFacts,
    WeightsFacts,
)
from xaiexp.engine.chunk import Loaded
from xaiexp.engine.examples.left_out import LeftOut
from xaiexp.engine.examples.selection import compact
from xaiexp.engine.runner import Run
from xaiexp.errors import without_passwords
from xaiexp.inference.outputs import Readout
from xaiexp.plan.study import Study
from xaiexp.results.git_state import git_state
from xaiexp.results.identity import Sources, editable_code, installed_version
from xaiexp.results.providers import conformance_of

__all__ = ["add_loaded", "add_results", "components", "describe"]

_PACKAGES = (
    "xaiexp", "torch", "torchvision", "transformers", "numpy", "pandas", "scipy", "scikit-learn",
    "hydra-core", "omegaconf", "mlflow", "pluggy",
)  # fmt: skip


def describe(study: Study, registry: Registry) -> Record:
    """A record with all that is known before the study runs."""
    import torch

    settings = study.settings
    used = components(study)
    plugins = {str(plugin): plugin for plugin in (registry.plugin_of(component) for component in used)}
    record = Record(
        study=StudyFacts(
            model=study.model.name,
            dataset=study.dataset.name,
            features=study.features.name,
            modality=study.model.modality,
            seed=settings.seed,
            examples=settings.examples,
            example_order="first" if settings.draw_seed is None else "drawn",
            example_seed=settings.draw_seed,
            cluster=settings.cluster or "",
            target=str(settings.target),
            output="" if study.output is None else study.output.name,
            precision=settings.precision,
            task=settings.task or "",
            margin=settings.margin or {},
            families=settings.families,
        ),
        plugins=tuple(PluginFacts(p.name, p.distribution, p.version) for p in plugins.values()),
        conformance=conformance_of(Path(settings.store), used, registry),
        model=ComponentFacts(**_facts(study.model)),
        dataset=ComponentFacts(**_facts(study.dataset)),
        methods={label: _method(method) for label, method in study.methods.items()},
        baselines={label: ComponentFacts(**_facts(baseline)) for label, baseline in study.baselines.items()},
        metrics=_metrics(study),
        agreements={label: _agreement(agreement) for label, agreement in study.agreements.items()},
        versions=_versions(),
        git=git_state(),
        host=socket.gethostname(),
        platform=platform.platform(),
        threads=torch.get_num_threads(),
        command=tuple(without_passwords(word) for word in sys.argv),
    )
    code = {p.distribution: source for p in plugins.values() if (source := editable_code(p.distribution))}
    return replace(record, sources=Sources(registry).of(record), code=code)


def add_loaded(record: Record, loaded: Loaded) -> Record:
    """The record with the facts of the loaded model and data."""
    return replace(
        record,
        device=str(loaded.device),
        weights=WeightsFacts(loaded.weights_fingerprint),
        data=DataFacts(
            loaded.count,
            tuple(loaded.shape),
            selection=loaded.selection.words,
            rows=compact(loaded.selection.rows),
            class_counts=loaded.selection.class_counts,
        ),
        model_facts=dict(loaded.network.facts),
        class_names=tuple(loaded.class_names),
        notes=tuple(loaded.notes),
    )


def add_results(record: Record, run: Run) -> Record:
    """The record with the status, the passes and the stored attributions of a run that has ended."""
    states, evaluator = run.states, run.evaluator
    if run.readout is not None:
        record = _with_readout(record, run.readout, evaluator.metrics)
    return replace(
        record,
        status="failed" if run.failed() else "done",
        error="; ".join(f"{name}: {failure.reason}" for name, failure in evaluator.failures.items()) or None,
        passes=PassCounts(
            attributions=PassCount(
                sum(state.forward for state in states.values()), sum(state.backward for state in states.values())
            ),
            metrics={
                label: PassCount(counter.forward, counter.backward, round(evaluator.seconds[label], 4))
                for label, counter in evaluator.counters.items()
            },
            predictions_and_references=PassCount(run.other_passes.forward, run.other_passes.backward),
        ),
        speed=SpeedFacts(**asdict(run.speed)),
        data=replace(
            record.data or DataFacts(),
            fingerprint=digest(run.data_fingerprints),
            left_out=_left_out(run.left_out),
            clusters=run.clusters or None,
        ),
        metrics_left_out={**(record.metrics_left_out or {}), **evaluator.unsupported},
        failures={
            name: FailureFacts(without_passwords(failure.reason), failure.place, without_passwords(failure.traceback))
            for name, failure in run.failures().items()
        },
        methods={k: replace(facts, draws=evaluator.repeats.get(k, {})) for k, facts in record.methods.items()},
        performance=None if run.performance is None else run.performance.facts(),
        notes=(*(record.notes or ()), *run.notes),
        undefined={name: _left_out(examples) for name, examples in run.undefined().items()},
        store=str(run.store.folder.resolve()),
        objects={cell: tuple(state.keys) for cell, state in states.items() if state.keys},
    )


def _left_out(examples: Sequence[LeftOut]) -> tuple[LeftOutFacts, ...]:
    return tuple(LeftOutFacts(each.example, without_passwords(each.reason)) for each in examples)


def _with_readout(record: Record, readout: Readout, metrics: Mapping[str, Metric]) -> Record:
    """The record with what is explained; metrics of probabilities that do not exist get its unit and no bounds."""
    facts = dict(record.metrics)
    for label, metric in metrics.items():
        if metric.reads_probability and metric.unit == "probability" and not readout.is_probability:
            known = facts[label]
            summary = known.summary.replace("target's probability", readout.name).replace("probability", readout.name)
            facts[label] = replace(known, summary=summary, unit=readout.name, bounds=(None, None))
    study = replace(record.study, output=readout.name, task=readout.task or "")
    return replace(record, study=study, metrics=facts)


def components(study: Study) -> list[Component]:
    """All components of a study, those among the parameters of others included."""
    listed: list[Component] = [
        study.model,
        study.dataset,
        study.features,
        *(() if study.output is None else (study.output,)),
        *study.methods.values(),
        *study.baselines.values(),
        *study.metrics.values(),
        *study.agreements.values(),
        *study.trackers.values(),
        *study.callbacks.values(),
        *study.panels.values(),
    ]
    return [each for component in listed for each in (component, *parts(component))]


def _facts(component: Component) -> dict[str, Any]:
    return {
        "name": component.name,
        "summary": component.summary,
        "source": component.source,
        "parameters": plain_parameters(component),
    }


def _method(method: Method) -> MethodFacts:
    return MethodFacts(
        **_facts(method),
        signed=method.signed,
        complete=method.complete,
        multiplied_by_inputs=method.multiplied_by_inputs,
        space=method.space,
        control=method.control,
    )


def _metrics(study: Study) -> dict[str, MetricFacts]:
    """The facts of the metrics and of their auxiliary values."""
    facts: dict[str, MetricFacts] = {}
    for label, metric in study.metrics.items():
        facts[label] = _metric(metric)
        for name in metric.auxiliary:
            facts[str(MetricId(label, name))] = MetricFacts(
                name=f"{metric.name}.{name}",
                summary=f"{name}, an auxiliary value of {label}",
                source=metric.source,
                bounds=(None, None),
                unit="1",
            )
    return facts


def _metric(metric: Metric) -> MetricFacts:
    return MetricFacts(
        **_facts(metric),
        higher_is_better=metric.higher_is_better,
        bounds=metric.bounds,
        unit=metric.unit,
        needs_sign=metric.needs_sign,
        curve=metric.curve,
    )


def _agreement(agreement: Agreement) -> AgreementFacts:
    return AgreementFacts(
        **_facts(agreement),
        bounds=agreement.bounds,
        needs_sign=agreement.needs_sign,
        symmetric=agreement.symmetric,
    )


def _versions() -> dict[str, str]:
    """The versions of Python, of the packages that decide the numbers, and of CUDA where there is a GPU."""
    import torch

    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        versions[package] = installed_version(package)
    versions["cuda"] = str(torch.version.cuda) if torch.cuda.is_available() else "none"
    return versions
