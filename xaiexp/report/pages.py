"""Builds a report: one self-contained HTML page over one or several studies."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from xaiexp.core.claim_facts import ClaimFacts
from xaiexp.core.ids import NO_BASELINE, CellId
from xaiexp.core.record import (
    AgreementFacts,
    ComponentFacts,
    MethodFacts,
    MetricFacts,
    PassCount,
    PassCounts,
    PerformanceFacts,
)
from xaiexp.errors import ResourceError
from xaiexp.report.across import across
from xaiexp.report.examples import Example, examples, pixels
from xaiexp.report.images import PERCENTILE, gradient
from xaiexp.report.results import (
    AgreementFigure,
    MetricTable,
    Problem,
    agreements,
    comparisons,
    metric_tables,
    problems,
    summary_of,
)
from xaiexp.report.seeds import pooled
from xaiexp.report.sources import Source, sources
from xaiexp.report.studies import StudyFolder, read_study
from xaiexp.report.verdicts import Removal, removals
from xaiexp.report.wording import DASH, as_text, bounds, direction, method_properties, number, plural
from xaiexp.store.files import write_atomically

__all__ = ["build", "render"]

SIDE, SMALLEST_SIDE = 224, 48
"""The largest and smallest size of an image, in pixels."""

PIXELS = 3_000_000
"""The number of pixels of all images of a page, about 3 MB."""

EXAMPLES = 24
"""The number of examples over all studies of a page."""


@dataclass(frozen=True)
class StudyPage:
    """The content of the page about one study."""

    place: int
    anchor: str
    name: str
    folder: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]
    clusters: str
    metrics: tuple[MetricTable, ...]
    removals: tuple[Removal, ...]
    sources: tuple[Source, ...]
    agreements: tuple[AgreementFigure, ...]
    examples: tuple[Example, ...]
    examples_left_out: int
    modality: str
    costs: tuple[tuple[str, ...], ...]
    glossary: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...]
    config: str
    claim: str
    families: str
    overview: tuple[str, ...]


def build(folders: Sequence[Path], out: Path, title: str | None = None) -> Path:
    """Write one self-contained HTML page over one or several studies.

    Args:
        folders: study folders, see `find_studies`. Files that are missing in them are listed on the page.
        out: the file, which is written atomically.
        title: of the page; by default the name of the study or the number of studies.

    Returns:
        ``out``.

    Raises:
        ResourceError: a folder holds no file of a study, or ``out`` cannot be written.
    """
    if not folders:
        raise ResourceError("report", "no study to report on", hint="name a folder that a study or a sweep wrote")
    page = render([read_study(Path(folder)) for folder in folders], title)
    out = Path(out)
    try:
        write_atomically(out, page.encode())
    except OSError as error:
        raise ResourceError(str(out), f"the report cannot be written ({error.strerror or error})") from error
    return out


@functools.cache
def _templates() -> Environment:
    """The templates, compiled once a process: a sweep builds many pages."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(studies: Sequence[StudyFolder], title: str | None = None) -> str:
    """The HTML of the page. Equal studies give equal text."""
    shown = max(1, EXAMPLES // len(studies))
    total = sum(pixels(study, shown) for study in studies)
    side = max(SMALLEST_SIDE, math.floor(SIDE * min(1.0, math.sqrt(PIXELS / total)))) if total else SIDE
    sections = tuple(_page(study, place, shown, side) for place, study in enumerate(studies, start=1))
    several = len(studies) > 1
    names = _distinct(sections)
    return (
        _templates()
        .get_template("page.html")
        .render(
            title=title or (f"{len(studies)} studies compared" if several else sections[0].name),
            studies=sections,
            names=names,
            several=several,
            comparisons=comparisons(studies) if several else (),
            pooled=pooled(studies) if several else (),
            across=across(studies) if several else (),
            sources=sources(studies) if several else (),
            diverging=gradient(signed=True),
            sequential=gradient(signed=False),
            percentile=PERCENTILE,
            dash=DASH,
        )
    )


def _distinct(sections: Sequence[StudyPage]) -> tuple[str, ...]:
    """The names of the studies, with the folder where several share a name."""
    names = [section.name for section in sections]
    return tuple(
        f"{section.name} ({section.folder})" if names.count(section.name) > 1 else section.name for section in sections
    )


def _page(study: StudyFolder, place: int, shown: int, side: int) -> StudyPage:
    counts = study.cells["status"].value_counts()
    cells = ", ".join(f"{counts[status]} {status}" for status in ("done", "skipped", "failed") if status in counts)
    overview = (
        *(study.identity(key) or DASH for key in ("model", "dataset", "seed")),
        study.record.status or "unknown",
        as_text(_examples(study)),
        cells or DASH,
        _passes((study.record.passes or PassCounts()).attributions),
        _seconds(study.record.seconds),
    )
    return StudyPage(
        place=place,
        anchor=f"study-{place}",
        name=study.name,
        folder=study.path.name,
        sentence=_sentence(study),
        facts=_facts(study, cells),
        problems=tuple(problems(study)),
        clusters=_clusters(study),
        metrics=tuple(metric_tables(study)),
        removals=tuple(removals(study)),
        sources=tuple(sources([study])),
        agreements=tuple(agreements(study)),
        examples=tuple(examples(study, shown, side)),
        examples_left_out=max(0, len(study.gallery.examples) - shown),
        modality=study.gallery.modality,
        costs=_costs(study),
        glossary=_glossary(study),
        config=study.config,
        families=study.record.study.families,
        claim="" if study.record.claim is None else study.record.claim.sentence or "not tested: the study did not end",
        overview=overview,
    )


def _clusters(study: StudyFolder) -> str:
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


def _sentence(study: StudyFolder) -> str:
    record, about = study.record, study.record.study
    if not about.model:
        return f"The record of the study in the folder {study.path.name} is missing or incomplete."
    class_names, target = record.class_names or (), about.target
    if about.task == "regression":
        explained = "the predicted value" if target == "predicted" else f"value {target}"
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
    measures = len(set(study.agreement["measure"]))
    return (
        f"Explanations of the {output} of {about.model} for {explained}, on {shown} of "
        f"{about.dataset} (seed {about.seed}), by {compared}. Evaluated by {plural(metrics, 'metric')} and "
        f"{plural(measures, 'agreement measure')}."
    )


def _facts(study: StudyFolder, cells: str) -> tuple[tuple[str, str], ...]:
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
        ("platform", as_text(record.platform)),
        ("started", as_text(record.started)),
        ("duration", _seconds(record.seconds)),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("plugins", ", ".join(f"{plugin.name} {plugin.version}" for plugin in record.plugins)),
        ("git", "" if git is None else as_text(git.commit) + (", with uncommitted changes" if git.dirty else "")),
    ]
    return tuple(row for row in rows if row[1] not in ("", DASH))


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


def _costs(study: StudyFolder) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            str(CellId(str(row["method"]), str(row["baseline"]))),
            str(row["status"]),
            *(_count(row[column]) for column in ("examples", "forward_passes", "backward_passes")),
            _count(row["seconds"], "{:.3g} s"),
            _count(row["peak_memory_bytes"] / 2**20, "{:,.1f} MiB") if row["peak_memory_bytes"] else DASH,
            "yes" if row["cached"] is True or row["cached"] == 1 else "no",
        )
        for row in study.cells.to_dict("records")
    )


def _count(value: Any, form: str = "{:,.0f}") -> str:
    return DASH if pd.isna(value) else form.format(value)


_Entry = tuple[str, str, str, str]


def _glossary(study: StudyFolder) -> tuple[tuple[str, tuple[_Entry, ...]], ...]:
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


def _entry(label: str, facts: ComponentFacts) -> _Entry:
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
