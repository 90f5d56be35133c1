"""What is asked: one model on one dataset, with lists of methods, baselines, metrics and agreements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xaiexp.contract.kinds import (
    Agreement,
    Baseline,
    Callback,
    Dataset,
    Features,
    Method,
    Metric,
    Model,
    Output,
    Panel,
    Tracker,
)
from xaiexp.core.ids import NO_BASELINE
from xaiexp.errors import UserError
from xaiexp.plan.settings import Settings

__all__ = ["DEFAULT_FEATURES", "Study", "check_label"]

DEFAULT_FEATURES = {"image": "pixel", "text": "token", "table": "column", "series": "step"}


@dataclass(frozen=True)
class Study:
    """One model on one dataset, with methods, baselines, metrics, agreements, trackers, callbacks and panels
    by label.

    ``output`` is None where the task of the network decides what is explained.
    """

    model: Model
    dataset: Dataset
    features: Features
    methods: Mapping[str, Method]
    baselines: Mapping[str, Baseline]
    metrics: Mapping[str, Metric]
    agreements: Mapping[str, Agreement]
    settings: Settings = field(default_factory=Settings)
    output: Output | None = None
    trackers: Mapping[str, Tracker] = field(default_factory=dict)
    callbacks: Mapping[str, Callback] = field(default_factory=dict)
    panels: Mapping[str, Panel] = field(default_factory=dict)

    def describe(self) -> str:
        """Model, dataset and seed in a few words, for titles."""
        settings = self.settings
        part = "" if settings.shard is None else f", part {settings.shard + 1} of {settings.shards}"
        return f"{self.model.name} on {self.dataset.name}, seed {settings.seed}{part}"


def check_label(kind: str, label: str) -> None:
    """Refuse a baseline label that means "reads no baseline".

    Raises:
        UserError: it is that label.
    """
    if kind == "baseline" and label == NO_BASELINE:
        raise UserError(f"baseline.{label}", "is the baseline of methods that read none; use another label")
