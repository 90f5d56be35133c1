"""Whether attributions depend on the parameters (Adebayo et al. 2018) and on the class (Sixt et al. 2020)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from xaiexp.builtin.metrics.randomisation.map_similarity import Of, Similarity, map_similarity
from xaiexp.builtin.metrics.randomisation.random_parameters import layers_in_run_order, randomise, restore
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = [
    "Order",
    "entropy_rises",
    "histogram_entropy",
    "random_other_class",
    "similarities_to_other_class",
    "similarities_when_randomised",
]

Order = Literal["top_down", "bottom_up", "independent"]


def similarities_when_randomised(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    order: Order,
    stages: int,
    average: bool,
    similarity: Similarity,
    of: Of,
) -> Tensor:
    """The similarities of M explanations to explanations of networks with randomised layers, ``[M, N]``.

    The mean over the stages at which it is defined, or the value at the last stage. NaN where an explanation's method
    is not available. One copy of the network exists at a time and serves all explanations.

    Args:
        order: ``top_down`` randomises layers cumulatively from the output, ``bottom_up`` from the input,
            ``independent`` one layer at a time.
        stages: the number of evenly spaced layers at which explanations are compared, at most the number of layers.
    """
    available = [(i, e, e.explain_network) for i, e in enumerate(explanations) if e.explain_network is not None]
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    if not available:
        return out.to(batch.inputs.dtype)
    network = copy.deepcopy(model.module)
    layers = layers_in_run_order(model, network)
    if order != "bottom_up":
        layers.reverse()
    count = min(stages, len(layers))
    ends = [(2 * k * len(layers) + count) // (2 * count) for k in range(1, count + 1)]
    values: list[Tensor] = []
    start = 0
    for end in ends:
        randomise(layers[end - 1 : end] if order == "independent" else layers[start:end], rng)
        stage = torch.full_like(out, float("nan"))
        for i, explanation, explain_network in available:
            randomised = explanation.features.pool(explain_network(network))
            stage[i] = map_similarity(explanation.values, randomised, explanation.features, similarity, of)
        values.append(stage)
        if order == "independent":
            restore(layers[end - 1], model.module)
        start = end
    if values:
        out = torch.stack(values).nanmean(dim=0) if average else values[-1]
    return out.to(batch.inputs.dtype)


def entropy_rises(
    model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws, bins: int, of: Of
) -> Tensor:
    """``(H(phi') - H(phi)) / H(phi)`` of M explanations, ``[M, N]``; phi' explains a fully randomised network.

    H is :func:`histogram_entropy`. NaN where ``H(phi)`` is 0 and where an explanation's method is not available.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    available = [(i, e, e.explain_network) for i, e in enumerate(explanations) if e.explain_network is not None]
    if available:
        network = copy.deepcopy(model.module)
        randomise(layers_in_run_order(model, network), rng)
        for i, explanation, explain_network in available:
            valid = explanation.features.valid
            maps = (explanation.values, explanation.features.pool(explain_network(network)))
            before, after = (histogram_entropy(m.abs() if of == "magnitudes" else m, valid, bins) for m in maps)
            out[i] = torch.where(before > 0, (after - before) / before, float("nan"))
    return out.to(batch.inputs.dtype)


def histogram_entropy(values: Tensor, valid: Tensor, bins: int) -> Tensor:
    """The entropy of the histogram of a map, float64 ``[N]`` in nats; NaN for maps with NaN.

    Args:
        values: ``[N, d]``.
        valid: bool ``[N or 1, d]``; other columns are padding and not counted.
        bins: number of bins of equal width between the example's lowest and highest value.
    """
    if not values.shape[1]:
        return values.new_full((len(values),), float("nan"), dtype=torch.float64)
    exact, valid = values.double(), valid.expand_as(values)
    low = exact.masked_fill(~valid, torch.inf).amin(dim=1, keepdim=True)
    high = exact.masked_fill(~valid, -torch.inf).amax(dim=1, keepdim=True)
    width = torch.where(high > low, high - low, 1.0)
    bin_index = ((exact - low) / width * bins).nan_to_num(nan=0.0).long().clamp(0, bins - 1)
    counts = exact.new_zeros(len(exact), bins).scatter_add_(1, bin_index, valid.double())
    entropy: Tensor = torch.special.entr(counts / counts.sum(dim=1, keepdim=True)).sum(dim=1)
    return entropy.masked_fill(values.isnan().any(dim=1), float("nan"))


def random_other_class(targets: Tensor, classes: int, rng: Draws) -> Tensor:
    """A class other than the target for every example, all equally likely: int64 ``[N]``."""
    return (targets + 1 + rng.integers("class", classes - 1).to(targets)) % classes


def similarities_to_other_class(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    similarity: Similarity,
    of: Of,
) -> Tensor:
    """The similarities of M explanations to explanations of another class, drawn at random, ``[M, N]``.

    NaN where the model has a single class and where an explanation's method is not available.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    classes = model.logits().shape[1]
    if classes > 1:
        targets = random_other_class(batch.targets, classes, rng)
        for i, e in enumerate(explanations):
            if e.explain_targets is not None:
                other = e.features.pool(e.explain_targets(targets))
                out[i] = map_similarity(e.values, other, e.features, similarity, of)
    return out.to(batch.inputs.dtype)
