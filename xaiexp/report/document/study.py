"""One study of a document."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from xaiexp.core.ids import ALL_METHODS, CellId
from xaiexp.core.record import MethodFacts
from xaiexp.report import facts
from xaiexp.report.document import parts
from xaiexp.report.document.agreement import agreements
from xaiexp.report.document.binary import Binary
from xaiexp.report.document.examples import examples
from xaiexp.report.document.hints import hints
from xaiexp.report.document.metrics import RowIndex, metrics
from xaiexp.report.document.panels import panels
from xaiexp.report.results import problems, summary_of
from xaiexp.report.sources import sources
from xaiexp.report.studies import StudyFolder
from xaiexp.report.verdicts import removals, verdicts_of
from xaiexp.report.wording import performance
from xaiexp.statistics.frames import rows

__all__ = ["Room", "study_part"]


@dataclass(frozen=True)
class Room:
    """What a study may take of a document.

    Args:
        rows: pairs of example and target with scores.
        examples: entries of the gallery, see ``gallery.json``.
        agreement: bytes of agreement by example.
    """

    rows: int
    examples: Sequence[Mapping[str, Any]]
    agreement: int


def study_part(study: StudyFolder, room: Room, binary: Binary) -> tuple[parts.Study, list[str]]:
    """The study, and what is left out of it, in words."""
    numbers = cell_numbers(study)
    index = RowIndex(study, room.rows)
    of_rows, classes = _rows(study, index)
    compared, without = agreements(study, numbers, index, binary, room.agreement)
    omitted = []
    if index.left_out:
        omitted.append(f"the scores of {index.left_out:,} of {index.left_out + len(index):,} examples")
    if without:
        omitted.append(f"agreement by example of {without} of {len(compared)} measures")
    if len(study.gallery.examples) > len(room.examples):
        omitted.append(f"{len(study.gallery.examples) - len(room.examples)} of {len(study.gallery.examples)} examples")
    if not study.gallery.inputs:
        omitted.append("all inputs (report.inputs=false)")
    record = study.record
    content = parts.Study(
        name=study.name,
        model=study.shown("model"),
        dataset=study.shown("dataset"),
        seed=study.identity("seed"),
        folder=study.path.name,
        status=record.status or "unknown",
        modality=study.gallery.modality or record.study.modality,
        unit=study.unit,
        clusters=facts.clusters(study),
        answer=parts.Answer(
            asked=facts.asked(study),
            performance=performance(record.performance),
            verdicts=_verdicts(study),
            claim="" if record.claim is None else record.claim.sentence or "not tested: the study did not end",
            hints=hints(study),
        ),
        problems=tuple(parts.Problem(p.title, p.severe, p.rows, p.tracebacks) for p in problems(study)),
        cells=tuple(_cells(study, numbers)),
        metrics=metrics(study, numbers, index, binary),
        rows=of_rows,
        agreements=compared,
        removals=tuple(parts.Removal(each.metric, each.sentence, each.rows) for each in removals(study)),
        sources=tuple((each.metric, each.sentence) for each in sources([study])),
        examples=examples(study, room.examples, numbers, index, binary),
        classes=classes,
        panels=panels(study),
        made=parts.Made(
            facts=facts.facts(study),
            glossary=tuple(
                parts.Glossary(kind, tuple(parts.Entry(*entry) for entry in entries))
                for kind, entries in facts.glossary(study)
            ),
            config=study.config,
            command=_command(record.command),
            families=record.study.families,
        ),
    )
    return content, omitted


def cell_numbers(study: StudyFolder) -> dict[tuple[str, str], int]:
    """Method and baseline of every cell to its number: those of the cells, then those with scores or maps alone."""
    pairs: list[tuple[str, str]] = []
    for frame in (study.cells, study.summary, study.scores):
        unique = frame[["method", "baseline"]].drop_duplicates()
        pairs += [(str(m), str(b)) for m, b in zip(unique["method"], unique["baseline"], strict=True)]
    for side in "ab":
        unique = study.agreement[[f"method_{side}", f"baseline_{side}"]].drop_duplicates()
        names = zip(unique[f"method_{side}"].astype(str), unique[f"baseline_{side}"].astype(str), strict=True)
        pairs += [pair for pair in names if not pair[0].startswith(ALL_METHODS)]
    for example in study.gallery.examples:
        pairs += [(str(each.get("method")), str(each.get("baseline"))) for each in example.get("maps") or ()]
    return {pair: i for i, pair in enumerate(dict.fromkeys(pairs))}


def _cells(study: StudyFolder, numbers: Mapping[tuple[str, str], int]) -> list[parts.Cell]:
    known = {(str(row["method"]), str(row["baseline"])): row for row in rows(study.cells)}
    signs = _signs(study)
    found = []
    for method, baseline in numbers:
        row, facts_of = known.get((method, baseline), {}), study.record.methods.get(method, MethodFacts())
        found.append(
            parts.Cell(
                label=str(CellId(method, baseline)),
                method=method,
                baseline=baseline,
                control=facts_of.control or (facts_of.name or method) == "random",
                signed=signs.get(method, True) if facts_of.signed is None else facts_of.signed,
                status=str(row.get("status", "done")),
                reason=_text(row.get("reason")),
                forward=_number(row.get("forward_passes")),
                backward=_number(row.get("backward_passes")),
                seconds=_number(row.get("seconds")),
                cached=bool(row.get("cached") is True or row.get("cached") == 1),
                examples=_number(row.get("examples")),
                memory=_number(row.get("peak_memory_bytes")),
            )
        )
    return found


def _signs(study: StudyFolder) -> dict[str, bool]:
    """Of methods without facts, whether any of their maps has a negative value."""
    signs: dict[str, bool] = {}
    if study.record.methods:
        return signs
    for example in study.gallery.examples:
        for described in example.get("maps") or ():
            values = study.gallery.arrays.get(described.get("key"))
            if values is not None:
                method = str(described.get("method"))
                signs[method] = signs.get(method, False) or bool((values < 0).any())
    return signs


def _command(words: Sequence[str]) -> str:
    """The command line that repeats the study; empty where it was started from Python."""
    if not words or Path(words[0]).name not in ("xaiexp", "__main__.py"):
        return ""
    return shlex.join(["xaiexp", *words[1:]])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float:
    return math.nan if value is None or pd.isna(value) else float(value)


def _verdicts(study: StudyFolder) -> tuple[parts.Verdict, ...]:
    ranked = set(map(str, summary_of(study)["metric"]))
    return tuple(
        parts.Verdict(
            metric=str(row["metric"]),
            brief=_text(row.get("brief")) or str(row["verdict"]),
            whole=str(row["verdict"]),
            refused=bool(row.get("refused")),
        )
        for row in rows(verdicts_of(study))
        if str(row["metric"]) in ranked
    )


def _rows(study: StudyFolder, index: RowIndex) -> tuple[parts.Rows, tuple[str, ...]]:
    """Facts of every row, and the names of the classes that they refer to."""
    known = {(str(row["example"]), int(row["target"])): row for row in rows(study.examples)}
    found = [known.get(pair, {}) for pair in index.pairs]
    labels, predicted = ([_text(row.get(column)) for row in found] for column in ("label", "predicted"))
    classes = tuple(dict.fromkeys(name for name in sorted({*labels, *predicted}, key=_natural) if name))
    place, clusters = {name: i for i, name in enumerate(classes)}, study.clusters
    return (
        parts.Rows(
            example=tuple(example for example, _ in index.pairs),
            cluster=tuple(clusters.get(example, example) for example, _ in index.pairs) if clusters else None,
            name=tuple(_text(row.get("name")) or example for row, (example, _) in zip(found, index.pairs, strict=True)),
            target=tuple(target for _, target in index.pairs),
            label=tuple(place.get(name, -1) for name in labels),
            predicted=tuple(place.get(name, -1) for name in predicted),
            wrong=tuple(int(row.get("wrong", -1)) for row in found),
            probability=tuple(_number(row.get("probability")) for row in found),
        ),
        classes if len(classes) <= _CLASSES else (),
    )


_CLASSES = 1000
"""More than so many words are values, not classes."""


def _natural(name: str) -> tuple[int, int, str]:
    number = name.removeprefix("class ")
    return (0, int(number), "") if number.isdecimal() else (1, 0, name)
