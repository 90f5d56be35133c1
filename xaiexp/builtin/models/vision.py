"""The classifiers of torchvision, with their preprocessing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from xaiexp.builtin.models.image_encoding import picture_encoder
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network
from xaiexp.errors import MismatchError, ResourceError, UnknownName, nearest

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Torchvision"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Sides that torchvision's own weights were evaluated at, where they are not 224 (a test compares with torchvision).
_CROPS: Mapping[str, int] = {
    "efficientnet_b1": 240,
    "efficientnet_b2": 288,
    "efficientnet_b3": 300,
    "efficientnet_b4": 380,
    "efficientnet_b5": 456,
    "efficientnet_b6": 528,
    "efficientnet_b7": 600,
    "efficientnet_v2_l": 480,
    "efficientnet_v2_m": 480,
    "efficientnet_v2_s": 384,
    "inception_v3": 299,
    "regnet_y_128gf": 384,
    "swin_v2_b": 256,
    "swin_v2_s": 256,
    "swin_v2_t": 256,
    "vit_h_14": 518,
}
# The first layer of these cuts the picture into patches; what follows is attention, not convolution.
_PATCHES = ("vit_", "swin_")
_ATTENTIVE = (*_PATCHES, "maxvit_")
# The sizes of their weights follow from the size of the picture.
_FIXED = ("vit_", "maxvit_")
# Torchvision's weights of these expect inputs that they normalise once more by themselves.
_TRANSFORMING = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class Torchvision(Model):
    """A classifier of torchvision over pictures ``[N, 3, crop, crop]``, with ``classes`` logits.

    Pictures are resized (the shorter side to ``resize``), cropped in the centre and normalised; masks go the same
    way.

    Args:
        arch: a name of ``torchvision.models.list_models``.
        weights: ``none`` (random, from a fixed seed), ``default`` (torchvision's, downloaded once), or a file:
            safetensors or a state dict that loads with ``weights_only``, and fits in every name and shape.
        classes: how many outputs; 1000 is taken for ImageNet's classes.
        resize, crop: in pixels; null takes what the weights were evaluated with.
        mean, std: per channel, of pictures in 0..1; null takes those of the weights, which are mostly ImageNet's.
    """

    summary = "a classifier of torchvision, with weights of its own or from a file"
    source = "torchvision.models (Marcel and Rodriguez 2010); weights from ImageNet unless a file is given"
    modality = "image"

    arch: str = "resnet18"
    weights: str = "default"
    classes: Annotated[int, Range(1)] = 1000
    resize: Annotated[int, Range(1)] | None = None
    crop: Annotated[int, Range(1)] | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    @property
    def offers(self) -> frozenset[str]:
        """Gradients and modules; convolutions and attention where the architecture has them."""
        parts = {"gradients", "modules"}
        if not self.arch.startswith(_PATCHES):
            parts.add("convolutions")
        if self.arch.startswith(_ATTENTIVE):
            parts.add("attention")
        return frozenset(parts)

    def input_shape(self) -> tuple[int, ...]:
        """``(3, crop, crop)``."""
        crop = self.crop or _CROPS.get(self.arch, 224)
        return (3, crop, crop)

    def fingerprint(self) -> str:
        """Size and time of the file, or the version of torchvision."""
        if self.weights in ("none", "default"):
            return f"{self.arch} {self.weights} torchvision {version('torchvision')}"
        try:
            told = Path(self.weights).expanduser().stat()
        except OSError:
            return ""
        return f"{self.arch} {told.st_size} bytes, {told.st_mtime_ns} ns"

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            UnknownName: no such architecture.
            ResourceError: weights that are missing, damaged or out of reach.
            MismatchError: weights that do not fit the architecture or the number of classes.
        """
        import torch
        from torchvision import models

        known = models.list_models(module=models)
        if self.arch not in known:
            raise UnknownName(
                "model.arch",
                "torchvision has no classifier of this name",
                got=self.arch,
                nearest=nearest(self.arch, known),
                hint="all: torchvision.models.list_models(torchvision.models)",
            )
        default = models.get_model_weights(self.arch).DEFAULT
        module, facts = self._module(default)
        own = default.transforms() if self.weights == "default" else None
        _, crop, _ = self.input_shape()
        prepare = _Prepare(
            resize=self.resize or (own.resize_size[0] if own and self.crop is None else round(crop * 256 / 224)),
            crop=crop,
            interpolation=own.interpolation.value if own else "bilinear",
        )
        mean = torch.tensor(self.mean or (tuple(own.mean) if own else IMAGENET_MEAN)).view(3, 1, 1)
        std = torch.tensor(self.std or (tuple(own.std) if own else IMAGENET_STD)).view(3, 1, 1)
        categories = tuple(default.meta["categories"])
        return Network(
            module,
            picture_encoder(prepare, 3, mean, std),
            self.modality,
            classes=self.classes,
            class_names=categories if len(categories) == self.classes else (),
            mean=mean,
            std=std,
            low=0.0,
            high=1.0,
            identity=f"{self.arch} {prepare} {mean.flatten().tolist()} {std.flatten().tolist()}",
            facts=facts,
        )

    def _module(self, default: Any) -> tuple[nn.Module, dict[str, object]]:
        """The module in eval mode, and what to tell of its weights."""
        from xaiexp.builtin.models.randomness import own_randomness
        from xaiexp.builtin.models.weights import fit_in, read_weights

        facts: dict[str, object] = {"weights": self.weights}
        state: dict[str, Tensor] = {}
        path = Path(self.weights).expanduser()
        if self.weights not in ("none", "default"):
            state = read_weights("model.weights", path, "or 'default', or 'none' for random weights")
        with own_randomness(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torchvision about its own defaults
            if self.weights == "default":
                if self.classes != len(default.meta["categories"]):
                    raise MismatchError(
                        "model.classes",
                        f"the default weights of {self.arch} have {len(default.meta['categories'])} classes",
                        got=self.classes,
                        hint="model.weights=FILE for weights of your own",
                    )
                module = self._downloaded(default)
                facts |= {"weights": str(default), "published_metrics": default.meta.get("_metrics", {})}
            else:
                module = self._built(state)
        if state:
            fit_in("model.weights", path, module, state, f"{self.arch} with {self.classes} classes")
        module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        return module, facts

    def _built(self, state: Mapping[str, Tensor]) -> nn.Module:
        """The architecture with random weights, with the parts and the size that a state dict is for."""
        from torch import nn
        from torchvision import models

        options: dict[str, Any] = {"num_classes": self.classes}
        if self.arch in _TRANSFORMING:
            options |= {"init_weights": self.weights == "none", "transform_input": self.weights != "none"}
            if state:  # the heads beside the main one, which speak in training only, may be left out of a file
                options["aux_logits"] = any(key.lower().startswith("aux") for key in state)
        _, crop, _ = self.input_shape()
        if self.arch.startswith("vit_"):
            options["image_size"] = crop
        elif self.arch.startswith("maxvit_"):
            options["input_size"] = (crop, crop)
        try:
            module: nn.Module = models.get_model(self.arch, weights=None, **options)
        except (AssertionError, ValueError) as refused:
            raise MismatchError("model.crop", f"{self.arch} cannot be built for it: {refused}", got=crop) from None
        for part in module.modules():
            # The head of a vision transformer starts as zeros, and no score would depend on anything.
            if isinstance(part, nn.Linear) and not part.weight.any():
                part.reset_parameters()
        return module

    def _downloaded(self, default: Any) -> nn.Module:
        from torchvision import models

        if self.arch.startswith(_FIXED) and self.crop not in (None, _CROPS.get(self.arch, 224)):
            raise MismatchError(
                "model.crop",
                f"the default weights of {self.arch} take {_CROPS.get(self.arch, 224)} pixels, and no other number",
                got=self.crop,
            )
        try:
            module: nn.Module = models.get_model(self.arch, weights=default, progress=False)
        except (OSError, RuntimeError) as broken:  # no network, no disk; a download whose hash is wrong
            raise ResourceError(
                "model.weights",
                f"the default weights of {self.arch} could not be downloaded: {broken}",
                hint="without a network give a file: model.weights=FILE",
            ) from None
        return module


@dataclass(frozen=True)
class _Prepare:
    """Resize and crop, the same for pictures, tensors and masks: :class:`xaiexp.builtin.models.image_encoding.Prepare`."""

    resize: int
    crop: int
    interpolation: str

    def __call__(self, picture: Any, mask: bool = False) -> Tensor:
        import torch
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms import functional as F

        mode = InterpolationMode.NEAREST_EXACT if mask else InterpolationMode(self.interpolation)
        resized = F.resize(picture, [self.resize], interpolation=mode, antialias=not mask)
        cropped = F.center_crop(resized, [self.crop, self.crop])
        row: Tensor = cropped if isinstance(cropped, torch.Tensor) else F.pil_to_tensor(cropped).float() / 255
        return row
