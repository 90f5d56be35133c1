"""Small networks for data sets of ours, trained on first use in seconds and kept in the cache."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

from xaiexp.builtin.shape_images import CLASSES
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network

__all__ = ["DigitsCnn", "DigitsMlp", "ShapesCnn", "recipe_name"]

# Goes up whenever training.py, or what it is trained on, changes what comes out.
_REVISION = 2
_PACKAGES = ("torch", "numpy", "scikit-learn")


def recipe_name(name: str, settings: Mapping[str, object]) -> str:
    """A name for all that decides the weights: recipe, settings and versions."""
    told = repr([_REVISION, name, sorted(settings.items()), [version(package) for package in _PACKAGES]])
    return f"{name}-{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}"


@dataclass(frozen=True)
class _Trained(Model):
    """What the three have in common: load, or train and keep."""

    offers = frozenset({"gradients", "modules"})

    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""

    def fingerprint(self) -> str:
        """The recipe with the versions that it was followed with."""
        return recipe_name(self.name, self.parameters())

    def load(self, context: LoadContext) -> Network:
        """The network; trained first where the cache has none.

        Raises:
            ResourceError: the cache cannot be written.
        """
        from xaiexp.builtin.models import training
        from xaiexp.builtin.models.encoding import tensor_encoder

        recipe = getattr(training, self.name)(**self.parameters())
        module, extra, facts = training.make(recipe, context.cache / f"{self.fingerprint()}.safetensors")
        mean, std = extra.get("mean", 0.0), extra.get("std", 1.0)
        names = self._class_names()
        picture = self.modality == "image"
        return Network(
            module,
            tensor_encoder(self.input_shape(), mean, std),
            self.modality,
            classes=len(names),
            class_names=names,
            mean=mean,
            std=std,
            low=0.0 if picture else None,
            high=1.0 if picture else None,
            identity=self.fingerprint(),
            facts=facts,
        )

    @abstractmethod
    def _class_names(self) -> tuple[str, ...]:
        """By class index."""


@dataclass(frozen=True)
class DigitsCnn(_Trained):
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
class DigitsMlp(_Trained):
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
class ShapesCnn(_Trained):
    """A convolutional network for ``dataset=shapes``, ``[N, 3, size, size]`` standardised to 4 logits.

    Args:
        size: side of the pictures in pixels, that of the data set; training takes time with its square.
    """

    summary = "a small convolutional network for dataset=shapes"
    source = "trained here on 12,288 generated pictures"
    modality = "image"
    offers = frozenset({"gradients", "modules", "convolutions"})

    size: Annotated[int, Range(16, 128)] = 32

    def input_shape(self) -> tuple[int, ...]:
        """``(3, size, size)``."""
        return (3, self.size, self.size)

    def _class_names(self) -> tuple[str, ...]:
        return CLASSES
