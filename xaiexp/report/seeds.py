"""Studies that differ in their seeds alone, and what they say together."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from xaiexp.report.studies import StudyFolder
from xaiexp.report.verdicts import directions, floors, groups
from xaiexp.report.wording import DASH, cell, number
from xaiexp.results import verdict
from xaiexp.statistics import summary as statistics

__all__ = ["Pooled", "Setting", "pooled", "setting"]


@dataclass(frozen=True)
class Setting:
    """What was asked of a study, as far as numbers depend on it.

    Args:
        model: name and parameters.
        rest: everything else.
        seeds: what is a seed in either, by the name it has in a configuration.
    """

    model: Mapping[str, Any]
    rest: Mapping[str, Any]
    seeds: Mapping[str, str]


def setting(study: StudyFolder) -> Setting:
    """From the study's record."""
    seeds = {"seed": study.named("seed") or ""}

    def told(facts: Mapping[str, Any], where: str) -> dict[str, Any]:
        parameters = facts.get("parameters")
        kept = {}
        for name, value in parameters.items() if isinstance(parameters, Mapping) else ():
            if name == "seed" or name.endswith("_seed"):
                seeds[f"{where}.{name}"] = str(value)
            else:
                kept[name] = value
        return {"name": facts.get("name"), "parameters": kept}

    rest: dict[str, Any] = {k: v for k, v in study.facts("study").items() if k not in ("model", "seed")}
    rest["dataset"] = {"named": study.named("dataset")} | told(study.facts("dataset"), "dataset")
    for kind in ("methods", "baselines", "metrics"):
        rest[kind] = {label: told(study.about(kind, label), f"{kind}.{label}") for label in study.facts(kind)}
    return Setting({"named": study.named("model")} | told(study.facts("model"), "model"), rest, seeds)


@dataclass(frozen=True)
class Pooled:
    """One metric over studies that differ in their seeds alone.

    Args:
        rows: cell, mean, and the interval of the mean for other examples and other seeds.
    """

    metric: str
    sentence: str
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class _Family:
    """Studies that differ in their seeds alone.

    Args:
        places: of the studies in the report, from 1.
        draws: of each study the seeds that vary, in one text.
        varying: their names.
    """

    studies: tuple[StudyFolder, ...]
    places: tuple[int, ...]
    draws: tuple[str, ...]
    varying: tuple[str, ...]


def pooled(studies: Sequence[StudyFolder]) -> list[Pooled]:
    """Verdicts over studies that differ in their seeds alone; an example is known by its name.

    An example that several seeds explained is one observation, since its values are not independent: they are averaged
    first. Intervals are for other examples and other seeds; so is the last order that a verdict gives.
    """
    out: list[Pooled] = []
    families = list(_families(studies))
    named = [_name(family) for family in families]
    for family, name in zip(families, named, strict=True):
        of = family.studies
        rows = pd.concat(
            [study.scores.assign(seed=draw) for study, draw in zip(of, family.draws, strict=True)],
            ignore_index=True,
        )
        ranking = directions(of)
        every = {str(metric): ranking.get(str(metric)) for metric in rows["metric"].unique()}
        said = verdict.judged(rows, ranking, floors(of), groups(of), 0, over_seeds=True)
        means = statistics.summarise(rows, every, 0, over_seeds=True)
        where = f"{name} (studies {', '.join(map(str, family.places))})" if named.count(name) > 1 else name
        for row in said.to_dict("records"):
            cells = means[means["metric"] == row["metric"]].to_dict("records")
            shown = tuple((cell(c["method"], c["baseline"]), number(float(c["mean"])), _interval(c)) for c in cells)
            out.append(Pooled(f"{row['metric']}, {where}", str(row["verdict"]), shown))
    return out


def _interval(row: Mapping[Any, Any]) -> str:
    low, high = number(float(row["low"])), number(float(row["high"]))
    return DASH if DASH in (low, high) else f"{low} to {high}"


def _name(family: _Family) -> str:
    study, count = family.studies[0], len(set(family.draws))
    seeds = f"{count} seeds" if family.varying == ("seed",) else f"{count} seeds ({', '.join(family.varying)})"
    return f"{study.named('model')} on {study.named('dataset')}, {seeds}"


def _families(studies: Sequence[StudyFolder]) -> Iterator[_Family]:
    """Those with at least two draws of their seeds."""
    alike: dict[str, list[tuple[StudyFolder, int, Mapping[str, str]]]] = {}
    for place, study in enumerate(studies, start=1):
        if len(study.scores):
            found = setting(study)
            key = json.dumps([found.model, found.rest, sorted(found.seeds)], sort_keys=True, default=str)
            alike.setdefault(key, []).append((study, place, found.seeds))
    for members in alike.values():
        yield from _family(members)


def _family(members: Sequence[tuple[StudyFolder, int, Mapping[str, str]]]) -> Iterator[_Family]:
    seeds = [found for _, _, found in members]
    varying = [name for name in seeds[0] if len({found[name] for found in seeds}) > 1]
    draws = [tuple(found[name] for name in varying) for found in seeds]
    count = len(set(draws))
    if count < 2:
        return
    if any(len({found[name] for found in seeds}) < count for name in varying):
        # Seeds that were crossed with each other are no independent draws: one kind of seed stays as it is.
        kept = [name for name in varying if name != "seed"]
        if "seed" not in varying:
            return

        def others(member: tuple[StudyFolder, int, Mapping[str, str]]) -> tuple[str, ...]:
            return tuple(member[2][name] for name in kept)

        for _, some in itertools.groupby(sorted(members, key=others), key=others):
            yield from _family(list(some))
        return
    yield _Family(
        tuple(study for study, _, _ in members),
        tuple(place for _, place, _ in members),
        tuple(", ".join(draw) for draw in draws),
        tuple(varying),
    )
