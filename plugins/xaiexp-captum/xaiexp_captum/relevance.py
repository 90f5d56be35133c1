"""Rules for Captum's LRP, and the clean-up that it leaves to its caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from captum.attr._core.lrp import SUPPORTED_LAYERS_WITH_RULES, SUPPORTED_NON_LINEAR_LAYERS
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import nn

from xaiexp.plugin import Unsupported

__all__ = ["with_rules"]

_LEFT_BEHIND = ("rule", "activations")


@contextmanager
def with_rules(module: nn.Module) -> Iterator[None]:
    """A scope in which modules that pass elements on have the epsilon rule.

    Captum leaves an attribute at each layer, replaces the weights by copies of equal values, and does not restore
    anything if it raises before it has hooked the network; here all of it is undone.

    Raises:
        Unsupported: another module has no rule.
    """
    leaves = {name: child for name, child in module.named_modules() if not list(child.children())}
    for name, child in leaves.items():
        known = type(child) in SUPPORTED_LAYERS_WITH_RULES or type(child) in SUPPORTED_NON_LINEAR_LAYERS
        if not known and not isinstance(child, nn.Identity | nn.Flatten):
            raise Unsupported(f"{name.removeprefix('network.')} ({type(child).__name__}) has no rule in Captum's LRP")
    data = {parameter: parameter.data for parameter in module.parameters()}
    before = {child: {key: vars(child).get(key) for key in _LEFT_BEHIND} for child in leaves.values()}
    try:
        for child in leaves.values():
            if type(child) not in SUPPORTED_LAYERS_WITH_RULES and type(child) not in SUPPORTED_NON_LINEAR_LAYERS:
                child.rule = EpsilonRule()
        yield
    finally:
        for parameter, values in data.items():
            parameter.data = values
        for child, attributes in before.items():
            for key, value in attributes.items():
                vars(child).pop(key, None)
                if value is not None:
                    vars(child)[key] = value
