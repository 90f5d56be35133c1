"""One input tensor or several: which are explained, and where they stand among the arguments of the network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from xaiexp.api.axes import Axes, axes_of
from xaiexp.core.vocabulary import Modality
from xaiexp.errors import MismatchError, UnknownName, nearest

__all__ = ["Inputs", "Layout", "Part", "layout_of"]

Inputs = Tensor | Mapping[str, Tensor] | Sequence[Tensor]
Name = str | int


@dataclass(frozen=True)
class Part:
    """One explained tensor.

    Args:
        name: its key or position among several inputs; None for a single tensor.
        axes: of the tensor.
    """

    name: Name | None
    axes: Axes

    @property
    def label(self) -> str:
        """How messages name it."""
        return self.axes.where


@dataclass(frozen=True)
class Layout:
    """How the inputs of the user become the rows that components read, and rows the arguments of the network.

    One explained part is read in the order of its axes, ``[N, *read_shape]``. Several are one map of features: each is
    flattened, and they are concatenated, ``[N, E]``.

    Args:
        parts: what is explained, in the order of the inputs.
        names: of all inputs, keys of a mapping or positions of a sequence; empty for a single tensor.
        structure: of the inputs.
        joint: whether all parts are explained as one map.
    """

    parts: tuple[Part, ...]
    names: tuple[Name, ...] = ()
    structure: Literal["tensor", "mapping", "list", "tuple"] = "tensor"
    joint: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return (sum(self.sizes),) if self.joint else self.parts[0].axes.read_shape

    @property
    def sizes(self) -> list[int]:
        """The number of elements of each part."""
        return [math.prod(part.axes.shape) for part in self.parts]

    @property
    def modality(self) -> Modality | None:
        """The kind of input that components read; None where the axes are not known."""
        return "table" if self.joint else self.parts[0].axes.modality

    @property
    def axes(self) -> Axes:
        """The axes of the rows."""
        return Axes("NF", self.shape) if self.joint else self.parts[0].axes

    @property
    def plain(self) -> bool:
        """Whether the rows are the one argument of the network."""
        return self.structure == "tensor" and self.axes.ordered

    def explained(self, given: Any, where: str) -> list[Any]:
        """The values for the explained parts of an argument that is given as the inputs are.

        Args:
            given: for one explained part its value; for several a mapping or sequence of all values.
            where: the argument, for messages.

        Raises:
            MismatchError: it has other parts.
        """
        if not self.joint:
            return [given]
        return [_values(given, self.names, self.structure, where)[part.name] for part in self.parts]  # type: ignore[index]  # parts of several inputs have names

    def tensors(self, given: Any, where: str, lead: str) -> list[Tensor]:
        """As :meth:`explained`, for tensors ``[lead, *shape]``.

        Raises:
            MismatchError: they have another shape, or unlike lengths.
        """
        found = self.explained(given, where)
        for part, tensor in zip(self.parts, found, strict=True):
            if not isinstance(tensor, Tensor) or tuple(tensor.shape[1:]) != part.axes.shape or not len(tensor):
                got = list(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
                want = ", ".join(map(str, part.axes.shape))
                raise MismatchError(_named(where, part), f"must be [{lead}, {want}], as {part.label}", got=got)
        if len({len(tensor) for tensor in found}) > 1:
            raise MismatchError(where, "must have as many rows for every input", got=[len(t) for t in found])
        return found

    def rows(self, tensors: Sequence[Tensor], lead: int = 1) -> Tensor:
        """The rows ``[*lead, *shape]`` of one tensor ``[*lead, *shape of the part]`` for each part."""
        read = [part.axes.read(tensor) for part, tensor in zip(self.parts, tensors, strict=True)]
        return torch.cat([tensor.flatten(lead) for tensor in read], dim=lead) if self.joint else read[0]

    def split(self, rows: Tensor) -> list[Tensor]:
        """The tensors ``[B, *shape of the part]`` of rows ``[B, *shape]``: the inverse of :meth:`rows`."""
        each = torch.split(rows, self.sizes, dim=1) if self.joint else [rows]
        return [
            part.axes.given(tensor.reshape(-1, *part.axes.read_shape))
            for part, tensor in zip(self.parts, each, strict=True)
        ]

    def returned(self, rows: Tensor) -> Any:
        """Rows in the structure of the inputs where several are explained, else a tensor like the explained input."""
        tensors = [tensor.contiguous() for tensor in self.split(rows)]
        if not self.joint:
            return tensors[0]
        if self.structure == "mapping":
            return {part.name: tensor for part, tensor in zip(self.parts, tensors, strict=True)}
        return tensors if self.structure == "list" else tuple(tensors)

    def call(self, rows: Tensor, context: Mapping[str, Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and keyword arguments of the network for rows ``[B, *shape]`` and their context.

        An input that is missing from the context is None.
        """
        parts = dict(zip((part.name for part in self.parts), self.split(rows), strict=True))
        if self.structure == "tensor":
            return tuple(parts.values()), dict(context)
        if self.structure == "mapping":
            return (), {**context, **{str(name): tensor for name, tensor in parts.items()}}
        others = {context_name(i): i for i in self.names}
        positional = tuple(parts[i] if i in parts else context.get(context_name(i)) for i in self.names)
        return positional, {name: tensor for name, tensor in context.items() if name not in others}

    def others(self, given: Any, where: str) -> dict[str, Tensor]:
        """The inputs that are not explained, as context by name."""
        if self.joint or not self.names:
            return {}
        values = _values(given, self.names, self.structure, where)
        return {context_name(name): values[name] for name in self.names if name != self.parts[0].name}


