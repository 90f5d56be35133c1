"""Which neuron of a layer is meant, and how Captum is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from xaiexp.plugin import Block, Handle, ParameterError
from xaiexp_captum.calls import by_example, first_tensor, quiet

__all__ = ["ablated", "selector", "units"]


def units(
    model: Handle, layer: nn.Module, to_input: bool, neuron: tuple[int, ...] | Literal["max"], where: str
) -> Tensor:
    """The index of the neuron of each example among the flattened units of a layer, int64 ``[N]``; one forward pass.

    Args:
        model: the handle.
        layer: the layer.
        to_input: whether its input is meant.
        neuron: one index for each axis, or ``max``.
        where: of the parameter, for messages.

    Raises:
        ParameterError: the layer has no such unit.
    """
    from captum.attr import LayerActivation

    def run(block: Block) -> Tensor:
        with quiet(), torch.no_grad():
            found = LayerActivation(model.score_module(block), layer).attribute(
                block.rows, additional_forward_args=block.owners, attribute_to_layer_input=to_input
            )
        activations = first_tensor(found)
        if neuron == "max":
            return activations.flatten(1).argmax(dim=1)
        shape = tuple(activations.shape[1:])
        if len(neuron) != len(shape) or any(not 0 <= i < size for i, size in zip(neuron, shape, strict=True)):
            raise ParameterError(
                where,
                f"the layer has units of shape {list(shape)}, and none with these indices",
                got=list(neuron),
                hint="one index from 0 for each axis, or max for each example's most active unit",
            )
        return torch.full((len(block.rows),), int(np.ravel_multi_index(neuron, shape)), device=block.rows.device)

    return model.apply(run)


def selector(module: Any, of_examples: Tensor) -> Callable[[Tensor | tuple[Tensor, ...]], Tensor]:
    """Captum's ``neuron_selector`` for a score module: the neuron of the owner of each row."""

    def select(found: Tensor | tuple[Tensor, ...]) -> Tensor:
        values = first_tensor(found).flatten(1)
        return values.gather(1, of_examples[module.owners].unsqueeze(1)).squeeze(1)

    return select


def ablated(
    peer: Callable[[Any], Any], model: Handle, reference: Tensor, of_examples: Tensor, to_input: bool
) -> Tensor:
    """Captum's ``NeuronFeatureAblation`` example by example, with the features of the study: ``[N, *shape]``."""
    batch = model.batch

    def one(number: int) -> Tensor:
        example = model.example(number)
        alone = model.with_batch(batch.rows(torch.tensor([number], device=batch.device)))
        if not len(example.positions):
            return example.spread(example.inputs)

        def run(block: Block) -> Tensor:
            module = model.score_module(block)
            index = batch.features.index.expand(len(batch), *batch.shape)[number]
            with quiet():
                found: Tensor = peer(module).attribute(
                    block.rows,
                    selector(module, of_examples[number : number + 1]),
                    baselines=reference[number : number + 1],
                    feature_mask=torch.where(index < 0, index.max() + 1, index).unsqueeze(0),
                    additional_forward_args=block.owners,
                    attribute_to_neuron_input=to_input,
                    perturbations_per_eval=max(1, model.passes.budget(batch.shape)),
                )
            return found

        vector = example.vectors(alone.apply(run))
        return example.spread(vector / batch.features.sizes.expand(len(batch), -1)[number].cpu()[example.index])

    return by_example(batch, one)
