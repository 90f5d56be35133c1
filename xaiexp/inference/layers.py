"""Access to one layer of a network: locates it by name or automatically, reads and replaces its activations."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from xaiexp.core.batches import Batch
from xaiexp.errors import ParameterError, Unsupported, nearest
from xaiexp.inference.block import Block
from xaiexp.inference.token_grid import token_grid

__all__ = ["Activations", "Layer"]

# Modules of torchvision's Swin, whose activations are [N, h, w, K].
_CHANNELS_LAST = (
    *("ShiftedWindowAttention", "ShiftedWindowAttentionV2", "SwinTransformerBlock", "SwinTransformerBlockV2"),
    *("PatchMerging", "PatchMergingV2"),
)
_CONVOLUTIONS = {nn.Conv1d: 3, nn.Conv2d: 4, nn.Conv3d: 5}


@dataclass(frozen=True)
class _Site:
    """The output or the input of a module; candidates with a higher rank take precedence, then later ones."""

    module: nn.Module
    side: Literal["output", "input"] = "output"
    kind: Literal["named", "convolution", "attention", "linear"] = "named"

    @property
    def rank(self) -> int:
        return 0 if self.kind == "linear" else 1


class _Bound(Protocol):
    """What a layer reads of a :class:`xaiexp.inference.passes.Handle`."""

    batch: Batch

    @property
    def network(self) -> nn.Module: ...


@dataclass
class _PassRecord:
    """The records of one forward pass."""

    rows: int = 0
    site: _Site | None = None
    tensor: Tensor | None = None
    run: int = -1
    runs: dict[int, int] = field(default_factory=dict)
    spatial_sizes: list[tuple[int, int]] = field(default_factory=list)
    grid: tuple[int, int, int] | None = None

    def restart(self, rows: int) -> None:
        """Forget the last pass; another one of this many rows begins."""
        self.rows, self.site, self.tensor, self.run, self.grid = rows, None, None, -1, None
        self.runs, self.spatial_sizes = {}, []

    def next_run(self, site: _Site) -> int:
        """The number of earlier runs of this module in this pass."""
        self.runs[id(site.module)] = self.runs.get(id(site.module), -1) + 1
        return self.runs[id(site.module)]


# Of a network that was searched before: by kind of search and shape of the inputs, which of its candidates was the
# layer, how many there were, and the identity of its module.
_auto_sites: WeakKeyDictionary[nn.Module, dict[tuple[object, ...], tuple[int, int, int]]] = WeakKeyDictionary()


class Activations:
    """The activations of a layer in the last pass, from :meth:`xaiexp.plugin.Handle.layer`."""

    def __init__(self, missing: Callable[[], str]) -> None:
        self.record, self._missing = _PassRecord(), missing

    @property
    def values(self) -> Tensor:
        """``[B, *layer]`` for the B rows of the last pass.

        If gradients are enabled, they require them: they are a node of the graph, or a leaf if the layer does not
        depend on the inputs.

        Raises:
            Unsupported: there was no pass, the layer did not run in it, or its output is not a float tensor with one
                row for each example.
        """
        if self.record.tensor is None:
            raise Unsupported(self._missing())
        return self.record.tensor


class Layer:
    """A layer of a handle's network, for one call of a method.

    Activations are copies, so in-place operations before or after the layer do not change them. If the layer runs
    several times in a pass, the last run is used. Of an output that is a tuple or a mapping, the first tensor is used
    (the hidden states of a transformer block).

    Args:
        model: the handle.
        name: name of a submodule, whose output is used, or ``auto``: the last convolution to run with more than one
            spatial position in its output, or the input of the last self-attention over the patches of an image,
            whichever runs later. ``nn.MultiheadAttention`` and modules whose class name ends in ``Attention`` count
            as attention.
        where: name of the parameter, for messages.
        search: the candidates of ``auto``. ``image``: image convolutions (``nn.Conv2d``) and self-attention over
            patches. ``units``: also ``nn.Conv1d`` and ``nn.Conv3d``, and if none of these runs, the input of the
            last ``nn.Linear`` to run.

    Raises:
        ParameterError: the network has no submodule of this name.
        Unsupported: the network is not a ``torch.nn.Module``.
    """

    def __init__(self, model: _Bound, name: str, where: str, search: Literal["image", "units"]) -> None:
        module = model.network
        self.name, self._search = name, search
        self._network = module
        self._patches = len(model.batch.shape) == 3  # [C, H, W]: an image
        self._use = (search, *model.batch.shape)
        self._located: tuple[_Site, int] | None = None
        self._grid: tuple[int, int, int] | None = None
        self._sites: list[_Site]
        if name == "auto":
            self._sites = list(self._candidates())
            return
        named = dict(module.named_modules(remove_duplicate=False))
        named.pop("", None)
        if name not in named:
            raise ParameterError(
                where,
                "the model has no submodule of this name",
                got=name,
                nearest=nearest(name, named),
                hint="auto is the last convolution or self-attention over an image"
                + (", or the input of the last linear layer" if search == "units" else ""),
            )
        self._sites = [_Site(named[name])]

    def _candidates(self) -> Iterator[_Site]:
        kinds = (nn.Conv2d,) if self._search == "image" else tuple(_CONVOLUTIONS)
        for module in self._network.modules():
            if isinstance(module, kinds):
                yield _Site(module, "output", "convolution")
            elif isinstance(module, nn.Linear):
                if self._search == "units":
                    yield _Site(module, "input", "linear")
            elif self._patches and type(module).__name__.removesuffix("V2").endswith("Attention"):
                yield _Site(module, "input", "attention")

    def read(self, block: Block, forward: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """Call ``forward``, one pass of the block's rows, and record the layer.

        Returns:
            The activations ``[B, *layer]`` and the result of ``forward``. If gradients are enabled, the activations
            require them: they are a node of the graph, or a leaf if the layer does not depend on the inputs.

        Raises:
            Unsupported: the layer does not run, or its output is not a float tensor with one row per example.
        """
        sites, known = self._sites, _auto_sites.get(self._network, {}).get(self._use)
        if known is not None and known[1] == len(sites) and id(sites[known[0]].module) == known[2]:
            self._sites = [sites[known[0]]]  # the others would be copied, too, to be replaced by it
        record = _PassRecord(len(block.rows))
        with self._recording(record):
            result = forward()
        if (record.tensor is None or record.site is None) and len(sites) > len(self._sites):
            self._sites = sites  # for these inputs others run than before
            record = _PassRecord(len(block.rows))
            with self._recording(record):
                result = forward()
        if record.tensor is None or record.site is None:
            raise Unsupported(self._missing())
        if len(sites) > 1:
            found = (sites.index(record.site), len(sites), id(record.site.module))
            _auto_sites.setdefault(self._network, {})[self._use] = found
        # Later passes use the same site.
        self._located, self._sites, self._grid = (record.site, record.run), [record.site], record.grid
        return record.tensor, result

    @contextmanager
    def following(self) -> Iterator[Activations]:
        """Record the layer in every pass of the network until the block ends, whether or not it ends by an error."""
        found = Activations(self._missing)

        def begin(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            first = _first_tensor((args, kwargs))
            found.record.restart(0 if first is None else len(first))

        hook = self._network.register_forward_pre_hook(begin, with_kwargs=True, prepend=True)
        try:
            with self._recording(found.record):
                yield found
        finally:
            hook.remove()

    def replaced(self, values: Tensor, forward: Callable[[], Tensor]) -> Tensor:
        """Call ``forward`` with ``values [B, *layer]`` in place of the layer's activations in its last run.

        Call :meth:`read` first, which locates the layer.

        Raises:
            Unsupported: the layer runs less often than in :meth:`read`.
        """
        assert self._located is not None  # noqa: S101 -- read() comes first
        site, run = self._located
        record = _PassRecord(len(values))
        replaced: list[bool] = []

        def replace(output: Any) -> Any:
            tensor = _first_tensor(output)
            if record.next_run(site) != run or tensor is None:
                return None
            replaced.append(True)
            # A copy, since later operations may work in place.
            return _with_tensor_replaced(output, tensor, values.to(tensor.dtype).clone())

        hook = self._hook(site, replace)
        try:
            result = forward()
        finally:
            hook.remove()
        if not replaced:
            raise Unsupported(f"layer {self.name!r} runs less often for other inputs")
        return result

    def spatial_map(self, activations: Tensor) -> Tensor:
        """The activations of :meth:`read` as a spatial map ``[B, K, h, w]`` with K channels.

        Tokens ``[B, T, K]`` are those of the patches in row-major order, after at most 16 leading tokens (such as the
        class token), which are dropped. The grid has the output size of an earlier convolution, or is square if there
        is none.

        Raises:
            Unsupported: the activations are neither a spatial map nor a grid of tokens.
        """
        if activations.ndim == 4:
            return activations.permute(0, 3, 1, 2) if _channels_last(self._sites[0].module) else activations
        if self._grid is None:
            raise Unsupported(
                f"layer {self.name!r} returns {list(activations.shape)}, which is neither a spatial map [N, K, h, w] "
                "nor a grid of tokens [N, T, K]"
            )
        leading, height, width = self._grid
        return activations[:, leading:].transpose(1, 2).reshape(len(activations), -1, height, width)

    def leading_tokens(self, activations: Tensor) -> Tensor | None:
        """The tokens of ``[B, T, K]`` before those of the patches; None if there are none."""
        if activations.ndim != 3 or self._grid is None or not self._grid[0]:
            return None
        return activations[:, : self._grid[0]]

    @contextmanager
    def _recording(self, record: _PassRecord) -> Iterator[None]:
        hooks: list[Any] = []
        try:
            if self._patches:
                convolutions = [m for m in self._network.modules() if isinstance(m, nn.Conv2d)]
                hooks += [m.register_forward_hook(_size_recorder(record)) for m in convolutions]
            hooks += [self._hook(site, self._activation_recorder(site, record)) for site in self._sites]
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _hook(self, site: _Site, change: Callable[[Any], Any]) -> Any:
        if site.side == "output":
            return site.module.register_forward_hook(lambda _module, _args, output: change(output))

        def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return change((args, kwargs))

        return site.module.register_forward_pre_hook(before, with_kwargs=True)

    def _activation_recorder(self, site: _Site, record: _PassRecord) -> Callable[[Any], Any]:
        def keep(output: Any) -> Any:
            run, tensor = record.next_run(site), _first_tensor(output)
            if site.kind == "named":
                self._check(output, tensor, record.rows)
            grid = _grid_of(tensor, record) if tensor is not None and self._patches else None
            if tensor is None or not _is_candidate(site, tensor, record.rows, grid):
                return None
            if record.site is not None and site.rank < record.site.rank:
                return None
            activations = tensor.clone()
            if torch.is_grad_enabled() and not activations.requires_grad:
                activations = tensor.detach().clone().requires_grad_()
            record.site, record.tensor, record.run, record.grid = site, activations, run, grid
            return _with_tensor_replaced(output, tensor, activations.clone())

        return keep

    def _check(self, output: Any, tensor: Tensor | None, rows: int) -> None:
        if tensor is None:
            raise Unsupported(f"layer {self.name!r} returns {type(output).__name__}, which contains no tensor")
        shape = list(tensor.shape)
        if not tensor.is_floating_point():
            raise Unsupported(f"layer {self.name!r} returns {tensor.dtype}, which has no gradient")
        if tensor.ndim < 2 or shape[0] != rows:
            raise Unsupported(f"layer {self.name!r} returns {shape}, which is not one row for each of {rows} examples")

    def _missing(self) -> str:
        if self.name != "auto":
            return f"layer {self.name!r} does not run"
        if self._search == "units":
            return "the network runs no convolution, no self-attention over an image and no nn.Linear: name a layer"
        return (
            "no nn.Conv2d of the network runs with an output larger than 1 x 1, and no self-attention over a grid of "
            "tokens"
        )


def _grid_of(tensor: Tensor, record: _PassRecord) -> tuple[int, int, int] | None:
    return token_grid(tensor.shape[1], tensor.shape[2], record.spatial_sizes) if tensor.ndim == 3 else None


def _is_candidate(site: _Site, tensor: Tensor, rows: int, grid: tuple[int, int, int] | None) -> bool:
    """Whether a tensor can be the activations of the layer; always for a named layer."""
    if site.kind == "named":
        return True
    if len(tensor) != rows or not tensor.is_floating_point():
        return False
    if site.kind == "convolution":
        axes = next(axes for kind, axes in _CONVOLUTIONS.items() if isinstance(site.module, kind))
        return tensor.ndim == axes and math.prod(tensor.shape[2:]) > 1
    if site.kind == "attention":
        if isinstance(site.module, nn.MultiheadAttention) and not site.module.batch_first:
            return False
        return grid is not None or (tensor.ndim == 4 and _channels_last(site.module))
    return tensor.ndim > 1


def _channels_last(module: nn.Module) -> bool:
    if isinstance(module, nn.Sequential) and len(module):
        return _channels_last(module[-1])
    return type(module) in (nn.LayerNorm, nn.Linear) or type(module).__name__ in _CHANNELS_LAST


def _size_recorder(record: _PassRecord) -> Callable[[nn.Module, Any, Any], None]:
    def append_size(_module: nn.Module, _args: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            record.spatial_sizes.append((output.shape[2], output.shape[3]))

    return append_size


def _first_tensor(value: Any) -> Tensor | None:
    """The first tensor in a module's output, or in its inputs ``(args, kwargs)``."""
    if isinstance(value, Tensor):
        return value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
    return next((tensor for tensor in map(_first_tensor, parts) if tensor is not None), None)


def _with_tensor_replaced(value: Any, old: Tensor, new: Tensor) -> Any:
    """A copy of the value with every occurrence of ``old`` replaced; parts without ``old`` stay the same objects."""
    if value is old:
        return new
    if isinstance(value, Mapping):
        parts = {key: _with_tensor_replaced(part, old, new) for key, part in value.items()}
        if all(parts[key] is value[key] for key in parts):
            return value
        changed: Any = copy.copy(value)
        for key, part in parts.items():
            changed[key] = part
        return changed
    if isinstance(value, tuple | list):
        items = [_with_tensor_replaced(part, old, new) for part in value]
        if all(a is b for a, b in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value
