"""Encoding of images with resizing, cropping and normalisation, applied to their masks too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from xaiexp.core.samples import Encoded, Sample
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ImagePreprocessing", "image_encoder"]

_DESCRIPTIONS = {1: "a greyscale image", 3: "a colour image"}
_MODES = {1: "L", 3: "RGB"}


class ImagePreprocessing(Protocol):
    """Resizes and crops a PIL image or a float tensor ``[C, H, W]`` in 0..1 to a float tensor ``[C, h, w]`` in 0..1.

    With ``mask=True`` it does the same to a uint8 mask ``[1, H, W]`` of zeros and ones.
    """

    def __call__(self, image: Any, mask: bool = False) -> Tensor:
        """The resized and cropped image or mask, before normalisation."""


def image_encoder(
    preprocess: ImagePreprocessing, channels: int, mean: Tensor, std: Tensor, hint: str = ""
) -> Callable[[Sequence[Sample]], Encoded]:
    """A function that encodes PIL images or float tensors ``[C, H, W]`` in 0..1, and masks, as ``[N, C, h, w]``.

    A PIL image is converted to greyscale or RGB; a tensor must have the channels of the model.

    Args:
        preprocess: resizes and crops images and masks.
        channels: 1 or 3.
        mean, std: per channel, of images in 0..1: ``[C, 1, 1]``.
        hint: hint of the error raised for images of different sizes after preprocessing.
    """

    def encode(samples: Sequence[Sample]) -> Encoded:
        import torch
        from PIL import Image

        from xaiexp.builtin.models.tensor_encoding import as_tensor, stack_masks

        rows: list[Tensor] = []
        masks: list[Tensor | None] = []
        for sample in samples:
            data = sample.data
            if isinstance(data, Image.Image):
                height, width = data.height, data.width
                rows.append(preprocess(data.convert(_MODES[channels])))
            else:
                data = as_tensor(sample)
                if data.ndim != 3 or data.shape[0] != channels:
                    raise MismatchError(
                        "dataset",
                        f"example {sample.id!r} is not {_DESCRIPTIONS[channels]} [{channels}, H, W]",
                        got=list(data.shape),
                    )
                height, width = data.shape[1:]
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
        return Encoded((torch.stack(rows) - mean) / std, masks=stack_masks(masks))

    return encode
