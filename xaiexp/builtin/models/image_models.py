"""Image classifiers of transformers: loading, with their preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from xaiexp.builtin.models.checkpoints import WHERE, Checkpoint, quiet, read_settings, task_of
from xaiexp.builtin.models.image_encoding import image_encoder, per_channel
from xaiexp.builtin.models.random_state import seeded_random_state
from xaiexp.core.samples import Network
from xaiexp.errors import MismatchError, ParameterError

__all__ = ["FromPixels", "load_image_classifier"]


class FromPixels(nn.Module):
    """An image classifier as a function of one tensor: ``inputs [N, C, H, W] -> logits [N, classes]``.

    The module path and name of this class are part of the keys of the store.

    Args:
        model: an image classifier of transformers.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        logits: Tensor = self.model(pixel_values=inputs, return_dict=True).logits
        return logits


@dataclass(frozen=True)
class _Processed:
    """Resizing and cropping by an image processor of transformers."""

    processor: Any

    def __call__(self, image: Any, mask: bool = False) -> Tensor:
        options: dict[str, Any] = {"resample": 0} if mask else {}
        if isinstance(image, Tensor):
            options["input_data_format"] = "channels_first"
        output = self.processor([image], do_rescale=False, do_normalize=False, return_tensors="pt", **options)
        row: Tensor = output.pixel_values[0]
        if mask:
            return row
        if not isinstance(image, Tensor):
            return row.float() / 255
        return row.clamp(
            image.min(), image.max()
        )  # bicubic interpolation overshoots the range; bytes are clipped by the processor


@dataclass(frozen=True)
class _Resized:
    """Resizing to a fixed height and width.

    The representation of this dataclass is part of the network's identity, and so of the keys of the store.
    """

    height: int
    width: int

    def __call__(self, image: Any, mask: bool = False) -> Tensor:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms import functional as F

        row = image if isinstance(image, Tensor) else F.pil_to_tensor(image).float() / 255
        if row.shape[-2:] == (self.height, self.width):
            return row
        mode = InterpolationMode.NEAREST_EXACT if mask else InterpolationMode.BILINEAR
        resized: Tensor = F.resize(row, [self.height, self.width], interpolation=mode, antialias=not mask)
        return resized


def load_image_classifier(
    checkpoint: Checkpoint, size: int | None, mean: tuple[float, ...] | None, std: tuple[float, ...] | None
) -> Network:
    """The network; see :meth:`xaiexp.builtin.models.transformers_classifiers.Transformers.load`."""
    with quiet(), seeded_random_state(0):
        from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING as CLASSIFIERS

        config = checkpoint.read("AutoConfig")
        model = checkpoint.classifier("AutoModelForImageClassification", config, CLASSIFIERS, "an image classifier")
        channels = int(getattr(config, "num_channels", 3))
        if channels not in (1, 3):
            raise MismatchError(WHERE, "expects images with neither one nor three channels", got=channels)
        preprocess, checkpoint_mean, checkpoint_std = _preprocessing(checkpoint, config, size)
    module = FromPixels(model).float().eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    shift, scale = (
        per_channel(f"model.{name}", _given(name, values, checkpoint.path), channels)
        for name, values in (("mean", mean or checkpoint_mean), ("std", std or checkpoint_std))
    )
    names = tuple(str(config.id2label.get(i, i)) for i in range(config.num_labels))
    return Network(
        module,
        image_encoder(preprocess, channels, shift, scale, "set model.size"),
        "image",
        classes=config.num_labels,
        task=task_of(config),
        class_names=() if all(name.startswith("LABEL_") for name in names) else names,
        mean=shift,
        std=scale,
        low=0.0,
        high=1.0,
        identity=f"{_relevant_settings(config)} {_description(preprocess)} "
        f"{shift.flatten().tolist()} {scale.flatten().tolist()}",
        facts={"weights": checkpoint.path, "architecture": type(model).__name__},
    )


def _preprocessing(
    checkpoint: Checkpoint, config: Any, size: int | None
) -> tuple[_Processed | _Resized, tuple[float, ...] | None, tuple[float, ...] | None]:
    """Resizing, and mean and standard deviation of images in 0..1, None where the checkpoint does not define them."""
    location, cached = checkpoint.location
    if not read_settings(checkpoint.path, "preprocessor_config.json") and (cached or Path(location).is_dir()):
        side = size or getattr(config, "image_size", None)
        if side is None:
            raise ParameterError(
                "model.size", "must be given: neither preprocessor_config.json nor config.json defines it"
            )
        height, width = (side, side) if isinstance(side, int) else side
        return _Resized(int(height), int(width)), None, None
    options: dict[str, Any] = {}
    if size is not None:
        options = {"size": {"height": size, "width": size}, "do_resize": True, "do_center_crop": False}
    processor = checkpoint.read("AutoImageProcessor", **options)
    # A processor multiplies bytes by a factor, usually 1 / 255, before it subtracts the mean.
    factor = 255 * processor.rescale_factor if getattr(processor, "do_rescale", True) else 255.0
    mean, std = (0.0,), (1.0,)
    if getattr(processor, "do_normalize", False):
        mean, std = tuple(processor.image_mean), tuple(processor.image_std)
    return _Processed(processor), tuple(m / factor for m in mean), tuple(s / factor for s in std)


def _given(name: str, values: tuple[float, ...] | None, path: str) -> tuple[float, ...]:
    """The normalisation of images; raises ParameterError where neither the user nor the checkpoint defines it."""
    if values is None:
        raise ParameterError(
            f"model.{name}",
            f"must be given: {path} has no preprocessor_config.json with the normalisation of images",
            hint="for images in 0..1, one number per channel; mean 0 and std 1 for no normalisation",
        )
    return values


def _relevant_settings(config: Any) -> dict[str, Any]:
    """The settings of a configuration that can change the scores."""
    settings: dict[str, Any] = config.to_diff_dict()
    return {key: settings[key] for key in sorted(settings) if key not in _IRRELEVANT_SETTINGS}


_IRRELEVANT_SETTINGS = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")


def _description(preprocess: _Processed | _Resized) -> str:
    """A text that is equal for equal preprocessing."""
    if isinstance(preprocess, _Resized):
        return repr(preprocess)
    return str(sorted(preprocess.processor.to_dict().items()))
