"""Puts a report together: one page that carries everything it shows."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
from xaiexp.report.studies import StudyFolder, read_study
from xaiexp.report.verdicts import Removal, Source, removals, sources
from xaiexp.report.wording import DASH, bounds, cell, direction, facts_of_method, number, plain, plural

__all__ = ["build", "render"]

SIDE = 224  # of a picture, in pixels
SMALLEST_SIDE = 48
PIXELS = 3_000_000  # of all pictures of a page together: about 3 MB
EXAMPLES = 24  # over all studies of a page


@dataclass(frozen=True)
class StudyPage:
    """All that the page shows of one study."""

    place: int
    anchor: str
    name: str
    folder: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]
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
    overview: tuple[str, ...]


def build(folders: Sequence[Path], out: Path, title: str | None = None) -> Path:
    """Writes one self-contained HTML page over any number of studies; also after a crash.

    Args:
        folders: study folders, see `find_studies`; whatever is missing in them is named on the page.
        out: the file to write. It appears whole or not at all.
        title: of the page; otherwise it is made of the studies' names.

    Returns:
        ``out``.

    Raises:
        ResourceError: when a folder holds nothing of a study, or ``out`` cannot be written.
    """
    if not folders:
        raise ResourceError("report", "no study to report on", hint="name a folder that a study or a sweep wrote")
    page = render([read_study(Path(folder)) for folder in folders], title)
    out = Path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=out.parent, delete=False) as file:
            try:
                file.write(page)
                file.close()
                Path(file.name).chmod(0o644)  # a temporary file is private, a report is not
                Path(file.name).replace(out)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ResourceError(str(out), f"the report cannot be written ({error.strerror or error})") from error
    return out


def render(studies: Sequence[StudyFolder], title: str | None = None) -> str:
    """The page as text. The same studies give the same text."""
    each = max(1, EXAMPLES // len(studies))
    drawn = sum(pixels(study, each) for study in studies)
    side = max(SMALLEST_SIDE, math.floor(SIDE * min(1.0, math.sqrt(PIXELS / drawn)))) if drawn else SIDE
    sections = tuple(_page(study, place, each, side) for place, study in enumerate(studies, start=1))
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    several = len(studies) > 1
    names = _distinct(sections)
    return templates.get_template("page.html").render(
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


def _distinct(sections: Sequence[StudyPage]) -> tuple[str, ...]:
    """The studies' names, with the folder where two of them share a name."""
    names = [section.name for section in sections]
    return tuple(
        f"{section.name} ({section.folder})" if names.count(section.name) > 1 else section.name for section in sections
    )


def _page(study: StudyFolder, place: int, each: int, side: int) -> StudyPage:
    found = tuple(problems(study))
    counts = study.cells["status"].value_counts()
    cells = ", ".join(f"{counts[status]} {status}" for status in ("done", "skipped", "failed") if status in counts)
    overview = (
        *(study.named(key) or DASH for key in ("model", "dataset", "seed")),
        str(study.record.get("status") or "unknown"),
        plain(_examples(study)),
        cells or DASH,
        _passes(study.facts("passes").get("attributions")),
        _seconds(study.record.get("seconds")),
    )
    return StudyPage(
        place=place,
        anchor=f"study-{place}",
        name=study.name,
        folder=study.path.name,
        sentence=_sentence(study),
        facts=_facts(study, cells),
        problems=found,
        metrics=tuple(metric_tables(study)),
        removals=tuple(removals(study)),
        sources=tuple(sources([study])),
        agreements=tuple(agreements(study)),
        examples=tuple(examples(study, each, side)),
        examples_left_out=max(0, len(study.gallery.examples) - each),
        modality=study.gallery.modality,
        costs=_costs(study),
        glossary=_glossary(study),
        config=study.config,
        overview=overview,
    )


def _passes(counted: object) -> str:
    if not isinstance(counted, Mapping):
        return DASH
    forward, backward = (int(counted.get(kind) or 0) for kind in ("forward", "backward"))
    return f"{forward:,} forward, {backward:,} backward"


def _seconds(value: object) -> str:
    return f"{number(value)} s" if isinstance(value, int | float) else DASH


def _examples(study: StudyFolder) -> int | None:
    """How many examples were explained: as counted, or as asked for; None where neither is known."""
    counted = study.cells["examples"].max() if len(study.cells) else 0
    asked = study.facts("study").get("examples")
    return int(counted) if counted > 0 else asked if isinstance(asked, int) else None


