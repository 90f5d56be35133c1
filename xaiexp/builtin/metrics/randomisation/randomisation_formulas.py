"""Whether attributions depend on the parameters (Adebayo et al. 2018) and on the class (Sixt et al. 2020)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from xaiexp.builtin.metrics.randomisation.map_similarity import Of, Similarity, alike
from xaiexp.builtin.metrics.randomisation.random_parameters import layers, redraw, restore
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["Order", "histogram_entropy", "other_class", "rises", "similarities_between_classes", "similarities_under"]

Order = Literal["top_down", "bottom_up", "independent"]


def similarities_under(
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
    """How alike M explanations are to those of networks with layers drawn anew, ``[M, N]``.

    The mean over the stages where it is defined, or the value at the last of them; NaN where the method is not at
    hand. There is one copy of the network at a time, used for all explanations.

    Args:
        order: ``top_down`` draws ever more layers anew from the output on, ``bottom_up`` from the input on,
            ``independent`` one layer alone.
        stages: at how many evenly spaced layers the explanations are compared, at most as many as there are.
    """
    at_hand = [(i, e, e.explain_network) for i, e in enumerate(explanations) if e.explain_network is not None]
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    if not at_hand:
        return out.to(batch.inputs.dtype)
    twin = copy.deepcopy(model.module)
    found = layers(model, twin)
    if order != "bottom_up":
        found.reverse()
    count = min(stages, len(found))
    ends = [(2 * k * len(found) + count) // (2 * count) for k in range(1, count + 1)]
    values: list[Tensor] = []
    start = 0
    for end in ends:
        redraw(found[end - 1 : end] if order == "independent" else found[start:end], rng)
        stage = torch.full_like(out, float("nan"))
        for i, explanation, under in at_hand:
            under_it = explanation.features.pool(under(twin))
            stage[i] = alike(explanation.values, under_it, explanation.features, similarity, of)
        values.append(stage)
        if order == "independent":
            restore(found[end - 1], model.module)
        start = end
    if values:
        out = torch.stack(values).nanmean(dim=0) if average else values[-1]
    return out.to(batch.inputs.dtype)


def rises(model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws, bins: int, of: Of) -> Tensor:
    """``(H(phi') - H(phi)) / H(phi)`` of M explanations, ``[M, N]``: phi' is of a network drawn anew as a whole.

    H is :func:`histogram_entropy`. NaN where ``H(phi)`` is 0 and where the method is not at hand.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    at_hand = [(i, e, e.explain_network) for i, e in enumerate(explanations) if e.explain_network is not None]
    if at_hand:
        twin = copy.deepcopy(model.module)
        redraw(layers(model, twin), rng)
        for i, explanation, under in at_hand:
            valid = explanation.features.valid
            maps = (explanation.values, explanation.features.pool(under(twin)))
            before, after = (histogram_entropy(m.abs() if of == "magnitudes" else m, valid, bins) for m in maps)
            out[i] = torch.where(before > 0, (after - before) / before, float("nan"))
    return out.to(batch.inputs.dtype)


def histogram_entropy(values: Tensor, valid: Tensor, bins: int) -> Tensor:
    """The entropy of the histogram of a map, float64 ``[N]`` in nats; NaN for maps with NaN.

    Args:
        values: ``[N, d]``.
        valid: bool ``[N or 1, d]``; other columns are no features and not counted.
        bins: of equal width, between the lowest and the highest value of the example.
    """
    if not values.shape[1]:
        return values.new_full((len(values),), float("nan"), dtype=torch.float64)
    exact, valid = values.double(), valid.expand_as(values)
    low = exact.masked_fill(~valid, torch.inf).amin(dim=1, keepdim=True)
    high = exact.masked_fill(~valid, -torch.inf).amax(dim=1, keepdim=True)
    width = torch.where(high > low, high - low, 1.0)
    place = ((exact - low) / width * bins).nan_to_num(nan=0.0).long().clamp(0, bins - 1)
    counts = exact.new_zeros(len(exact), bins).scatter_add_(1, place, valid.double())
    entropy: Tensor = torch.special.entr(counts / counts.sum(dim=1, keepdim=True)).sum(dim=1)
    return entropy.masked_fill(values.isnan().any(dim=1), float("nan"))


def other_class(targets: Tensor, classes: int, rng: Draws) -> Tensor:
    """Another class for every example, each equally likely: int64 ``[N]``."""
    return (targets + 1 + rng.integers("class", classes - 1).to(targets)) % classes


def similarities_between_classes(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    similarity: Similarity,
    of: Of,
) -> Tensor:
    """How alike M explanations are to those of another class, drawn at random, ``[M, N]``.

    NaN where the model has a single class and where the method is not at hand.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    classes = model.logits().shape[1]
    if classes > 1:
        targets = other_class(batch.targets, classes, rng)
        for i, e in enumerate(explanations):
            if e.explain_targets is not None:
                out[i] = alike(e.values, e.features.pool(e.explain_targets(targets)), e.features, similarity, of)
    return out.to(batch.inputs.dtype)
