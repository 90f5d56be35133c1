"""The root keys of a study that are no components."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Annotated, Literal, cast, get_args

from xaiexp.core.parameters import Range, hints
from xaiexp.core.vocabulary import ExampleOrder, Task
from xaiexp.errors import ParameterError
from xaiexp.plan.claim import Claim

__all__ = ["Page", "Settings", "Tracking", "nested_settings"]


@dataclass(frozen=True)
class Tracking:
    """Where MLflow keeps the runs.

    Args:
        uri: of a tracking server; null is the embedded store, ``off`` tracks nothing.
        experiment: name of the MLflow experiment.
    """

    uri: str | None = None
    experiment: str = "xaiexp"


@dataclass(frozen=True)
class Page:
    """What the page of a study shows.

    Args:
        inputs: whether inputs are shown beside their maps.
    """

    inputs: bool = True


@dataclass(frozen=True)
class Settings:
    """The root keys of a configuration that choose no component.

    Args:
        seed: of all random numbers of the study.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        precision: of the passes; half precisions by autocast.
        examples: how many; null for all, in the order of the dataset.
        example_order: ``drawn`` explains a seeded draw, stratified by class where the labels are classes that are known
            without reading inputs, at random elsewhere; the examples of a smaller number are the first of a larger one.
            ``first`` explains the first of the dataset.
        example_seed: of the draw; another ``seed`` draws no other examples.
        cluster: column of the dataset's file that names what an example belongs to (a patient, a video, a document):
            scores are averaged within a cluster, and clusters are resampled and tested in place of examples. null where
            examples are independent.
        target: the explained class: ``predicted``, ``label`` (of several labels, each), the index or the name of a
            class, a list of these (each class of an example is explained once), or ``all`` classes. Of language models
            ``sequence`` (the whole continuation), ``next``, ``span(A,B)`` of its tokens, a text in it,
            ``contrast(a,b)`` or ``candidates([a,b])``.
        per_token: language models only: each token of the span is explained by itself.
        task: what the numbers are that the network returns; null where the model or the data tell it.
        batch_budget: rows that go through the model at once, or ``auto``.
        speed: ``auto`` makes the passes of a long study cheaper where this leaves scores and gradients equal within
            rounding (:mod:`xaiexp.inference.speed`); ``plain`` runs the network as it is.
        on_error: whether the study continues or stops after a failed cell.
        force: compute again what the store has.
        store: folder of attributions and scores.
        tracking: where MLflow keeps the runs.
        report: whether ``report.html`` is written; with ``report.inputs=false`` the study keeps no inputs for pages,
            pictures and notebooks (patients' data).
        trust: module prefixes whose factories this study may name.
        effort: level of the numbers of steps and samples that are not set.
        margin: metric to the smallest difference of means that matters, in its unit, as
            ``{deletion: 0.02}``; cells may be shown to be equal within it.
        families: over what the error rate of the tests holds: each ``metric``, or ``all`` metrics of the study.
        null_draws: samples of the null study of each metric, fewer where a study has more than 63 cells; 0 for none.
        claim: what the study is to show, fixed before it runs.
        until: ``decided`` stops as soon as the claim is decided, at ``examples`` at the latest; null reads them all.
        shards: number of parts of the examples, cut between chunks, that a sweep runs as jobs of their own; the study
            then takes their results from the store.
        shard: which of the parts, from 0; null for the whole study. A sweep sets it.
        objective: what a sweeper that optimises optimises, as ``METRIC@METHOD/BASELINE``: the mean score of this cell.
        resume: whether the same ``-m`` line continues its newest unfinished sweep.
    """

    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    examples: Annotated[int, Range(1)] | None = 64
    example_order: ExampleOrder = "drawn"
    example_seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    cluster: str | None = None
    target: str | Annotated[int, Range(0)] | tuple[str | Annotated[int, Range(0)], ...] = "predicted"
    per_token: bool = False
    task: Task | None = None
    batch_budget: Literal["auto"] | Annotated[int, Range(1)] = "auto"
    speed: Literal["auto", "plain"] = "auto"
    on_error: Literal["continue", "stop"] = "continue"
    force: bool = False
    store: str = "outputs/store"
    tracking: Tracking = field(default_factory=Tracking)
    report: bool | Page = field(default_factory=Page)
    trust: tuple[str, ...] = ()
    effort: Literal["draft", "standard", "publication"] = "standard"
    margin: Mapping[str, float] | None = None
    families: Literal["metric", "all"] = "metric"
    null_draws: Annotated[int, Range(0, 10000)] = 200
    claim: Claim = field(default_factory=Claim)
    until: Literal["decided"] | None = None
    shards: Annotated[int, Range(1, 100_000)] = 1
    shard: Annotated[int, Range(0)] | None = None
    objective: str | None = None
    resume: bool = True

    @property
    def draw_seed(self) -> int | None:
        """The seed of the draw of the examples; None where they are in the order of the dataset."""
        return None if self.examples is None or self.example_order == "first" else self.example_seed

    @property
    def page(self) -> Page | None:
        """What the page shows; None where none is written."""
        if isinstance(self.report, bool):
            return Page() if self.report else None
        return self.report

    def refuse_undivided(self) -> None:
        """Refuse a study that is to run in shards by itself.

        Raises:
            ParameterError: it names no shard.
        """
        if self.shards > 1 and self.shard is None:
            hint = f"xaiexp -m shards={self.shards} ...; one of them alone: shards={self.shards} shard=0"
            raise ParameterError("shards", "are jobs of a sweep", got=self.shards, hint=hint)

    def part(self, count: int) -> range:
        """Which of ``count`` chunks this study or shard explains."""
        if self.shard is None:
            return range(count)
        return range(self.shard * count // self.shards, (self.shard + 1) * count // self.shards)

    def describe_draw(self) -> str:
        """Which examples are explained, in words."""
        if self.examples is None:
            return "all of the dataset"
        if self.draw_seed is None:
            return "the first of the dataset (example_order=first)"
        return f"a draw with example_seed={self.draw_seed}, stratified by class where the classes are known"

    def __post_init__(self) -> None:
        named = self.target if isinstance(self.target, tuple) else (self.target,)
        if not named or any(isinstance(each, str) and not each.strip() for each in named):
            raise ParameterError("target", "names no target", hint="as target=predicted or 'target=[predicted,label]'")
        if self.shard is not None and self.shard >= self.shards:
            raise ParameterError("shard", f"must be below shards, which is {self.shards}", got=self.shard)
        if not self.store.strip():
            raise ParameterError("store", "must name a folder", got=self.store)
        for metric, least in (self.margin or {}).items():
            if isinstance(least, bool) or not isinstance(least, int | float) or not 0 < least < math.inf:
                raise ParameterError(
                    f"margin.{metric}", "must be a number above 0", got=least, hint="as 'margin={deletion: 0.02}'"
                )
        if self.until == "decided" and self.claim.metric is None:
            raise ParameterError(
                "until", "there is no claim to decide", got=self.until, hint="add one: claim.metric=..."
            )
        for key, used in (("shards", self.shards > 1), ("cluster", self.cluster is not None)):
            if self.until is not None and used:
                raise ParameterError("until", f"reads examples one after the other, and does not go with {key}")
        head, _, index = self.device.partition(":")
        if (
            head not in ("auto", "cpu", "cuda")
            or (index and not (head == "cuda" and index.isdigit()))
            or (self.device.endswith(":"))
        ):
            raise ParameterError("device", "must be auto, cpu, cuda or cuda:INDEX", got=self.device)


def nested_settings(key: str) -> type | None:
    """The dataclass that a root key may hold; None for a key that holds a value."""
    hint = hints(Settings).get(key)
    return next((cast("type", option) for option in (hint, *get_args(hint)) if is_dataclass(option)), None)