def _sentence(study: StudyFolder) -> str:
    about = study.facts("study")
    if not about:
        return f"The folder {study.path.name} holds what is left of a study; its record is missing."
    names = study.record.get("class_names")
    target = about.get("target")
    if str(target).isdecimal() and isinstance(names, list) and int(str(target)) < len(names):
        explained = f"class {target} ({names[int(str(target))]})"
    else:
        known = {"predicted": "the class it predicts", "label": "the labelled class"}
        explained = known.get(str(target), f"class {target}")
    cells = study.cells
    methods = len(set(cells["method"])) if len(cells) else len(study.facts("methods"))
    baselines = len(set(cells["baseline"]) - {"none"}) if len(cells) else len(study.facts("baselines"))
    made = plural(methods, "method")
    if baselines:
        made += f" with {plural(baselines, 'baseline')}"
    if len(cells):
        made += f" ({plural(len(cells), 'cell')})"
    count = _examples(study)
    shown = plural(count, "example") if count else "the examples"
    metrics, measures = (len(set(frame)) for frame in (summary_of(study)["metric"], study.agreement["measure"]))
    judged = f"Judged by {plural(metrics, 'metric')}, compared by {plural(measures, 'agreement measure')}."
    return (
        f"{made} explain the {about.get('output', 'score')} that {about.get('model')} gives to {explained}, on "
        f"{shown} of {about.get('dataset')} (seed {about.get('seed')}). {judged}"
    )


def _facts(study: StudyFolder, cells: str) -> tuple[tuple[str, str], ...]:
    about, record = study.facts("study"), study.record
    data, git = study.facts("data"), study.facts("git")
    metrics = study.facts("passes").get("metrics")
    counted = [cost for cost in metrics.values() if isinstance(cost, dict)] if isinstance(metrics, dict) else []
    total = {kind: sum(int(cost.get(kind) or 0) for cost in counted) for kind in ("forward", "backward")}
    versions = {k: v for k, v in study.facts("versions").items() if v not in ("none", "not installed", None)}
    plugins = [part for part in record.get("plugins") or () if isinstance(part, dict)]
    rows = [
        ("model", plain(about.get("model"))),
        *((key.replace("_", " "), _fact(key, value)) for key, value in study.facts("model_facts").items()),
        ("weights fingerprint", plain(study.facts("weights").get("fingerprint"))),
        (
            "data",
            plain(about.get("dataset"))
            + (f" ({data['count']} examples)" if data.get("count") not in (None, _examples(study)) else ""),
        ),
        ("data fingerprint", plain(data.get("fingerprint"))),
        ("examples explained", plain(_examples(study))),
        ("target", plain(about.get("target"))),
        ("output", plain(about.get("output"))),
        ("features", plain(about.get("features"))),
        ("seed", plain(about.get("seed"))),
        ("cells", cells or DASH),
        ("passes for attributions", _passes(study.facts("passes").get("attributions"))),
        ("passes for metrics", _passes(total) if counted else DASH),
        ("other passes", _passes(study.facts("passes").get("predictions_and_references"))),
        ("device", plain(record.get("device"))),
        ("precision", plain(about.get("precision"))),
        ("machine", plain(record.get("platform"))),
        ("started", plain(record.get("started"))),
        ("took", _seconds(record.get("seconds"))),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("plugins", ", ".join(f"{part.get('name')} {part.get('version')}" for part in plugins)),
        ("git", plain(git.get("commit")) + (", with uncommitted changes" if git.get("dirty") else "") if git else ""),
    ]
    return tuple(row for row in rows if row[1] not in ("", DASH))


def _fact(key: str, value: Any) -> str:
    share = isinstance(value, float) and 0 <= value <= 1 and "accuracy" in key
    return f"{100 * value:.1f} %" if share else plain(value)


def _costs(study: StudyFolder) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            cell(str(row["method"]), str(row["baseline"])),
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
    def entries(kind: str) -> tuple[_Entry, ...]:
        return tuple(_entry(kind, label, study.about(kind, label)) for label in study.facts(kind))

    kinds = ("methods", "baselines", "metrics", "agreements")
    return tuple((kind, entries(kind)) for kind in kinds if study.facts(kind))


def _entry(kind: str, label: str, about: Mapping[str, Any]) -> _Entry:
    name = about.get("name")
    summary = str(about.get("summary") or "")
    details = [f"component {name}"] if name not in (None, label) else []
    if kind == "methods":
        details.append(facts_of_method(about))
    if kind == "metrics":
        details += [direction(about["higher_is_better"])] if "higher_is_better" in about else []
        details += [f"unit: {about['unit']}"] if about.get("unit") else []
    if "bounds" in about:
        details.append(bounds(about["bounds"]))
    parameters = about.get("parameters")
    chosen = dict(parameters) if isinstance(parameters, Mapping) else {}
    details += [plain(chosen)] if chosen else []
    return label, summary, "; ".join(part for part in details if part), str(about.get("source") or "")
