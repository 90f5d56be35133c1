"""The fields of a document, which ``viewer/src/document/types.ts`` explains; NaN here is null there."""

from __future__ import annotations

from dataclasses import dataclass

from xaiexp.report.document.made_parts import Entry, Glossary, Made, Panel, Texts

__all__ = [
    "Across",
    "AgreementAcross",
    "Answer",
    "Cell",
    "Column",
    "Comparison",
    "ComparisonRow",
    "Curves",
    "Document",
    "Entry",
    "Example",
    "File",
    "Glossary",
    "Made",
    "MapOf",
    "Mask",
    "Mean",
    "Measure",
    "Metric",
    "Numbers",
    "Pairs",
    "Panel",
    "Pooled",
    "Problem",
    "Ranks",
    "Removal",
    "Rows",
    "Series",
    "Study",
    "Token",
    "Verdict",
]

Interval = tuple[float, float]
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Numbers:
    """Where numbers lie in the binary part."""

    at: int
    count: int
    kind: str
    scale: float | None


@dataclass(frozen=True)
class File:
    """Where a file lies in the binary part."""

    at: int
    count: int
    mime: str


@dataclass(frozen=True)
class Verdict:
    """What the tests of a metric show."""

    metric: str
    brief: str
    whole: str
    refused: bool


@dataclass(frozen=True)
class Answer:
    """What was asked, and the answer in short."""

    asked: str
    performance: str
    verdicts: tuple[Verdict, ...]
    claim: str
    hints: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """A failure, skip, warning or missing file."""

    title: str
    severe: bool
    rows: Texts
    tracebacks: Texts


@dataclass(frozen=True)
class Cell:
    """A cell, and what it cost."""

    label: str
    method: str
    baseline: str
    control: bool
    signed: bool
    status: str
    reason: str
    forward: float
    backward: float
    seconds: float
    cached: bool
    examples: float
    memory: float


@dataclass(frozen=True)
class Mean:
    """One cell under one metric."""

    cell: int
    mean: float
    low: float
    high: float
    n: float
    undefined: float
    range: Interval | None
    letters: str
    ranks: Interval | None
    best: bool


@dataclass(frozen=True)
class Pairs:
    """The differences of all pairs of ranked cells under one metric, as columns."""

    a: Numbers
    b: Numbers
    difference: Numbers
    low: Numbers
    high: Numbers
    p: Numbers
    shown: Numbers


@dataclass(frozen=True)
class Ranks:
    """Mean ranks with the critical difference of Nemenyi's test."""

    cells: tuple[int, ...]
    mean: tuple[float, ...]
    critical: float


@dataclass(frozen=True)
class Curves:
    """A metric's curves over the share of removed features."""

    shares: tuple[float, ...]
    over: str
    unit: str
    values: Numbers


@dataclass(frozen=True)
class Metric:
    """One metric over all cells."""

    name: str
    summary: str
    higher: bool | None
    bounds: Bounds
    unit: str
    refused: bool
    verdict: str
    means: tuple[Mean, ...]
    pairs: Pairs
    margin: float | None
    ranks: Ranks | None
    scores: Numbers
    curves: Curves | None
    shift: str


@dataclass(frozen=True)
class Rows:
    """Facts of every pair of example and target."""

    example: tuple[str, ...]
    cluster: tuple[str, ...] | None
    name: tuple[str, ...]
    target: tuple[int, ...]
    label: tuple[int, ...]
    predicted: tuple[int, ...]
    wrong: tuple[int, ...]
    probability: tuple[float, ...]


@dataclass(frozen=True)
class Measure:
    """One measure of agreement."""

    name: str
    summary: str
    bounds: Bounds
    joint: str
    cells: tuple[int, ...]
    matrix: Numbers
    defined: Numbers
    order: tuple[int, ...]
    values: Numbers | None


@dataclass(frozen=True)
class Removal:
    """A metric with several removals."""

    metric: str
    sentence: str
    distances: Texts


@dataclass(frozen=True)
class Token:
    """A token of a text."""

    text: str
    joined: bool
    feature: int


@dataclass(frozen=True)
class Continued:
    """What a language model goes on with after a prompt.

    Args:
        texts: the tokens of each text; of candidates and contrasts there are several.
        weights: of these tokens in the explained score.
        written: whether the model wrote it.
    """

    texts: tuple[tuple[str, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    written: bool


@dataclass(frozen=True)
class Series:
    """A time series."""

    values: Numbers
    channels: int
    steps: int


@dataclass(frozen=True)
class Column:
    """A column of a table, with its value."""

    name: str
    value: str


@dataclass(frozen=True)
class Mask:
    """Ground truth of the relevant part of the input."""

    values: Numbers
    shape: tuple[int, ...]


@dataclass(frozen=True)
class MapOf:
    """The map of one cell."""

    values: Numbers
    shape: tuple[int, ...]
    full: float
    signed: bool
    note: str
    units: tuple[str, ...] | None


@dataclass(frozen=True)
class Example:
    """An example with all maps."""

    id: str
    name: str
    row: int
    facts: Texts
    wrong: bool | None
    target: int
    target_name: str
    picture: File | None
    size: tuple[int, int] | None
    tokens: tuple[Token, ...] | None
    series: Series | None
    steps: tuple[int, ...] | None
    columns: tuple[Column, ...] | None
    mask: Mask | None
    continued: Continued | None
    maps: tuple[MapOf | None, ...]


@dataclass(frozen=True)
class Study:
    """One study."""

    name: str
    model: str
    dataset: str
    seed: str
    folder: str
    status: str
    modality: str
    unit: str
    clusters: str
    answer: Answer
    problems: tuple[Problem, ...]
    cells: tuple[Cell, ...]
    metrics: tuple[Metric, ...]
    rows: Rows
    agreements: tuple[Measure, ...]
    removals: tuple[Removal, ...]
    sources: Texts
    examples: tuple[Example, ...]
    classes: tuple[str, ...]
    panels: tuple[Panel, ...]
    made: Made


@dataclass(frozen=True)
class ComparisonRow:
    """A cell under one metric in all studies."""

    cell: str
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    best: tuple[bool, ...]


@dataclass(frozen=True)
class Comparison:
    """One metric in all studies."""

    metric: str
    direction: str
    rows: tuple[ComparisonRow, ...]


@dataclass(frozen=True)
class Pooled:
    """One metric over studies that differ in their seeds."""

    metric: str
    sentence: str
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class AgreementAcross:
    """Agreement of each cell with itself in other studies."""

    differ: str
    rows: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True)
class Across:
    """What several studies show together."""

    comparisons: tuple[Comparison, ...]
    pooled: tuple[Pooled, ...]
    agreement: tuple[AgreementAcross, ...]
    sources: Texts


@dataclass(frozen=True)
class Document:
    """Everything that a page shows."""

    format: int
    title: str
    version: str
    studies: tuple[Study, ...]
    across: Across | None
    omitted: tuple[str, ...]
