"""A claim that is fixed before the run: which cells, on which metric, and by how much."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from xaiexp.core.ids import CellId
from xaiexp.core.parameters import Range
from xaiexp.errors import MismatchError, ParameterError, UnknownName, nearest

__all__ = ["Claim", "FrozenClaim", "frozen", "planned_cell", "ranking"]


@dataclass(frozen=True)
class Claim:
    """The root key ``claim``, as the user writes it; without a metric there is none.

    Args:
        metric: its label.
        pairs: of cells, each ``METHOD`` or ``METHOD/BASELINE``.
        better_than: a cell; the pairs of all other cells, without controls, and this one are claimed as well.
        shows: of every pair that the first cell is better by more than the margin (``better``), or that the means
            differ by less than the margin (``equal``).
        margin: in the unit of the metric.
        level: probability that the verdict of the claim is wrong, over all its pairs.
    """

    metric: str | None = None
    pairs: tuple[tuple[str, ...], ...] = ()
    better_than: str | None = None
    shows: Literal["better", "equal"] = "better"
    margin: Annotated[float, Range(0)] = 0.0
    level: Annotated[float, Range(0, 0.5, exclusive=True)] = 0.05

    def __post_init__(self) -> None:
        if self.metric is not None and not (self.pairs or self.better_than):
            raise ParameterError("claim.pairs", "no pair of cells is named", hint="as 'claim.pairs=[[A,B]]'")
        for pair in self.pairs:
            if len(pair) != 2:
                raise ParameterError("claim.pairs", "must name two cells each", got=list(pair), hint="as [[A,B],[A,C]]")
        if self.metric is None and (self.pairs or self.better_than):
            raise ParameterError("claim.metric", "must be given", hint="as claim.metric=deletion")
        if self.shows == "equal" and not self.margin:
            raise ParameterError("claim.margin", "must be more than 0 to show that cells are equal", got=self.margin)
        if self.shows == "equal" and self.better_than:
            raise ParameterError("claim.better_than", "is a claim of claim.shows=better", got=self.better_than)


@dataclass(frozen=True)
class FrozenClaim:
    """A claim about cells and a metric that the study has.

    Args:
        metric: its label.
        higher_is_better: its direction.
        pairs: of cells; it is claimed of the first that it is better, or of both that they are equal.
        shows, margin, level: see :class:`Claim`.
    """

    metric: str
    higher_is_better: bool
    pairs: tuple[tuple[CellId, CellId], ...]
    shows: Literal["better", "equal"]
    margin: float
    level: float

    @property
    def cells(self) -> tuple[CellId, ...]:
        """Every cell of the claim, once."""
        return tuple(dict.fromkeys(cell for pair in self.pairs for cell in pair))

    def parts(self) -> dict[str, Any]:
        """What is hashed, as plain values."""
        pairs = [[str(cell) for cell in pair] for pair in self.pairs]
        return {
            "higher_is_better": self.higher_is_better,
            "level": self.level,
            "margin": self.margin,
            "metric": self.metric,
            "pairs": pairs,
            "shows": self.shows,
        }

    def describe(self) -> str:
        """The claim in one line, with its hash."""
        shown = "; ".join(f"{a} over {b}" if self.shows == "better" else f"{a} and {b}" for a, b in self.pairs)
        what = "better" if self.shows == "better" else "equal"
        margin = f" by more than {self.margin:g}" if what == "better" and self.margin else ""
        margin = f" within {self.margin:g}" if what == "equal" else margin
        return f"claim, SHA-256 {self.digest}: {what}{margin} on {self.metric}, level {self.level:g}: {shown}"

    @property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of the canonical JSON of :meth:`parts`: sorted keys, no spaces."""
        text = json.dumps(self.parts(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def frozen(
    claim: Claim,
    metrics: Mapping[str, bool | None],
    left_out: Mapping[str, str],
    cells: Mapping[CellId, str],
    controls: Collection[str],
) -> FrozenClaim | None:
    """The claim with the cells of the study; None where there is no claim.

    Args:
        claim: as written.
        metrics: label to whether higher is better; None where the metric ranks no cells.
        left_out: metrics that the plan leaves out, with the reason.
        cells: of the plan, with the reason where it skips one.
        controls: labels of the control methods.

    Raises:
        UnknownName: the study has no such metric or cell.
        MismatchError: it has, but the metric ranks nothing, or the plan leaves metric or cell out.
    """
    if claim.metric is None:
        return None
    higher = ranking("claim.metric", claim.metric, metrics, left_out)
    pairs = [(planned_cell("claim.pairs", a, cells), planned_cell("claim.pairs", b, cells)) for a, b in claim.pairs]
    if claim.better_than is not None:
        floor = planned_cell("claim.better_than", claim.better_than, cells)
        others = [cell for cell, skip in cells.items() if not skip and cell.method not in controls and cell != floor]
        if not others:
            raise MismatchError("claim.better_than", "no other cell runs", got=claim.better_than)
        pairs += [(cell, floor) for cell in others]
    for first, second in pairs:
        if first == second:
            raise ParameterError("claim.pairs", "compares a cell with itself", got=str(first))
    return FrozenClaim(claim.metric, higher, tuple(dict.fromkeys(pairs)), claim.shows, claim.margin, claim.level)


def ranking(where: str, metric: str, metrics: Mapping[str, bool | None], left_out: Mapping[str, str]) -> bool:
    """Whether higher is better of a metric of the study, which ranks cells; raises as :func:`frozen` does."""
    if metric not in metrics:
        listed = ", ".join(metrics) or "none"
        near = nearest(metric, metrics)
        raise UnknownName(where, "no such metric in this study", got=metric, nearest=near, hint=f"it has: {listed}")
    if metric in left_out:
        raise MismatchError(where, f"is left out: {left_out[metric]}", got=metric)
    higher = metrics[metric]
    if higher is None:
        raise MismatchError(where, "ranks no cells", got=metric)
    return higher


def planned_cell(where: str, name: str, cells: Mapping[CellId, str]) -> CellId:
    """The cell that is written as ``METHOD`` or ``METHOD/BASELINE``, which runs; raises as :func:`frozen` does."""
    written = {cell.joined("/"): cell for cell in cells}
    key = "/".join(part.strip() for part in name.split("/"))
    if key not in written:
        near = nearest(key, written) or tuple(other for other in written if other.startswith(f"{key}/"))[:3]
        raise UnknownName(where, "no such cell in this study", got=name, nearest=near, hint="all: xaiexp plan")
    cell = written[key]
    if cells[cell]:
        raise MismatchError(where, f"is skipped: {cells[cell]}", got=name)
    return cell
