"""Copies of a network that give the same scores with less work: folded normalisation, channels last in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["CONVOLUTIONS", "KINDS", "Copy", "copied"]

_FOLDED, _LAST = "folded batch normalisation", "channels last"
KINDS = (f"{_FOLDED}, {_LAST}", _LAST, _FOLDED)
"""The copies that are tried, in this order."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_MOST_BYTES = 2**31  # of the parameters of a network that is copied


@dataclass
class Copy:
    """A copy of a network for cheaper passes.

    Args:
        module: the copy, without hooks.
        last: whether images go in with their channels last in memory.
    """

    module: nn.Module
    last: bool

    def __call__(self, *positional: Any, **named: Any) -> Any:
        """What the copy returns for the arguments of the network."""
        if self.last:
            positional = tuple(_last(value) for value in positional)
            named = {name: _last(value) for name, value in named.items()}
        return self.module(*positional, **named)


def _last(value: Any) -> Any:
    if isinstance(value, Tensor) and value.ndim == 4 and value.is_floating_point():
        return value.contiguous(memory_format=torch.channels_last)
    return value


def copied(module: nn.Module, run: Callable[[], object], kind: str) -> Copy | None:
    """The copy of a kind; None where the network has nothing to fold or no image to lay out, or cannot be copied.

    Args:
        module: the network.
        run: makes a pass through it.
        kind: one of :data:`KINDS`.

    Raises:
        Exception: whatever a network raises that cannot be copied.
    """
    if sum(p.numel() * p.element_size() for p in module.parameters()) > _MOST_BYTES:
        return None
    last = _LAST in kind
    if last and not any(isinstance(layer, nn.Conv2d) for layer in module.modules()):
        return None
    pairs = _foldable(module, run) if _FOLDED in kind else []
    if _FOLDED in kind and not pairs:
        return None
    twin = copy.deepcopy(module)
    layers = dict(twin.named_modules(remove_duplicate=False))
    for convolution, norm in pairs:
        fused = fuse_conv_bn_eval(layers[convolution], layers[norm])
        _put(twin, convolution, fused)
        _put(twin, norm, nn.Identity())
    if last:
        twin = twin.to(memory_format=torch.channels_last)
    return Copy(twin.requires_grad_(False), last)


def _put(module: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(module.get_submodule(parent), own, layer)


def _foldable(module: nn.Module, run: Callable[[], object]) -> list[tuple[str, str]]:
    """Convolutions and the batch normalisations that read their output, by name; both run once in a pass."""
    names = {layer: name for name, layer in module.named_modules()}
    made: list[tuple[nn.Module, Tensor]] = []
    pairs: list[tuple[nn.Module, nn.Module]] = []
    runs: dict[nn.Module, int] = {}

    def convolved(layer: nn.Module, _given: object, out: Tensor) -> None:
        made.append((layer, out))
        runs[layer] = runs.get(layer, 0) + 1

    def normalised(layer: nn.Module, given: tuple[Tensor, ...], _out: object) -> None:
        runs[layer] = runs.get(layer, 0) + 1
        pairs.extend((source, layer) for source, out in made if given and given[0] is out)

    hooks = [
        layer.register_forward_hook(convolved if isinstance(layer, CONVOLUTIONS) else normalised)
        for layer in module.modules()
        if isinstance(layer, CONVOLUTIONS) or (isinstance(layer, _NORMS) and layer.running_mean is not None)
    ]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    several = [name for name, count in _names(module).items() if count > 1]
    single = [(a, b) for a, b in pairs if runs[a] == runs[b] == 1]
    return [(names[a], names[b]) for a, b in single if a not in several and b not in several]


def _names(module: nn.Module) -> dict[nn.Module, int]:
    """Under how many names each layer is registered."""
    found: dict[nn.Module, int] = {}
    for _, layer in module.named_modules(remove_duplicate=False):
        found[layer] = found.get(layer, 0) + 1
    return found
