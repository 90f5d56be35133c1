"""Picture classifiers of transformers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.builtin.models.checkpoints import WHERE, Checkpoint, quiet, settings_in
from xaiexp.builtin.models.image_encoding import picture_encoder
from xaiexp.builtin.models.randomness import own_randomness
from xaiexp.core.samples import Network
from xaiexp.errors import MismatchError, ParameterError

__all__ = ["FromPixels", "load_pictures"]


class FromPixels(nn.Module):
    """``inputs [N, C, H, W] -> logits [N, classes]``.

    Args:
        model: a picture classifier of transformers.
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
    """Resizing and cropping by a processor of transformers."""

    processor: Any

    def __call__(self, picture: Any, mask: bool = False) -> Tensor:
        options: dict[str, Any] = {"resample": 0} if mask else {}
        if isinstance(picture, Tensor):
            options["input_data_format"] = "channels_first"
        done = self.processor([picture], do_rescale=False, do_normalize=False, return_tensors="pt", **options)
        row: Tensor = done.pixel_values[0]
        if mask:
            return row
        if not isinstance(picture, Tensor):
            return row.float() / 255
        return row.clamp(picture.min(), picture.max())  # bicubic overshoots, which bytes cannot


@dataclass(frozen=True)
class _Resized:
    """Resizing to a fixed height and width."""

    height: int
    width: int

    def __call__(self, picture: Any, mask: bool = False) -> Tensor:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms import functional as F

        row = picture if isinstance(picture, Tensor) else F.pil_to_tensor(picture).float() / 255
        if row.shape[-2:] == (self.height, self.width):
            return row
        mode = InterpolationMode.NEAREST_EXACT if mask else InterpolationMode.BILINEAR
        resized: Tensor = F.resize(row, [self.height, self.width], interpolation=mode, antialias=not mask)
        return resized


def load_pictures(
    checkpoint: Checkpoint, size: int | None, mean: tuple[float, ...] | None, std: tuple[float, ...] | None
) -> Network:
    """The network; see :meth:`xaiexp.builtin.models.pretrained.Transformers.load`."""
    with quiet(), own_randomness(0):
        from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING as CLASSIFIERS

        config = checkpoint.read("AutoConfig")
        model = checkpoint.classifier("AutoModelForImageClassification", config, CLASSIFIERS, "picture classifier")
        channels = int(getattr(config, "num_channels", 3))
        if channels not in (1, 3):
            raise MismatchError(WHERE, "takes pictures of neither one nor three channels", got=channels)
        prepare, own_mean, own_std = _prepared(checkpoint, config, size)
    module = FromPixels(model).float().eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    shift, scale = (
        _per_channel(name, given or own, channels, checkpoint.path)
        for name, given, own in (("mean", mean, own_mean), ("std", std, own_std))
    )
    names = tuple(str(config.id2label.get(i, i)) for i in range(config.num_labels))
    return Network(
        module,
        picture_encoder(prepare, channels, shift, scale, "set model.size"),
        "image",
        classes=config.num_labels,
        class_names=() if all(name.startswith("LABEL_") for name in names) else names,
        mean=shift,
        std=scale,
        low=0.0,
        high=1.0,
        identity=f"{_told(config)} {_described(prepare)} {shift.flatten().tolist()} {scale.flatten().tolist()}",
        facts={"weights": checkpoint.path, "architecture": type(model).__name__},
    )


def _prepared(
    checkpoint: Checkpoint, config: Any, size: int | None
) -> tuple[_Processed | _Resized, tuple[float, ...] | None, tuple[float, ...] | None]:
    """Resizing, and the normalisation of pictures in 0..1 where the folder says it."""
    place, cached = checkpoint.place
    if not settings_in(checkpoint.path, "preprocessor_config.json") and (cached or Path(place).is_dir()):
        side = size or getattr(config, "image_size", None)
        if side is None:
            raise ParameterError(
                "model.size", "must be given: neither preprocessor_config.json nor the configuration says it"
            )
        height, width = (side, side) if isinstance(side, int) else side
        return _Resized(int(height), int(width)), None, None
    options: dict[str, Any] = {}
    if size is not None:
        options = {"size": {"height": size, "width": size}, "do_resize": True, "do_center_crop": False}
    processor = checkpoint.read("AutoImageProcessor", **options)
    # A processor scales bytes by a factor, mostly 1 / 255, before it takes the mean off.
    factor = 255 * processor.rescale_factor if getattr(processor, "do_rescale", True) else 255.0
    mean, std = (0.0,), (1.0,)
    if getattr(processor, "do_normalize", False):
        mean, std = tuple(processor.image_mean), tuple(processor.image_std)
    return _Processed(processor), tuple(m / factor for m in mean), tuple(s / factor for s in std)


def _per_channel(name: str, given: tuple[float, ...] | None, channels: int, path: str) -> Tensor:
    if given is None:
        raise ParameterError(
            f"model.{name}",
            f"must be given: {path} has no preprocessor_config.json that says how pictures are normalised",
            hint="of pictures in 0..1, one number for each channel; mean 0 and std 1 for none",
        )
    if len(given) not in (1, channels):
        raise ParameterError(f"model.{name}", f"must be one number, or one for each of {channels} channels", got=given)
    return torch.tensor(given).view(-1, 1, 1).expand(channels, 1, 1).clone()


def _told(config: Any) -> dict[str, Any]:
    settings: dict[str, Any] = config.to_diff_dict()
    return {key: settings[key] for key in sorted(settings) if key not in _UNIMPORTANT}


_UNIMPORTANT = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")


def _described(prepare: _Processed | _Resized) -> str:
    return repr(prepare) if isinstance(prepare, _Resized) else str(sorted(prepare.processor.to_dict().items()))
