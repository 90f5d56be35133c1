"""The keys of the store: one frozen dataclass for each kind of object, hashed over all of its fields.

Two objects share a key if and only if they are of one kind and agree in every field. Importing this module imports no
torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = [
    "VERSION",
    "AttributionKey",
    "ComponentKey",
    "Key",
    "ModelCheckKey",
    "PlanKey",
    "PredictionKey",
    "ScoreKey",
    "SpeedKey",
    "StatisticsKey",
    "digest",
]

VERSION = 3
"""Version of the keys and of the objects in the store; objects of another version are not found."""


def digest(parts: Any) -> str:
    """The BLAKE2b hash, 40 hexadecimal digits, of nested plain values. Other values are hashed by their ``repr``."""
    text = json.dumps(parts, sort_keys=True, default=repr, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


@dataclass(frozen=True)
class ComponentKey:
    """What a component contributes to a key.

    Args:
        kind, name, parameters: of the component.
        plugin: name and version of the distribution that provides it.
        source: hash of the plugin's source where it is installed in editable mode; empty elsewhere.
        content: fingerprint of the files that the component reads; empty where it reads none.
    """

    kind: str
    name: str
    parameters: Mapping[str, Any]
    plugin: str
    source: str = ""
    content: str = ""


@dataclass(frozen=True)
class Key:
    """The base of all keys."""

    @property
    def digest(self) -> str:
        """The name of the object: a hash of the kind of key, its version and all fields."""
        return digest([VERSION, type(self).__name__, asdict(self)])


@dataclass(frozen=True)
class PredictionKey(Key):
    """Key of the logits at the inputs of a chunk.

    Args:
        weights: fingerprint of the network.
        data: fingerprint of the chunk's ids, inputs, context, feature map and background.
        precision: of the passes.
        torch: its version.
        output: finds the numbers in what the network returns; None for the numbers themselves.
    """

    weights: str
    data: str
    precision: str
    torch: str
    output: ComponentKey | None = None


@dataclass(frozen=True)
class ModelCheckKey(Key):
    """Key of what the checks of a model found at the first examples of a study.

    Args:
        weights: fingerprint of the network.
        data: as in :class:`AttributionKey`.
        gradients: whether its gradients were checked.
        torch: its version.
    """

    weights: str
    data: str
    gradients: str
    torch: str


@dataclass(frozen=True)
class AttributionKey(Key):
    """Key of the attributions of one cell for one chunk.

    Args:
        method, baseline, features, output: the components; ``baseline`` is None where the method reads none.
        weights: fingerprint of the network.
        data: fingerprint of the chunk's ids, inputs, context, feature map, background, targets and labels.
        background: fingerprint of what baselines draw from.
        task: of the network; empty where it is not known.
        precision: of the passes, and how they are made where they are no plain ones.
        seed: of the study.
    """

    method: ComponentKey
    baseline: ComponentKey | None
    features: ComponentKey
    weights: str
    data: str
    background: str
    output: ComponentKey
    task: str
    precision: str
    seed: int


@dataclass(frozen=True)
class ScoreKey(Key):
    """Key of the scores of one metric for the attributions of one cell and chunk.

    Args:
        metric: the component.
        attribution: key of the attributions.
        truth: fingerprint of the labels and the ground-truth masks of the chunk, which metrics may read.
    """

    metric: ComponentKey
    attribution: str
    truth: str


@dataclass(frozen=True)
class SpeedKey(Key):
    """Key of how the passes of a network are made; what one process measured holds for all that share the store.

    Args:
        weights: fingerprint of the network.
        shape: of an input.
        device: its type.
        torch: its version.
        budget: rows per pass, as in the settings.
    """

    weights: str
    shape: Sequence[int]
    device: str
    torch: str
    budget: str


@dataclass(frozen=True)
class StatisticsKey(Key):
    """Key of the summary, the verdicts and the tests of the scores of a study.

    Args:
        scores: hash of the scores.
        rules: hash of the settings that decide the statistics.
        code: hash of the code that computes them, and of the versions of what it uses.
    """

    scores: str
    rules: str
    code: str


@dataclass(frozen=True)
class PlanKey(Key):
    """Key of the list of objects that a planned cell had in the store; made without loading model or data.

    Args:
        model, dataset, features, output, method, baseline: the components; ``output`` is None where the task decides.
        seed, target, task, precision: settings of the study; ``task`` is None where the network tells it, and
            ``precision`` says where ``speed=plain``.
        examples: of the study; None where the dataset must be read to know.
        drawn: seed of their draw; None where they are the first of the dataset.
    """

    model: ComponentKey
    dataset: ComponentKey
    features: ComponentKey
    method: ComponentKey
    baseline: ComponentKey | None
    seed: int
    target: int | str | Sequence[int | str]
    output: ComponentKey | None
    task: str | None
    precision: str
    examples: int | None
    drawn: int | None
