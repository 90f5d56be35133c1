"""Pictures as a model takes them: resized, cropped and normalised, their masks the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from xaiexp.core.samples import Encoded, Sample
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Prepare", "picture_encoder"]

_COLOURS = {1: "grey", 3: "colour"}
_MODES = {1: "L", 3: "RGB"}


class Prepare(Protocol):
    """Resizes and crops: a PIL picture or a float ``[C, H, W]`` in 0..1 to float ``[C, h, w]`` in 0..1.

    With ``mask=True`` uint8 ``[1, H, W]`` of zeros and ones goes the same way, to zeros and ones ``[1, h, w]``.
    """

    def __call__(self, picture: Any, mask: bool = False) -> Tensor:
        """The picture, or the mask, as the model takes it, before it is normalised."""


def picture_encoder(
    prepare: Prepare, channels: int, mean: Tensor, std: Tensor, hint: str = ""
) -> Callable[[Sequence[Sample]], Encoded]:
    """PIL pictures or float tensors ``[C, H, W]`` in 0..1 to ``[N, C, h, w]``, their masks alike.

    A PIL picture is converted to the model's colours, a tensor must have its channels.

    Args:
        channels: 1 or 3.
        mean, std: per channel, of pictures in 0..1: ``[C, 1, 1]``.
        hint: what to do where pictures differ in size after preparing.
    """

    def encode(samples: Sequence[Sample]) -> Encoded:
        import torch
        from PIL import Image

        from xaiexp.builtin.models.encoding import as_tensor, stack_masks

        rows: list[Tensor] = []
        masks: list[Tensor | None] = []
        for sample in samples:
            data = sample.data
            if isinstance(data, Image.Image):
                height, width = data.height, data.width
                rows.append(prepare(data.convert(_MODES[channels])))
            else:
                data = as_tensor(sample)
                if data.ndim != 3 or data.shape[0] != channels:
                    raise MismatchError(
                        "dataset",
                        f"example {sample.id!r} is no {_COLOURS[channels]} picture [{channels}, H, W], which the model "
                        "takes",
                        got=list(data.shape),
                    )
                height, width = data.shape[1:]
                rows.append(prepare(data))
            if rows[-1].shape != rows[0].shape:
                raise MismatchError(
                    "dataset",
                    f"example {sample.id!r} is {list(rows[-1].shape)} after preprocessing, and others are "
                    f"{list(rows[0].shape)}",
                    hint=hint,
                )
            masks.append(None)
            if sample.mask is not None:
                mask = torch.as_tensor(sample.mask)
                if tuple(mask.shape) != (height, width):
                    raise MismatchError(
                        "dataset",
                        f"the mask of example {sample.id!r} is not of its size {[height, width]}",
                        got=list(mask.shape),
                    )
                masks[-1] = prepare(mask.unsqueeze(0).to(torch.uint8), mask=True)[0].bool()
        return Encoded((torch.stack(rows) - mean) / std, masks=stack_masks(masks))

    return encode
