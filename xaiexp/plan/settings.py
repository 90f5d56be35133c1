"""The root keys of a study that are no components."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from xaiexp.core.parameters import Range
from xaiexp.core.vocabulary import Task
from xaiexp.errors import ParameterError
from xaiexp.plan.claim import Claim

__all__ = ["Settings", "Tracking"]


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
class Settings:
    """The root keys of a configuration that choose no component.

    Args:
        seed: of all random numbers of the study.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        precision: of the passes; half precisions by autocast.
        examples: how many, from the first; null for all.
        target: the explained class: ``predicted``, ``label`` (of several labels, each), the index or the name of a
            class, a list of these (each class of an example is explained once), or ``all`` classes.
        task: what the numbers are that the network returns; null where the model or the data tell it.
        batch_budget: rows that go through the model at once, or ``auto``.
        on_error: whether the study continues or stops after a failed cell.
        force: compute again what the store has.
        store: folder of attributions and scores.
        tracking: where MLflow keeps the runs.
        report: whether ``report.html`` is written.
        trust: module prefixes whose factories this study may name.
        effort: level of the numbers of steps and samples that are not set.
        removal: an axis: every metric that removes features is computed once with each of these removals, under the
            label ``METRIC_REMOVAL``; empty leaves each metric its own removal.
        margin: metric to the smallest difference of means that matters, in its unit, as
            ``{deletion: 0.02}``; cells may be shown to be equal within it.
        families: over what the error rate of the tests holds: each ``metric``, or ``all`` metrics of the study.
        null_draws: samples of the null study of each metric; 0 for none.
        claim: what the study is to show, fixed before it runs.
        until: ``decided`` stops as soon as the claim is decided, at ``examples`` at the latest; null reads them all.
    """

    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    examples: Annotated[int, Range(1)] | None = 64
    target: str | Annotated[int, Range(0)] | tuple[str | Annotated[int, Range(0)], ...] = "predicted"
    task: Task | None = None
    batch_budget: Literal["auto"] | Annotated[int, Range(1)] = "auto"
    on_error: Literal["continue", "stop"] = "continue"
    force: bool = False
    store: str = "outputs/store"
    tracking: Tracking = field(default_factory=Tracking)
    report: bool = True
    trust: tuple[str, ...] = ()
    effort: Literal["draft", "standard", "publication"] = "standard"
    removal: tuple[str, ...] = ()
    margin: Mapping[str, float] | None = None
    families: Literal["metric", "all"] = "metric"
    null_draws: Annotated[int, Range(0, 10000)] = 200
    claim: Claim = field(default_factory=Claim)
    until: Literal["decided"] | None = None

    def __post_init__(self) -> None:
        named = self.target if isinstance(self.target, tuple) else (self.target,)
        if not named or any(isinstance(each, str) and not each.strip() for each in named):
            raise ParameterError("target", "names no target", hint="as target=predicted or 'target=[predicted,label]'")
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
        head, _, index = self.device.partition(":")
        if (
            head not in ("auto", "cpu", "cuda")
            or (index and not (head == "cuda" and index.isdigit()))
            or (self.device.endswith(":"))
        ):
            raise ParameterError("device", "must be auto, cpu, cuda or cuda:INDEX", got=self.device)
