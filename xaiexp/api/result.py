"""The results of a study, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.core.ids import NO_BASELINE
from xaiexp.core.record import Record
from xaiexp.errors import UnknownName, UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from altair import Chart
    from matplotlib.figure import Figure
    from torch import Tensor

    from xaiexp.api.outcomes import Examples
    from xaiexp.plan.study import Study
    from xaiexp.report.notebook.widget import View
    from xaiexp.report.paper.score_table import ScoreTable
    from xaiexp.store.objects import Store

__all__ = ["Result", "records_of", "table_of"]


@dataclass(frozen=True, repr=False)
class Result:
    """The tables of a study as pandas frames, and its attributions.

    A notebook shows its verdicts, the table of means with letters, and the maps of three examples.

    Attributes:
        path: the folder with its files.
        cells, scores, agreement, summary, verdicts: the tables; their columns are those of the files.
        record: the object of ``record.json``: versions, fingerprints, passes (see :mod:`xaiexp.core.record`); of a
            sweep, that of ``sweep.json``.
        studies: of a sweep, the results of its studies by their folder; empty for a study.
    """

    path: Path
    cells: pd.DataFrame
    scores: pd.DataFrame
    agreement: pd.DataFrame
    summary: pd.DataFrame
    verdicts: pd.DataFrame
    record: Mapping[str, Any]
    _store: Store
    _keys: Mapping[tuple[str, str], tuple[str, ...]]
    studies: Mapping[str, Result] = field(default_factory=dict)
    _study: Study | None = None

    def __repr__(self) -> str:
        from xaiexp.report.notebook.text import as_text

        return as_text(self._title(), self.score_table(), self.verdicts, f"files: {self.path}")

    def _repr_html_(self) -> str:
        from xaiexp.errors import ResourceError
        from xaiexp.report.notebook.html import as_html
        from xaiexp.report.studies import read_study

        try:
            study = None if self.studies else read_study(self.path)
        except ResourceError:  # the folder has been removed since; the tables are here
            study = None
        return as_html(self._title(), self.score_table(), self.verdicts, f"files: {self.path}", study)

    @property
    def accuracy(self) -> float | None:
        """Share of the explained examples with a label that the model predicts right; None where it does not apply.

        ``record["performance"]`` has all that is known of the model: F1 of several labels, R^2 of values.
        """
        facts = self._record().performance
        return None if facts is None else facts.accuracy

    @property
    def inputs(self) -> Tensor:
        """The inputs as the model reads them, float ``[N, *shape]``, in the order of :meth:`attributions`.

        A study keeps no copy of its data: they are read again, with predictions from the store.

        Raises:
            UserError: the data cannot be read any more or are others now, or this is a sweep.
        """
        return self._examples.inputs

    @property
    def predictions(self) -> Tensor:
        """What the model returns, float ``[N, K]`` (logits of a classifier), in the order of :meth:`attributions`.

        Raises:
            UserError: as :attr:`inputs`.
        """
        return self._examples.predictions

    @property
    def labels(self) -> Tensor | None:
        """The truth in the order of :meth:`attributions`; None where nothing is known.

        Classes int64 ``[N]``, -1 where unknown; sets of labels bool ``[N, K]``; values float ``[N, K]``.

        Raises:
            UserError: as :attr:`inputs`.
        """
        return self._examples.labels

    @cached_property
    def _examples(self) -> Examples:
        from xaiexp.api.outcomes import examples_of

        self._refuse_sweep("inputs, predictions and labels")
        return examples_of(self._study, self.path, self._record(), self._store)

    def view(self, every: bool = False) -> View:
        """The interactive page as a widget of this notebook; of a study, or of all studies of a sweep.

        ``view.selection`` is what is chosen in it: ``study``, ``section``, ``metric``, ``measure``, ``cells`` and
        ``example``; assigning chooses.

        Args:
            every: whether nothing is left out, however large the widget becomes.

        Raises:
            UserError: anywidget is not installed, or the folder has been removed since.
        """
        try:
            from xaiexp.report.notebook.widget import view
        except ImportError:
            raise UserError("view", "needs anywidget", hint="pip install 'xaiexp[notebook]'") from None
        folders = [each.path for each in self.studies.values()] or [self.path]
        cache = self._store.folder
        return view(folders, cache if cache.is_dir() else None, every)

    def plot(self, example: int = 0, cells: Sequence[str] | None = None) -> Figure:
        """The input and the maps of one example as a figure of matplotlib.

        Args:
            example: which of the examples that the study keeps for its report, at most 8, from 0.
            cells: which cells, as ``"occlusion"`` or ``"occlusion / zero"``; all by default.

        Raises:
            UserError: there is no such example or cell, or this is a sweep.
        """
        from xaiexp.report.notebook.plot import figure
        from xaiexp.report.studies import read_study

        self._refuse_sweep("maps")
        return figure(read_study(self.path), example, cells)

    def plot_metrics(self, metric: str | None = None, kind: str = "means") -> Chart:
        """A chart of Altair: the means of all metrics, or one metric in one of several ways.

        Args:
            metric: its label; by default the means of all metrics. Of a sweep, the metric that is shown
                across its studies; the first one by default.
            kind: ``means`` with their marginal 95 % intervals, ``letters``, ``win_rates``, ``differences`` with
                simultaneous intervals, ``cost`` (quality over passes), ``curves`` or ``nemenyi`` (mean ranks,
                another test).

        Raises:
            UnknownName: there is no such metric or kind.
            UserError: there is nothing to show of this kind.
        """
        from xaiexp.report.notebook.charts import across_chart, metric_chart
        from xaiexp.report.studies import read_study

        if self.studies:
            return across_chart([(name, read_study(each.path)) for name, each in self.studies.items()], metric)
        return metric_chart(read_study(self.path), metric, kind)

    def plot_curves(self, metric: str | None = None) -> Chart:
        """The score while features are removed or inserted, by cell, as a chart of Altair.

        Means over the examples with pointwise normal 95 % bands.

        Args:
            metric: its label; the first one with curves by default.

        Raises:
            UnknownName: no metric with curves has this name.
            UserError: no metric of the study kept curves, or this is a sweep.
        """
        from xaiexp.report.notebook.charts import curves_chart
        from xaiexp.report.studies import read_study

        self._refuse_sweep("curves")
        return curves_chart(read_study(self.path), metric)

    def plot_agreement(self, measure: str | None = None) -> Chart:
        """The matrix of agreement of all pairs of cells as a chart of Altair, neighbours by clustering.

        Args:
            measure: its label; the first one by default.

        Raises:
            UnknownName: there is no such measure of pairs.
            UserError: there is none at all, or this is a sweep.
        """
        from xaiexp.report.notebook.charts import agreement_chart
        from xaiexp.report.studies import read_study

        self._refuse_sweep("matrices of agreement")
        return agreement_chart(read_study(self.path), measure)

    def to_latex(self) -> str:
        """Means, intervals and letters as a ``table`` of LaTeX (booktabs), with a caption that says what they mean."""
        from xaiexp.report.paper.markup import latex

        return latex(self.score_table())

    def to_markdown(self) -> str:
        """Means, intervals and letters as a table of Markdown."""
        from xaiexp.report.paper.markup import markdown

        return markdown(self.score_table())

    def score_table(self) -> ScoreTable:
        """Means, intervals and letters of all cells and metrics, as what :meth:`to_latex` writes."""
        return table_of([self])

    def _record(self) -> Record:
        return Record.from_json(self.record)

    def _title(self) -> str:
        from xaiexp.report.wording import performance, plural

        if self.studies:
            return f"sweep of {plural(len(self.studies), 'study', 'studies')}"
        record = self._record()
        study = record.study
        parts = [f"{study.model} on {study.dataset}, seed {study.seed}"]
        parts.append(plural(int(self.scores["example"].nunique()), "example") if len(self.scores) else record.status)
        parts.append(performance(record.performance))
        failed = int((self.cells["status"] == "failed").sum())
        parts += [f"{plural(failed, 'cell')} failed (.cells)"] if failed else []
        return "; ".join(part for part in parts if part)

    def _refuse_sweep(self, what: str) -> None:
        if self.studies:
            raise UserError(
                what, "are those of a study, not of a sweep", hint=f"result.studies[...]: {', '.join(self.studies)}"
            )

    def attributions(self, method: str, baseline: str | None = None) -> Tensor:
        """Attributions pooled to features, float32 ``[N, *features]``, in the order of the examples.

        With several targets, in the order of the rows of ``scores``: example and target.

        Where examples differ in their number of features (texts), missing ones are NaN.

        Args:
            method, baseline: labels of the cell; the baseline may be left out where the method has one cell.

        Raises:
            UnknownName: there is no such cell, or it is not done.
            UserError: there are several baselines to choose from, or the store has been emptied since.
        """
        return self._stored(method, baseline, "features")

    def standard_errors(self, method: str, baseline: str | None = None) -> Tensor:
        """The standard errors of :meth:`attributions`, from the sampling of the method; of the same shape.

        Args:
            method, baseline: as for :meth:`attributions`.

        Raises:
            UserError: the method does not sample, or as for :meth:`attributions`.
        """
        values = self._stored(method, baseline, "features")
        errors = self._stored(method, baseline, "standard_error")
        return errors.view(values.shape).masked_fill(values.isnan(), float("nan"))

    def _stored(self, method: str, baseline: str | None, name: str) -> Tensor:
        """The tensor ``name`` of a cell from the store: all chunks, padded to one shape with NaN."""
        import torch

        self._refuse_sweep("attributions")
        cells = {cell: keys for cell, keys in self._keys.items() if cell[0] == method and keys}
        if not cells:
            methods = sorted({m for (m, _), keys in self._keys.items() if keys})
            raise UnknownName(
                "method", "has no attributions in this study", got=method, nearest=nearest(method, methods)
            )
        if baseline is None and len(cells) > 1:
            raise UserError("baseline", "several to choose from", hint=", ".join(b for _, b in cells))
        chosen = next(iter(cells))[1] if baseline is None else baseline
        if (method, chosen) not in cells and set(cells) == {(method, NO_BASELINE)}:
            chosen = NO_BASELINE  # a method without a baseline has one cell, whichever baseline is given
        if (method, chosen) not in cells:
            known = [b for _, b in cells]
            raise UnknownName(
                "baseline", "has no attributions in this study", got=chosen, nearest=nearest(chosen, known)
            )
        parts = []
        for key in cells[method, chosen]:
            tensors = self._store.get(key)
            if tensors is None:
                raise UserError("store", "no longer holds these attributions", got=key, hint="run the study again")
            if name not in tensors:
                raise UserError("method", "does not sample, so it has no standard errors", got=method)
            parts.append(tensors[name])
        widest = [max(p.shape[i] for p in parts) for i in range(1, parts[0].ndim)]
        padded = []
        for part in parts:
            out = part.new_full((len(part), *widest), float("nan"))
            out[tuple(slice(side) for side in part.shape)] = part
            padded.append(out)
        return torch.cat(padded)


def records_of(results: Sequence[Result]) -> list[Record]:
    """The records of all studies of some results."""
    listed = [list(each.studies.values()) or [each] for each in results]
    return [Record.from_json(study.record) for studies in listed for study in studies]


def table_of(results: Sequence[Result]) -> ScoreTable:
    """Means, intervals and letters of all studies of some results, one block for each study or family of seeds."""
    import pandas as pd

    from xaiexp.report.paper.score_table import score_table

    summaries = [_named(each.summary, each.path) for each in results if len(each.summary)]
    verdicts = [_named(each.verdicts, each.path) for each in results if len(each.verdicts)]
    if len(results) == 1 or not summaries:
        return score_table(results[0].summary, results[0].verdicts, records_of(results))
    joint = pd.concat(verdicts) if verdicts else results[0].verdicts
    return score_table(pd.concat(summaries, ignore_index=True), joint, records_of(results))


def _named(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A table with a column ``study`` that is unique among several results; that of a sweep has one already."""
    if "study" not in frame:
        return frame.assign(study=str(path), seed=frame["seed"].astype(object))
    names = frame["study"].astype(str).map(lambda text: ", ".join(f"{path}/{name}" for name in text.split(", ")))
    return frame.assign(study=names)
