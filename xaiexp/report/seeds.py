"""Pools studies that differ only in their seeds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from xaiexp.core.ids import CellId
from xaiexp.core.record import ComponentFacts
from xaiexp.report.studies import StudyFolder
from xaiexp.report.verdicts import controls, directions, draws, removal_groups, rules
from xaiexp.report.wording import DASH, number
from xaiexp.results import verdict
from xaiexp.statistics import summary as statistics

__all__ = ["Family", "Pooled", "Setting", "families", "pooled", "setting"]


@dataclass(frozen=True)
class Setting:
    """The settings of a study that decide its numbers.

    Args:
        model: name and parameters, without seeds.
        rest: everything else, without seeds.
        seeds: all seeds, by their key in the configuration.
    """

    model: Mapping[str, Any]
    rest: Mapping[str, Any]
    seeds: Mapping[str, str]


def setting(study: StudyFolder) -> Setting:
    """The setting of a study, from its record."""
    record = study.record
    seeds = {"seed": study.identity("seed")}

    def without_seeds(facts: ComponentFacts, key: str) -> dict[str, Any]:
        parameters = {}
        for name, value in facts.parameters.items():
            if name == "seed" or name.endswith("_seed"):
                seeds[f"{key}.{name}"] = str(value)
            else:
                parameters[name] = value
        return {"name": facts.name, "parameters": parameters}

    settings = record.study.to_mapping()
    rest: dict[str, Any] = {k: v for k, v in settings.items() if k not in ("model", "dataset", "seed")}
    rest["dataset"] = {"label": study.identity("dataset")} | without_seeds(record.dataset, "dataset")
    kinds: Mapping[str, Mapping[str, ComponentFacts]] = {
        "methods": record.methods,
        "baselines": record.baselines,
        "metrics": record.metrics,
    }
    for kind, components in kinds.items():
        rest[kind] = {label: without_seeds(facts, f"{kind}.{label}") for label, facts in components.items()}
    return Setting({"label": study.identity("model")} | without_seeds(record.model, "model"), rest, seeds)


@dataclass(frozen=True)
class Pooled:
    """One metric over studies that differ only in their seeds.

    Args:
        metric: with the studies.
        sentence: the verdict.
        rows: cell, mean, and the interval of the mean for other examples and other seeds.
    """

    metric: str
    sentence: str
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Family:
    """Studies that differ only in their seeds.

    Args:
        places: of the studies in the report, from 1.
        draws: for each study the seeds that vary, as one text.
        varying: the keys of the seeds that vary.
    """

    studies: tuple[StudyFolder, ...]
    places: tuple[int, ...]
    draws: tuple[str, ...]
    varying: tuple[str, ...]

    def scores(self) -> pd.DataFrame:
        """The scores of all studies, of clusters where there are any; the column ``seed`` holds their draws."""
        return pd.concat(
            [study.units.assign(seed=draw) for study, draw in zip(self.studies, self.draws, strict=True)],
            ignore_index=True,
        )

    def verdicts(self) -> pd.DataFrame:
        """The verdicts over the seeds, see :func:`xaiexp.results.verdict.verdict_table`."""
        studies = self.studies
        return verdict.verdict_table(
            self.scores(),
            directions(studies),
            controls(studies),
            removal_groups(studies),
            0,
            over_seeds=True,
            unit=studies[0].unit,
            draws=draws(studies),
            rules=rules(studies[0]),
        )


def pooled(studies: Sequence[StudyFolder]) -> list[Pooled]:
    """Verdicts over studies that differ only in their seeds; examples are matched by their names.

    The values of one example under several seeds are not independent: they are averaged to one observation. Intervals
    and the last order of a verdict are for other examples and other seeds.
    """
    groups = list(families(studies))
    names = [_name(family) for family in groups]
    return [
        part
        for family, name in zip(groups, names, strict=True)
        for part in _pool(family, f"{name} (studies {_list(family.places)})" if names.count(name) > 1 else name)
    ]


def _list(places: Sequence[int]) -> str:
    return ", ".join(map(str, places))


def _pool(family: Family, name: str) -> Iterator[Pooled]:
    studies = family.studies
    scores = family.scores()
    ranked = directions(studies)
    about = studies[0].record.study
    verdicts = family.verdicts()
    all_metrics = {str(metric): ranked.get(str(metric)) for metric in scores["metric"].unique()}
    means = statistics.summarise(scores, all_metrics, 0, over_seeds=True, families=about.families)
    for row in verdicts.to_dict("records"):
        cells = means[means["metric"] == row["metric"]].to_dict("records")
        rows = tuple((str(CellId(c["method"], c["baseline"])), number(float(c["mean"])), _interval(c)) for c in cells)
        yield Pooled(f"{row['metric']}, {name}", f"{row['verdict']}; {_factor(family.varying)}", rows)


def _factor(varying: Sequence[str]) -> str:
    """Which seeds vary, in words: those of the study and of a training are two factors, or one where both change."""
    others = ", ".join(name for name in varying if name != "seed")
    if not others:
        return "seeds of the study: random numbers of methods, baselines and metrics, with one trained network"
    if "seed" not in varying:
        return f"the seeds are {others}; the seed of the study is the same"
    return f"the seed of the study and {others} change together and are one factor"


def _interval(row: Mapping[Any, Any]) -> str:
    low, high = number(float(row["low"])), number(float(row["high"]))
    return DASH if DASH in (low, high) else f"{low} to {high}"


def _name(family: Family) -> str:
    study, count = family.studies[0], len(set(family.draws))
    seeds = f"{count} seeds" if family.varying == ("seed",) else f"{count} seeds ({', '.join(family.varying)})"
    return f"{study.shown('model')} on {study.shown('dataset')}, {seeds}"


def families(studies: Sequence[StudyFolder]) -> Iterator[Family]:
    """The groups of studies with at least two draws of their seeds."""
    by_setting: dict[str, list[tuple[StudyFolder, int, Mapping[str, str]]]] = {}
    for place, study in enumerate(studies, start=1):
        if len(study.scores):
            of_study = setting(study)
            key = json.dumps([of_study.model, of_study.rest, sorted(of_study.seeds)], sort_keys=True, default=str)
            by_setting.setdefault(key, []).append((study, place, of_study.seeds))
    for members in by_setting.values():
        yield from _family(members)


def _family(members: Sequence[tuple[StudyFolder, int, Mapping[str, str]]]) -> Iterator[Family]:
    all_seeds = [seeds for _, _, seeds in members]
    varying = [name for name in all_seeds[0] if len({seeds[name] for seeds in all_seeds}) > 1]
    draws = [tuple(seeds[name] for name in varying) for seeds in all_seeds]
    count = len(set(draws))
    if count < 2:
        return
    if any(len({seeds[name] for seeds in all_seeds}) < count for name in varying):
        # Crossed seeds are no independent draws: only the seed of the study varies, the others are held fixed.
        if "seed" not in varying:
            return
        fixed = [name for name in varying if name != "seed"]

        def fixed_seeds(member: tuple[StudyFolder, int, Mapping[str, str]]) -> tuple[str, ...]:
            return tuple(member[2][name] for name in fixed)

        for _, group in itertools.groupby(sorted(members, key=fixed_seeds), key=fixed_seeds):
            yield from _family(list(group))
        return
    yield Family(
        tuple(study for study, _, _ in members),
        tuple(place for _, place, _ in members),
        tuple(", ".join(draw) for draw in draws),
        tuple(varying),
    )
