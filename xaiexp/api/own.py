"""A network and tensors of the user as the components of a study: they are in no registry, and in no configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from xaiexp.api.inputs import Layout
from xaiexp.contract.kinds import Dataset, Features, Model
from xaiexp.core.batches import Batch
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded, Label, LoadContext, Network, Outline, Sample, Source
from xaiexp.core.vocabulary import Modality, Task
from xaiexp.engine.guard import tensors_of
from xaiexp.errors import MismatchError

__all__ = ["Labels", "OwnFeatures", "OwnModel", "OwnTensors", "held_model", "labels_of", "own_model", "own_tensors"]

_SOURCE = "the user's own"


@dataclass(frozen=True)
class Labels:
    """The truth of own tensors.

    Args:
        each: one for each example; empty where nothing is known.
        task: as :attr:`xaiexp.core.samples.Source.task`.
    """

    each: tuple[Label, ...] = ()
    task: Task | None = None


def labels_of(targets: Any, count: int) -> Labels:
    """The labels in ``targets``.

    Args:
        targets: class indices, integers ``[N]``; sets of labels, bool ``[N, K]``; values, floats ``[N]``; or None.
        count: N.

    Raises:
        MismatchError: they are none of these.
    """
    if targets is None:
        return Labels()
    given = torch.as_tensor(targets).detach().cpu()
    if given.dtype == torch.bool and given.ndim == 2 and len(given) == count:
        return Labels(tuple(tuple(row.nonzero()[:, 0].tolist()) for row in given), "multilabel")
    if tuple(given.shape) != (count,) or given.dtype == torch.bool or given.is_complex():
        got = f"{given.dtype} {list(given.shape)}"
        hint = "what is explained is target=, as target=3 or target='all'"
        what = f"must be the labels of the {count} examples: classes [N], values [N], or bool [N, classes]"
        raise MismatchError("targets", what, got=got, hint=hint)
    if given.is_floating_point():
        if not bool(given.isfinite().all()):
            raise MismatchError("targets", "contain NaN or infinite values")
        return Labels(tuple(given.tolist()), "regression")
    if bool((given < 0).any()):
        raise MismatchError("targets", "are class indices, from 0", got=int(given.min()))
    return Labels(tuple(int(label) for label in given))


class _OwnInputs:
    """The modality of inputs that the user brings, from the field ``input_kind``."""

    input_kind: str

    @property
    def modality(self) -> Modality:
        """Of the inputs."""
        return self.input_kind  # type: ignore[return-value]  # checked with the axes


@dataclass(frozen=True)
class OwnModel(_OwnInputs, Model):
    """The network of the user.

    Args:
        network: its class.
        content: hash of its weights and of what it does with the first examples.
        input_kind: modality of its inputs.
        capabilities: the fact ``offers``.
    """

    summary: ClassVar[str] = "the network of the user"
    source: ClassVar[str] = _SOURCE

    network: str
    content: str
    input_kind: str
    capabilities: tuple[str, ...]
    _held: Any = field(init=False, repr=False, compare=False, default=None)

    @property
    def offers(self) -> frozenset[str]:
        """What the network offers."""
        return frozenset(self.capabilities)

    def fingerprint(self) -> str:
        """The hash of what the network is."""
        return self.content

    def load(self, context: LoadContext) -> Network:
        """The network itself, with the weights that it had when it was given."""
        with torch.no_grad():
            for name, tensor in tensors_of(self._held.module).items():
                if name in self._held.weights and not torch.equal(tensor.cpu(), self._held.weights[name]):
                    tensor.copy_(self._held.weights[name])
        return Network(**self._held.network)


@dataclass(frozen=True)
class _HeldModel:
    """What :class:`OwnModel` holds beside its parameters: the module, a copy of its weights, fields of the network."""

    module: Any
    weights: Mapping[str, Tensor]
    network: Mapping[str, Any]


def own_model(
    module: Any, batch: Batch, layout: Layout, content: str, offers: frozenset[str], **facts: Any
) -> OwnModel:
    """The component of a network.

    Args:
        module: the network.
        batch: all examples, whose encoding it is.
        layout: of the inputs.
        content: hash of what the network is.
        offers: see :class:`OwnModel`.
        facts: further fields of :class:`~xaiexp.core.samples.Network`.
    """
    model = OwnModel(type(module).__qualname__, content, layout.axes.known, tuple(sorted(offers)))
    network = {
        "module": module,
        "encode": lambda samples: _encoded(batch, layout, [sample.data for sample in samples]),
        "modality": layout.axes.known,
        "identity": content,
        "call_layout": None if layout.plain else layout.call,
        **facts,
    }
    named = type(module).__name__ if isinstance(module, nn.Module) else getattr(module, "__name__", "")
    held_model(model, module, network, named)
    return model


def held_model(model: OwnModel, module: Any, network: Mapping[str, Any], name: str) -> None:
    """Set what the component of a network holds.

    Args:
        model: the component.
        module: whose weights are kept as they are now.
        network: fields of :class:`~xaiexp.core.samples.Network`.
        name: under which it is shown; empty for none.
    """
    weights = {name: tensor.cpu().clone() for name, tensor in tensors_of(module).items()}
    object.__setattr__(model, "_held", _HeldModel(module, weights, network))
    _rename(model, name, "model")


def _encoded(batch: Batch, layout: Layout, rows: Sequence[int]) -> Encoded:
    index = torch.tensor(list(rows), device=batch.device)
    part = batch.rows(index)
    inputs = part.inputs.cpu()
    text = layout.axes.known == "text"
    return Encoded(
        inputs=inputs,
        context={name: tensor.cpu() for name, tensor in part.context.items()},
        masks=None if part.masks is None else part.masks.cpu(),
        removable=torch.ones(inputs.shape[:2], dtype=torch.bool) if text else None,
        tokens=tuple(tuple(map(str, range(inputs.shape[1]))) for _ in rows) if text else (),
    )


@dataclass(frozen=True)
class OwnTensors(_OwnInputs, Dataset):
    """The tensors of the user.

    Args:
        content: hash of inputs, labels and names.
        count: number of examples.
        input_kind: their modality.
        shape: of one of them.
        exact: whether all have this shape.
    """

    summary: ClassVar[str] = "tensors of the user"
    source: ClassVar[str] = _SOURCE

    content: str
    count: int
    input_kind: str
    shape: tuple[int, ...]
    exact: bool = True
    _held: Any = field(init=False, repr=False, compare=False, default=None)

    def fingerprint(self) -> str:
        """The hash of the content."""
        return self.content

    def outline(self) -> Outline:
        """Number and shape of the tensors."""
        return Outline(self.count, self.shape, self.exact)

    def hold(self, source: Source, name: str) -> None:
        """Set the samples, and the name under which they are shown."""
        object.__setattr__(self, "_held", source)
        _rename(self, name, name)

    def open(self) -> Source:
        """The samples; the data of each is its row number."""
        held: Source = self._held
        return held


def own_tensors(
    content: str, batch: Batch, layout: Layout, labels: Labels, class_names: Sequence[str], feature_names: Sequence[str]
) -> OwnTensors:
    """The component of own tensors.

    Args:
        content: hash of all of them.
        batch: all examples.
        layout: of the inputs.
        labels: the truth.
        class_names: of the model, or empty.
        feature_names: tables only: names of the elements of a row, or empty.

    Raises:
        MismatchError: there are not as many names as elements.
    """
    elements = batch.inputs.shape[1:]
    if feature_names and (len(elements) != 1 or len(feature_names) != elements[0]):
        what = f"must name the elements of a row, and a row is {list(elements)}"
        raise MismatchError("feature_names", what, got=len(feature_names))
    ids = _unique(batch.ids)

    def read(start: int, stop: int) -> list[Sample]:
        truth = labels.each or [None] * len(ids)
        return [Sample(ids[i], i, truth[i], name=f"example {i}") for i in range(start, stop)]

    source = Source(
        count=len(ids),
        read=read,
        class_names=tuple(class_names),
        feature_names=tuple(feature_names),
        task=labels.task,
        labels=(lambda: labels.each) if labels.each else None,
    )
    dataset = OwnTensors(content, len(ids), layout.axes.known, tuple(elements))
    dataset.hold(source, "tensors")
    return dataset


@dataclass(frozen=True)
class OwnFeatures(Features):
    """A mask of the user that assigns elements to features, the same for all examples.

    Args:
        content: hash of the mask.
        count: number of features.
    """

    summary: ClassVar[str] = "a feature mask of the user"
    source: ClassVar[str] = _SOURCE
    modalities: ClassVar[tuple[Modality, ...]] = ("image", "text", "table", "series")

    content: str
    count: int
    _held: Any = field(init=False, repr=False, compare=False, default=None)

    @classmethod
    def of(cls, given: FeatureMap, content: str) -> OwnFeatures:
        """The component of a map ``[1, *shape]``.

        Raises:
            MismatchError: it differs between examples.
        """
        if len(given.index) != 1:
            what = "must be one mask for all examples, since chunks of them are explained by themselves"
            raise MismatchError("feature_mask", what, got=list(given.index.shape))
        features = cls(content, given.d)
        object.__setattr__(features, "_held", given)
        return features

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map, on the CPU."""
        held: FeatureMap = self._held
        return held.to(torch.device("cpu"))

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """One axis of features."""
        return (self.count,)


def _unique(ids: Sequence[str]) -> list[str]:
    """The ids; equal examples get a number behind theirs."""
    seen: dict[str, int] = {}
    out = []
    for each in ids:
        seen[each] = seen.get(each, 0) + 1
        out.append(each if seen[each] == 1 else f"{each}-{seen[each]}")
    return out


def _rename(component: Model | Dataset, name: str, otherwise: str) -> None:
    """Set the name under which tables and pages show a component."""
    object.__setattr__(component, "name", re.sub(r"\W+", "", name) or otherwise)
