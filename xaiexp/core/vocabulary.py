"""The words of the facts that components state: modalities, outputs, precisions, spaces."""

from __future__ import annotations

from typing import Literal

__all__ = ["MODALITIES", "Modality", "Output", "Precision", "Space", "plural"]

Modality = Literal["image", "text", "table", "series"]

MODALITIES: tuple[Modality, ...] = ("image", "text", "table", "series")

Output = Literal["logit", "probability"]

Precision = Literal["fp32", "bf16", "fp16"]

Space = Literal["input", "layer", "neuron"]


def plural(modality: str) -> str:
    """What inputs of a modality are called in messages.

    >>> plural("series")
    'time series'
    """
    return {"image": "images", "text": "texts", "table": "tables", "series": "time series"}.get(modality, modality)
