"""The built-in outputs: which scalars of a network are explained.

``class_scores`` reads heads of classes, labels and values ``[B, K]``; ``dense_heads`` reads segmentations and
detections, ``continuations`` language models.
"""

from __future__ import annotations

from xaiexp.builtin.outputs.class_scores import Logit, LogProbability, Margin, Probability, Value
from xaiexp.builtin.outputs.continuations import TokenMean, TokenMeanProbability
from xaiexp.builtin.outputs.dense_heads import Detection, Segmentation
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Logit,
    Probability,
    LogProbability,
    Value,
    Margin,
    Segmentation,
    Detection,
    TokenMean,
    TokenMeanProbability,
)
