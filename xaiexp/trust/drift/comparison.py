"""Everything that two studies under one configuration are compared by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xaiexp.api.functions import agree
from xaiexp.core.ids import CellId
from xaiexp.errors import MismatchError
from xaiexp.statistics.distributions import normal_ppf, wilson
from xaiexp.statistics.intervals import bootstrap_interval
from xaiexp.statistics.significance import MIN_EXAMPLES
from xaiexp.trust.drift.importance import Importance, importances, relative
from xaiexp.trust.drift.shifts import DRAWS, Shifts, independent_shifts, paired_shifts
from xaiexp.trust.finished import Finished
from xaiexp.trust.verify.changes import configuration

__all__ = ["Changed", "Drift", "Measured", "drift_of"]

FloatArray = NDArray[np.float64]

_FREE = (
    "model", "dataset", "store", "tracking", "tracker", "report", "trust", "force", "resume", "metric", "panel",
    "callback", "device", "batch_budget", "margin", "claim", "null_draws", "families", "objective", "agreement",
)  # fmt: skip
"""Keys in which the two studies may differ: what is compared, and what decides no map."""
MEASURES = ("rank_correlation", "cosine")


@dataclass(frozen=True)
class Changed:
    """One feature of one cell.

    Args:
        cell, feature: whose importance it is.
        before, after: mean importance.
        effect: standardised difference, positive where it gained.
        p: adjusted for all features of all cells.
        found: whether the change is significant.
    """

    cell: CellId
    feature: str
    before: float
    after: float
    effect: float
    p: float
    found: bool


@dataclass(frozen=True)
class Measured:
    """A mean with its 95 % interval; NaN where it is not known.

    Args:
        what: in a few words.
        mean, low, high: the value and its interval.
        n: examples.
    """

    what: str
    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Drift:
    """What two studies differ in.

    Args:
        before, after: their folders.
        differs: what of the configuration differs: ``model``, ``dataset``.
        same: examples that both studies explain.
        paired: whether the tests are of the same examples.
        counts: examples of each study.
        level: family-wise error rate of all features and cells.
        share: whether importance is a share of that of all features.
        features: every feature of every cell.
        totals: by cell, the mean sum of magnitudes before and after.
        agreement: of the explanations of the same examples, by cell and measure.
        accuracy: before, after and their difference; empty where it is not known.
    """

    before: str
    after: str
    differs: tuple[str, ...]
    same: int
    paired: bool
    counts: tuple[int, int]
    level: float
    share: bool
    features: tuple[Changed, ...]
    totals: Mapping[CellId, tuple[float, float]]
    agreement: tuple[Measured, ...]
    accuracy: tuple[Measured, ...]

    @property
    def found(self) -> tuple[Changed, ...]:
        """The features that changed, the largest effects first."""
        return tuple(sorted((each for each in self.features if each.found), key=lambda each: -abs(each.effect)))


def drift_of(
    before: Finished, after: Finished, *, share: bool = False, level: float = 0.05, draws: int = DRAWS
) -> Drift:
    """Compare two studies.

    Args:
        before, after: finished, under one configuration.
        share: whether importance is a share of that of all features of the example.
        level: family-wise error rate.
        draws: permutations.

    Raises:
        MismatchError: the configurations differ in more than model and dataset, or the studies share no cell.
    """
    differs = _differing(before, after)
    cells = [cell for cell in before.explaining if cell in after.explaining and _of_input(before, cell)]
    if not cells:
        raise MismatchError("drift", "the studies have no cell in common that is done and explains the input")
    if min(len(before.examples), len(after.examples)) < MIN_EXAMPLES:
        raise MismatchError("drift", f"fewer than {MIN_EXAMPLES} examples show no change", hint="more examples")
    rows = _same_rows(before, after)
    paired = len(rows) == len(before.examples) == len(after.examples)
    listed = [importances(before, after, cell) for cell in cells]
    totals = {c: (_mean(i.before), _mean(i.after)) for c, i in zip(cells, listed, strict=True)}
    listed = [relative(each) for each in listed] if share else listed
    if paired:
        order = [pair[1] for pair in rows]
        listed = [replace(each, after=each.after[order]) for each in listed]
    test = paired_shifts if paired else independent_shifts
    joined = [np.concatenate([getattr(each, side) for each in listed], axis=1) for side in ("before", "after")]
    shifts = test(joined[0], joined[1], seed=before.record.study.seed or 0, level=level, draws=draws)
    return Drift(
        str(before.folder),
        str(after.folder),
        differs,
        len(rows),
        paired,
        (len(before.examples), len(after.examples)),
        level,
        share,
        tuple(_changed(cells, listed, shifts)),
        totals,
        tuple(_agreement(before, after, cells, rows)),
        tuple(_accuracy(before, after, rows if paired else None)),
    )


def _mean(values: FloatArray) -> float:
    return float(np.nanmean(np.nansum(values, axis=1)))


def _of_input(study: Finished, cell: CellId) -> bool:
    return study.record.methods[cell.method].space != "layer"


def _differing(before: Finished, after: Finished) -> tuple[str, ...]:
    """Model and dataset, where they differ.

    Raises:
        MismatchError: another key differs.
    """
    left, right = configuration(before.folder), configuration(after.folder)
    other = [key for key in sorted({*left, *right}) if key not in _FREE and left.get(key) != right.get(key)]
    if other:
        what = f"the configurations differ in {', '.join(other)}, not only in model and dataset"
        raise MismatchError("drift", what, hint="run both studies under one configuration")
    if before.record.study.modality != after.record.study.modality:
        raise MismatchError("drift", "the studies are of two kinds of inputs")
    named = ["dataset"] if left.get("dataset") != right.get("dataset") or _data(before) != _data(after) else []
    weights = [study.record.weights.fingerprint if study.record.weights else "" for study in (before, after)]
    return (*(["model"] if left.get("model") != right.get("model") or weights[0] != weights[1] else []), *named)


def _data(study: Finished) -> Any:
    return study.record.data.fingerprint if study.record.data else None


def _same_rows(before: Finished, after: Finished) -> list[tuple[int, int]]:
    """Rows of both studies that are the same example with the same input and, of several, the same target."""
    keys = [
        list(zip(study.examples["example"], study.examples["target"], strict=True))
        if _several(study)
        else [(example, 0) for example in study.examples["example"]]
        for study in (before, after)
    ]
    place = {key: i for i, key in enumerate(keys[1])}
    pairs = [(i, place[key]) for i, key in enumerate(keys[0]) if key in place]
    if not pairs or _data(before) == _data(after) or _same_files(before, after):
        return pairs
    left, right = before.inputs, after.inputs
    return [(i, j) for i, j in pairs if torch.equal(left[i], right[j])]


def _several(study: Finished) -> bool:
    return not study.examples["example"].is_unique


def _same_files(before: Finished, after: Finished) -> bool:
    """Whether both studies name one dataset whose files have not changed between them."""
    left, right = before.record, after.record
    return (
        left.dataset == right.dataset
        and left.sources.get("dataset") == right.sources.get("dataset")
        and left.sources.get("dataset") is not None
    )


def _changed(cells: Sequence[CellId], listed: Sequence[Importance], shifts: Shifts) -> list[Changed]:
    names = [(cell, name) for cell, each in zip(cells, listed, strict=True) for name in each.names]
    columns = (shifts.before, shifts.after, shifts.effect, shifts.p, shifts.found)
    return [
        Changed(cell, name, float(a), float(b), float(effect), float(p), bool(found))
        for (cell, name), a, b, effect, p, found in zip(names, *columns, strict=True)
    ]


def _agreement(
    before: Finished, after: Finished, cells: Sequence[CellId], rows: Sequence[tuple[int, int]]
) -> list[Measured]:
    """Agreement of the explanations of the same examples."""
    found = []
    if not rows:
        return []
    left, right = [pair[0] for pair in rows], [pair[1] for pair in rows]
    for cell in cells:
        maps = [
            study.result.attributions(cell.method, cell.baseline)[chosen].flatten(1)
            for study, chosen in ((before, left), (after, right))
        ]
        if maps[0].shape != maps[1].shape:
            continue
        for measure in MEASURES:
            values = _by_length(maps[0], maps[1], measure)
            found.append(_measured(f"{measure} of {cell}", values, before.record.study.seed or 0))
    return found


def _by_length(left: Tensor, right: Tensor, measure: str) -> FloatArray:
    """The agreement of each example over its own features; texts differ in length, and have NaN beyond it."""
    lengths = (~left.isnan()).sum(dim=1)
    values = np.full(len(left), np.nan)
    for length in sorted(set(lengths.tolist())):
        rows = (lengths == length).nonzero()[:, 0]
        if length > 1:
            values[rows.numpy()] = agree(left[rows, :length], right[rows, :length], measure).double().numpy()
    return values


def _measured(what: str, values: FloatArray, seed: int) -> Measured:
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return Measured(what, float(known.mean()) if len(known) else np.nan, np.nan, np.nan, len(known))
    return Measured(what, *bootstrap_interval(known, seed=seed), len(known))


def _paired_change(differences: FloatArray) -> Measured:
    """The mean of differences of -1, 0 and 1, with the adjusted Wald interval: half a pair is added to each count."""
    known = differences[np.isfinite(differences)]
    n = len(known)
    gained, lost = float((known > 0).sum()) + 0.5, float((known < 0).sum()) + 0.5
    middle = (gained - lost) / (n + 2)
    width = normal_ppf(0.975) * np.sqrt(gained + lost - (gained - lost) ** 2 / (n + 2)) / (n + 2)
    mean = float(known.mean()) if n else np.nan
    return Measured("change of accuracy", mean, float(middle - width), float(middle + width), n)


def _accuracy(before: Finished, after: Finished, rows: Sequence[tuple[int, int]] | None) -> list[Measured]:
    """Accuracy of both, and the change: of pairs by the interval of Agresti and Min (2005), else of Newcombe (1998)."""
    right = []
    for study in (before, after):
        wrong = study.examples["wrong"].to_numpy(dtype=np.float64)
        right.append(np.where(wrong < 0, np.nan, 1 - wrong))
    known = [each[np.isfinite(each)] for each in right]
    if not all(len(each) for each in known):
        return []
    shares = []
    for what, each in zip(("before", "after"), known, strict=True):
        low, high = wilson(int(each.sum()), len(each), 0.95)
        shares.append(Measured(f"accuracy {what}", float(each.mean()), low, high, len(each)))
    a, b = shares
    if rows is not None:
        return [a, b, _paired_change(np.array([right[1][j] - right[0][i] for i, j in rows]))]
    change = b.mean - a.mean
    low = change - np.hypot(b.mean - b.low, a.high - a.mean)
    high = change + np.hypot(b.high - b.mean, a.mean - a.low)
    return [a, b, Measured("change of accuracy", change, float(low), float(high), min(a.n, b.n))]
