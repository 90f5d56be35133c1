"""The model ``torchvision``: image classifiers of torchvision, with their preprocessing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from xaiexp.builtin.models.image_encoding import image_encoder
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network
from xaiexp.errors import MismatchError, ResourceError, UnknownName, nearest

if TYPE_CHECKING:
    from torch import Tensor, nn

    from xaiexp.builtin.models.weight_files import StateDict

__all__ = ["Torchvision"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Crop sizes of torchvision's default weights other than 224 (a test compares with torchvision).
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
# Architectures whose only convolutions are patch embeddings.
_PATCH_BASED = ("vit_", "swin_")
_WITH_ATTENTION = (*_PATCH_BASED, "maxvit_")
# Architectures whose weights have shapes that depend on the size of the image.
_FIXED_SIZE = ("vit_", "maxvit_")
# Architectures with pretrained weights that normalise their inputs a second time (`transform_input`).
_TRANSFORM_INPUT = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class Torchvision(Model):
    """An image classifier of torchvision over ``[N, 3, crop, crop]``, with ``classes`` logits.

    Images are resized (the shorter side to ``resize``), centre-cropped and normalised; masks are resized and cropped in
    the same way.

    Args:
        arch: a name of ``torchvision.models.list_models``.
        weights: ``none`` (random, from a fixed seed), ``default`` (torchvision's, downloaded once), or a file:
            safetensors or a state dict that loads with ``weights_only``, also within a training checkpoint or with the
            prefixes of ``DataParallel`` and ``torch.compile``; all names and shapes must match.
        classes: number of outputs; 1000 are assumed to be the ImageNet classes.
        resize, crop: sizes in pixels; null takes those of the evaluation of the weights.
        mean, std: per channel, of images in 0..1; null takes those of the weights, mostly ImageNet's.
    """

    summary = "an image classifier of torchvision, with torchvision's weights or weights from a file"
    source = "torchvision.models (Marcel and Rodriguez 2010); weights from ImageNet unless a file is given"
    modality = "image"

    arch: str = "resnet18"
    weights: str = "default"
    classes: Annotated[int, Range(1)] = 1000
    resize: Annotated[int, Range(1)] | None = None
    crop: Annotated[int, Range(1)] | None = None
    mean: Annotated[tuple[float, float, float], Range(0, 1)] | None = None
    std: Annotated[tuple[float, float, float], Range(0, exclusive=True), Range(high=1)] | None = None

    @property
    def offers(self) -> frozenset[str]:
        """Gradients and modules; convolutions and attention if the architecture has them."""
        capabilities = {"gradients", "modules"}
        if not self.arch.startswith(_PATCH_BASED):
            capabilities.add("convolutions")
        if self.arch.startswith(_WITH_ATTENTION):
            capabilities.add("attention")
        return frozenset(capabilities)

    def input_shape(self) -> tuple[int, ...]:
        """``(3, crop, crop)``."""
        crop = self.crop or _CROPS.get(self.arch, 224)
        return (3, crop, crop)

    def fingerprint(self) -> str:
        """Size and modification time of the file of weights, or the version of torchvision."""
        if self.weights in ("none", "default"):
            return f"{self.arch} {self.weights} torchvision {version('torchvision')}"
        try:
            status = Path(self.weights).expanduser().stat()
        except OSError:
            return ""
        return f"{self.arch} {status.st_size} bytes, {status.st_mtime_ns} ns"

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            UnknownName: there is no such architecture.
            ResourceError: weights are missing, damaged or cannot be downloaded.
            MismatchError: weights do not match the architecture or the number of classes.
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
                hint="all names: torchvision.models.list_models(torchvision.models)",
            )
        default = models.get_model_weights(self.arch).DEFAULT
        module, facts = self._module(default)
        published = default.transforms() if self.weights == "default" else None
        _, crop, _ = self.input_shape()
        preprocess = _Prepare(
            resize=self.resize
            or (published.resize_size[0] if published and self.crop is None else round(crop * 256 / 224)),
            crop=crop,
            interpolation=published.interpolation.value if published else "bilinear",
        )
        mean = torch.tensor(self.mean or (tuple(published.mean) if published else IMAGENET_MEAN)).view(3, 1, 1)
        std = torch.tensor(self.std or (tuple(published.std) if published else IMAGENET_STD)).view(3, 1, 1)
        categories = tuple(default.meta["categories"])
        return Network(
            module,
            image_encoder(preprocess, 3, mean, std),
            self.modality,
            classes=self.classes,
            task="multiclass" if self.classes > 1 else None,
            class_names=categories if len(categories) == self.classes else (),
            mean=mean,
            std=std,
            low=0.0,
            high=1.0,
            identity=f"{self.arch} {preprocess} {mean.flatten().tolist()} {std.flatten().tolist()}",
            facts=facts,
        )

    def _module(self, default: Any) -> tuple[nn.Module, dict[str, object]]:
        """The module in eval mode, and facts about its weights for ``record.json``."""
        from xaiexp.builtin.models.random_state import seeded_random_state
        from xaiexp.builtin.models.weight_files import load_state_dict, read_state_dict

        facts: dict[str, object] = {"weights": self.weights}
        state: StateDict | None = None
        if self.weights not in ("none", "default"):
            path = Path(self.weights).expanduser()
            state = read_state_dict("model.weights", path, "or 'default', or 'none' for random weights")
        with seeded_random_state(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torchvision about its own default arguments
            if self.weights == "default":
                if self.classes != len(default.meta["categories"]):
                    raise MismatchError(
                        "model.classes",
                        f"the default weights of {self.arch} have {len(default.meta['categories'])} classes",
                        got=self.classes,
                        hint="model.weights=FILE for weights of your own",
                    )
                module = self._pretrained(default)
                facts |= {"weights": str(default), "published_metrics": default.meta.get("_metrics", {})}
            else:
                module = self._untrained(state)
        if state is not None:
            described = f"{self.arch} with {self.classes} classes"
            note = load_state_dict("model.weights", module, state, described, partial(_fitting, state.tensors))
            facts |= {"note": note} if note else {}
        module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        return module, facts

    def _untrained(self, state: StateDict | None) -> nn.Module:
        """The architecture with random weights; auxiliary heads as in the state dict, if one is given."""
        from torch import nn
        from torchvision import models

        options: dict[str, Any] = {"num_classes": self.classes}
        if self.arch in _TRANSFORM_INPUT:
            options |= {"init_weights": self.weights == "none", "transform_input": self.weights != "none"}
            if state is not None:  # auxiliary heads, used in training only, may be missing from a file
                options["aux_logits"] = any(key.lower().startswith("aux") for key in state.tensors)
        _, crop, _ = self.input_shape()
        if self.arch.startswith("vit_"):
            options["image_size"] = crop
        elif self.arch.startswith("maxvit_"):
            options["input_size"] = (crop, crop)
        try:
            module: nn.Module = models.get_model(self.arch, weights=None, **options)
        except (AssertionError, ValueError) as error:
            raise MismatchError("model.crop", f"{self.arch} cannot be built for this size: {error}", got=crop) from None
        for child in module.modules():
            # The head of a vision transformer is initialised with zeros: its scores would not depend on the input.
            if isinstance(child, nn.Linear) and not child.weight.any():
                child.reset_parameters()
        return module

    def _pretrained(self, default: Any) -> nn.Module:
        """The architecture with torchvision's default weights."""
        from torchvision import models

        if self.arch.startswith(_FIXED_SIZE) and self.crop not in (None, _CROPS.get(self.arch, 224)):
            raise MismatchError(
                "model.crop",
                f"the default weights of {self.arch} require images of {_CROPS.get(self.arch, 224)} pixels",
                got=self.crop,
            )
        try:
            module: nn.Module = models.get_model(self.arch, weights=default, progress=False)
        except (OSError, RuntimeError) as broken:  # no network, no disk space, or a download with a wrong hash
            raise ResourceError(
                "model.weights",
                f"the default weights of {self.arch} could not be downloaded: {broken}",
                hint="without a network give a file: model.weights=FILE",
            ) from None
        return module


def _fitting(tensors: Mapping[str, Tensor]) -> str:
    """The options that fit a state dict, as a hint; empty where no architecture of torchvision does.

    Architectures are found by the number of parameters that torchvision publishes for 1000 classes, and then compared
    by names and shapes.
    """
    from torchvision import models

    heads = [value for value in tensors.values() if value.ndim > 1]
    if not heads:
        return ""
    classes, inputs = heads[-1].shape[0], heads[-1][0].numel()
    buffers = ("running_mean", "running_var", "num_batches_tracked", "relative_position_index")
    count = sum(value.numel() for name, value in tensors.items() if not name.endswith(buffers))
    count += (1000 - classes) * (inputs + 1)
    for arch in models.list_models(module=models):
        published = models.get_model_weights(arch).DEFAULT.meta
        if published["num_params"] == count and _has_shapes(arch, classes, tensors):
            more = f" model.classes={classes}" if classes != len(published["categories"]) else ""
            return f"the file fits: model.arch={arch}{more}"
    return ""


def _has_shapes(arch: str, classes: int, tensors: Mapping[str, Tensor]) -> bool:
    """Whether the parameters of an architecture have these names and shapes."""
    import torch
    from torchvision import models

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # of torchvision about its own default arguments
        module = models.get_model(arch, weights=None, num_classes=classes)
    own = {name: value.shape for name, value in module.named_parameters()}
    return all(name in tensors and tensors[name].shape == shape for name, shape in own.items())


@dataclass(frozen=True)
class _Prepare:
    """Resizing and centre crop of images, tensors and masks.

    The representation of this dataclass is part of the network's identity, and so of the keys of the store.
    """

    resize: int
    crop: int
    interpolation: str

    def __call__(self, image: Any, mask: bool = False) -> Tensor:
        import torch
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms import functional as F

        mode = InterpolationMode.NEAREST_EXACT if mask else InterpolationMode(self.interpolation)
        resized = F.resize(image, [self.resize], interpolation=mode, antialias=not mask)
        cropped = F.center_crop(resized, [self.crop, self.crop])
        row: Tensor = cropped if isinstance(cropped, torch.Tensor) else F.pil_to_tensor(cropped).float() / 255
        return row
