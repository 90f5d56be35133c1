"""What calls on own tensors know of a network that they have seen before, so that they do not ask it again.

The number of its outputs, what they are, and whether the checks of a few examples found nothing. Known are modules
alone, by their tensors (memory and version counters), hooks and plain attributes: whatever changes one of them makes
the module unknown. A write through ``.data`` is not noticed, and does not need to be, since no score is kept.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from dataclasses import dataclass

from torch import nn

from xaiexp.inference.outputs import Readout

__all__ = ["SeenNetwork", "seen_network"]

_PLAIN = (bool, int, float, str, type(None))
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass
class SeenNetwork:
    """What is known of a network for one kind of input.

    Args:
        columns: how many numbers it returns for each input.
        readout: what is explained of them; None before the first pass.
        stable, differentiable: whether the checks were made and found nothing.
    """

    columns: int = 0
    readout: Readout | None = None
    stable: bool = False
    differentiable: bool = False


_seen: weakref.WeakKeyDictionary[nn.Module, tuple[Hashable, dict[Hashable, SeenNetwork]]] = weakref.WeakKeyDictionary()


def seen_network(module: object, use: Hashable) -> SeenNetwork:
    """What is known of a network; to be filled in by the caller.

    Args:
        module: the network; of what is no module nothing is known, and nothing will be.
        use: what else the knowledge depends on: the shape of the inputs, what is explained.
    """
    state = _state(module) if isinstance(module, nn.Module) else None
    if state is None or not isinstance(module, nn.Module):
        return SeenNetwork()
    known = _seen.get(module)
    if known is None or known[0] != state:
        known = _seen[module] = (state, {})
    return known[1].setdefault(use, SeenNetwork())


def _state(module: nn.Module) -> Hashable | None:
    """What identifies the present state of a module; None where its tensors have no version counters."""
    state: list[Hashable] = []
    for part in module.modules():
        tensors = [*part._parameters.values(), *part._buffers.values()]  # noqa: SLF001 -- of this module alone
        if any(t is not None and t.is_inference() for t in tensors):
            return None
        state += [0 if t is None else (id(t), t.data_ptr(), t._version) for t in tensors]  # noqa: SLF001 -- no public name
        state += [(name, value) for name, value in part.__dict__.items() if isinstance(value, _PLAIN)]
        state += [tuple(getattr(part, name)) for name in _HOOKS if getattr(part, name)]
        state.append(id(part.__dict__.get("forward")))
    return tuple(state)