def context_name(name: Name) -> str:
    """Under which name an input rides along: a key of a mapping is the argument's own name."""
    return name if isinstance(name, str) else f"inputs[{name}]"


def layout_of(inputs: Any, axes: Any, explained: Any) -> Layout:
    """The layout of the inputs.

    Args:
        inputs: a float tensor ``[N, *shape]``; or several tensors, a mapping by the names of the network's arguments or
            a sequence by their position.
        axes: names of axes (:data:`xaiexp.api.axes.AXES`), for the explained tensor; for several, given as the inputs.
        explained: of several inputs, the one that is explained, or ``"all"``; None for a single tensor.

    Raises:
        MismatchError, UnknownName: they do not fit together.
    """
    if isinstance(inputs, Tensor):
        if explained is not None:
            raise MismatchError("explained", "names one of several inputs, and inputs is one tensor", got=explained)
        _check_explained(inputs, "inputs")
        return Layout((Part(None, axes_of(axes, inputs)),))
    if isinstance(inputs, Mapping) and inputs and all(isinstance(name, str) for name in inputs):
        names: tuple[Name, ...] = tuple(inputs)
        structure: Literal["mapping", "list", "tuple"] = "mapping"
    elif isinstance(inputs, list | tuple) and inputs:
        names, structure = tuple(range(len(inputs))), "list" if isinstance(inputs, list) else "tuple"
    else:
        raise MismatchError(
            "inputs", "must be a float tensor [N, ...], or a dict or tuple of tensors", got=type(inputs).__name__
        )
    if explained is None:
        shown = repr(names[0])
        raise MismatchError(
            "inputs",
            f"are {len(names)} tensors, and explained= does not say what is explained",
            got=list(names),
            hint=f"explained={shown}: this one, the others ride along with each example (as do those in context=); "
            'explained="all": all of them as one map',
        )
    if isinstance(explained, bool) or (explained != "all" and explained not in names) or "all" in names:
        what = "the name 'all' stands for all inputs" if "all" in names else "no input has this name"
        raise UnknownName(
            "explained",
            what,
            got=explained,
            nearest=nearest(str(explained), map(str, names)),
            hint=f'inputs: {", ".join(map(repr, names))}, or "all"',
        )
    joint = explained == "all"
    chosen = names if joint else (explained,)
    given_axes = _values(axes, names, structure, "axes") if _is_several(axes) else dict.fromkeys(names)
    if axes is not None and not _is_several(axes):
        if joint:
            raise MismatchError("axes", "must be given as the inputs are, one for each (or None)", got=axes)
        given_axes[explained] = axes
    parts = []
    for name in chosen:
        where = f"inputs[{name!r}]"
        _check_explained(inputs[name], where)
        parts.append(Part(name, axes_of(given_axes[name], inputs[name], where)))
    if len({inputs[name].dtype for name in chosen}) > 1 or len({inputs[name].device for name in chosen}) > 1:
        raise MismatchError(
            "inputs",
            "that are explained together must have one dtype and one device",
            got=[f"{inputs[name].dtype} on {inputs[name].device}" for name in chosen],
        )
    return Layout(tuple(parts), names, structure, joint)


def _check_explained(tensor: Any, where: str) -> None:
    if not isinstance(tensor, Tensor) or tensor.ndim < 2 or not tensor.is_floating_point() or not len(tensor):
        got = f"{tensor.dtype} {list(tensor.shape)}" if isinstance(tensor, Tensor) else type(tensor).__name__
        raise MismatchError(where, "must be a float tensor [N, ...] of at least one example", got=got)


def _is_several(given: Any) -> bool:
    return isinstance(given, Mapping | list | tuple)


def _values(given: Any, names: Sequence[Name], structure: str, where: str) -> dict[Name, Any]:
    """The values of an argument by the names of the inputs; it must be given as these are."""
    found: dict[Name, Any] = {}
    if structure == "mapping" and isinstance(given, Mapping):
        found = dict(given)
    elif structure != "mapping" and isinstance(given, list | tuple):
        found = dict(enumerate(given))
    if set(found) != set(names):
        kind = "a dict" if structure == "mapping" else f"a {structure}"
        got = list(found) if found else type(given).__name__
        raise MismatchError(where, f"must be {kind} for the inputs {', '.join(map(repr, names))}", got=got)
    return found


def _named(where: str, part: Part) -> str:
    return where if part.name is None else f"{where}[{part.name!r}]"
