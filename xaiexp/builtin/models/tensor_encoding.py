"""Encoding of samples as tensors of fixed shape, with normalisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from xaiexp.core.samples import Encoded, Sample
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

_ROUNDING = 1e-3

__all__ = ["as_tensor", "check_broadcast", "describe_shape", "stack_masks", "tensor_encoder"]


def describe_shape(shape: Sequence[int]) -> str:
    """The shape of one input, in words for messages.

    >>> describe_shape((3, 224, 224)), describe_shape((30,)), describe_shape((1, 50))
    ('images of 3 channels and 224 x 224 pixels', 'rows of 30 columns', 'series of 1 channels and 50 steps')
    """
    if len(shape) == 3:
        return f"images of {shape[0]} channels and {shape[1]} x {shape[2]} pixels"
    if len(shape) == 2:
        return f"series of {shape[0]} channels and {shape[1]} steps"
    return f"rows of {shape[0]} columns" if len(shape) == 1 else f"inputs of shape {list(shape)}"


def as_tensor(sample: Sample) -> Tensor:
    """The data of a sample as float32: a PIL image becomes ``[C, H, W]`` in 0..1, a tensor keeps its values.

    A PIL image becomes one channel if its mode is greyscale and three otherwise; see
    :func:`xaiexp.builtin.image_decoding.image_data`.

    Raises:
        MismatchError: the data are neither a PIL image nor a tensor, or an image that is not in 0..1.
        ResourceError: an image cannot be decoded.
    """
    import torch

    data = sample.data
    if isinstance(data, torch.Tensor):
        if data.ndim == 3:
            _check_pixels(sample.id, data)
        return data.float()
    from PIL import Image

    if isinstance(data, Image.Image):
        from torchvision.transforms.functional import pil_to_tensor

        from xaiexp.builtin.image_decoding import image_data

        image = image_data("dataset", f"example {sample.id!r}", data)
        return image if isinstance(image, torch.Tensor) else pil_to_tensor(image).float() / 255
    raise MismatchError(
        "dataset", f"example {sample.id!r} is a {type(data).__name__}; the model expects images, tables or series"
    )


def _check_pixels(sample_id: str, image: Tensor) -> None:
    """Raise MismatchError unless an image ``[C, H, W]`` has floats in 0..1."""
    if not image.is_floating_point():
        raise MismatchError(
            "dataset",
            f"example {sample_id!r} has pixels of type {str(image.dtype).removeprefix('torch.')}",
            hint="images are floats in 0..1: divide by the largest value of the type",
        )
    low, high = (float(end) for end in image.aminmax()) if image.numel() else (0.0, 0.0)
    # Rounding may lead a little out of the range. NaN passes: the values of all inputs are checked for it.
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise MismatchError(
            "dataset",
            f"example {sample_id!r} has pixels out of 0..1, which the preprocessing of the model expects",
            got=f"{low:g} to {high:g}",
            hint="a normalised image must be given as it was before; bytes must be divided by 255",
        )


def stack_masks(masks: Sequence[Tensor | None]) -> Tensor | None:
    """Masks bool ``[N, H, W]``, all False for an example without one; None if no example has one."""
    import torch

    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    return torch.stack([torch.zeros_like(given[0]) if mask is None else mask for mask in masks])


def check_broadcast(where: str, values: Tensor | float, shape: Sequence[int]) -> None:
    """Raise MismatchError unless ``values`` are one number, or one per channel or column of an input of this shape."""
    import torch

    if not isinstance(values, torch.Tensor) or values.numel() == 1:
        return
    if values.ndim != len(shape) or any(own not in (1, size) for own, size in zip(values.shape, shape, strict=True)):
        raise MismatchError(
            where,
            f"must be one number, or one for each of {shape[0]} {'channels' if len(shape) > 1 else 'columns'}",
            got=values.flatten().tolist(),
        )


def tensor_encoder(
    shape: Sequence[int] | None, mean: Tensor | float = 0.0, std: Tensor | float = 1.0
) -> Callable[[Sequence[Sample]], Encoded]:
    """A function that stacks samples and normalises them: ``(data - mean) / std``.

    Args:
        shape: shape of one input; None takes that of the first sample.
        mean, std: broadcast over one input.

    The function raises MismatchError for samples of another shape, for images that are not in 0..1 and where mean or
    std have another number of channels or columns than the samples.
    """

    def encode(samples: Sequence[Sample]) -> Encoded:
        import torch

        rows = [as_tensor(sample) for sample in samples]
        expected = tuple(rows[0].shape if shape is None else shape)
        for name, values in (("mean", mean), ("std", std)):
            check_broadcast(f"model.{name}", values, expected)
        for sample, row in zip(samples, rows, strict=True):
            if tuple(row.shape) != expected:
                raise MismatchError(
                    "dataset",
                    f"example {sample.id!r} does not have the shape {list(expected)}: the model expects "
                    f"{describe_shape(expected)}",
                    got=list(row.shape),
                )
        masks = stack_masks([None if s.mask is None else torch.as_tensor(s.mask).bool() for s in samples])
        return Encoded((torch.stack(rows) - mean) / std, masks=masks)

    return encode
