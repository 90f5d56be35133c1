"""What the axes of own tensors mean: their order in the network of the user, and the order that components read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from xaiexp.contract.kinds import Component
from xaiexp.core.batches import Background
from xaiexp.core.vocabulary import Modality, plural
from xaiexp.engine.loader import statistics
from xaiexp.errors import MismatchError, Unsupported, nearest

__all__ = ["AXES", "Axes", "axes_of", "background_of", "check_modality", "unknown_statistics"]

# The modality, and the letters in the order that components read.
AXES: dict[str, tuple[Modality, str]] = {
    "NF": ("table", "NF"),
    "NCT": ("series", "NCT"),
    "NTF": ("series", "NFT"),
    "NTD": ("text", "NTD"),
    "NCHW": ("image", "NCHW"),
    # A volume is read as a series with three axes of positions: what is for images or for one axis of time is refused.
    "NCDHW": ("series", "NCDHW"),
}
# What a shape alone tells.
_USUAL = {2: "NF", 4: "NCHW"}
_WORDS = {
    "NCT": "channels, steps",
    "NTF": "steps, features of a step",
    "NTD": "tokens, embedding",
    "NCDHW": "channels, depth, height, width",
}


@dataclass(frozen=True)
class Axes:
    """The axes of one tensor ``[N, *shape]``.

    Args:
        name: a key of :data:`AXES`; empty where the axes are not known.
        shape: of one input, in the order of the user.
        where: the argument, for messages.
    """

    name: str
    shape: tuple[int, ...]
    where: str = "inputs"

    @property
    def modality(self) -> Modality | None:
        """The kind of input; None where the axes are not known."""
        return AXES[self.name][0] if self.name else None

    @property
    def known(self) -> Modality:
        """The kind of input.

        Raises:
            MismatchError: the axes are not known.
        """
        if self.modality is None:
            raise self.missing()
        return self.modality

    @property
    def ordered(self) -> bool:
        """Whether components read the axes in the order of the user."""
        return self._order == tuple(range(len(self.shape)))

    @property
    def read_shape(self) -> tuple[int, ...]:
        """The shape of one input, in the order that components read."""
        return tuple(self.shape[i] for i in self._order)

    @property
    def positions(self) -> tuple[int, ...]:
        """The shape of one ground-truth mask: ``(H, W)``, ``(T,)``, ``(F,)`` or ``(D, H, W)``."""
        if self.known == "table":
            return self.shape
        return self.shape[:1] if self.known == "text" else self.read_shape[1:]

    def read(self, tensor: Tensor) -> Tensor:
        """``[*lead, *shape]`` in the order that components read; a view."""
        return self._permuted(tensor, self._order)

    def given(self, tensor: Tensor) -> Tensor:
        """The inverse of :meth:`read`."""
        return self._permuted(tensor, tuple(self._order.index(i) for i in range(len(self.shape))))

    def per_axis(self, numbers: tuple[Any, ...]) -> tuple[Any, ...]:
        """One number an axis, in the order that components read; another count of numbers as it is."""
        return tuple(numbers[i] for i in self._order) if len(numbers) == len(self.shape) else numbers

    def over_elements(self, masks: Tensor) -> Tensor:
        """Masks ``[N, *positions]`` for every element, ``[N, *read_shape]``; a view."""
        if self.known in ("image", "series"):
            masks = masks.unsqueeze(1)
        elif self.known == "text":
            masks = masks.unsqueeze(2)
        return masks.expand(len(masks), *self.read_shape)

    def missing(self) -> MismatchError:
        """The error that the axes must be given."""
        fitting = {name: words for name, words in _WORDS.items() if len(name) == len(self.shape) + 1}
        shape = ["N", *self.shape]
        if not fitting:
            return MismatchError(
                "axes", f"this depends on what the axes of {self.where} mean, and inputs have 2 to 5 axes", got=shape
            )
        ways = ", ".join(f'"{name}" ({words})' for name, words in fitting.items())
        return MismatchError(
            "axes", f"must be given: the result depends on what the axes of {self.where} mean", got=shape, hint=ways
        )

    @property
    def _order(self) -> tuple[int, ...]:
        if not self.name:
            return tuple(range(len(self.shape)))
        return tuple(self.name.index(letter) - 1 for letter in AXES[self.name][1][1:])

    def _permuted(self, tensor: Tensor, order: tuple[int, ...]) -> Tensor:
        lead = tensor.ndim - len(order)
        return tensor.permute(*range(lead), *(lead + i for i in order))


def axes_of(name: str | None, tensor: Tensor, where: str = "inputs") -> Axes:
    """The axes of ``tensor [N, *shape]``; without a name those that its shape tells.

    Raises:
        MismatchError: the name is unknown or names another number of axes.
    """
    shape = tuple(tensor.shape[1:])
    if name is None:
        return Axes(_USUAL.get(tensor.ndim, ""), shape, where)
    if name not in AXES:
        raise MismatchError(
            "axes",
            "no order of axes has this name",
            got=name,
            nearest=nearest(str(name).upper(), AXES),
            hint=f"all: {', '.join(AXES)}",
        )
    if len(name) != tensor.ndim:
        fitting = [other for other in AXES if len(other) == tensor.ndim]
        raise MismatchError(
            "axes",
            f"{name} names {len(name)} axes, but {where} has the shape {list(tensor.shape)}",
            hint=f"for {tensor.ndim} axes: {', '.join(fitting)}" if fitting else "",
        )
    return Axes(name, shape, where)


@dataclass(frozen=True)
class _UnknownAxes(Background):
    """The background of inputs whose axes are not known: reading what depends on them says that they must be given.

    Args:
        refused: the fields that depend on the axes.
        axes: of the inputs.
    """

    refused: frozenset[str] = frozenset()
    axes: Axes | None = None

    def __getattribute__(self, name: str) -> Any:
        read = super().__getattribute__
        if not name.startswith("_") and name in read("refused"):
            raise read("axes").missing()
        return read(name)


def background_of(
    axes: Axes, inputs: Tensor, pool: Tensor | None, context: dict[str, Tensor] | None = None
) -> Background:
    """The background of inputs.

    Args:
        axes: of the inputs.
        inputs: whose dtype and device it has.
        pool: ``[P, *read_shape]``, examples of the data; None where there are none, and the range is 0 to 1.
        context: of the pool.
    """
    if pool is None:
        zero = inputs.new_zeros(1)
        low, high = zero, zero + 1
        if axes.modality is None:
            return _UnknownAxes("series", low=low, high=high, refused=frozenset({"modality"}), axes=axes)
        return Background(axes.modality, low=low, high=high)
    if axes.modality is None:
        refused = frozenset({"modality", "mean", "low", "high"})
        return _UnknownAxes("series", pool, context=context or {}, refused=refused, axes=axes)
    return Background(axes.modality, pool, *statistics(pool, axes.modality), context=context or {})


def unknown_statistics(modality: Modality, pool: Tensor, axes: Axes) -> Background:
    """The background of several inputs, the axes of one of which are not known: reading a statistic refuses."""
    return _UnknownAxes(modality, pool, refused=frozenset({"mean", "low", "high"}), axes=axes)


def check_modality(component: Component, axes: Axes) -> None:
    """Refuse a component that is not for inputs with these axes.

    Where the axes are not known, a component passes if it reads none: what is for tables, too, treats all elements
    alike, and what reads the modality or the channels meets the background's refusal.

    Raises:
        Unsupported: it is for other inputs.
        MismatchError: this depends on the axes, which are not known.
    """
    supported: tuple[Modality, ...] = component.modalities  # type: ignore[attr-defined]  # methods, metrics, baselines, features
    possible = {AXES[name][0] for name in AXES if len(name) == len(axes.shape) + 1} or set(supported)
    kinds = {axes.modality} if axes.modality else possible
    one_time_axis = not {"image", "table"} & set(supported) and len(axes.shape) > 3
    if not kinds & set(supported) or one_time_axis:
        raise Unsupported(
            f"{component.kind} {component.name!r} is for {', '.join(map(plural, supported))}; "
            f"the inputs are {' or '.join(sorted(plural(kind) for kind in kinds if kind))} {['N', *axes.shape]}"
        )
    if not axes.modality and not kinds <= set(supported) and "table" not in supported:
        raise axes.missing()
