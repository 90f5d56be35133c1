"""What a network makes of its inputs before its last layer: where "far from the data" is measured."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from xaiexp.errors import Unsupported
from xaiexp.feature_map import FeatureMap
from xaiexp.types import Background, Batch

__all__ = ["pool_of", "watched"]

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def watched(module: nn.Module, run: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
    """What ``run`` gives, ``[B, ...]``, and the penultimate representation ``[B, H]`` from the same pass.

    The input of the last ``nn.Linear`` to run, flattened; without one, the input of the last convolution to run,
    averaged over places.

    Raises:
        Unsupported: the module runs neither, or not with a row for each example.
    """
    final: dict[str, Tensor] = {}

    def keep(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        final["linear" if isinstance(layer, nn.Linear) else "convolution"] = given[0].detach()

    hooks = [layer.register_forward_pre_hook(keep) for layer in module.modules() if isinstance(layer, _KINDS)]
    try:
        out = run()
    finally:
        for hook in hooks:
            hook.remove()
    if "linear" in final:
        hidden = final["linear"].flatten(1)
    elif "convolution" in final:
        hidden = final["convolution"].flatten(2).mean(dim=2)
    else:
        raise Unsupported("the model runs no linear layer and no convolution, so it has no penultimate layer")
    if len(hidden) != len(out):
        raise Unsupported("the input of the model's last linear layer does not hold one row for each example")
    return out, hidden


def pool_of(background: Background, like: Batch) -> Batch:
    """The examples of the background's pool as a batch that goes through the model as ``like`` does.

    Raises:
        Unsupported: there are none, or their context is not known.
    """
    pool = background.pool
    if pool is None or not len(pool):
        raise Unsupported("there are no examples of the data to hold inputs against: give background=")
    if background.context.keys() != like.context.keys():
        raise Unsupported("the context (attention mask) of the background's examples is not known")
    return Batch(
        ids=tuple(str(i) for i in range(len(pool))),
        inputs=pool,
        targets=torch.zeros(len(pool), dtype=torch.int64, device=pool.device),
        features=FeatureMap.from_index(torch.zeros_like(pool[:1], dtype=torch.int64)),
        background=background,
        context=background.context,
    )
