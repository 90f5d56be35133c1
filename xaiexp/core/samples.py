"""Samples of a dataset, their encoding, and the network that encodes them. Importing this file imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.core.vocabulary import Modality

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Encoded", "LoadContext", "Network", "Outline", "Sample", "Source"]


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
