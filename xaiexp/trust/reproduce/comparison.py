"""Compares our values of a published result with the published ones and with the truth."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from xaiexp.api.functions import agree
from xaiexp.api.result import Result
from xaiexp.api.run import run
from xaiexp.core.publications import Finding, Publication, PublishedNumbers
from xaiexp.errors import CellError

__all__ = ["Compared", "Row", "reproduced"]

Verdict = Literal["agrees", "explained", "differs", "wrong"]


@dataclass(frozen=True)
class Row:
    """One published number.

    Args:
        name: of the column, unit or measure.
        ours, theirs: the values.
        truth: NaN where nothing tells it.
    """

    name: str
    ours: float
    theirs: float
    truth: float


@dataclass(frozen=True)
class Compared:
    """One quantity of a publication.

    Args:
        numbers: as published.
        rows: one a number.
        findings: why they differ; empty where they agree.
        truth_tolerance: the largest distance of ours from the truth.
    """

    numbers: PublishedNumbers
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = ()
    truth_tolerance: float = math.inf

    @property
    def agreeing(self) -> int:
        """How many of our values are within the tolerance of the published ones."""
        return sum(abs(row.ours - row.theirs) <= self.numbers.tolerance for row in self.rows)

    @property
    def true(self) -> bool:
        """Whether all of our values whose truth is known are within the tolerance of it."""
        known = [row for row in self.rows if not math.isnan(row.truth)]
        return all(abs(row.ours - row.truth) <= self.truth_tolerance for row in known)

    @property
    def verdict(self) -> Verdict:
        """``agrees``; ``explained``, where values differ and every stated reason holds; ``differs``, where no reason
        is stated or one does not hold; ``wrong``, where ours are not the truth.
        """
        if not self.true:
            return "wrong"
        if self.agreeing == len(self.rows):
            return "agrees"
        return "explained" if self.findings and all(finding.holds for finding in self.findings) else "differs"


@dataclass(frozen=True)
class _Study:
    """The finished study of a publication, as its functions see it."""

    files: Mapping[str, Path]
    result: Result
    _maps: dict[str, Tensor] = field(default_factory=dict)

    @property
    def inputs(self) -> Tensor:
        return self.result.inputs

    @property
    def predictions(self) -> Tensor:
        return self.result.predictions

    @property
    def labels(self) -> Tensor | None:
        return self.result.labels

    @property
    def accuracy(self) -> float | None:
        return self.result.accuracy

    def maps(self, method: str) -> Tensor:
        if method not in self._maps:
            self._maps[method] = self.result.attributions(method)
        return self._maps[method]

    def agree(self, a: Tensor, b: Tensor, measure: str, **parameters: Any) -> Tensor:
        return agree(a, b, measure, **parameters)


def reproduced(publication: Publication, files: Mapping[str, Path], quiet: bool = False) -> list[Compared]:
    """Run the study of a publication and compare its numbers.

    The study has a folder and a store of its own, which are removed afterwards.

    Args:
        publication: to be reproduced.
        files: by name.
        quiet: show no progress.

    Raises:
        UserError: the study is refused.
        CellError: the publication returned too few or too many values.
    """
    with tempfile.TemporaryDirectory(prefix="xaiexp-reproduce-") as name:
        folder = Path(name)
        own = [
            f"hydra.run.dir='{folder / 'study'}'",
            f"store='{folder / 'store'}'",
            "tracking.uri=off",
            "report=false",
            *([f"trust=[{','.join(publication.trust)}]"] if publication.trust else []),
        ]
        (folder / "files").mkdir()
        result = run([*publication.overrides(files, folder / "files"), *own], quiet=quiet)
        failed = result.cells[result.cells["status"] != "done"]
        if len(failed):
            row = failed.iloc[0]
            raise CellError(f"{publication.name}: {row['method']} {row['status']}: {row['reason']}")
        study = _Study(files, result)
        ours, truth = publication.ours(study), publication.truth(study)
        findings = publication.findings(study)
        return [
            Compared(
                numbers,
                _rows(numbers, ours[numbers.quantity], truth.get(numbers.quantity)),
                tuple(findings.get(numbers.quantity, ())),
                publication.truth_tolerance.get(numbers.quantity, math.inf),
            )
            for numbers in publication.published
        ]


def _rows(numbers: PublishedNumbers, ours: Sequence[float], truth: Sequence[float] | None) -> tuple[Row, ...]:
    true = [math.nan] * len(numbers.values) if truth is None else truth
    if not len(ours) == len(true) == len(numbers.values) == len(numbers.names):
        raise CellError(f"{numbers.quantity}: {len(ours)} values for {len(numbers.values)} published ones")
    return tuple(Row(*row) for row in zip(numbers.names, ours, numbers.values, true, strict=True))
