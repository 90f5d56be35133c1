"""Samples to the tensors that a model takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from xaiexp.core.samples import Encoded, Sample
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["as_tensor", "stack_masks", "tensor_encoder", "words_for"]


def words_for(shape: Sequence[int]) -> str:
    """The shape of one input in a person's words.

    >>> words_for((3, 224, 224)), words_for((30,)), words_for((1, 50))
    ('pictures of 3 channels and 224 x 224 pixels', 'rows of 30 columns', 'series of 1 channels and 50 steps')
    """
    if len(shape) == 3:
        return f"pictures of {shape[0]} channels and {shape[1]} x {shape[2]} pixels"
    if len(shape) == 2:
        return f"series of {shape[0]} channels and {shape[1]} steps"
    return f"rows of {shape[0]} columns" if len(shape) == 1 else f"inputs of shape {list(shape)}"


def as_tensor(sample: Sample) -> Tensor:
    """A sample's data as float32: a PIL picture becomes ``[C, H, W]`` in 0..1, a tensor stays as it is.

    Raises:
        MismatchError: a text, or anything else that is no tensor.
    """
    import torch
    from PIL import Image

    data = sample.data
    if isinstance(data, Image.Image):
        from torchvision.transforms.functional import pil_to_tensor

        picture: Tensor = pil_to_tensor(data).float() / 255
        return picture
    if isinstance(data, torch.Tensor):
        return data.float()
    raise MismatchError(
        "dataset", f"example {sample.id!r} is {type(data).__name__}, and this model takes pictures, tables or series"
    )


def stack_masks(masks: Sequence[Tensor | None]) -> Tensor | None:
    """Masks bool ``[N, H, W]``; None where no example has one, and all False for one that has none among others."""
    import torch

    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    return torch.stack([torch.zeros_like(given[0]) if mask is None else mask for mask in masks])


def tensor_encoder(
    shape: Sequence[int] | None, mean: Tensor | float = 0.0, std: Tensor | float = 1.0
) -> Callable[[Sequence[Sample]], Encoded]:
    """An ``encode`` that stacks samples as they are and normalises: ``(data - mean) / std``.

    Args:
        shape: of one input; None takes that of the first sample.
        mean, std: broadcast over one input.
    """

    def encode(samples: Sequence[Sample]) -> Encoded:
        import torch

        rows = [as_tensor(sample) for sample in samples]
        wanted = tuple(rows[0].shape if shape is None else shape)
        for sample, row in zip(samples, rows, strict=True):
            if tuple(row.shape) != wanted:
                raise MismatchError(
                    "dataset",
                    f"example {sample.id!r} is not of the shape {list(wanted)}: the model takes {words_for(wanted)}",
                    got=list(row.shape),
                )
        masks = stack_masks([None if s.mask is None else torch.as_tensor(s.mask).bool() for s in samples])
        return Encoded((torch.stack(rows) - mean) / std, masks=masks)

    return encode
