"""Small networks for the datasets ``digits`` and ``shapes``."""

from __future__ import annotations

import functools
import hashlib
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from xaiexp.builtin.models.trained.recipe_names import recipe_name
from xaiexp.builtin.shape_images import CLASSES
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network

__all__ = ["DigitsCnn", "DigitsMlp", "ShapesCnn", "shipped_weights"]


def shipped_weights(name: str) -> Path | None:
    """The file with the weights of a network that are part of this package; None where it is trained on first use."""
    file = Path(__file__).with_name("weights") / f"{name}.safetensors"
    return file if file.is_file() else None


@functools.cache
def _digest(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class _Trained(Model):
    """Base of the models here: the shipped weights, or trained on first use and kept in the cache."""

    offers = frozenset({"gradients", "modules"})

    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""

    def fingerprint(self) -> str:
        """The hash of shipped weights, or the name of the recipe, which includes the versions of the packages."""
        shipped = shipped_weights(self.name)
        return recipe_name(self.name, self.parameters()) if shipped is None else f"{self.name}-{_digest(shipped)}"

    def load(self, context: LoadContext) -> Network:
        """The network with the weights that are shipped; where there are none, trained if it is not in the cache.

        Raises:
            ResourceError: the cache cannot be written, or shipped weights cannot be read.
        """
        from xaiexp.builtin.models.tensor_encoding import tensor_encoder
        from xaiexp.builtin.models.trained import digits_and_shapes_recipes
        from xaiexp.builtin.models.trained.training import load_or_train, load_shipped

        recipe = getattr(digits_and_shapes_recipes, self.name)(**self.parameters())
        shipped = shipped_weights(self.name)
        if shipped is None:
            module, extra, facts = load_or_train(recipe, context.cache / f"{self.fingerprint()}.safetensors")
        else:
            module, extra, facts = load_shipped(recipe, shipped)
        mean, std = extra.get("mean", 0.0), extra.get("std", 1.0)
        names = self._class_names()
        is_image = self.modality == "image"
        return Network(
            module,
            tensor_encoder(self.input_shape(), mean, std),
            self.modality,
            classes=len(names),
            task="multiclass",
            class_names=names,
            mean=mean,
            std=std,
            low=0.0 if is_image else None,
            high=1.0 if is_image else None,
            identity=self.fingerprint(),
            facts=facts,
        )

    @abstractmethod
    def _class_names(self) -> tuple[str, ...]:
        """Class names by index."""


@dataclass(frozen=True)
class DigitsCnn(_Trained):
    """A convolutional network for handwritten digits, ``[N, 1, 8, 8]`` in 0..1 to 10 logits."""

    summary = "a small convolutional network for dataset=digits"
    source = "trained on 1,200 of scikit-learn's digits (LeCun et al. 1998 for the kind of network)"
    modality = "image"
    offers = frozenset({"gradients", "modules", "convolutions"})

    def input_shape(self) -> tuple[int, ...]:
        """``(1, 8, 8)``."""
        return (1, 8, 8)

    def _class_names(self) -> tuple[str, ...]:
        return tuple(str(digit) for digit in range(10))


@dataclass(frozen=True)
class DigitsMlp(_Trained):
    """A fully connected network for handwritten digits, ``[N, 1, 8, 8]`` in 0..1 to 10 logits."""

    summary = "a small fully connected network for dataset=digits"
    source = "trained on 1,200 of scikit-learn's digits"
    modality = "image"

    def input_shape(self) -> tuple[int, ...]:
        """``(1, 8, 8)``."""
        return (1, 8, 8)

    def _class_names(self) -> tuple[str, ...]:
        return tuple(str(digit) for digit in range(10))


@dataclass(frozen=True)
class ShapesCnn(_Trained):
    """A convolutional network for ``dataset=shapes``, ``[N, 3, size, size]`` standardised to 4 logits.

    Args:
        size: side of the images in pixels, equal to that of the dataset; the training time grows with its square.
    """

    summary = "a small convolutional network for dataset=shapes"
    source = "trained here on 12,288 generated images"
    modality = "image"
    offers = frozenset({"gradients", "modules", "convolutions"})

    size: Annotated[int, Range(16, 128)] = 32

    def input_shape(self) -> tuple[int, ...]:
        """``(3, size, size)``."""
        return (3, self.size, self.size)

    def _class_names(self) -> tuple[str, ...]:
        return CLASSES
