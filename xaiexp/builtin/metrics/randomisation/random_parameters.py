"""Networks whose parameters are randomised layer by layer; the study's own network is never changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xaiexp.core.draws import Draws
from xaiexp.inference.passes import Handle

__all__ = ["Layer", "layers_in_run_order", "randomise", "restore"]


@dataclass(frozen=True)
class Layer:
    """A part of a network that has parameters of its own.

    Args:
        name: the name of the module; empty for the network itself.
        parameters: full names and parameters, except those whose values are all equal.
    """

    name: str
    parameters: tuple[tuple[str, nn.Parameter], ...]


def layers_in_run_order(model: Handle, module: nn.Module) -> list[Layer]:
    """The layers of ``module`` in the order in which it runs them, from the input on.

    The order is recorded during one pass over the batch, which is counted, because it may differ from the order of
    definition. A layer that runs several times has the position of its last run. Parameters of a module that is never
    called itself (the output projection inside ``nn.MultiheadAttention``) belong to the nearest enclosing module that
    is called. Parameters whose values are all equal have a standard deviation of 0 and are left out, as are layers
    without other parameters.
    """
    order: list[str] = []

    def record(name: str) -> Callable[[nn.Module, object], None]:
        return lambda *_: order.append(name)

    hooks = [part.register_forward_pre_hook(record(name)) for name, part in module.named_modules()]
    try:
        model.with_module(module).logits()
    finally:
        for hook in hooks:
            hook.remove()
    last_run = {name: position for position, name in enumerate(order)}
    owned: dict[str, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in module.named_parameters():
        owner = name.rpartition(".")[0]
        while owner not in last_run:
            owner = owner.rpartition(".")[0]
        if _varies(parameter):
            owned.setdefault(owner, []).append((name, parameter))
    return [Layer(name, tuple(owned[name])) for name in sorted(owned, key=last_run.__getitem__)]


def _varies(parameter: Tensor) -> bool:
    return parameter.is_floating_point() and parameter.numel() > 1 and bool((parameter != parameter.flatten()[0]).any())


@torch.no_grad()
def randomise(layers: Sequence[Layer], rng: Draws) -> None:
    """Replace the parameters of the layers, in place, by normal numbers of each tensor's mean and standard deviation.

    The random numbers depend on the seed and the parameter's name only: they are the same for every batch of examples
    and every explanation.
    """
    for layer in layers:
        for name, parameter in layer.parameters:
            parameter_rng = replace(rng, ids=(name,), device=parameter.device)
            deviation, mean = torch.std_mean(parameter.double(), correction=0)
            drawn = parameter_rng.normal("parameter", tuple(parameter.shape))[0].double()
            parameter.copy_(drawn * deviation + mean)


@torch.no_grad()
def restore(layer: Layer, original: nn.Module) -> None:
    """Copy the parameters of a layer back from the original network, in place."""
    for name, parameter in layer.parameters:
        parameter.copy_(original.get_parameter(name))
