"""Small networks for the datasets ``digits`` and ``shapes``."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

from xaiexp.builtin.models.trained.recipe_names import recipe_name
from xaiexp.builtin.shape_images import CLASSES
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network

__all__ = ["DigitsCnn", "DigitsMlp", "ShapesCnn"]


@dataclass(frozen=True)
class _TrainedOnFirstUse(Model):
    """Base of the models here: read from the cache, or trained and written to it."""

    offers = frozenset({"gradients", "modules"})

    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""

    def fingerprint(self) -> str:
        """The name of the recipe, which includes the versions of the packages it is trained with."""
        return recipe_name(self.name, self.parameters())

    def load(self, context: LoadContext) -> Network:
        """The network, trained first if it is not in the cache.

        Raises:
            ResourceError: the cache cannot be written.
        """
        from xaiexp.builtin.models.tensor_encoding import tensor_encoder
        from xaiexp.builtin.models.trained import digits_and_shapes_recipes
        from xaiexp.builtin.models.trained.training import load_or_train

        recipe = getattr(digits_and_shapes_recipes, self.name)(**self.parameters())
        module, extra, facts = load_or_train(recipe, context.cache / f"{self.fingerprint()}.safetensors")
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
class DigitsCnn(_TrainedOnFirstUse):
    """A convolutional network for handwritten digits, ``[N, 1, 8, 8]`` in 0..1 to 10 logits."""

    summary = "a small convolutional network for dataset=digits"
    source = "trained here on 1,200 of scikit-learn's digits (LeCun et al. 1998 for the kind of network)"
    modality = "image"
    offers = frozenset({"gradients", "modules", "convolutions"})

    def input_shape(self) -> tuple[int, ...]:
        """``(1, 8, 8)``."""
        return (1, 8, 8)

    def _class_names(self) -> tuple[str, ...]:
        return tuple(str(digit) for digit in range(10))


@dataclass(frozen=True)
class DigitsMlp(_TrainedOnFirstUse):
    """A fully connected network for handwritten digits, ``[N, 1, 8, 8]`` in 0..1 to 10 logits."""

    summary = "a small fully connected network for dataset=digits"
    source = "trained here on 1,200 of scikit-learn's digits"
    modality = "image"

    def input_shape(self) -> tuple[int, ...]:
        """``(1, 8, 8)``."""
        return (1, 8, 8)

    def _class_names(self) -> tuple[str, ...]:
        return tuple(str(digit) for digit in range(10))


@dataclass(frozen=True)
class ShapesCnn(_TrainedOnFirstUse):
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
