"""The model ``transformers``: a text or image classifier from a local folder or the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from xaiexp.builtin.models.checkpoints import Checkpoint, read_settings
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network
from xaiexp.core.vocabulary import Modality, Task
from xaiexp.errors import ParameterError

__all__ = ["Transformers"]

# Families of image classifiers with convolutions other than a patch embedding (a test builds all families).
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
    """A classifier of transformers: of texts, over token embeddings ``[N, T, D]``, or of images ``[N, C, H, W]``.

    Texts are encoded as word embeddings; gradients, integration paths and perturbations refer to these. Images are
    preprocessed as ``preprocessor_config.json`` defines; without this file ``mean`` and ``std`` must be given. No code
    from the model's repository is run, and no pickle is loaded.

    Args:
        path: a local folder with the model and its tokenizer or preprocessing, or the id of a model on the hub, whose
            copy in the local cache is preferred.
        inputs: ``text`` or ``image``; ``auto`` infers it from the architecture in ``config.json``, and is ``text`` if
            that file cannot be read (a model on the hub that is not in the cache).
        max_length: texts are truncated to this number of tokens, including special tokens, and to the model's maximum.
        size: images are resized to this height and width in pixels; null takes the size of the preprocessing, else
            that of the configuration.
        mean, std: per channel, of images in 0..1; null takes those of the preprocessing.
        joined_words: texts only: accept a tokenizer with tokens that contain parts of several words. ``features=word``
            joins the words that share a token.
        task: what the numbers are that the network returns; null takes ``problem_type`` of its configuration.
    """

    summary = "a text or image classifier of transformers, from a local folder or the hub"
    source = "Wolf et al. 2020 (transformers); gradients by embeddings as in Sundararajan et al. 2017, section 6.5"

    path: str
    inputs: Literal["auto", "text", "image"] = "auto"
    max_length: Annotated[int, Range(3)] = 128
    size: Annotated[int, Range(1)] | None = None
    mean: Annotated[tuple[float, ...], Range(0, 1)] | None = None
    std: Annotated[tuple[float, ...], Range(0, exclusive=True), Range(high=1)] | None = None
    joined_words: bool = False
    task: Task | None = None

    @property
    def modality(self) -> Modality:
        """``image`` if ``inputs`` says so or the architecture is an image classifier, else ``text``."""
        if self.inputs != "auto":
            return self.inputs
        architectures = self._settings().get("architectures") or [""]
        return "image" if "ForImageClassification" in str(architectures[0]) else "text"

    @property
    def offers(self) -> frozenset[str]:
        """Gradients and modules; attention if the configuration names attention heads; convolutions by model family."""
        capabilities = {"gradients", "modules"}
        settings = self._settings()
        if not settings or any(re.search(r"(_heads|^n_head)$", key) for key in _all_keys(settings)):
            capabilities.add("attention")
        if self.modality == "image" and settings.get("model_type") in _CONVOLUTIONAL:
            capabilities.add("convolutions")
        return frozenset(capabilities)

    def input_shape(self) -> tuple[int, ...] | None:
        """``(C, H, W)`` of images, None if the files do not define it; None for texts."""
        if self.modality == "text":
            return None
        settings, preprocessing = self._settings(), read_settings(self.path, "preprocessor_config.json")
        channels = _channels(settings)
        if self.size is not None:
            return channels, self.size, self.size
        sides = None
        if not preprocessing:
            sides = _height_and_width(settings.get("image_size"))
        elif preprocessing.get("do_center_crop"):
            sides = _height_and_width(preprocessing.get("crop_size"))
        elif "crop_size" not in preprocessing and isinstance(preprocessing.get("size"), dict):
            sides = _height_and_width(preprocessing["size"])
        return None if sides is None else (channels, *sides)

    def fingerprint(self) -> str:
        """Sizes and modification times of the files of a local folder; empty for a model on the hub."""
        return Checkpoint(self.path).fingerprint()

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            ResourceError: there is no such folder, files are missing or damaged, or the hub cannot be reached.
            MismatchError: the model is not a classifier of these inputs, or cannot be evaluated on embeddings.
            ParameterError: normalisation or size of images are unknown; a parameter for images given for texts.
        """
        network = self._load(Checkpoint(self.path))
        return network if self.task is None else replace(network, task=self.task)

    def _load(self, checkpoint: Checkpoint) -> Network:
        if self.modality == "image":
            from xaiexp.builtin.models.image_models import load_image_classifier

            return load_image_classifier(checkpoint, self.size, self.mean, self.std)
        for name in ("size", "mean", "std"):
            if getattr(self, name) is not None:
                raise ParameterError(f"model.{name}", "is for images only; this model expects texts", got=self.path)
        from xaiexp.builtin.models.text_models import load_text_classifier

        return load_text_classifier(checkpoint, self.max_length, self.joined_words)

    def _settings(self) -> Mapping[str, Any]:
        return read_settings(self.path, "config.json")


def _all_keys(settings: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a nested mapping, at every level."""
    for key, value in settings.items():
        yield key
        if isinstance(value, Mapping):
            yield from _all_keys(value)


def _channels(settings: Mapping[str, Any]) -> int:
    channels = settings.get("num_channels", 3)
    return channels if isinstance(channels, int) else 3


def _height_and_width(size: Any) -> tuple[int, int] | None:
    """Height and width from one of the forms that configurations use; None where they depend on the image."""
    if isinstance(size, int):
        return size, size
    if isinstance(size, Mapping) and {"height", "width"} <= set(size):
        return int(size["height"]), int(size["width"])
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]), int(size[1])
    return None
