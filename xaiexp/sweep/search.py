"""The value of a study that a sweeper optimises, and whether the best of many trials is better than the default."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from xaiexp.core.record import Record
from xaiexp.errors import ResourceError
from xaiexp.plan.objective import Objective
from xaiexp.report.studies import find_studies
from xaiexp.results.study_tables import read_table
from xaiexp.statistics.multiple_comparisons.simultaneous import simultaneous
from xaiexp.statistics.significance import MIN_EXAMPLES
from xaiexp.statistics.summary import by_cluster
from xaiexp.statistics.tolerance import difference
from xaiexp.store.files import write_atomically

__all__ = ["DEFAULT", "Best", "best_trial", "conclude", "example_scores", "objective_value"]

DEFAULT = "default"
"""The folder of the study with the default of the swept parameters, beside those of the trials."""


def example_scores(scores: pd.DataFrame, objective: Objective, clusters: Mapping[str, str] | None = None) -> pd.Series:
    """The scores of the cell of an objective by example, or by cluster; several targets are averaged.

    Args:
        scores: the table ``scores.parquet``.
        objective: which cell of which metric.
        clusters: example to cluster; None or empty where examples are independent.

    Returns:
        float64, indexed by example; undefined scores are left out.
    """
    cell = objective.cell
    rows = scores[
        (scores["metric"] == objective.metric)
        & (scores["method"] == cell.method)
        & (scores["baseline"] == cell.baseline)
        & np.isfinite(scores["value"])
    ]
    return by_cluster(rows, clusters or {}).groupby("example")["value"].mean()


def objective_value(folder: Path, objective: Objective) -> float | None:
    """What a sweeper optimises: the mean of :func:`example_scores` of a study; None where no example has a score."""
    value = float(example_scores(read_table(folder, "scores"), objective).mean())
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Best:
    """The best trial of a search, compared with the default.

    Args:
        trial: its place.
        examples: the examples that the default and all compared trials are defined on.
        mean, default: of the trial and of the default, on these examples.
        gain: mean difference to the default, positive where the trial is better.
        low: lower end of the one-sided simultaneous interval of the gain; NaN where it is not tested.
        p: corrected for the number of trials; NaN likewise.
        trials: that were compared.
        better: whether the interval is above 0.
    """

    trial: int
    examples: int
    mean: float
    default: float
    gain: float
    low: float
    p: float
    trials: int
    better: bool


def best_trial(
    default: pd.Series, trials: Sequence[pd.Series], higher_is_better: bool, *, seed: int, level: float = 0.05
) -> Best | None:
    """The trial with the best mean, and whether it is better than the default: one-sided, max-T over all trials.

    Trials with the default's own parameters are no question and cost the others nothing: their differences are 0.

    Args:
        default: scores by example, see :func:`example_scores`.
        trials: the same of each trial. Those that lack an example of the default are not compared.
        higher_is_better: the direction of the scores.
        seed: of the resampling of :func:`xaiexp.statistics.multiple_comparisons.simultaneous.simultaneous`.
        level: family-wise error rate.

    Returns:
        None where no trial has the examples of the default.
    """
    kept = [place for place, scores in enumerate(trials) if len(default) and default.index.isin(scores.index).all()]
    if not kept:
        return None
    of_default = default.to_numpy(dtype=np.float64)
    values = np.stack([trials[place].reindex(default.index).to_numpy(dtype=np.float64) for place in kept])
    gains = difference(values, np.broadcast_to(of_default, values.shape)) * (1 if higher_is_better else -1)
    best = int(np.argmax(gains.mean(axis=1)))
    low = p = math.nan
    if len(default) >= MIN_EXAMPLES:
        family = simultaneous(gains, seed=seed, one_sided=True, level=level)
        low, p = float(family.low[best]), float(family.p[best])
    return Best(
        trial=kept[best],
        examples=len(default),
        mean=float(values[best].mean()),
        default=float(of_default.mean()),
        gain=float(gains[best].mean()),
        low=low,
        p=p,
        trials=len(kept),
        better=low > 0,
    )


def conclude(sweep: Path, objective: Objective, seed: int) -> list[str]:
    """Compare the trials of a search with its default, and write ``best.json``.

    Args:
        sweep: the folder with the studies.
        objective: that was optimised.
        seed: of the resampling.

    Returns:
        The result in words.
    """
    folders = [folder for folder in find_studies(sweep) if folder.name != DEFAULT]
    default, trials = _scores(sweep / DEFAULT, objective), [_scores(folder, objective) for folder in folders]
    best = best_trial(default, trials, objective.higher_is_better, seed=seed)
    if best is None:
        return [f"no trial can be compared with the default: there are no scores of {objective} on the same examples"]
    folder = folders[best.trial]
    before = dict(_leaves(_config(sweep / DEFAULT)))
    changed = {key: value for key, value in _leaves(_config(folder)) if before.get(key, _ABSENT) != value}
    lines = [
        f"best of {best.trials} trials: {folder.name}, {_written(changed)}",
        f"  {objective}: mean {best.mean:.4g}, {best.default:.4g} with the default, over {best.examples} examples",
        f"  {_verdict(best)}",
    ]
    values = asdict(best) | {"trial": folder.name, "parameters": changed, "objective": str(objective), "words": lines}
    known = {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}
    write_atomically(sweep / "best.json", json.dumps(known, indent=1, default=str).encode())
    return lines


def _verdict(best: Best) -> str:
    tests = f"one-sided, paired by example, corrected for {best.trials} trials"
    if math.isnan(best.p):
        return f"whether it is better than the default cannot be told from fewer than {MIN_EXAMPLES} examples"
    if best.better:
        return f"better than the default by {best.gain:.3g}, at least {best.low:.3g} (p = {best.p:.2g}; {tests})"
    return f"no better than the default beyond the noise (difference {best.gain:.3g}, p = {best.p:.2g}; {tests})"


def _scores(folder: Path, objective: Objective) -> pd.Series:
    try:
        record = Record.read(folder / "record.json")
        if record.status != "done":
            return pd.Series(dtype=np.float64)
        clusters = None if record.data is None else record.data.clusters
        return example_scores(read_table(folder, "scores"), objective, clusters)
    except (OSError, ResourceError):
        return pd.Series(dtype=np.float64)


_ABSENT = object()


def _config(folder: Path) -> Any:
    try:
        return OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    except OSError:
        return {}


def _leaves(node: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{where}.{key}" if where else str(key))
    else:
        yield where, node


def _written(changed: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in changed.items()) or "the default itself"
