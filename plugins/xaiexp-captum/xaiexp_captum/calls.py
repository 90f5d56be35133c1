"""How Captum is called: layers by name, without its warnings, one example at a time where it draws random numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.plugin import Batch, Handle, ParameterError, Unsupported, nearest

__all__ = ["by_example", "first_tensor", "layer_of", "quiet", "require_plain_output"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Captum's warnings about hooks, gradients that it requires, and sizes of internal batches."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def by_example(batch: Batch, run: Callable[[int], Tensor]) -> Tensor:
    """Attributions ``[N, ...]`` put together from those of single examples, in their order."""
    return torch.stack([run(number) for number in range(len(batch))])


def first_tensor(found: Any) -> Tensor:
    """The attributions of the first tensor of a layer with several."""
    tensor: Tensor = found[0] if isinstance(found, tuple | list) else found
    return tensor


def layer_of(model: Handle, name: str, to_input: bool, where: str, images: bool = False) -> tuple[nn.Module, bool]:
    """A layer, and whether its input is meant instead of its output.

    Args:
        model: the handle.
        name: of a submodule, or ``auto``: the last convolution in the order of definition; in a network without one
            the input of the last ``nn.Linear``.
        to_input: whether the input of a named layer is meant.
        where: of the parameter, for messages.
        images: whether only ``nn.Conv2d`` counts for ``auto``.

    Raises:
        ParameterError: no submodule has this name.
        Unsupported: ``auto`` finds no layer.
    """
    named = dict(model.module.named_modules(remove_duplicate=False))
    if name != "auto":
        if not name or name not in named:
            raise ParameterError(
                where, "the model has no submodule of this name", got=name, nearest=nearest(name, named)
            )
        return named[name], to_input
    kinds = (nn.Conv2d,) if images else _CONVOLUTIONS
    convolutions = [module for module in named.values() if isinstance(module, kinds)]
    if convolutions:
        return convolutions[-1], to_input
    linear = [module for module in named.values() if isinstance(module, nn.Linear)]
    if images or not linear:
        raise Unsupported("the network has no convolution" + ("" if images else " and no nn.Linear") + ": name a layer")
    return linear[-1], True


def require_plain_output(model: Handle, rule: str) -> None:
    """Check that what is explained is a number that the network returns.

    Raises:
        Unsupported: it is computed from these numbers by operations without a rule.
    """
    if not model.output.as_returned:
        raise Unsupported(
            f"{rule} has no rule for what makes {model.output.name} of the numbers that the network returns: "
            "use output=logit (or output=value)"
        )
