"""Scalars of heads that return more than K numbers a row: segmentations and detections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from xaiexp.contract.kinds import Output
from xaiexp.core.parameters import Range
from xaiexp.core.vocabulary import TASKS, Task
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Detection", "Segmentation"]


@dataclass(frozen=True)
class Segmentation(Output):
    """The logit of a class, summed over the pixels that are predicted as it.

    Reads a tensor ``[B, K, H, W]`` or the entry ``out`` of a mapping, as torchvision's networks return. 0 for a class
    that no pixel is predicted as. Which pixels are summed over follows from the input that is evaluated and is held
    constant in the gradient.
    """

    summary = "the logit of a class, summed over the pixels predicted as it"
    source = "Vinogradova et al. 2020, Towards Interpretable Semantic Segmentation via Seg-Grad-CAM, equation 3"
    tasks = TASKS
    own_scale = True

    def read(self, returned: Any) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.read`."""
        import torch

        maps = returned.get("out", returned.get("logits")) if isinstance(returned, Mapping) else returned
        maps = getattr(maps, "logits", maps)
        if not isinstance(maps, torch.Tensor) or maps.ndim != 4:
            raise MismatchError(
                "output.segmentation",
                "reads maps of classes [N, K, H, W], or a mapping with the entry 'out'",
                got=_what(returned),
                hint="a network of whole images needs no output=segmentation",
            )
        classes = maps.shape[1]
        predicted = maps.detach().argmax(dim=1, keepdim=True)
        own = predicted == torch.arange(classes, device=maps.device).view(1, classes, 1, 1)
        return (maps * own).sum(dim=(2, 3))

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.scalars`."""
        return head


@dataclass(frozen=True)
class Detection(Output):
    """The score of a box: for each class, the best score among the boxes of that class.

    Reads torchvision's detections, a list with a mapping ``boxes [M, 4]``, ``labels [M]``, ``scores [M]`` for each
    image. With ``box``, only detections that overlap that box count, and scores are multiplied by the overlap. 0 for a
    class without such a box, and its gradient is 0.

    Args:
        box: left, top, right and bottom of the explained box, in pixels; null for the best box wherever it is.
        overlap: smallest intersection over union with ``box``.
        classes: the number K of classes, background included; 91 of COCO's labels.
    """

    summary = "the best score among the boxes of a class"
    source = "Petsiuk et al. 2021, Black-box Explanation of Object Detectors via Saliency Maps, equations 2 to 5"
    tasks = TASKS
    own_scale = True

    box: tuple[float, ...] | None = None
    overlap: Annotated[float, Range(0, 1)] = 0.5
    classes: Annotated[int, Range(1)] = 91

    def __post_init__(self) -> None:
        super().__post_init__()
        box = self.box
        if box is not None and (len(box) != 4 or box[0] >= box[2] or box[1] >= box[3]):
            raise MismatchError("output.detection.box", "must be left, top, right and bottom of a box", got=list(box))

    def read(self, returned: Any) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.read`."""
        import torch

        if not isinstance(returned, Sequence) or not all(
            isinstance(one, Mapping) and {"boxes", "labels", "scores"} <= set(one) for one in returned
        ):
            raise MismatchError(
                "output.detection",
                "reads a list with a mapping of boxes, labels and scores for each image",
                got=_what(returned),
            )
        return torch.stack([self._best(one["boxes"], one["labels"], one["scores"]) for one in returned])

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.scalars`."""
        return head

    def _best(self, boxes: Tensor, labels: Tensor, scores: Tensor) -> Tensor:
        """The best score of each class ``[K]`` in one image."""
        if len(labels) and int(labels.max()) >= self.classes:
            raise MismatchError(
                "output.detection.classes",
                f"must be above the largest label, {int(labels.max())}",
                got=self.classes,
            )
        if self.box is not None:
            from torchvision.ops import box_iou

            overlap = box_iou(boxes, boxes.new_tensor([self.box]))[:, 0]
            scores = (scores * overlap).where(overlap >= self.overlap, 0.0)
        return scores.new_zeros(self.classes).scatter_reduce(0, labels, scores, "amax")


def _what(returned: Any) -> object:
    shape = getattr(returned, "shape", None)
    return type(returned).__name__ if shape is None else list(shape)
