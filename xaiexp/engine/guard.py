"""Detects whether a method changed the model or the batch, which all cells of a study share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xaiexp.core.batches import Batch

__all__ = ["HOOKS", "Guard"]

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Guard:
    """The state of a module and a batch, as sums over the bits of their tensors: one read of their memory."""

    def __init__(self, module: object, batch: Batch) -> None:
        self._module, self._batch = module, batch
        self._weights, self._others = self._state()

    def changes(self) -> str:
        """What changed since construction, in words; empty where nothing did."""
        weights, others = self._state()
        changed = [name for name, value in weights.items() if self._weights.get(name) != value]
        changed += [name for name, value in others.items() if self._others.get(name) != value]
        return ", ".join(changed[:3])

    def _state(self) -> tuple[dict[str, int], dict[str, object]]:
        module = self._module
        state: dict[str, object] = {"the inputs": _sum(self._batch.inputs), "the targets": _sum(self._batch.targets)}
        if not isinstance(module, nn.Module):
            return {}, state
        parts = list(module.modules())
        state["hooks"] = [sum(len(getattr(part, kind)) for kind in HOOKS) for part in parts]
        state["the training mode"] = [part.training for part in parts]
        state["requires_grad"] = [p.requires_grad for p in module.parameters()]
        state["the .grad of parameters"] = [p.grad is None for p in module.parameters()]
        return {f"the weights {name}": _sum(tensor) for name, tensor in module.state_dict().items()}, state


def _sum(tensor: Tensor) -> int:
    flat = tensor.detach().contiguous().flatten()
    if flat.element_size() == 1:
        return int(flat.view(torch.uint8).sum(dtype=torch.int64))
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}[flat.element_size()]
    return int(flat.view(whole).sum(dtype=torch.int64))
