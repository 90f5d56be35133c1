"""Snapshots of networks, tensors and global random states, and their comparison."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

__all__ = ["first_difference", "network_state", "random_state", "seeded", "tensor_copies"]

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)

Snapshot = dict[str, Any]
"""Values by a description of what they are."""


def network_state(module: nn.Module) -> Snapshot:
    """Weights, buffers, gradients, flags, hooks and classes of a network; grad mode and default dtype of torch."""
    snapshot: Snapshot = {
        "torch's grad mode": torch.is_grad_enabled(),
        "torch's default dtype": torch.get_default_dtype(),
        "hooks on all modules": (len(hooks._global_forward_hooks), len(hooks._global_backward_hooks)),  # noqa: SLF001 -- torch has no public access to them
    }
    for name, submodule in module.named_modules():
        where = name or "the network"
        snapshot[f"the class of {where}"] = type(submodule)
        snapshot[f"the train flag of {where}"] = submodule.training
        snapshot[f"the forward of {where}"] = vars(submodule).get("forward")
        for hook in _HOOKS:
            snapshot[f"{hook[1:]} of {where}"] = tuple(getattr(submodule, hook))
    for name, parameter in module.named_parameters():
        snapshot[f"weight {name}"] = parameter.detach().clone()
        snapshot[f"requires_grad of {name}"] = parameter.requires_grad
        snapshot[f".grad of {name}"] = None if parameter.grad is None else parameter.grad.clone()
    for name, buffer in module.named_buffers():
        snapshot[f"buffer {name}"] = buffer.clone()
    return snapshot


def tensor_copies(**values: Any) -> Snapshot:
    """Copies of tensors with their gradients and flags, including those in mappings and in fields of dataclasses."""
    snapshot: Snapshot = {}
    for name, value in values.items():
        if isinstance(value, Tensor):
            snapshot[name] = value.detach().clone()
            snapshot[f"requires_grad of {name}"] = value.requires_grad
            snapshot[f".grad of {name}"] = None if value.grad is None else value.grad.clone()
        elif isinstance(value, dict):
            snapshot |= tensor_copies(**{f"{name}.{key}": item for key, item in value.items()})
        elif hasattr(value, "__dataclass_fields__"):
            fields = {key: getattr(value, key) for key in value.__dataclass_fields__}
            snapshot |= tensor_copies(**{f"{name}.{key}": item for key, item in fields.items()})
    return snapshot


def random_state() -> Snapshot:
    """The global random states of torch, numpy and Python."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 -- the global state is recorded
    return {
        "torch's random state": torch.random.get_rng_state(),
        "numpy's random state": (kind, tuple(keys), *rest),
        "Python's random state": random.getstate(),
    }


@contextlib.contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Seed the global random states inside the context and restore them afterwards."""
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


def first_difference(before: Snapshot, after: Snapshot) -> str:
    """The description of the first value that differs; empty where the snapshots are equal."""
    for name in dict.fromkeys((*before, *after)):
        a, b = before.get(name), after.get(name)
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            equal = a.shape == b.shape and a.dtype == b.dtype and bool(torch.equal(a, b))
        else:
            equal = type(a) is type(b) and a == b
        if not equal:
            return name
    return ""
