"""Samples of a dataset, their encoding, and the loaded model. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.core.vocabulary import Modality, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from xaiexp.core.batches import Batch
    from xaiexp.core.prompts import Lexicon

__all__ = ["Continuation", "Encoded", "Label", "LoadContext", "Network", "Outline", "Sample", "Source", "Target"]


Target = str | int | tuple[str | int, ...]
"""What is explained, as a study says it."""

Label = int | float | tuple[int, ...] | None
"""A class index, a value, the class indices of an example with several labels, or None where unknown."""


@dataclass(frozen=True)
class Sample:
    """One example of a dataset, in data space: before any encoding or normalisation.

    Args:
        id: identifier, unique within the dataset and stable across runs and subsets (a file name, a row number).
            Random numbers are derived from it.
        data: the raw input. Images: a PIL image or a float tensor ``[C, H, W]`` in [0, 1]. Tables: a float tensor
            ``[F]`` in the units of the columns. Texts: a str, or a
            :class:`xaiexp.core.prompts.Prompt`. Time series: a float tensor ``[C, T]``.
        label: the truth, or None where unknown. Classes: an int, the class index. Several labels an example: a tuple of
            class indices, which may be empty. Regression: a float, in the units of the target.
        mask: ground truth of the relevant part of the input, or None where there is none. Images: bool ``[H, W]``.
            Time series: bool ``[T]``. Tables: bool ``[F]``. Texts: character spans ``((start, stop), ...)``.
        name: a display name for the report, or empty.
        context: further inputs of the network, tensors without the axis of the batch, by the name of the parameter of
            its ``forward``. They are passed as they are, and neither explained nor perturbed. All samples of a dataset
            have the same.
    """

    id: str
    data: Any
    label: Label = None
    mask: Any = None
    name: str = ""
    context: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """An opened dataset, whose samples are decoded on demand.

    Args:
        count: number of samples.
        read: ``read(start, stop)`` returns the samples with indices ``start`` to ``stop - 1``. It must return the same
            samples on every call.
        class_names: names of the classes (of the labels, where an example has several) by class index, or empty.
        feature_names: tables only: names of the F elements of a row, or empty.
        columns: tables only: for each of the F elements, the name of the column that it was derived from (the
            elements of a one-hot group share one name). Empty where each element is a column by itself.
        task: what the labels are: ``multilabel`` where they are tuples, ``regression`` where they are floats; None for
            class indices, and where no sample has a label.
        labels: ``labels()`` returns the :attr:`Sample.label` of every sample without reading inputs, so that examples
            can be drawn by class; None where inputs must be read to know them. It is called at most once.
        cells: ``cells(name)`` returns the cells of the column ``name`` of the file, one a sample, such as the patient
            of an image; it raises an error of this package, with the nearest name, where there is no such column. None
            where the data have no named columns.
    """

    count: int
    read: Callable[[int, int], Sequence[Sample]]
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    task: Task | None = None
    labels: Callable[[], Sequence[Label]] | None = None
    cells: Callable[[str], Sequence[str]] | None = None


@dataclass(frozen=True)
class Outline:
    """What is known about a dataset before it is opened.

    Args:
        count: number of samples, or None where unknown.
        shape: shape of one encoded input where the dataset determines it (``(F,)`` for a table); None where the model
            determines it. Texts: ``(T,)``, an estimate of the number of tokens.
        exact: True where every input has this shape, False where ``shape`` is a typical one.
    """

    count: int | None
    shape: tuple[int, ...] | None
    exact: bool = True


@dataclass(frozen=True)
class Continuation:
    """What a language model goes on with after a prompt.

    Args:
        tokens: the text of each token of each continuation (of candidates and contrasts there are several).
        written: whether the model wrote it; False where the data or the study give it.
        spans: for each score, the weight of each token, continuation by continuation.
    """

    tokens: tuple[tuple[str, ...], ...]
    written: bool = False
    spans: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Encoded:
    """Samples encoded for a model: tensors in model space, on the CPU.

    Args:
        inputs: float ``[N, *shape]``.
        context: further tensors ``[N, ...]`` that are passed to the module as keyword arguments (an attention mask).
        masks: bool ``[N, *spatial]``, the ground truth of :attr:`Sample.mask` in the geometry of ``inputs``:
            ``[N, H, W]`` for images, ``[N, T]`` for texts and time series, ``[N, F]`` for tables. All False for a
            sample without ground truth; None where no sample has one.
        removable: texts only: bool ``[N, T]``, True for tokens of the text itself, False for padding and special
            tokens.
        tokens: texts only: the tokens of each example as strings, ``T_i`` of them.
        words: texts only: int64 ``[N, T]``, the index of the word that each token belongs to, counted from 0 in each
            example; -1 where ``removable`` is False. None where the tokenizer does not provide word indices.
        sentences: texts only: as ``words``, the sentence of each token; None where it is not known.
        slots: texts only: as ``words``, the place in ``slot_names`` of the slot of a template that each token fills;
            None where prompts have no slots.
        slot_names: texts only: names of the slots.
        continuations: prompts of language models only: the texts that are scored, see :class:`Continuation`.
        columns: tables only: the name of the column that each of the F elements was derived from. The framework sets
            it from :attr:`Source.columns`; an encoder leaves it empty.
    """

    inputs: Tensor
    context: Mapping[str, Tensor] = field(default_factory=dict)
    masks: Tensor | None = None
    removable: Tensor | None = None
    tokens: tuple[tuple[str, ...], ...] = ()
    words: Tensor | None = None
    sentences: Tensor | None = None
    slots: Tensor | None = None
    slot_names: tuple[str, ...] = ()
    continuations: tuple[Continuation, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """A loaded model, with the encoding of its inputs.

    Args:
        module: ``(inputs [N, *shape], **context) -> logits [N, classes]`` (``[N]`` for a single output). A
            ``torch.nn.Module`` in eval mode; any callable where the model offers no gradients.
        encode: encodes samples as inputs of ``module``.
        modality: the kind of input.
        classes: number of outputs, or None where unknown before the first forward pass.
        class_names: names of the classes by class index, or empty.
        mean, std: the normalisation, ``model = (data - mean) / std``: tensors that broadcast over one input. 0 and 1
            where model space and data space are the same.
        low, high: the range of legal values in data space (0 and 1 for images); None where unbounded.
        special: texts only: embeddings ``[D]`` of special tokens by name (``pad``, ``mask``).
        embed: texts only: maps a string to the embeddings ``[T, D]`` of its tokens, without special tokens; None
            where not available.
        identity: whatever determines the outputs beyond the module's state dict (the hash of a file, the name of a
            factory). Part of the keys in the store.
        facts: further facts for the record of the run: held-out accuracy, source of the weights.
        task: what the returned numbers are, where the model knows it (from its configuration, or because it was
            trained for it); None where it does not.
        feature_names: tables only: names of the F elements of a row that the model expects, in this order. The elements
            of a dataset with names are put into this order; empty where the model does not know names.
        call_layout: rows ``[B, *shape]`` and their context to the positional and keyword arguments of ``module``, where
            these are not the rows and the context themselves.
        aim: language models only: the key ``target`` and whether each token is explained by itself, to the network
            whose scores are what this means, and to which of these scores are explained.
        judge_reference: examples and their references ``[N, *shape]`` to why a path from there tells nothing; empty
            where it does. None where every reference may be used.
        most_rows: the shape of an input and the type of the device to how many rows may go through the network at once,
            so that their activations take no more memory than is usual; None where these follow from the inputs.
        device: where the inputs of a network belong that lies on its devices already and is not moved; None for a
            network that the study moves to its own device.
        lexicon: language models only: makes their tokens by the characters of each.
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
    task: Task | None = None
    feature_names: tuple[str, ...] = ()
    call_layout: Callable[[Tensor, Mapping[str, Tensor]], tuple[tuple[Any, ...], Mapping[str, Any]]] | None = None
    aim: Callable[[Target, bool], tuple[Network, Target]] | None = None
    judge_reference: Callable[[Batch, Tensor], str] | None = None
    most_rows: Callable[[tuple[int, ...], str], int] | None = None
    device: torch.device | None = None
    lexicon: Callable[[], Lexicon] | None = None


@dataclass(frozen=True)
class LoadContext:
    """What is passed to a model component when it loads its network.

    Args:
        cache: a folder for files that later runs reuse (trained weights).
        trust: prefixes of modules from which the configuration may name a factory.
        training: opens the training split of the study's dataset; it returns None where the dataset has none. None
            where the model is loaded without a dataset.
    """

    cache: Path
    trust: tuple[str, ...] = ()
    training: Callable[[], Source | None] | None = None
