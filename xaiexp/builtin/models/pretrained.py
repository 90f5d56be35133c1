"""Classifiers of transformers over texts and pictures, from a local folder or the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from xaiexp.builtin.models.checkpoints import Checkpoint, settings_in
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network
from xaiexp.core.vocabulary import Modality
from xaiexp.errors import ParameterError

__all__ = ["Transformers"]

# Families of picture classifiers that have convolutions beyond the one that cuts patches (a test builds them all).
_CONVOLUTIONAL = frozenset(
    (
        "bit",
        "convnext",
        "convnextv2",
        "cvt",
        "efficientnet",
        "focalnet",
        "hgnet_v2",
        "levit",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilevit",
        "mobilevitv2",
        "poolformer",
        "pp_lcnet",
        "pvt_v2",
        "regnet",
        "resnet",
        "segformer",
        "swiftformer",
        "textnet",
    )
)


@dataclass(frozen=True)
class Transformers(Model):
    """A classifier of transformers: of texts, over token embeddings ``[N, T, D]``, or of pictures ``[N, C, H, W]``.

    A tokenizer's texts become word embeddings once; gradients, paths and perturbations live there. Pictures go
    through the preprocessing in the folder's ``preprocessor_config.json``; a folder without one needs ``mean`` and
    ``std``. No code from the model's repository is run, and no pickle is executed.

    Args:
        path: a local folder with the model and its tokenizer or preprocessing, or the id of a model on the hub. Of
            the latter the copy in the local cache is used where there is one.
        task: ``text`` or ``image``; ``auto`` reads it from the architecture in ``config.json``, and takes ``text``
            where that cannot be read (a model on the hub that is not in the cache).
        max_length: texts are cut after so many tokens, special ones included; never more than the model takes.
        size: pictures are resized to so many pixels along both sides; null takes the preprocessing's size, else
            that of the configuration.
        mean, std: per channel, of pictures in 0..1; null takes those of the preprocessing.
    """

    summary = "a classifier of texts or pictures of transformers, from a local folder or the hub"
    source = "Wolf et al. 2020 (transformers); gradients by embeddings as in Sundararajan et al. 2017, section 6.5"

    path: str
    task: Literal["auto", "text", "image"] = "auto"
    max_length: Annotated[int, Range(3)] = 128
    size: Annotated[int, Range(1)] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def modality(self) -> Modality:
        """``image`` where the task or the architecture says so, else ``text``."""
        if self.task != "auto":
            return self.task
        architectures = self._settings().get("architectures") or [""]
        return "image" if "ForImageClassification" in str(architectures[0]) else "text"

    @property
    def offers(self) -> frozenset[str]:
        """Gradients and modules; attention where the configuration counts its heads; convolutions by the family."""
        parts = {"gradients", "modules"}
        settings = self._settings()
        if not settings or any(re.search(r"(_heads|^n_head)$", key) for key in _keys(settings)):
            parts.add("attention")
        if self.modality == "image" and settings.get("model_type") in _CONVOLUTIONAL:
            parts.add("convolutions")
        return frozenset(parts)

    def input_shape(self) -> tuple[int, ...] | None:
        """``(C, H, W)`` of pictures, where the files say it without doubt; None for texts."""
        if self.modality == "text":
            return None
        settings, told = self._settings(), settings_in(self.path, "preprocessor_config.json")
        channels = _channels(settings)
        if self.size is not None:
            return channels, self.size, self.size
        side = None
        if not told:
            side = _sides(settings.get("image_size"))
        elif told.get("do_center_crop"):
            side = _sides(told.get("crop_size"))
        elif "crop_size" not in told and isinstance(told.get("size"), dict):
            side = _sides(told["size"])
        return None if side is None else (channels, *side)

    def fingerprint(self) -> str:
        """Sizes and times of the files of a local folder; of a model on the hub only its name is known."""
        return Checkpoint(self.path).fingerprint()

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            ResourceError: no such folder, files that are missing or damaged, a hub that cannot be reached.
            MismatchError: no classifier of this task, or one that cannot be driven by embeddings.
            ParameterError: pictures whose normalisation or size nobody says; parameters of pictures for texts.
        """
        checkpoint = Checkpoint(self.path)
        if self.modality == "image":
            from xaiexp.builtin.models.image_models import load_pictures

            return load_pictures(checkpoint, self.size, self.mean, self.std)
        for name in ("size", "mean", "std"):
            if getattr(self, name) is not None:
                raise ParameterError(f"model.{name}", "is for pictures, and this model takes texts", got=self.path)
        from xaiexp.builtin.models.text_models import load_texts

        return load_texts(checkpoint, self.max_length)

    def _settings(self) -> Mapping[str, Any]:
        return settings_in(self.path, "config.json")


def _keys(settings: Mapping[str, Any]) -> Iterator[str]:
    for key, value in settings.items():
        yield key
        if isinstance(value, Mapping):
            yield from _keys(value)


def _channels(settings: Mapping[str, Any]) -> int:
    found = settings.get("num_channels", 3)
    return found if isinstance(found, int) else 3


def _sides(told: Any) -> tuple[int, int] | None:
    """Height and width, as configurations write them; None where they depend on the picture."""
    if isinstance(told, int):
        return told, told
    if isinstance(told, Mapping) and {"height", "width"} <= set(told):
        return int(told["height"]), int(told["width"])
    if isinstance(told, list | tuple) and len(told) == 2:
        return int(told[0]), int(told[1])
    return None
