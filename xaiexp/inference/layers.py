"""One layer of a network: found by name or by itself, read and replaced while rows pass through."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from xaiexp.errors import ParameterError, Unsupported, nearest
from xaiexp.inference.block import Block
from xaiexp.inference.passes import Handle

__all__ = ["Layer", "token_grid"]

# Tokens that may stand before those of the picture: class, distillation and register tokens.
_LEADING = 16
# Modules of torchvision's Swin, whose pictures are [N, h, w, K].
_CHANNELS_LAST = (
    *("ShiftedWindowAttention", "ShiftedWindowAttentionV2", "SwinTransformerBlock", "SwinTransformerBlockV2"),
    *("PatchMerging", "PatchMergingV2"),
)
_CONVOLUTIONS = {nn.Conv1d: 3, nn.Conv2d: 4, nn.Conv3d: 5}


@dataclass(frozen=True)
class _Place:
    """The output or the input of a module; of two places that ran, the higher rank counts, then the later."""

    module: nn.Module
    side: Literal["output", "input"] = "output"
    kind: Literal["named", "convolution", "attention", "linear"] = "named"

    @property
    def rank(self) -> int:
        return 0 if self.kind == "linear" else 1


@dataclass
class _Pass:
    """What was seen in one forward pass."""

    rows: int
    place: _Place | None = None
    tensor: Tensor | None = None
    run: int = -1
    runs: dict[int, int] = field(default_factory=dict)
    pictures: list[tuple[int, int]] = field(default_factory=list)
    grid: tuple[int, int, int] | None = None

    def next_run(self, place: _Place) -> int:
        """How often this module ran before in this pass."""
        self.runs[id(place.module)] = self.runs.get(id(place.module), -1) + 1
        return self.runs[id(place.module)]


class Layer:
    """A layer of the network behind a handle, for one call of a method.

    What is read is a copy: operations in place before or after the layer cannot change it. Of a layer that runs
    several times in a pass, the last run counts. Of a tuple or a mapping, the first tensor counts (the hidden states
    of a transformer's block).

    Args:
        model: the handle.
        name: of the submodule whose output is meant, or ``auto``: the last convolution to run with more than one
            place in its output, or the input of the last self-attention over the patches of a picture, whichever
            runs later. ``nn.MultiheadAttention`` and modules whose class ends in ``Attention`` are taken for
            attention.
        where: the parameter in the user's words, for messages.
        search: ``picture``: ``auto`` looks for pictures and patches alone (``nn.Conv2d``). ``units``: for any
            ``nn.Conv1d``, ``nn.Conv2d`` or ``nn.Conv3d``, and where the network runs none of these, it is the
            input of the last ``nn.Linear`` to run.

    Raises:
        ParameterError: the network has no submodule of this name.
        Unsupported: the network is no ``torch.nn.Module``.
    """

    def __init__(self, model: Handle, name: str, where: str, search: Literal["picture", "units"]) -> None:
        module = model.module
        self.name, self._search = name, search
        self._network = module
        self._patches = model.batch.background.modality == "image"
        self._found: tuple[_Place, int] | None = None
        self._grid: tuple[int, int, int] | None = None
        self._places: list[_Place]
        if name == "auto":
            self._places = list(self._candidates())
            return
        named = dict(module.named_modules(remove_duplicate=False))
        named.pop("", None)
        if name not in named:
            raise ParameterError(
                where,
                "the model has no submodule of this name",
                got=name,
                nearest=nearest(name, named),
                hint="auto is the last convolution or self-attention over a picture"
                + (", or the input of the last linear layer" if search == "units" else ""),
            )
        self._places = [_Place(named[name])]

    def _candidates(self) -> Iterator[_Place]:
        kinds = (nn.Conv2d,) if self._search == "picture" else tuple(_CONVOLUTIONS)
        for module in self._network.modules():
            if isinstance(module, kinds):
                yield _Place(module, "output", "convolution")
            elif isinstance(module, nn.Linear):
                if self._search == "units":
                    yield _Place(module, "input", "linear")
            elif self._patches and type(module).__name__.removesuffix("V2").endswith("Attention"):
                yield _Place(module, "input", "attention")

    def read(self, block: Block, forward: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """Call ``forward``, one pass of the block's rows, and watch the layer.

        Returns:
            The activations ``[B, *layer]``, which need a gradient where gradients are on (a node of the graph, or
            a leaf where the layer does not depend on the inputs), and what ``forward`` gave.

        Raises:
            Unsupported: the layer does not run, or does not give one float for each unit and row.
        """
        seen = _Pass(len(block.rows))
        with self._watching(seen):
            result = forward()
        if seen.tensor is None or seen.place is None:
            raise Unsupported(self._missing())
        # What was found once is looked for alone from then on.
        self._found, self._places, self._grid = (seen.place, seen.run), [seen.place], seen.grid
        return seen.tensor, result

    def replaced(self, values: Tensor, forward: Callable[[], Tensor]) -> Tensor:
        """Call ``forward`` with ``values [B, *layer]`` in place of what the layer gives in its last run.

        Only after :meth:`read`, which knows the place.
        """
        assert self._found is not None  # noqa: S101 -- read() comes first
        place, run = self._found
        seen = _Pass(len(values))
        done: list[bool] = []

        def change(whole: Any) -> Any:
            tensor = _first(whole)
            if seen.next_run(place) != run or tensor is None:
                return None
            done.append(True)
            return _exchanged(whole, tensor, values.to(tensor.dtype).clone())  # what follows may work in place

        hook = self._hook(place, change)
        try:
            result = forward()
        finally:
            hook.remove()
        if not done:
            raise Unsupported(f"layer {self.name!r} runs less often for other inputs")
        return result

    def picture(self, activations: Tensor) -> Tensor:
        """What :meth:`read` gave, as a picture ``[B, K, h, w]`` of K channels.

        Tokens ``[B, T, K]`` are those of the patches, row by row, after at most 16 others (the class token), which
        are dropped; their grid is the size of the output of a convolution that ran before, or a square where none
        ran.

        Raises:
            Unsupported: it is no picture and no grid of tokens.
        """
        if activations.ndim == 4:
            return activations.permute(0, 3, 1, 2) if _channels_last(self._places[0].module) else activations
        if self._grid is None:
            raise Unsupported(
                f"layer {self.name!r} gives {list(activations.shape)}, which is no picture [N, K, h, w] and no grid of "
                "tokens [N, T, K]"
            )
        leading, height, width = self._grid
        return activations[:, leading:].transpose(1, 2).reshape(len(activations), -1, height, width)

    def leading(self, activations: Tensor) -> Tensor | None:
        """Of tokens ``[B, T, K]``, those that stand before the picture's; None where there are none."""
        if activations.ndim != 3 or self._grid is None or not self._grid[0]:
            return None
        return activations[:, : self._grid[0]]

    @contextmanager
    def _watching(self, seen: _Pass) -> Iterator[None]:
        hooks: list[Any] = []
        try:
            if self._patches:
                convolutions = [m for m in self._network.modules() if isinstance(m, nn.Conv2d)]
                hooks += [m.register_forward_hook(_sizes(seen)) for m in convolutions]
            hooks += [self._hook(place, self._keeper(place, seen)) for place in self._places]
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _hook(self, place: _Place, change: Callable[[Any], Any]) -> Any:
        if place.side == "output":
            return place.module.register_forward_hook(lambda _module, _args, output: change(output))

        def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return change((args, kwargs))

        return place.module.register_forward_pre_hook(before, with_kwargs=True)

    def _keeper(self, place: _Place, seen: _Pass) -> Callable[[Any], Any]:
        def keep(whole: Any) -> Any:
            run, tensor = seen.next_run(place), _first(whole)
            if place.kind == "named":
                self._check(whole, tensor, seen.rows)
            grid = _grid_of(tensor, seen) if tensor is not None and self._patches else None
            if tensor is None or not _suits(place, tensor, seen.rows, grid):
                return None
            if seen.place is not None and place.rank < seen.place.rank:
                return None
            held = tensor.clone()
            if torch.is_grad_enabled() and not held.requires_grad:
                held = tensor.detach().clone().requires_grad_()
            seen.place, seen.tensor, seen.run, seen.grid = place, held, run, grid
            return _exchanged(whole, tensor, held.clone())

        return keep

    def _check(self, whole: Any, tensor: Tensor | None, rows: int) -> None:
        if tensor is None:
            raise Unsupported(f"layer {self.name!r} gives {type(whole).__name__}, which holds no tensor")
        shape = list(tensor.shape)
        if not tensor.is_floating_point():
            raise Unsupported(f"layer {self.name!r} gives {tensor.dtype}, which has no gradient")
        if tensor.ndim < 2 or shape[0] != rows:
            raise Unsupported(f"layer {self.name!r} gives {shape}, which is not one row for each of {rows} examples")

    def _missing(self) -> str:
        if self.name != "auto":
            return f"layer {self.name!r} does not run"
        if self._search == "units":
            return "the network runs no convolution, no self-attention over a picture and no nn.Linear: name a layer"
        return (
            "no nn.Conv2d of the network runs with an output larger than 1 x 1, and no self-attention over a grid of "
            "tokens"
        )


def token_grid(tokens: int, width: int, pictures: list[tuple[int, int]]) -> tuple[int, int, int] | None:
    """How ``[N, tokens, width]`` is a picture: leading tokens, height, width; None where it is none or unclear.

    Args:
        pictures: heights and widths of the convolutions that ran before, in their order. Without any, a square
            behind no other token or one.

    >>> token_grid(197, 768, [(14, 14)]), token_grid(201, 768, [(14, 14)]), token_grid(197, 768, [])
    ((1, 14, 14), (5, 14, 14), (1, 14, 14))
    >>> token_grid(64, 49, [(7, 7)])  # channels first, flattened
    """
    if not pictures:
        for leading in (0, 1):
            side = math.isqrt(max(0, tokens - leading))
            if side > 1 and side**2 == tokens - leading:
                return leading, side, side
        return None
    for height, across in reversed(pictures):
        leading = tokens - height * across
        unclear = leading > 1 and width == height * across
        if 0 <= leading <= _LEADING and height * across > 1 and not unclear:
            return leading, height, across
    return None


def _grid_of(tensor: Tensor, seen: _Pass) -> tuple[int, int, int] | None:
    return token_grid(tensor.shape[1], tensor.shape[2], seen.pictures) if tensor.ndim == 3 else None


def _suits(place: _Place, tensor: Tensor, rows: int, grid: tuple[int, int, int] | None) -> bool:
    """Whether this is what ``auto`` means."""
    if place.kind == "named":
        return True
    if len(tensor) != rows or not tensor.is_floating_point():
        return False
    if place.kind == "convolution":
        axes = next(axes for kind, axes in _CONVOLUTIONS.items() if isinstance(place.module, kind))
        return tensor.ndim == axes and math.prod(tensor.shape[2:]) > 1
    if place.kind == "attention":
        if isinstance(place.module, nn.MultiheadAttention) and not place.module.batch_first:
            return False
        return grid is not None or (tensor.ndim == 4 and _channels_last(place.module))
    return tensor.ndim > 1


def _channels_last(module: nn.Module) -> bool:
    if isinstance(module, nn.Sequential) and len(module):
        return _channels_last(module[-1])
    return type(module) in (nn.LayerNorm, nn.Linear) or type(module).__name__ in _CHANNELS_LAST


def _sizes(seen: _Pass) -> Callable[[nn.Module, Any, Any], None]:
    def note(_module: nn.Module, _args: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            seen.pictures.append((output.shape[2], output.shape[3]))

    return note


def _first(whole: Any) -> Tensor | None:
    """The first tensor of what a module takes ``(args, kwargs)`` or gives."""
    if isinstance(whole, Tensor):
        return whole
    parts = whole.values() if isinstance(whole, Mapping) else whole if isinstance(whole, tuple | list) else ()
    return next((found for found in map(_first, parts) if found is not None), None)


def _exchanged(whole: Any, old: Tensor, new: Tensor) -> Any:
    """The same with ``new`` wherever ``old`` stood; what does not hold it stays the object that it is."""
    if whole is old:
        return new
    if isinstance(whole, Mapping):
        parts = {key: _exchanged(value, old, new) for key, value in whole.items()}
        if all(parts[key] is whole[key] for key in parts):
            return whole
        changed: Any = copy.copy(whole)
        for key, value in parts.items():
            changed[key] = value
        return changed
    if isinstance(whole, tuple | list):
        listed = [_exchanged(part, old, new) for part in whole]
        if all(a is b for a, b in zip(listed, whole, strict=True)):
            return whole
        return type(whole)(*listed) if hasattr(whole, "_fields") else type(whole)(listed)
    return whole
