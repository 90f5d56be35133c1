"""What a component must leave alone, before and after."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

__all__ = ["difference", "network", "randomness", "seeded", "tensors"]

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)

Seen = dict[str, Any]


def network(module: nn.Module) -> Seen:
    """Weights, buffers, gradients, flags, hooks and classes of a network, and torch's modes."""
    seen: Seen = {
        "torch's grad mode": torch.is_grad_enabled(),
        "torch's default dtype": torch.get_default_dtype(),
        "hooks on all modules": (len(hooks._global_forward_hooks), len(hooks._global_backward_hooks)),  # noqa: SLF001 -- there is no public way to see them
    }
    for name, part in module.named_modules():
        where = name or "the network"
        seen[f"the class of {where}"] = type(part)
        seen[f"the train flag of {where}"] = part.training
        seen[f"the forward of {where}"] = vars(part).get("forward")
        for each in _HOOKS:
            seen[f"{each[1:]} of {where}"] = tuple(getattr(part, each))
    for name, parameter in module.named_parameters():
        seen[f"weight {name}"] = parameter.detach().clone()
        seen[f"requires_grad of {name}"] = parameter.requires_grad
        seen[f".grad of {name}"] = None if parameter.grad is None else parameter.grad.clone()
    for name, buffer in module.named_buffers():
        seen[f"buffer {name}"] = buffer.clone()
    return seen


def tensors(**values: Any) -> Seen:
    """Copies of tensors, in mappings and in the fields of objects too, and whether they have joined a graph."""
    seen: Seen = {}
    for name, value in values.items():
        if isinstance(value, Tensor):
            seen[name] = value.detach().clone()
            seen[f"requires_grad of {name}"] = value.requires_grad
            seen[f".grad of {name}"] = None if value.grad is None else value.grad.clone()
        elif isinstance(value, dict):
            seen |= tensors(**{f"{name}.{key}": each for key, each in value.items()})
        elif hasattr(value, "__dataclass_fields__"):
            fields = {key: getattr(value, key) for key in value.__dataclass_fields__}
            seen |= tensors(**{f"{name}.{key}": each for key, each in fields.items()})
    return seen


def randomness() -> Seen:
    """The global random states."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 -- the global state is what is watched
    return {
        "torch's random state": torch.random.get_rng_state(),
        "numpy's random state": (kind, tuple(keys), *rest),
        "Python's random state": random.getstate(),
    }


@contextlib.contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """The global random states start from ``seed`` inside, and are as before afterwards."""
    torch_state, numpy_state, state = torch.random.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    torch.random.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
    try:
        yield
    finally:
        torch.random.set_rng_state(torch_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(state)


def difference(before: Seen, after: Seen) -> str:
    """The first thing that is not as it was; empty where all is."""
    for name in before.keys() | after.keys():
        a, b = before.get(name), after.get(name)
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            same = a.shape == b.shape and a.dtype == b.dtype and bool(torch.equal(a, b))
        else:
            same = type(a) is type(b) and a == b
        if not same:
            return name
    return ""
