"""The figures of a paper: every chart of studies and sweeps as a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from xaiexp.report.charts.drawing import drawn, specification
from xaiexp.report.charts.figures import Figure, agreement_figures, metric_figures, sweep_figures
from xaiexp.report.studies import StudyFolder, read_study
from xaiexp.store.files import write_atomically

__all__ = ["write_figures"]


def write_figures(folders: Sequence[Path], target: Path, form: str) -> Iterator[Path]:
    """Write the figures of studies, in folders by study where there are several, and across these.

    Args:
        folders: of the studies.
        target: the folder that gets them.
        form: ``svg``, ``pdf`` or ``png``.

    Yields:
        The files, as they are written.
    """
    studies = [read_study(folder) for folder in folders]
    several = len(studies) > 1
    names = _distinct([study.name for study in studies]) if several else [""]
    for name, study in zip(names, studies, strict=True):
        yield from _write([*metric_figures(study), *agreement_figures(study)], target / name, form)
    if several:
        yield from _write(list(sweep_figures(list(zip(_shown(studies), studies, strict=True)))), target, form)


def _write(figures: Sequence[Figure], target: Path, form: str) -> Iterator[Path]:
    for figure, name in zip(figures, _distinct([figure.name for figure in figures]), strict=True):
        file = target / f"{name}.{form}"
        spec = specification(figure.chart, figure.rows, figure.parameters, figure.height)
        write_atomically(file, drawn(spec, form))
        yield file


def _shown(studies: Sequence[StudyFolder]) -> list[str]:
    """Names of the studies as a figure shows them: with the folder where several share a name."""
    names = [study.name for study in studies]
    return [
        f"{name} ({study.path.name})" if names.count(name) > 1 else name
        for name, study in zip(names, studies, strict=True)
    ]


def _distinct(names: Sequence[str]) -> list[str]:
    """The names as names of files for every file system; equal ones get a number."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80] or "unnamed"
        candidate, number = plain, 2
        while candidate.lower() in {other.lower() for other in found}:
            candidate, number = f"{plain}_{number}", number + 1
        found.append(candidate)
    return found
