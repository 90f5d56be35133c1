"""Networks with parameters drawn anew, layer by layer; the study's own network is never touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xaiexp.core.draws import Draws
from xaiexp.inference.passes import Handle

__all__ = ["Layer", "layers", "redraw", "restore"]


@dataclass(frozen=True)
class Layer:
    """A part of a network that has parameters of its own.

    Args:
        name: of the module; empty for the network itself.
        parameters: by their full names; only those that drawing anew can change.
    """

    name: str
    parameters: tuple[tuple[str, nn.Parameter], ...]


def layers(model: Handle, module: nn.Module) -> list[Layer]:
    """The layers of ``module`` in the order in which it runs them, from the input on.

    Watched in one pass over the batch, which is counted: the order of definition need not be that of running. A
    layer that runs several times stands where it runs last. Parameters of a module that is never called itself
    (the output projection inside ``nn.MultiheadAttention``) belong to the nearest one around it that is. Parameters
    whose values are all equal cannot be drawn from their own distribution; they are left out, and with them layers
    that have no others.
    """
    order: list[str] = []

    def note(name: str) -> Callable[[nn.Module, object], None]:
        return lambda *_: order.append(name)

    hooks = [part.register_forward_pre_hook(note(name)) for name, part in module.named_modules()]
    try:
        model.with_module(module).logits()
    finally:
        for hook in hooks:
            hook.remove()
    last = {name: place for place, name in enumerate(order)}
    owned: dict[str, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in module.named_parameters():
        owner = name.rpartition(".")[0]
        while owner not in last:
            owner = owner.rpartition(".")[0]
        if _varied(parameter):
            owned.setdefault(owner, []).append((name, parameter))
    return [Layer(name, tuple(owned[name])) for name in sorted(owned, key=last.__getitem__)]


def _varied(parameter: Tensor) -> bool:
    return parameter.is_floating_point() and parameter.numel() > 1 and bool((parameter != parameter.flatten()[0]).any())


@torch.no_grad()
def redraw(given: Sequence[Layer], rng: Draws) -> None:
    """Give the layers normal parameters of the mean and standard deviation that each tensor has, in place.

    The numbers follow from the seed and the parameter's name alone: they are the same for every batch of examples
    and every explanation.
    """
    for layer in given:
        for name, parameter in layer.parameters:
            own = replace(rng, ids=(name,), device=parameter.device)
            deviation, mean = torch.std_mean(parameter.double(), correction=0)
            drawn = own.normal("parameter", tuple(parameter.shape))[0].double()
            parameter.copy_(drawn * deviation + mean)


@torch.no_grad()
def restore(layer: Layer, original: nn.Module) -> None:
    """Give a layer the parameters of the network that it was copied from."""
    for name, parameter in layer.parameters:
        parameter.copy_(original.get_parameter(name))
