"""Methods of layers for which Captum draws random numbers for a batch: each example has a batch of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from xaiexp.plugin import Batch, Block, Draws, Handle, Unsupported
from xaiexp_captum.calls import by_example, quiet

__all__ = ["drawn_by_example", "drawn_with_pool"]


def drawn_by_example(
    model: Handle, batch: Batch, reference: Tensor, rng: Draws, run: Callable[[Block, Tensor, Tensor], Tensor]
) -> Tensor:
    """Attributions ``[N, ...]`` of a method that draws random numbers, on the CPU.

    Args:
        model: the handle.
        batch: the examples.
        reference: ``[N, R, *shape]``.
        rng: seeds the global generators for each example.
        run: a block of one row, the row ``[1, *shape]`` and its references ``[R, *shape]`` on the CPU, to attributions
            ``[1, ...]``.
    """

    def one(number: int) -> Tensor:
        alone = model.with_batch(batch.rows(torch.tensor([number], device=batch.device)))
        with quiet(), rng.legacy("captum", number):
            return alone.apply(lambda block: run(block, block.rows.cpu(), reference[number].cpu()))[0]

    return by_example(batch, one)


def drawn_with_pool(model: Handle, batch: Batch, rng: Draws, run: Callable[[Block], Tensor]) -> Tensor:
    """Attributions ``[N, ...]`` of a method that permutes activations within a batch: an example and the pool.

    Args:
        model: the handle.
        batch: the examples.
        rng: seeds the global generators for each example.
        run: a block of an example and the pool to attributions of all of them.

    Raises:
        Unsupported: there is no pool.
    """
    pool = batch.background.pool
    if pool is None or tuple(pool.shape[1:]) != batch.shape:
        raise Unsupported("there are no other examples (background) to take activations from")

    def one(number: int) -> Tensor:
        alone = batch.rows(torch.tensor([number] * (1 + len(pool)), device=batch.device))
        context = {key: torch.cat([alone.context[key][:1], value]) for key, value in batch.background.context.items()}
        joint = replace(alone, inputs=torch.cat([alone.inputs[:1], pool.to(alone.inputs)]), context=context)
        whole = Block(
            joint, joint.inputs, torch.arange(len(joint), device=batch.device), model.passes.forward, model.counter
        )
        with quiet(), rng.legacy("captum", number):
            return run(whole)[0].detach()

    return by_example(batch, one)
