"""The datasets ``digits`` and ``breast_cancer`` from scikit-learn: the parts that no built-in model is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xaiexp.builtin.splits import BREAST_CANCER, DIGITS, Part, breast_cancer, digits
from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Outline, Sample, Source

__all__ = ["BreastCancer", "Digits"]


def _source(name: str, part: Part) -> Source:
    """The samples of one part; an id contains the row number in the whole dataset."""
    import torch

    inputs = torch.from_numpy(part.inputs)

    def read(start: int, stop: int) -> Sequence[Sample]:
        return [
            Sample(f"{name}/{row}", inputs[i].clone(), int(part.labels[i]), name=f"{name} {row}")
            for i, row in list(enumerate(part.rows.tolist()))[start:stop]
        ]

    names = tuple(part.class_names), tuple(part.feature_names)
    return Source(len(part.rows), read, *names, labels=part.labels.tolist)


@dataclass(frozen=True)
class Digits(Dataset):
    """597 handwritten digits, images ``[1, 8, 8]`` in 0..1, held out from the training of built-in models."""

    summary = "handwritten digits of 8 x 8 pixels, the held-out part"
    source = "Alpaydin and Kaynak 1998 (UCI Optical Recognition of Handwritten Digits), from scikit-learn"
    modality = "image"

    def open(self) -> Source:
        """The samples, in random order of the classes."""
        return _source("digits", digits(held_out=True))

    def training(self) -> Source:
        """The other 1,200 digits."""
        return _source("digits", digits(held_out=False))

    def outline(self) -> Outline:
        """597 images ``[1, 8, 8]``."""
        return Outline(DIGITS.held_out, (1, 8, 8))


@dataclass(frozen=True)
class BreastCancer(Dataset):
    """169 tumours with thirty measurements each in physical units, held out from the training of built-in models."""

    summary = "thirty measurements of tumours, malignant or benign, the held-out part"
    source = "Wolberg, Street, Mangasarian 1995 (UCI Breast Cancer Wisconsin, Diagnostic), from scikit-learn"
    modality = "table"

    def open(self) -> Source:
        """The samples, in random order of the classes."""
        return _source("breast_cancer", breast_cancer(held_out=True))

    def training(self) -> Source:
        """The other 400 rows."""
        return _source("breast_cancer", breast_cancer(held_out=False))

    def outline(self) -> Outline:
        """169 rows of 30 columns."""
        return Outline(BREAST_CANCER.held_out, (30,))
