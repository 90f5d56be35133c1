"""The dataset mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from xaiexp.plugin import Component, Dataset, Modality, Outline, Range, Sample, Source, hookimpl

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Dataset):
    """Handwritten digits ``[1, 8, 8]`` of scikit-learn, with less contrast.

    Args:
        contrast: factor of all pixels; 1 leaves them as they are.
    """

    summary = "handwritten digits with less contrast"
    source = "UCI, Optical Recognition of Handwritten Digits, as in scikit-learn"
    modality: ClassVar[Modality] = "image"
    contrast: Annotated[float, Range(0, 1)] = 0.5

    def open(self) -> Source:
        """All 1,797 images; ids are their numbers."""
        import torch
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        data = torch.from_numpy(images).float().view(-1, 1, 8, 8) / 16 * self.contrast

        def read(start: int, stop: int) -> Sequence[Sample]:
            return [Sample(str(i), data[i], int(labels[i])) for i in range(len(data))[start:stop]]

        return Source(len(data), read, tuple(map(str, range(10))), labels=lambda: [int(k) for k in labels])

    def outline(self) -> Outline:
        """Known without reading."""
        return Outline(1797, (1, 8, 8))


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
