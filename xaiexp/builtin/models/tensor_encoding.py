"""Encoding of samples as tensors of fixed shape, with normalisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from xaiexp.core.samples import Encoded, Sample
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["as_tensor", "describe_shape", "stack_masks", "tensor_encoder"]


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

    Raises:
        MismatchError: the data are neither a PIL image nor a tensor.
    """
    import torch

    data = sample.data
    if isinstance(data, torch.Tensor):
        return data.float()
    from PIL import Image

    if isinstance(data, Image.Image):
        from torchvision.transforms.functional import pil_to_tensor

        image: Tensor = pil_to_tensor(data).float() / 255
        return image
    raise MismatchError(
        "dataset", f"example {sample.id!r} is a {type(data).__name__}; the model expects images, tables or series"
    )


def stack_masks(masks: Sequence[Tensor | None]) -> Tensor | None:
    """Masks bool ``[N, H, W]``, all False for an example without one; None if no example has one."""
    import torch

    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    return torch.stack([torch.zeros_like(given[0]) if mask is None else mask for mask in masks])


def tensor_encoder(
    shape: Sequence[int] | None, mean: Tensor | float = 0.0, std: Tensor | float = 1.0
) -> Callable[[Sequence[Sample]], Encoded]:
    """A function that stacks samples and normalises them: ``(data - mean) / std``.

    Args:
        shape: shape of one input; None takes that of the first sample.
        mean, std: broadcast over one input.
    """

    def encode(samples: Sequence[Sample]) -> Encoded:
        import torch

        rows = [as_tensor(sample) for sample in samples]
        expected = tuple(rows[0].shape if shape is None else shape)
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
