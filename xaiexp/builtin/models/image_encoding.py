"""Encoding of images with resizing, cropping and normalisation, applied to their masks too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from xaiexp.core.samples import Encoded, Sample
from xaiexp.errors import MismatchError, ParameterError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ImagePreprocessing", "image_encoder", "per_channel"]

_DESCRIPTIONS = {1: "a greyscale image", 3: "a colour image"}
_MODES = {1: "L", 3: "RGB"}


def per_channel(where: str, values: Sequence[float], channels: int | None) -> Tensor:
    """One number per channel as ``[C, 1, 1]``; a single number stands for all channels.

    Args:
        where: the parameter, for messages.
        values: the numbers.
        channels: of the model's inputs; None where unknown: C is the number of values then.

    Raises:
        ParameterError: the number of values fits neither one nor all channels.
    """
    import torch

    if channels is not None and len(values) not in (1, channels):
        raise ParameterError(
            where,
            f"must be one number, or one for each of {channels} channels"
            if channels > 1
            else "must be one number, since the network has one input channel",
            got=list(values),
        )
    column = torch.tensor(tuple(values)).view(-1, 1, 1)
    return column if channels is None else column.expand(channels, 1, 1).clone()


class ImagePreprocessing(Protocol):
    """Resizes and crops a PIL image or a float tensor ``[C, H, W]`` in 0..1 to a float tensor ``[C, h, w]`` in 0..1.

    With ``mask=True`` it does the same to a uint8 mask ``[1, H, W]`` of zeros and ones.
    """

    def __call__(self, image: Any, mask: bool = False) -> Tensor:
        """The resized and cropped image or mask, before normalisation."""


def image_encoder(
    preprocess: ImagePreprocessing, channels: int | None, mean: Tensor, std: Tensor, hint: str = ""
) -> Callable[[Sequence[Sample]], Encoded]:
    """A function that encodes PIL images or float tensors ``[C, H, W]`` in 0..1, and masks, as ``[N, C, h, w]``.

    A PIL image is converted to greyscale (ITU-R 601-2 luma) or RGB. A tensor must have the channels of the model, but
    one channel may stand for three equal ones, and three equal ones for one.

    Args:
        preprocess: resizes and crops images and masks.
        channels: of the model's inputs; None keeps those of the images.
        mean, std: per channel, of images in 0..1: ``[C, 1, 1]``.
        hint: hint of the error raised for images of different sizes after preprocessing.
    """

    def encode(samples: Sequence[Sample]) -> Encoded:
        import torch

        from xaiexp.builtin.models.tensor_encoding import check_broadcast, stack_masks

        rows: list[Tensor] = []
        masks: list[Tensor | None] = []
        for sample in samples:
            data = _with_channels(sample, channels)
            height, width = data.shape[1:] if isinstance(data, torch.Tensor) else (data.height, data.width)
            rows.append(preprocess(data))
            if rows[-1].shape != rows[0].shape:
                raise MismatchError(
                    "dataset",
                    f"example {sample.id!r} has shape {list(rows[-1].shape)} after preprocessing, other examples have "
                    f"{list(rows[0].shape)}",
                    hint=hint,
                )
            masks.append(None)
            if sample.mask is not None:
                mask = torch.as_tensor(sample.mask)
                if tuple(mask.shape) != (height, width):
                    raise MismatchError(
                        "dataset",
                        f"the mask of example {sample.id!r} does not have the size {[height, width]} of its image",
                        got=list(mask.shape),
                    )
                masks[-1] = preprocess(mask.unsqueeze(0).to(torch.uint8), mask=True)[0].bool()
        for name, values in (("mean", mean), ("std", std)):
            check_broadcast(f"model.{name}", values, rows[0].shape)
        return Encoded((torch.stack(rows) - mean) / std, masks=stack_masks(masks))

    return encode


def _with_channels(sample: Sample, channels: int | None) -> Any:
    """The image of a sample as a PIL image in mode L or RGB, or as a tensor ``[C, H, W]`` in 0..1."""
    from PIL import Image

    from xaiexp.builtin.image_decoding import image_data
    from xaiexp.builtin.models.tensor_encoding import as_tensor

    data = sample.data
    if isinstance(data, Image.Image):
        data = image_data("dataset", f"example {sample.id!r}", data)
        if isinstance(data, Image.Image):
            if channels is not None and channels not in _MODES:
                raise MismatchError(
                    "dataset", f"example {sample.id!r} is a picture; the model has {channels} input channels"
                )
            return data if channels is None else data.convert(_MODES[channels])
    else:
        data = as_tensor(sample)
    if data.ndim == 3 and channels == 3 and data.shape[0] == 1:
        return data.expand(3, -1, -1)
    if data.ndim == 3 and channels == 1 and data.shape[0] == 3 and bool((data == data[:1]).all()):
        return data[:1]
    if data.ndim != 3 or channels not in (None, data.shape[0]):
        description = _DESCRIPTIONS.get(channels or 0, "an image")
        raise MismatchError(
            "dataset",
            f"example {sample.id!r} is not {description} [{channels or 'C'}, H, W]",
            got=list(data.shape),
        )
    return data
