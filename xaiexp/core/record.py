"""The record of a study, ``record.json``: what was run, on which data, with which versions, and at which cost.

The keys on disk are the names of the fields. Importing this module imports no torch.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from xaiexp.core.ids import CellId, MetricId
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
    "StudyFacts",
    "WeightsFacts",
]

VERSION = 1
"""The version of the format that is written here. A record without a ``version`` is version 0: the same keys."""

Bounds = tuple[float | None, float | None]


_ONCE_KNOWN = {"omit_none": True}
"""Marks a field that is left out of the file while it is None."""


class _Part:
    """A part of a record."""

    def to_mapping(self) -> dict[str, Any]:
        """The JSON object of this part, as plain mappings, lists and values."""
        return _write_part(self)


@dataclass(frozen=True)
class StudyFacts(_Part):
    """What was asked for: components by name, and the settings that decide the numbers.

    Args:
        examples: how many at most; None for all.
        target: as in the configuration, as text.
        output: what is explained; empty until it is known.
        task: of the network; empty where it is not known.
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


@dataclass(frozen=True)
class PluginFacts(_Part):
    """A plugin that provided a component of the study."""

    name: str = ""
    distribution: str = ""
    version: str = ""


@dataclass(frozen=True)
class ComponentFacts(_Part):
    """A component of the study, with its parameters."""

    name: str = ""
    summary: str = ""
    source: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MethodFacts(ComponentFacts):
    """A method. What it does not declare is None."""

    signed: bool | None = None
    complete: bool | None = None
    multiplied_by_inputs: bool | None = None
    space: str = "input"
    control: bool = False


@dataclass(frozen=True)
class MetricFacts(ComponentFacts):
    """A metric, or one of its auxiliary values.

    Args:
        higher_is_better: None where values are not ranked.
        bounds: smallest and largest value, None where there is none; None as a whole where it is unknown.
    """

    higher_is_better: bool | None = None
    bounds: Bounds | None = None
    unit: str = ""
    needs_sign: bool = False


@dataclass(frozen=True)
class AgreementFacts(ComponentFacts):
    """A measure of agreement; ``bounds`` as in :class:`MetricFacts`."""

    bounds: Bounds | None = None
    needs_sign: bool = False
    symmetric: bool = True


@dataclass(frozen=True)
class GitState(_Part):
    """The git repository around the working folder."""

    commit: str = ""
    dirty: bool = False


@dataclass(frozen=True)
class WeightsFacts(_Part):
    """The weights of the model."""

    fingerprint: str = ""


@dataclass(frozen=True)
class LeftOutFacts(_Part):
    """An example without a result.

    Args:
        example: its id; ``row N``, counted from 0, where the id could not be read.
        reason: in one line.
    """

    example: str = ""
    reason: str = ""


@dataclass(frozen=True)
class DataFacts(_Part):
    """The data of the study.

    Args:
        count: examples, with those that are left out.
        left_out: examples that could not be read, encoded or scored; known at the end of the study.
        shape: of one input.
        fingerprint: known at the end of the study.
    """

    count: int | None = None
    shape: tuple[int, ...] = ()
    fingerprint: str | None = field(default=None, metadata=_ONCE_KNOWN)
    left_out: tuple[LeftOutFacts, ...] | None = field(default=None, metadata=_ONCE_KNOWN)


@dataclass(frozen=True)
class PerformanceFacts(_Part):
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
    accuracy: float | None = field(default=None, metadata=_ONCE_KNOWN)
    chance: float | None = field(default=None, metadata=_ONCE_KNOWN)
    p_value: float | None = field(default=None, metadata=_ONCE_KNOWN)
    macro_f1: float | None = field(default=None, metadata=_ONCE_KNOWN)
    exact_match: float | None = field(default=None, metadata=_ONCE_KNOWN)
    r2: float | None = field(default=None, metadata=_ONCE_KNOWN)
    mean_absolute_error: float | None = field(default=None, metadata=_ONCE_KNOWN)


@dataclass(frozen=True)
class PassCount(_Part):
    """Passes of the model; ``seconds`` is known for metrics alone."""

    forward: int = 0
    backward: int = 0
    seconds: float | None = field(default=None, metadata=_ONCE_KNOWN)


@dataclass(frozen=True)
class PassCounts(_Part):
    """Passes by purpose; those of metrics by label."""

    attributions: PassCount | None = None
    metrics: Mapping[str, PassCount] = field(default_factory=dict)
    predictions_and_references: PassCount | None = None


