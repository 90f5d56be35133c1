"""The frozen values that travel between the rooms. Importing this file imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xaiexp.feature_map import FeatureMap

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = [
    "MODALITIES",
    "Background",
    "Batch",
    "Cost",
    "Encoded",
    "Estimate",
    "Explanation",
    "LoadContext",
    "Modality",
    "Network",
    "Outline",
    "Output",
    "Precision",
    "Sample",
    "Scores",
    "Source",
    "Space",
    "Spent",
]

Modality = Literal["image", "text", "table", "series"]
MODALITIES: tuple[Modality, ...] = ("image", "text", "table", "series")
Output = Literal["logit", "probability"]
Precision = Literal["fp32", "bf16", "fp16"]
Space = Literal["input", "layer", "neuron"]


@dataclass(frozen=True)
class Sample:
    """One example as a data set holds it, before any model has seen it.

    Args:
        id: stable across runs and subsets (a file name, a row number): random numbers derive from it.
        data: in data space. Pictures: a PIL image or float tensor ``[C, H, W]`` in 0..1. Tables: float tensor
            ``[F]`` in the columns' own units. Texts: str. Series: float tensor ``[C, T]``.
        label: class index, or None where unknown.
        mask: ground truth of what matters, in the geometry of ``data``, or None: bool ``[H, W]`` of a picture,
            ``[T]`` of a series, ``[F]`` of a table; of a text, the spans ``((start, stop), ...)`` of its characters.
        name: what a person would call it.
    """

    id: str
    data: Any
    label: int | None = None
    mask: Any = None
    name: str = ""


@dataclass(frozen=True)
class Source:
    """An opened data set: ``read(start, stop)`` gives the samples of that stretch, decoded on demand.

    Args:
        count: how many samples there are.
        read: the samples ``start..stop``; the same samples every time.
        class_names: by class index, or empty.
        feature_names: names of the elements of a row of a table, or empty.
        columns: for each element of a row the name of the column that it came from (the elements of a one-hot
            group share one); empty where each element is a column of its own.
    """

    count: int
    read: Callable[[int, int], Sequence[Sample]]
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outline:
    """What is known of a data set before it is read.

    Args:
        count: number of examples, or None.
        shape: of one encoded input, as far as the data set decides it (a table's ``(F,)``); None where the
            model decides it. Texts: ``(T,)``, about how many tokens.
        exact: whether ``shape`` is certain or typical.
    """

    count: int | None
    shape: tuple[int, ...] | None
    exact: bool = True


@dataclass(frozen=True)
class Encoded:
    """Samples as a model takes them, on the CPU.

    Args:
        inputs: float ``[N, *shape]``.
        context: further tensors ``[N, ...]`` that ride along as keyword arguments of the module.
        masks: bool ``[N, *spatial]``, the samples' ground truth in the geometry of ``inputs`` (``[N, H, W]`` for
            pictures, ``[N, T]`` for texts and series, ``[N, F]`` for tables); all False for a sample that has none;
            None where no sample has one.
        removable: bool ``[N, T]``, for texts: the positions that are tokens of the text itself (neither
            padding nor special tokens).
        tokens: for texts, the written tokens of each example, ``T_i`` of them.
        words: for texts, int64 ``[N, T]``: the number of the word that a token is part of, counted from 0 in
            each example; -1 for what is not removable. None where the tokenizer does not tell.
        columns: for tables, the name of the column that each of the F elements came from; filled in by the
            reader from :class:`Source`, empty where nobody named them.
    """

    inputs: Tensor
    context: Mapping[str, Tensor] = field(default_factory=dict)
    masks: Tensor | None = None
    removable: Tensor | None = None
    tokens: tuple[tuple[str, ...], ...] = ()
    words: Tensor | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """A loaded model.

    Args:
        module: ``(inputs [N, *shape], **context) -> logits [N, classes]`` (or ``[N]``: one class). A
            ``torch.nn.Module`` in eval mode, or any callable where no gradients are offered.
        encode: samples in data space to what ``module`` takes.
        modality: what kind of inputs it takes.
        classes: number of outputs, or None where unknown before the first pass.
        class_names: by class index, or empty.
        mean, std: the normalisation, ``model = (data - mean) / std``, as tensors that broadcast over one input;
            0 and 1 where model and data space are the same.
        low, high: the range of legal values in data space, where there is one (0 and 1 for pictures).
        special: embeddings ``[D]`` of special tokens by name (``pad``, ``mask``), for texts.
        embed: for texts, another text to the embeddings ``[T, D]`` of its own tokens, without special ones; None
            where there is no way.
        identity: what decides the numbers beyond the module's state dict (a file's hash, a factory's name);
            part of the store key.
        facts: what the record should tell: held-out accuracy, source of the weights.
    """

    module: Any
    encode: Callable[[Sequence[Sample]], Encoded]
    modality: Modality
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    mean: Tensor | float = 0.0
    std: Tensor | float = 1.0
    low: float | None = None
    high: float | None = None
    special: Mapping[str, Tensor] = field(default_factory=dict)
    embed: Callable[[str], Tensor] | None = None
    identity: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadContext:
    """What a model may use while it loads.

    Args:
        cache: a folder for what is made once and used again (trained weights).
        trust: the module prefixes whose factories the study may name.
        training: opens the part of the study's data set that is there to train on; None where it has none.
    """

    cache: Path
    trust: tuple[str, ...] = ()
    training: Callable[[], Source | None] | None = None


@dataclass(frozen=True)
class Background:
    """What inputs of this data set look like, in model space: where baselines take their references from.

    Every tensor broadcasts over one input ``[*shape]``.

    Args:
        pool: float ``[P, *shape]``, examples of the data set, the same for every batch; None where there are
            none (in ``xaiexp.attribute`` without ``background``).
        mean: average input: per channel for pictures and series, per column for tables, per embedding
            dimension for texts; None without a pool.
        low, high: the range of values, per the same axes; None where unknown.
        shift, scale: the model's normalisation, ``model = (data - shift) / scale``.
        special: embeddings ``[D]`` of special tokens by name.
        embed: as :attr:`Network.embed`.
        labels: int64 ``[P]``, the classes of the pool, -1 where unknown; None where the data set has none.
        context: tensors ``[P, ...]`` that ride along with the pool into the module.
    """

    modality: Modality
    pool: Tensor | None = None
    mean: Tensor | None = None
    low: Tensor | None = None
    high: Tensor | None = None
    shift: Tensor | float = 0.0
    scale: Tensor | float = 1.0
    special: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None
    embed: Callable[[str], Tensor] | None = None
    context: Mapping[str, Tensor] = field(default_factory=dict)

    def encode(self, value: Tensor | float) -> Tensor | float:
        """Data space to model space."""
        return (value - self.shift) / self.scale

    def decode(self, value: Tensor) -> Tensor:
        """Model space to data space."""
        return value * self.scale + self.shift


@dataclass(frozen=True)
class Batch:
    """Examples on their way through the study, on the study's device.

    Args:
        ids: one per example; may repeat where one example stands in several perturbed versions.
        inputs: float ``[N, *shape]`` in model space. Never changed in place.
        targets: int64 ``[N]``, the class that is explained.
        features: the map from elements to features.
        background: what the data look like.
        context: tensors ``[N, ...]`` that ride along into the module.
        labels: int64 ``[N]``, -1 where unknown; None where the data set has none.
        masks: bool ``[N, *spatial]``, ground truth; None where the data set has none.
    """

    ids: tuple[str, ...]
    inputs: Tensor
    targets: Tensor
    features: FeatureMap
    background: Background
    context: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def device(self) -> torch.device:
        """Where the tensors lie."""
        return self.inputs.device

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.inputs.shape[1:])

    def rows(self, rows: Tensor) -> Batch:
        """The batch of the examples ``rows`` (int64 ``[M]``)."""
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows.tolist()),
            inputs=self.inputs[rows],
            targets=self.targets[rows],
            features=self.features.rows(rows),
            context={k: v[rows] for k, v in self.context.items()},
            labels=None if self.labels is None else self.labels[rows],
            masks=None if self.masks is None else self.masks[rows],
        )

    def repeated(self, inputs: Tensor) -> Batch:
        """The batch of ``inputs [N, S, *shape]``: S versions of every example, example by example.

        Returns:
            A batch of ``N * S`` examples; ids, targets, context, features, labels and masks repeat.
        """
        n, s = inputs.shape[:2]
        rows = self.targets.new_tensor(range(n)).repeat_interleave(s)
        return replace(self.rows(rows), inputs=inputs.flatten(0, 1))


@dataclass(frozen=True)
class Estimate:
    """What a method that samples may return in place of a tensor.

    Args:
        values: float ``[N, *shape]``, the attributions of the elements.
        standard_error: float ``[N, d]``, the standard error of each feature's attribution (the pooled value) that
            comes from the sampling; 0 where nothing was sampled, NaN where it cannot be told.
    """

    values: Tensor
    standard_error: Tensor


@dataclass(frozen=True)
class Spent:
    """What an explanation of one batch cost, all its examples together.

    Args:
        forward, backward: passes.
        seconds: of the clock.
        memory: bytes, the most that the process (or the device) has held so far.
    """

    forward: int
    backward: int
    seconds: float
    memory: int


@dataclass(frozen=True)
class Explanation:
    """What one method, with one baseline, says about a batch.

    Args:
        method, baseline: labels of the cell; baseline is ``"none"`` where the method reads none.
        elements: float32 ``[N, *shape]``, one number per element of the input (of the layer, in the space
            ``layer``).
        features: the batch's feature map; in the space ``layer``, every unit of the layer by itself.
        signed, complete, multiplied_by_inputs: the facts of the method.
        reference: ``[N, R, *shape]``, what absence looked like (R references); None where none was read.
        again: explains perturbed versions ``[N, S, *shape]`` of the same examples with the same method,
            targets and random numbers, and gives ``[N, S, *shape]``; None where the method is not at hand.
        under: explains the same batch of another network (a ``torch.nn.Module`` like the study's, on its device)
            with the same method, references and random numbers, and gives ``[N, *shape]``; None as above.
        aimed: explains other targets (int64 ``[N]``) of the same batch likewise; None as above.
        space: what the attributions speak about: elements of the input and the explained score (``input``), units
            of a layer (``layer``), or elements of the input and a neuron inside the network (``neuron``).
        standard_error: ``[N, d]``, of each feature's attribution where the method sampled; None elsewhere.
        spent: what it cost; None where nobody counted.
    """

    method: str
    baseline: str
    elements: Tensor
    features: FeatureMap
    signed: bool
    complete: bool
    multiplied_by_inputs: bool
    reference: Tensor | None = None
    again: Callable[[Tensor], Tensor] | None = None
    under: Callable[[Any], Tensor] | None = None
    aimed: Callable[[Tensor], Tensor] | None = None
    space: Space = "input"
    standard_error: Tensor | None = None
    spent: Spent | None = None

    @cached_property
    def values(self) -> Tensor:
        """Attributions pooled to features: ``[N, d]``, 0 in columns that an example does not have."""
        return self.features.pool(self.elements)


@dataclass(frozen=True)
class Scores:
    """What a metric may return in place of a tensor: its values, and what it noticed on the way.

    Args:
        values: ``[M, N]``.
        also: further numbers ``[M, N]`` by name, exactly those that the metric's fact ``also`` declares; they
            stand beside the metric in the tables as ``LABEL.NAME``.
    """

    values: Tensor
    also: Mapping[str, Tensor]


@dataclass(frozen=True)
class Cost:
    """Passes of one example: whole numbers, forward and backward."""

    forward: int
    backward: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.forward + other.forward, self.backward + other.backward)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.forward * times, self.backward * times)

    @property
    def total(self) -> int:
        """Passes in all."""
        return self.forward + self.backward
