"""The penultimate representation of a network, in which distances from the data are measured."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from xaiexp.core.batches import Background, Batch
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

__all__ = ["Penultimate", "pool_of"]

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Penultimate:
    """Reads the penultimate representation of a module in a pass over it.

    The representation is the input of the last ``nn.Linear`` to run, flattened; without one, the input of the last
    convolution to run, averaged over its spatial axes.
    """

    def __init__(self, module: nn.Module) -> None:
        # Found once; convolutions are not hooked where a linear layer runs: searches and hooks cost time in every pass.
        self._all = [layer for layer in module.modules() if isinstance(layer, _KINDS)]
        self._layers = self._all
        self._pool: tuple[Tensor, Tensor | str] | None = None

    def of_pool(self, like: Batch, compute: Callable[[Batch], Tensor]) -> Tensor:
        """The representation ``[P, H]`` of the examples of a background's pool, computed once a pool.

        Args:
            like: a batch with this background.
            compute: a batch to its representation.

        Raises:
            Unsupported: there is no pool, its context is not known, or as :meth:`__call__`.
        """
        pool = like.background.pool
        if self._pool is None or self._pool[0] is not pool:
            examples = pool_of(like.background, like)
            try:
                self._pool = (examples.inputs, compute(examples))
            except Unsupported as refused:
                self._pool = (examples.inputs, str(refused))
        if isinstance(self._pool[1], str):
            raise Unsupported(self._pool[1])
        return self._pool[1]

    def __call__(self, run: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """What ``run`` gives, ``[B, ...]``, and the representation ``[B, H]`` from the same pass.

        Raises:
            Unsupported: the module runs no linear layer and no convolution, or its input is not one row an example.
        """
        out, last = self._seen(run)
        if last is None and len(self._layers) < len(self._all):  # for these inputs it runs others than before
            self._layers = self._all
            out, last = self._seen(run)
        if last is None:
            raise Unsupported("the model runs no linear layer and no convolution, so it has no penultimate layer")
        layer, read = last
        hidden = read.flatten(1)
        if isinstance(layer, nn.Linear):
            self._layers = [each for each in self._layers if isinstance(each, nn.Linear)]
        else:
            hidden = read.flatten(2).mean(dim=2)
        if len(hidden) != len(out):
            raise Unsupported("the input of the model's last linear layer does not hold one row for each example")
        return out, hidden

    def _seen(self, run: Callable[[], Tensor]) -> tuple[Tensor, tuple[nn.Module, Tensor] | None]:
        """What ``run`` gives, the layer that decides and its input."""
        last: tuple[nn.Module, Tensor] | None = None

        def keep(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            nonlocal last
            if last is None or isinstance(layer, nn.Linear) or not isinstance(last[0], nn.Linear):
                last = layer, given[0].detach()

        hooks = [layer.register_forward_pre_hook(keep) for layer in self._layers]
        try:
            return run(), last
        finally:
            for hook in hooks:
                hook.remove()


def pool_of(background: Background, like: Batch) -> Batch:
    """The examples of the background's pool as a batch that goes through the model as ``like`` does.

    Raises:
        Unsupported: there are none, or their context is not known.
    """
    pool = background.pool
    if pool is None or not len(pool):
        raise Unsupported("there are no background examples to compare inputs with: give background=")
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