@dataclass(frozen=True)
class FailureFacts(_Part):
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
class Record(_Part):
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
        metrics_left_out: label to reason, of the metrics that the plan leaves out.
        device: that ran the model. This and the following fields are None until they are known.
        model_facts: reported by the model, such as the accuracy on held-out data.
        class_names: of the model, from the dataset where the model has none; or empty.
        performance: of the model on the explained examples; None where no label can be compared.
        notes: what the reader must know about classes, labels and the model.
        store: the folder of attributions and scores.
        failures: by cell, agreement, or metric and cell.
        undefined: by cell, or metric and cell, the examples without a result although others have one.
        objects: the keys of each cell's attributions in the store, chunk by chunk.
        seconds: of the whole study.
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
    metrics_left_out: Mapping[str, str] | None = field(default=None, metadata=_ONCE_KNOWN)
    device: str | None = field(default=None, metadata=_ONCE_KNOWN)
    weights: WeightsFacts | None = field(default=None, metadata=_ONCE_KNOWN)
    data: DataFacts | None = field(default=None, metadata=_ONCE_KNOWN)
    model_facts: Mapping[str, Any] | None = field(default=None, metadata=_ONCE_KNOWN)
    class_names: tuple[str, ...] | None = field(default=None, metadata=_ONCE_KNOWN)
    performance: PerformanceFacts | None = field(default=None, metadata=_ONCE_KNOWN)
    notes: tuple[str, ...] | None = field(default=None, metadata=_ONCE_KNOWN)
    passes: PassCounts | None = field(default=None, metadata=_ONCE_KNOWN)
    failures: Mapping[str, FailureFacts] | None = field(default=None, metadata=_ONCE_KNOWN)
    undefined: Mapping[str, tuple[LeftOutFacts, ...]] | None = field(default=None, metadata=_ONCE_KNOWN)
    store: str | None = field(default=None, metadata=_ONCE_KNOWN)
    objects: Mapping[CellId, tuple[str, ...]] | None = field(default=None, metadata=_ONCE_KNOWN)
    seconds: float | None = field(default=None, metadata=_ONCE_KNOWN)

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
        record: Record = _read_part(cls, {"version": 0, **values})
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


# Fields are read and written by their type hints.


@functools.cache
def _hints(part: Any) -> dict[str, Any]:
    return get_type_hints(part)


def _read_part(part: Any, values: Mapping[str, Any]) -> Any:
    """The dataclass ``part`` from its JSON object; fields that are missing or do not fit keep their defaults."""
    arguments = {}
    for name, hint in _hints(part).items():
        if name in values:
            try:
                arguments[name] = _read_value(hint, values[name])
            except TypeError:
                continue
    return part(**arguments)


def _read_value(hint: Any, value: Any) -> Any:
    """A value of JSON as the type ``hint``.

    Raises:
        TypeError: it does not fit.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, UnionType):
        chosen = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _read_value(chosen, value)
    if origin is tuple:
        return _read_tuple(arguments, value)
    if origin is Mapping:
        return _read_mapping(arguments[0], arguments[1], value)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return _read_part(hint, value)
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise TypeError
    return value


def _read_tuple(hints: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    if hints[-1] is Ellipsis:
        return tuple(_read_value(hints[0], entry) for entry in value)
    if len(value) != len(hints):
        raise TypeError
    return tuple(_read_value(hint, entry) for hint, entry in zip(hints, value, strict=True))


def _read_mapping(key_hint: Any, value_hint: Any, value: Any) -> dict[Any, Any]:
    """A mapping; entries that do not fit are left out."""
    if not isinstance(value, Mapping):
        raise TypeError
    entries: dict[Any, Any] = {}
    for key, entry in value.items():
        try:
            read = _read_value(value_hint, entry)
        except TypeError:
            continue
        entries[_cell(key) if key_hint is CellId else key] = read
    return entries


def _cell(key: str) -> CellId:
    method, _, baseline = key.rpartition("|")
    return CellId(method, baseline)


def _write_part(part: Any) -> dict[str, Any]:
    hints = _hints(part.__class__)
    return {
        entry.name: _write_value(hints[entry.name], value)
        for entry in dataclasses.fields(part)
        if (value := getattr(part, entry.name)) is not None or not entry.metadata.get("omit_none")
    }


def _write_value(hint: Any, value: Any) -> Any:
    """A value of the type ``hint`` for JSON; what is typed Any is left as it is."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or value is None:
        return value
    if origin in (Union, UnionType):
        return _write_value(next(argument for argument in arguments if argument is not type(None)), value)
    if origin is tuple:
        return [_write_value(arguments[0], entry) for entry in value]
    if origin is Mapping:
        return {
            f"{key.method}|{key.baseline}" if isinstance(key, CellId) else key: _write_value(arguments[1], entry)
            for key, entry in value.items()
        }
    return _write_part(value) if dataclasses.is_dataclass(hint) else value
