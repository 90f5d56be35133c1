"""How a study was made, in words: its facts, its components, and the sentence that says what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xaiexp.core.claim_facts import ClaimFacts
from xaiexp.core.ids import NO_BASELINE
from xaiexp.core.record import (
    AgreementFacts,
    ComponentFacts,
    MethodFacts,
    MetricFacts,
    PassCount,
    PassCounts,
    PerformanceFacts,
    SpeedFacts,
)
from xaiexp.report.results import summary_of
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import DASH, as_text, bounds, direction, method_properties, number, plural

__all__ = ["Entry", "asked", "clusters", "facts", "glossary"]


def clusters(study: StudyFolder) -> str:
    """What the scores and tests are of where examples belong to clusters; empty where they do not."""
    if not study.clusters:
        return ""
    count, column = plural(len(set(study.clusters.values())), "cluster"), study.record.study.cluster
    return (
        f"The examples belong to {count} (column {column}): scores are averaged within a cluster, and n, means, "
        "intervals, letters and tests are those of the clusters. Where the text says example, read cluster."
    )


def _passes(counted: PassCount | None) -> str:
    return DASH if counted is None else f"{counted.forward:,} forward, {counted.backward:,} backward"


def _seconds(value: float | None) -> str:
    return DASH if value is None else f"{number(value)} s"


def _examples(study: StudyFolder) -> int | None:
    """How many examples were explained, or were to be explained; None where neither is known."""
    counted = study.cells["examples"].max() if len(study.cells) else 0
    return int(counted) if counted > 0 else study.record.study.examples


def asked(study: StudyFolder) -> str:
    """What was explained, of which model and data, by what, in one or two sentences."""
    record, about = study.record, study.record.study
    if not about.model:
        return f"The record of the study in the folder {study.path.name} is missing or incomplete."
    class_names, target = record.class_names or (), about.target
    if about.task == "regression":
        explained = "the predicted value" if target == "predicted" else f"value {target}"
    elif about.task == "log_probabilities":
        known = {"predicted": "the continuation", "sequence": "the continuation", "next": "the next token"}
        explained = known.get(target, target)
    elif target.isdecimal() and int(target) < len(class_names):
        explained = f"class {target} ({class_names[int(target)]})"
    else:
        known = {"predicted": "the predicted class", "label": "the labelled class"}
        explained = known.get(target, f"class {target}")
    output = about.output.replace("_", " ") or "score"
    cells = study.cells
    methods = len(set(cells["method"])) if len(cells) else len(record.methods)
    baselines = len(set(cells["baseline"]) - {NO_BASELINE}) if len(cells) else len(record.baselines)
    compared = plural(methods, "method")
    if baselines:
        compared += f" with {plural(baselines, 'baseline')}"
    if len(cells):
        compared += f" ({plural(len(cells), 'cell')})"
    count = _examples(study)
    shown = plural(count, "example") if count else "the examples"
    metrics = len({name for name in summary_of(study)["metric"] if not record.is_auxiliary(str(name))})
    measures = study.agreement["measure"].nunique()
    return (
        f"Explanations of the {output} of {study.shown('model')} for {explained}, on {shown} of "
        f"{study.shown('dataset')} (seed {about.seed}), by {compared}. Evaluated by {plural(metrics, 'metric')} and "
        f"{plural(measures, 'agreement measure')}."
    )


def facts(study: StudyFolder) -> tuple[tuple[str, str], ...]:
    """Names and values of what is known of a study; unknown ones are left out."""
    counts = study.cells["status"].value_counts()
    cells = ", ".join(f"{counts[status]} {status}" for status in ("done", "skipped", "failed") if status in counts)
    record, about = study.record, study.record.study
    passes = record.passes or PassCounts()
    for_metrics = PassCount(
        sum(count.forward for count in passes.metrics.values()),
        sum(count.backward for count in passes.metrics.values()),
    )
    count = None if record.data is None else record.data.count
    versions = {name: version for name, version in record.versions.items() if version not in ("none", "not installed")}
    git = record.git
    rows = [
        *_performance(record.performance),
        ("model", as_text(about.model)),
        *((key.replace("_", " "), _fact(key, value)) for key, value in (record.model_facts or {}).items()),
        ("weights fingerprint", as_text(None if record.weights is None else record.weights.fingerprint)),
        ("dataset", as_text(about.dataset) + (f" ({count} examples)" if count not in (None, _examples(study)) else "")),
        ("data fingerprint", as_text(None if record.data is None else record.data.fingerprint)),
        ("examples explained", as_text(_examples(study))),
        ("examples chosen", "" if record.data is None else record.data.selection or ""),
        ("target", as_text(about.target)),
        ("output", as_text(about.output)),
        ("task", as_text(about.task)),
        ("features", as_text(about.features)),
        ("seed", as_text(about.seed)),
        *_claim(record.claim),
        ("cells", cells or DASH),
        ("passes for attributions", _passes(passes.attributions)),
        ("passes for metrics", _passes(for_metrics) if passes.metrics else DASH),
        ("other passes", _passes(passes.predictions_and_references)),
        ("device", as_text(record.device)),
        ("precision", as_text(about.precision)),
        ("passes made", _speed(record.speed)),
        ("platform", as_text(record.platform)),
        ("started", as_text(record.started)),
        ("duration", _seconds(record.seconds)),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("plugins", ", ".join(f"{plugin.name} {plugin.version}" for plugin in record.plugins)),
        ("git", "" if git is None else as_text(git.commit) + (", with uncommitted changes" if git.dirty else "")),
    ]
    return tuple(row for row in rows if row[1] not in ("", DASH))


def _speed(facts: SpeedFacts | None) -> str:
    """How passes were made; empty where plainly."""
    if facts is None or (facts.kind == "plain" and facts.rows is None):
        return ""
    made = "of the network itself" if facts.kind == "plain" else f"by a copy of the network with {facts.kind}"
    rows = "" if facts.rows is None else f", {facts.rows} rows at once"
    equal = (
        ""
        if facts.kind == "plain"
        else f", scores within {facts.scores_error:.0e}, gradients within {facts.gradients_error:.0e}"
    )
    return f"{made}{rows}: {facts.ratio:.2g} times as fast as plain ones{equal} (speed=plain switches this off)"


def _claim(facts: ClaimFacts | None) -> list[tuple[str, str]]:
    """What the study was to show, and when that was fixed."""
    if facts is None:
        return []
    joint = " over " if facts.shows == "better" else " and "
    pairs = "; ".join(joint.join(pair) for pair in facts.pairs)
    margin = f", margin {number(facts.margin)}" if facts.margin else ""
    words = f"{facts.shows} on {facts.metric}{margin}, level {facts.level:g}: {pairs}"
    return [("claim", words), ("claim registered", facts.registered), ("claim SHA-256", facts.sha256)]


def _performance(facts: PerformanceFacts | None) -> list[tuple[str, str]]:
    """How well the model does on the explained examples with labels."""
    if facts is None:
        return []
    of = f" of {facts.examples} examples"
    chance = "" if facts.chance is None else f"; chance: {100 * facts.chance:.1f} %"
    shares = (("accuracy", facts.accuracy, chance), ("exact match of all labels", facts.exact_match, ""))
    numbers = (("macro F1", facts.macro_f1), ("R²", facts.r2), ("mean absolute error", facts.mean_absolute_error))
    return [
        *((name, f"{100 * value:.1f} %{of}{more}") for name, value, more in shares if value is not None),
        *((name, number(value)) for name, value in numbers if value is not None),
    ]


def _fact(key: str, value: Any) -> str:
    share = isinstance(value, float) and 0 <= value <= 1 and "accuracy" in key
    return f"{100 * value:.1f} %" if share else as_text(value)


Entry = tuple[str, str, str, str]
"""Label, summary, details and source of a component."""


def glossary(study: StudyFolder) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
    """Methods, baselines, metrics and agreements: label, summary, details and source of each."""
    record = study.record
    kinds: dict[str, Mapping[str, ComponentFacts]] = {
        "methods": record.methods,
        "baselines": record.baselines,
        "metrics": record.metrics,
        "agreements": record.agreements,
    }
    return tuple(
        (kind, tuple(_entry(label, facts) for label, facts in components.items()))
        for kind, components in kinds.items()
        if components
    )


def _entry(label: str, facts: ComponentFacts) -> Entry:
    details = [f"component {facts.name}"] if facts.name not in ("", label) else []
    if isinstance(facts, MethodFacts):
        details.append(method_properties(facts))
    if isinstance(facts, MetricFacts):
        details.append(direction(facts.higher_is_better))
        details += [f"unit: {facts.unit}"] if facts.unit else []
    if isinstance(facts, MetricFacts | AgreementFacts) and facts.bounds is not None:
        details.append(bounds(facts.bounds))
    if facts.parameters:
        details.append(as_text(facts.parameters))
    return label, facts.summary, "; ".join(part for part in details if part), facts.source
