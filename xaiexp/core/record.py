"""The record of a study, ``record.json``: what was run, on which data, with which versions, and at which cost.

The keys on disk are the names of the fields. Importing this module imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xaiexp.core.claim_facts import ClaimFacts
from xaiexp.core.ids import CellId, MetricId
from xaiexp.core.json_parts import ONCE_KNOWN, Part, read_part
from xaiexp.errors import ResourceError

__all__ = [
    "VERSION",
    "AgreementFacts",
    "ComponentFacts",
    "DataFacts",
    "FailureFacts",
    "GitState",
    "LeftOutFacts",
    "MethodFacts",
    "MetricFacts",
    "PassCount",
    "PassCounts",
    "PerformanceFacts",
    "PluginFacts",
    "Record",
    "SpeedFacts",
    "StudyFacts",
    "TrackingFacts",
    "WeightsFacts",
]

VERSION = 1
"""The version of the format that is written here. A record without a ``version`` is version 0: the same keys."""

Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class StudyFacts(Part):
    """What was asked for: components by name, and the settings that decide the numbers.

    Args:
        examples: how many at most; None for all.
        target: as in the configuration, as text.
        output: what is explained; empty until it is known.
        task: of the network; empty where it is not known.
        example_order: ``drawn``, or ``first`` where they are the first of the dataset.
        example_seed: of the draw; None where there is none.
        cluster: column of the clusters that are resampled in place of examples; empty where there is none.
        margin: metric to the smallest difference that matters.
        families: over what the error rate of the tests holds: each ``metric``, or ``all``.
    """

    model: str = ""
    dataset: str = ""
    features: str = ""
    modality: str = ""
    seed: int | None = None
    examples: int | None = None
    target: str = ""
    output: str = ""
    precision: str = ""
    task: str = ""
    example_order: str = ""
    example_seed: int | None = None
    cluster: str = ""
    margin: Mapping[str, float] = field(default_factory=dict)
    families: str = "metric"


@dataclass(frozen=True)
class PluginFacts(Part):
    """A plugin that provided a component of the study."""

    name: str = ""
    distribution: str = ""
    version: str = ""


@dataclass(frozen=True)
class ComponentFacts(Part):
    """A component of the study, with its parameters."""

    name: str = ""
    summary: str = ""
    source: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MethodFacts(ComponentFacts):
    """A method. What it does not declare is None.

    Args:
        draws: metric to the number of draws of a map over which its scores are averaged, where there are several.
    """

    signed: bool | None = None
    complete: bool | None = None
    multiplied_by_inputs: bool | None = None
    space: str = "input"
    control: bool = False
    draws: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricFacts(ComponentFacts):
    """A metric, or one of its auxiliary values.

    Args:
        higher_is_better: None where values are not ranked.
        bounds: smallest and largest value, None where there is none; None as a whole where it is unknown.
        curve: over which share of the features it has a curve: ``removed`` or ``inserted``; empty where it has none.
    """

    higher_is_better: bool | None = None
    bounds: Bounds | None = None
    unit: str = ""
    needs_sign: bool = False
    curve: str = ""


@dataclass(frozen=True)
class AgreementFacts(ComponentFacts):
    """A measure of agreement; ``bounds`` as in :class:`MetricFacts`."""

    bounds: Bounds | None = None
    needs_sign: bool = False
    symmetric: bool = True


@dataclass(frozen=True)
class GitState(Part):
    """The git repository around the working folder."""

    commit: str = ""
    dirty: bool = False


@dataclass(frozen=True)
class WeightsFacts(Part):
    """The weights of the model."""

    fingerprint: str = ""


@dataclass(frozen=True)
class LeftOutFacts(Part):
    """An example without a result.

    Args:
        example: its id; ``row N``, counted from 0, where the id could not be read.
        reason: in one line.
    """

    example: str = ""
    reason: str = ""


@dataclass(frozen=True)
class DataFacts(Part):
    """The data of the study.

    Args:
        count: examples, with those that are left out.
        left_out: examples that could not be read, encoded or scored; known at the end of the study.
        shape: of one input.
        fingerprint: known at the end of the study.
        selection: how many they are, how they were chosen and of which classes, in words.
        rows: their numbers in the dataset, in the order in which they are explained: ``7,3-5`` is 7, 3, 4, 5.
        class_counts: class to the number of examples; None where classes are not known beforehand.
        clusters: example to cluster; None where examples are independent. Known at the end of the study.
    """

    count: int | None = None
    shape: tuple[int, ...] = ()
    fingerprint: str | None = field(default=None, metadata=ONCE_KNOWN)
    left_out: tuple[LeftOutFacts, ...] | None = field(default=None, metadata=ONCE_KNOWN)
    selection: str | None = field(default=None, metadata=ONCE_KNOWN)
    rows: str | None = field(default=None, metadata=ONCE_KNOWN)
    class_counts: Mapping[str, int] | None = field(default=None, metadata=ONCE_KNOWN)
    clusters: Mapping[str, str] | None = field(default=None, metadata=ONCE_KNOWN)


@dataclass(frozen=True)
class PerformanceFacts(Part):
    """How well the model does on the explained examples whose label is known. What does not apply is None.

    Args:
        examples: how many there are.
        accuracy: share of predicted classes that are the label.
        chance: share of the most frequent label; one divided by the number of classes where all labels are equal.
        p_value: of the accuracy under chance, by a one-sided binomial test.
        macro_f1: several labels: mean F1 score of the labels that occur or are predicted.
        exact_match: several labels: share of examples with exactly the predicted labels.
        r2, mean_absolute_error: values: coefficient of determination, None where all are equal; mean absolute error.
    """

    examples: int = 0
    accuracy: float | None = field(default=None, metadata=ONCE_KNOWN)
    chance: float | None = field(default=None, metadata=ONCE_KNOWN)
    p_value: float | None = field(default=None, metadata=ONCE_KNOWN)
    macro_f1: float | None = field(default=None, metadata=ONCE_KNOWN)
    exact_match: float | None = field(default=None, metadata=ONCE_KNOWN)
    r2: float | None = field(default=None, metadata=ONCE_KNOWN)
    mean_absolute_error: float | None = field(default=None, metadata=ONCE_KNOWN)


@dataclass(frozen=True)
class PassCount(Part):
    """Passes of the model; ``seconds`` is known for metrics alone."""

    forward: int = 0
    backward: int = 0
    seconds: float | None = field(default=None, metadata=ONCE_KNOWN)


@dataclass(frozen=True)
class PassCounts(Part):
    """Passes by purpose; those of metrics by label."""

    attributions: PassCount | None = None
    metrics: Mapping[str, PassCount] = field(default_factory=dict)
    predictions_and_references: PassCount | None = None


@dataclass(frozen=True)
class SpeedFacts(Part):
    """How passes were made, see :class:`xaiexp.inference.speed.Speed`."""

    kind: str = "plain"
    rows: int | None = None
    ratio: float = 1.0
    scores_error: float = 0.0
    gradients_error: float = 0.0


@dataclass(frozen=True)
class FailureFacts(Part):
    """An error that a component raised.

    Args:
        reason: in one line.
        place: ``FILE:LINE`` in the component's own code.
        traceback: as Python prints it.
    """

    reason: str = ""
    place: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class TrackingFacts(Part):
    """What a tracker has of a study.

    Args:
        status: ``sent``, or ``not sent`` where the tracker could not be reached or did not get everything.
        run: the name that the tracker gave to the study; empty where it has none.
        error: why it was not sent, in one line.
    """

    status: str = ""
    run: str = ""
    error: str = ""


@dataclass(frozen=True)
class Record(Part):
    """The record of a study.

    Args:
        version: of the format, see :data:`VERSION`.
        status: ``running``, ``done`` or ``failed``.
        error: why the study or some of its metrics failed.
        started: date and time, ISO 8601.
        conformance: ``KIND.NAME`` to the counts of the conformance checks by outcome, or a text where there are none.
        methods, baselines, agreements: by label.
        metrics: by label; auxiliary values as ``LABEL.PART``.
        versions: of packages, by name.
        threads: of torch.
        command: the command line.
        claim: None where there is none.
        metrics_left_out: label to reason, of the metrics that the plan leaves out.
        device: that ran the model. This and the following fields are None until they are known.
        model_facts: reported by the model, such as the accuracy on held-out data.
        class_names: of the model, from the dataset where the model has none; or empty.
        performance: of the model on the explained examples; None where no label can be compared.
        notes: what the reader must know about classes, labels and the model.
        speed: how passes were made.
        store: the folder of attributions and scores.
        failures: by cell, agreement, or metric and cell.
        undefined: by cell, or metric and cell, the examples without a result although others have one.
        objects: the keys of each cell's attributions in the store, chunk by chunk.
        seconds: of the whole study.
        id: of this study and of those that continue it; trackers find its runs by it.
        config: a hash of the resolved configuration, see :func:`xaiexp.results.identity.config_digest`.
        sources: hashes of what decides the numbers beyond the configuration: for each component its plugin, the source
            of a plugin in editable mode and the files it reads.
        code: distribution to a hash of its source, of the plugins that are installed in editable mode.
        tracking: what each tracker has of the study, by label.
    """

    version: int = VERSION
    status: str = ""
    error: str | None = None
    started: str = ""
    study: StudyFacts = field(default_factory=StudyFacts)
    plugins: tuple[PluginFacts, ...] = ()
    conformance: Mapping[str, Any] = field(default_factory=dict)
    model: ComponentFacts = field(default_factory=ComponentFacts)
    dataset: ComponentFacts = field(default_factory=ComponentFacts)
    methods: Mapping[str, MethodFacts] = field(default_factory=dict)
    baselines: Mapping[str, ComponentFacts] = field(default_factory=dict)
    metrics: Mapping[str, MetricFacts] = field(default_factory=dict)
    agreements: Mapping[str, AgreementFacts] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    git: GitState | None = None
    host: str = ""
    platform: str = ""
    threads: int | None = None
    command: tuple[str, ...] = ()
    claim: ClaimFacts | None = field(default=None, metadata=ONCE_KNOWN)
    metrics_left_out: Mapping[str, str] | None = field(default=None, metadata=ONCE_KNOWN)
    device: str | None = field(default=None, metadata=ONCE_KNOWN)
    weights: WeightsFacts | None = field(default=None, metadata=ONCE_KNOWN)
    data: DataFacts | None = field(default=None, metadata=ONCE_KNOWN)
    model_facts: Mapping[str, Any] | None = field(default=None, metadata=ONCE_KNOWN)
    class_names: tuple[str, ...] | None = field(default=None, metadata=ONCE_KNOWN)
    performance: PerformanceFacts | None = field(default=None, metadata=ONCE_KNOWN)
    notes: tuple[str, ...] | None = field(default=None, metadata=ONCE_KNOWN)
    passes: PassCounts | None = field(default=None, metadata=ONCE_KNOWN)
    speed: SpeedFacts | None = field(default=None, metadata=ONCE_KNOWN)
    failures: Mapping[str, FailureFacts] | None = field(default=None, metadata=ONCE_KNOWN)
    undefined: Mapping[str, tuple[LeftOutFacts, ...]] | None = field(default=None, metadata=ONCE_KNOWN)
    store: str | None = field(default=None, metadata=ONCE_KNOWN)
    objects: Mapping[CellId, tuple[str, ...]] | None = field(default=None, metadata=ONCE_KNOWN)
    seconds: float | None = field(default=None, metadata=ONCE_KNOWN)
    id: str = ""
    config: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    tracking: Mapping[str, TrackingFacts] = field(default_factory=dict)

    @classmethod
    def from_json(cls, source: str | bytes | Mapping[str, Any], where: str = "record.json") -> Record:
        """Read a record of any version. Keys that are missing or hold another type get their defaults.

        Args:
            source: the text of a file, or its object. Unknown keys are ignored.
            where: the file, for the message of an error.

        Raises:
            ResourceError: the text is not JSON, or not an object.
        """
        try:
            values = json.loads(source) if isinstance(source, str | bytes) else source
        except ValueError as error:
            raise ResourceError(where, f"is damaged, not valid JSON ({error})") from None
        if not isinstance(values, Mapping):
            raise ResourceError(where, f"is damaged, must hold a JSON object, not a {type(values).__name__}")
        record: Record = read_part(cls, {"version": 0, **values})
        return record

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a ``record.json``.

        Raises:
            ResourceError: the file is damaged.
            OSError: it cannot be opened.
        """
        return cls.from_json(path.read_bytes(), str(path))

    def to_json(self) -> str:
        """The text of the file. Values of parameters and model facts that JSON lacks are written as text."""
        return json.dumps(self.to_mapping(), indent=1, default=str)

    def is_auxiliary(self, metric: str) -> bool:
        """Whether ``metric`` names an auxiliary value of a metric of this study, as ``deletion.shift`` does."""
        name = MetricId.parse(metric)
        return bool(name.part) and name.label in self.metrics
