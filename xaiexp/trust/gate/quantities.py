"""The values that a rule is about: one an example, of each cell and group that it names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.core.ids import CellId
from xaiexp.core.record import AgreementFacts, MetricFacts
from xaiexp.errors import MismatchError, UnknownName, nearest
from xaiexp.trust.finished import Finished, named_cell
from xaiexp.trust.gate.rules import Rule

__all__ = ["Quantity", "quantities"]

FloatArray = NDArray[np.float64]
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Quantity:
    """Values that one check is about.

    Args:
        title: what they are, of which cell and group.
        values: float64 ``[N]``, one an example or cluster, NaN where undefined.
        bounds: smallest and largest possible value, None where there is none.
        failed: why there are none although the rule names a cell; empty elsewhere.
    """

    title: str
    values: FloatArray
    bounds: Bounds = (None, None)
    failed: str = ""


@dataclass(frozen=True)
class _Rows:
    """Values by row of the table of examples, with what they are."""

    title: str
    values: FloatArray
    bounds: Bounds = (None, None)
    failed: str = ""


def quantities(rule: Rule, study: Finished, where: str) -> list[Quantity]:
    """What a rule is about, at least one.

    Args:
        rule: of the file.
        study: that is held to it.
        where: how messages name the rule.

    Raises:
        UserError: the rule names a metric, measure, cell, column, token, class or group that the study does not have.
    """
    of = {"metric": _metric, "agreement": _agreement, "share": _share, "completeness": _completeness}
    found = list(_accuracy(study, where) if rule.model else of[rule.subject](rule, study, where))
    groups = _groups(rule, study, where)
    listed = []
    for rows in found:
        if rows.failed:
            listed.append(Quantity(rows.title, rows.values, rows.bounds, rows.failed))
            continue
        for name, chosen in groups.items():
            title = f"{rows.title}, {rule.by} {name}" if rule.by else rows.title
            listed.append(Quantity(title, _by_unit(rows.values[chosen], study, chosen), rows.bounds))
    return listed


def _by_unit(values: FloatArray, study: Finished, chosen: NDArray[np.bool_]) -> FloatArray:
    """The means of examples, or of clusters: what is independent."""
    clusters = (study.record.data.clusters if study.record.data else None) or {}
    units = study.examples["example"][chosen].map(lambda example: clusters.get(example, example))
    if units.is_unique:
        return values
    return np.asarray(pd.Series(values).groupby(units.to_numpy()).mean(), dtype=np.float64)


def _groups(rule: Rule, study: Finished, where: str) -> dict[str, NDArray[np.bool_]]:
    """Group to its rows."""
    if rule.by is None:
        return {"": np.ones(len(study.examples), dtype=bool)}
    column = {"class": "label", "predicted": "predicted"}.get(rule.by)
    entries = study.examples[column].to_numpy(dtype=str) if column else study.column(rule.by)
    known = sorted(set(entries.tolist()) - {""})
    if not known:
        raise MismatchError(f"{where} by", "the examples of the study have no labels", got=rule.by)
    for name in rule.groups:
        if name not in known:
            hint = f"groups: {', '.join(known)}"
            raise UnknownName(f"{where} groups", "names no group", got=name, nearest=nearest(name, known), hint=hint)
    return {name: np.asarray(entries == name) for name in (rule.groups or known)}


def _cells(rule: Rule, study: Finished, where: str) -> Sequence[CellId]:
    if rule.cell is not None:
        return [named_cell(f"{where} cell", rule.cell, study)]
    if not study.explaining:
        raise MismatchError(where, "the study has no cell that is done")
    return study.explaining


def _status(cell: CellId, study: Finished, where: str) -> str:
    """Why a named cell has no values; empty where it has.

    Raises:
        MismatchError: it was skipped by the plan.
    """
    cells = study.result.cells
    row = cells[(cells["method"] == cell.method) & (cells["baseline"] == cell.baseline)].iloc[0]
    if row["status"] == "skipped":
        raise MismatchError(where, f"{cell} was skipped: {row['reason']}")
    return "" if row["status"] == "done" else f"{cell} failed: {row['reason']}"


def _metric(rule: Rule, study: Finished, where: str) -> Iterator[_Rows]:
    label, scores = str(rule.metric), study.result.scores
    known = sorted(set(study.record.metrics) | set(scores["metric"]))
    if label not in known:
        hint = f"metrics of the study: {', '.join(known) or 'none'}"
        raise UnknownName(f"{where} metric", "names no metric", got=label, nearest=nearest(label, known), hint=hint)
    facts = study.record.metrics.get(label, MetricFacts())
    of_metric = scores[scores["metric"] == label]
    for cell in _cells(rule, study, where):
        failed = _status(cell, study, where)
        own = of_metric[(of_metric["method"] == cell.method) & (of_metric["baseline"] == cell.baseline)]
        if not len(own) and not failed:
            left_out = (study.record.metrics_left_out or {}).get(label, "")
            failed = f"{label} has no values of {cell}" + (f" ({left_out})" if left_out else "")
        values = _in_order(own, study) if len(own) else np.empty(0)
        yield _Rows(f"{label} of {cell}", values, facts.bounds or (None, None), failed)


def _in_order(rows: pd.DataFrame, study: Finished) -> FloatArray:
    """The values in the order of the table of examples, NaN where one is missing."""
    examples = study.examples
    keys = list(zip(rows["example"], rows["target"], strict=True))
    values = pd.Series(rows["value"].to_numpy(dtype=np.float64), index=pd.MultiIndex.from_tuples(keys))
    wanted = pd.MultiIndex.from_tuples(list(zip(examples["example"], examples["target"], strict=True)))
    return values.reindex(wanted).to_numpy(dtype=np.float64)


def _agreement(rule: Rule, study: Finished, where: str) -> Iterator[_Rows]:
    label, table = str(rule.agreement), study.result.agreement
    known = sorted(set(study.record.agreements) | set(table["measure"]))
    if label not in known:
        hint = f"measures of the study: {', '.join(known) or 'none'}"
        raise UnknownName(f"{where} agreement", "names no measure", got=label, nearest=nearest(label, known), hint=hint)
    facts = study.record.agreements.get(label, AgreementFacts())
    if rule.cells:
        a, b = (named_cell(f"{where} cells", text, study) for text in rule.cells)
        pairs: list[tuple[CellId, CellId]] = [(a, b)]
    else:
        pairs = list(itertools.combinations(study.explaining, 2))
    of_measure = table[table["measure"] == label]
    any_rows = False
    for a, b in pairs:
        failed = _status(a, study, where) or _status(b, study, where)
        own = pd.concat([_of_pair(of_measure, a, b), _of_pair(of_measure, b, a)])
        if not len(own) and not failed and not rule.cells:
            continue  # cells of two spaces are not compared
        any_rows = True
        if not len(own) and not failed:
            raise MismatchError(where, f"{label} does not compare {a} with {b}")
        title = f"{label} of {a} and {b}"
        values = own["value"].to_numpy(dtype=np.float64)
        if values.size and len(values) != len(study.examples):
            raise MismatchError(where, f"{label} of {a} and {b} is not complete", hint="run the study again")
        yield _Rows(title, values, facts.bounds or (None, None), failed)
    if not any_rows:
        raise MismatchError(where, f"{label} compares no two cells of the study")


def _of_pair(table: pd.DataFrame, a: CellId, b: CellId) -> pd.DataFrame:
    return table[
        (table["method_a"] == a.method)
        & (table["baseline_a"] == a.baseline)
        & (table["method_b"] == b.method)
        & (table["baseline_b"] == b.baseline)
    ]


def _completeness(rule: Rule, study: Finished, where: str) -> Iterator[_Rows]:
    found = False
    for cell in _cells(rule, study, where):
        failed = _status(cell, study, where)
        values = None if failed else study.stored(cell, "incompleteness")
        if values is None and not failed:
            if rule.cell is not None:
                what = f"{cell} claims no completeness, so that it has no error"
                raise MismatchError(f"{where} completeness", what, hint="a rule about metric: completeness measures it")
            continue
        found = True
        yield _Rows(f"completeness error of {cell}", np.empty(0) if values is None else values, (0.0, None), failed)
    if not found:
        raise MismatchError(f"{where} completeness", "no cell of the study claims completeness")


def _accuracy(study: Finished, where: str) -> Iterator[_Rows]:
    wrong = study.examples["wrong"].to_numpy(dtype=np.float64)
    if not (wrong >= 0).any():
        raise MismatchError(f"{where} model", "no explained example has a class as its label")
    yield _Rows("accuracy of the model", np.where(wrong < 0, np.nan, 1 - wrong), (0.0, 1.0))


def _share(rule: Rule, study: Finished, where: str) -> Iterator[_Rows]:
    weights = {"mask": _in_mask, "columns": _on_columns, "tokens": _on_tokens}[str(rule.share)](rule, study, where)
    named = "the mask" if rule.share == "mask" else f"the {rule.share} {', '.join(rule.names)}"
    for cell in _cells(rule, study, where):
        failed = _status(cell, study, where)
        if study.record.methods[cell.method].space != "input":  # units of a layer are no features of the input
            if rule.cell is not None:
                raise MismatchError(where, f"{cell} explains a layer, which has no {rule.share}")
            continue
        maps = np.empty((0, 0)) if failed else np.abs(study.maps(cell))
        with np.errstate(invalid="ignore"):  # maps that are 0 everywhere have no shares
            values = np.empty(0) if failed else np.nansum(maps * weights, axis=1) / np.nansum(maps, axis=1)
        undefined = np.zeros(len(values), dtype=bool) if failed else np.isnan(weights).all(axis=1)
        yield _Rows(f"share of {cell} on {named}", np.where(undefined, np.nan, values), (0.0, 1.0), failed)


def _in_mask(rule: Rule, study: Finished, where: str) -> FloatArray:
    """The share of each feature inside the ground truth; NaN for examples without one."""
    inside = study.inside
    if inside is None or not inside.any():
        raise MismatchError(f"{where} share", "the dataset of the study has no masks", got=rule.share)
    return np.where(inside.any(axis=1, keepdims=True), inside, np.nan)


def _on_columns(rule: Rule, study: Finished, where: str) -> FloatArray:
    known = study.feature_names
    for name in rule.names:
        if name not in known:
            hint = f"columns: {', '.join(known)}" if known else "the features of this study have no names"
            raise UnknownName(f"{where} names", "names no column", got=name, nearest=nearest(name, known), hint=hint)
    weights = np.array([float(name in rule.names) for name in known])
    return np.tile(weights, (len(study.examples), 1))


def _on_tokens(rule: Rule, study: Finished, where: str) -> FloatArray:
    tokens = study.tokens
    known = set(itertools.chain.from_iterable(tokens))
    names = {name.lower() for name in rule.names}
    if missing := sorted(names - known):
        close = nearest(missing[0], sorted(known))
        raise UnknownName(f"{where} names", "names no token of the examples", got=missing[0], nearest=close)
    weights = np.zeros((len(tokens), max(map(len, tokens))))
    for i, words in enumerate(tokens):
        weights[i, : len(words)] = [float(word in names) for word in words]
    return np.where(weights.any(axis=1, keepdims=True), weights, np.nan)  # undefined without any of them
