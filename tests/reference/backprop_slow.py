"""Slow reference implementation of guided backpropagation and deconvolution: loops over units, no autograd."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def backward(weights: list[Array], biases: list[Array], x: Array, target: int, rule: str, ceiling: float) -> Array:
    """The backpropagated signal at the input of ``x -> W x + b -> relu -> ... -> W x + b``, one example ``[F]``.

    Args:
        rule: ``guided`` (Springenberg et al. 2014, figure 1c) or ``deconvolution`` (Zeiler and Fergus 2014).
        ceiling: upper bound of the ReLU, above which no gradient passes.
    """
    before, value = [], x
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        value = weight @ value + bias
        if layer < len(weights) - 1:
            before.append(value)
            value = np.minimum(np.maximum(value, 0.0), ceiling)
    signal = np.zeros(len(value))
    signal[target] = 1.0
    for layer in reversed(range(len(weights))):
        signal = weights[layer].T @ signal
        if layer:
            for unit, activation in enumerate(before[layer - 1]):
                positive = max(signal[unit], 0.0)
                blocked = activation >= ceiling or (rule == "guided" and activation <= 0)
                signal[unit] = 0.0 if blocked else positive
    return signal
