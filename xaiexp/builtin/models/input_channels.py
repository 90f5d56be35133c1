"""The number of channels of the images that a network takes, read from its first convolution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.builtin.models.random_state import seeded_random_state

__all__ = ["input_channels"]

_TRIED = (3, 1)
_SIDE = 64  # of the images that are passed; an image goes no further than the first convolution


class _Reached(Exception):
    """A layer was reached by an input of so many channels; ends a forward pass and is no error."""

    def __init__(self, takes: int, got: int) -> None:
        super().__init__(takes, got)
        self.takes, self.got = takes, got


def input_channels(module: nn.Module) -> int | None:
    """The channels of images ``[N, C, H, W]`` that a network takes; None where it does not tell them.

    Images of three channels and of one are passed up to the first convolution or batch normalisation that they reach,
    so a network that converts its inputs itself is read correctly. Where none is reached, the first layer with
    parameters decides, if it is one of these.

    Args:
        module: in eval mode, on the CPU; it is left as it was.
    """
    own = None
    for channels in _TRIED:
        reached = _first_layer(module, channels)
        if reached is None:
            continue
        if reached.got == reached.takes:
            return channels
        if reached.got == channels:
            own = reached.takes
    return own or _takes(_registered_first(module))


def _first_layer(module: nn.Module, channels: int) -> _Reached | None:
    """The channels that the first convolution takes and gets from an image of so many channels."""

    def stop(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        takes = _takes(layer)
        if takes is not None and inputs and isinstance(inputs[0], Tensor) and inputs[0].ndim == 4:
            raise _Reached(takes, inputs[0].shape[1])

    module = getattr(module, "_orig_mod", module)  # it would be compiled for this image
    layers = [layer for layer in module.modules() if _takes(layer) is not None]
    hooks = [layer.register_forward_pre_hook(stop) for layer in layers]
    try:
        if layers:
            with torch.no_grad(), seeded_random_state(0):
                module(torch.zeros(1, channels, _SIDE, _SIDE))
    except _Reached as reached:
        return reached
    except Exception:  # the network may raise anything for an image that it does not take
        return None
    finally:
        for hook in hooks:
            hook.remove()
    return None


def _takes(layer: nn.Module | None) -> int | None:
    """The channels that a layer takes; None for other layers."""
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels
    return layer.num_features if isinstance(layer, nn.BatchNorm2d) else None


def _registered_first(module: nn.Module) -> nn.Module | None:
    """The first layer with parameters in the order of registration."""
    for layer in module.modules():
        if next(layer.children(), None) is None and next(layer.parameters(), None) is not None:
            return layer
    return None
