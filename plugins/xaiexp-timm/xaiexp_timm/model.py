"""The picture models of timm, with the preprocessing that timm evaluates them with."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from xaiexp.plugin import (
    Encoded,
    LoadContext,
    MismatchError,
    Model,
    Network,
    ParameterError,
    Range,
    ResourceError,
    Sample,
    UnknownName,
    nearest,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Timm"]

# Their convolutions only cut the picture into patches (of all architectures of timm 1.0, at most three convolutions
# have windows that overlap); a test looks at the networks themselves.
_PATCHES = re.compile(
    r"aimv2|beit|cait|convit|crossvit|deepseek|deit|eva|flexivit|gemma4|gmixer|gmlp|hiera|mixer_|naflexvit|nest_|pit_|qwen3"
    r"|resmlp|sam2|samvit|sequencer|swin_|swinv2|test_vit|tnt_|volo|vit_(?!\w+_r(\d|es))"
)


@dataclass(frozen=True)
class Timm(Model):
    """A picture model of timm over ``[N, 3, height, width]``, with ``classes`` logits.

    Pictures are resized, cropped and normalised by timm's evaluation transform for the model; masks go the same way.

    Args:
        arch: a name of ``timm.list_models()``, with or without the tag of its weights (``resnet50.a1_in1k``).
        checkpoint: a file of weights: safetensors or a state dict that loads with ``weights_only``, and fits in
            every name and shape; null for none.
        pretrained: whether to take timm's own weights of that tag, downloaded once from the hub. Without these and
            without a file the weights are random, from a fixed seed.
        classes: how many outputs; null takes those of timm's weights.
        size: side of the pictures in pixels; null takes timm's.
        crop_pct: the side of the crop, as a part of the shorter side; null takes timm's.
        interpolation: of resizing; null takes timm's.
        mean, std: per channel, of pictures in 0..1; null takes timm's.
    """

    summary = "a picture model of timm, with its own preprocessing"
    source = "Wightman 2019, PyTorch Image Models; weights from the hub unless a file is given"
    modality = "image"

    arch: str = "resnet18"
    checkpoint: str | None = None
    pretrained: bool = False
    classes: Annotated[int, Range(1)] | None = None
    size: Annotated[int, Range(1)] | None = None
    crop_pct: Annotated[float, Range(0, 1)] | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    @property
    def offers(self) -> frozenset[str]:
        """Gradients and modules; convolutions where the architecture has more of them than cut the patches."""
        parts = {"gradients", "modules"}
        return frozenset(parts if _PATCHES.match(self.arch) else parts | {"convolutions"})

    def input_shape(self) -> tuple[int, ...] | None:
        """``(3, size, size)``; None where timm decides it, which cannot be asked without importing torch."""
        return None if self.size is None else (3, self.size, self.size)

    def fingerprint(self) -> str:
        """Size and time of the file, or the version of timm."""
        weights = f"{'hub' if self.pretrained else 'random'} timm {version('timm')}"
        if self.checkpoint is not None:
            try:
                told = Path(self.checkpoint).expanduser().stat()
            except OSError:
                return ""
            weights = f"{told.st_size} bytes, {told.st_mtime_ns} ns"
        return f"{self.arch} {weights}"

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            UnknownName: no such architecture or tag.
            ParameterError: both a file and the hub's weights.
            ResourceError: weights that are missing, damaged or out of reach.
            MismatchError: weights that do not fit the architecture or the number of classes.
        """
        import torch
        from timm.data import create_transform, resolve_data_config

        if self.pretrained and self.checkpoint is not None:
            raise ParameterError("model.checkpoint", "is given, and so is pretrained=true", got=self.checkpoint)
        published = self._published()
        classes = self.classes or published.num_classes
        if self.pretrained and classes != published.num_classes:
            raise MismatchError(
                "model.classes",
                f"timm's weights of {self.arch} have {published.num_classes} classes",
                got=classes,
                hint="model.checkpoint=FILE for weights of your own",
            )
        module = self._module(classes, published)
        if self.checkpoint is not None:
            path = Path(self.checkpoint).expanduser()
            _fit_in(path, module, _read(path), f"{self.arch} with {classes} classes")
        module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        chosen = {"crop_pct": self.crop_pct, "interpolation": self.interpolation, "mean": self.mean, "std": self.std}
        chosen |= {"input_size": self.size and (3, self.size, self.size)}
        config = resolve_data_config({k: v for k, v in chosen.items() if v is not None}, model=module)
        mean, std = (torch.tensor(config[key]).view(-1, 1, 1) for key in ("mean", "std"))
        masking = config | {"interpolation": "nearest", "mean": (0.0, 0.0, 0.0), "normalize": False}
        transform, mask_transform = create_transform(**config), create_transform(**masking)
        return Network(
            module,
            partial(_encoded, transform, mask_transform),
            self.modality,
            classes=classes,
            class_names=_class_names(module) if self.pretrained else (),
            mean=mean,
            std=std,
            low=0.0,
            high=1.0,
            identity=f"timm {version('timm')} {self.arch} {sorted(config.items())!r}",
            facts={
                "weights": self.checkpoint or (f"timm {published.tag or self.arch}" if self.pretrained else "random"),
                "preprocessing": {key: config[key] for key in sorted(config)},
                "license": published.license if self.pretrained else None,
            },
        )

    def _published(self) -> Any:
        """timm's record of the architecture's weights."""
        import timm
        from timm.models import PretrainedCfg, get_pretrained_cfg

        base = self.arch.partition(".")[0]
        if not timm.is_model(base):
            known = timm.list_models()
            raise UnknownName(
                "model.arch",
                "timm has no model of this name",
                got=self.arch,
                nearest=nearest(self.arch, known),
                hint="all: timm.list_models()",
            )
        try:
            found = get_pretrained_cfg(self.arch)
        except RuntimeError:
            found = None
        if found is None and "." in self.arch:
            tags = timm.list_models(f"{base}.*", pretrained=True, include_tags=True)
            raise UnknownName(
                "model.arch", "timm has no weights of this tag", got=self.arch, nearest=tags[:5], hint=f"all: {base}.*"
            )
        if found is None and self.pretrained:
            raise ResourceError("model.pretrained", f"timm has no weights of {self.arch}")
        return found or PretrainedCfg()

    def _module(self, classes: int, published: Any) -> nn.Module:
        import timm

        options: dict[str, Any] = {"num_classes": classes}
        if self.size is not None and published.fixed_input_size:
            options["img_size"] = self.size
        with _own_randomness(), _quiet():
            try:
                module: nn.Module = timm.create_model(self.arch, pretrained=self.pretrained, **options)
            except (OSError, RuntimeError) as broken:
                if not self.pretrained:
                    raise
                raise ResourceError(
                    "model.pretrained",
                    f"timm's weights of {self.arch} could not be downloaded: {str(broken).splitlines()[0]}",
                    hint="without a network give a file: model.checkpoint=FILE",
                ) from None
        return module


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Random weights come from a seed of their own, and the global generator stays where it is."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The hub's client logs every attempt; the outcome is told by the error."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _read(path: Path) -> dict[str, Tensor]:
    """A state dict from a file, without running anything that stands in it."""
    import torch

    where = "model.checkpoint"
    if not path.is_file():
        raise ResourceError(where, "no such file", got=str(path), hint="or pretrained=true for timm's own weights")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: object = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as broken:  # a damaged pickle or archive may raise anything
        first = (str(broken).strip().splitlines() or [type(broken).__name__])[0]
        # torch's own advice is to load without this safety; ours is not.
        why = "not a state dict of tensors alone" if "weights only" in first.lower() else first[:120]
        raise ResourceError(where, f"{path} cannot be read as weights: {why}") from None
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ResourceError(where, f"{path} holds no state dict (names of parameters to tensors)")
    return dict(found)


def _fit_in(path: Path, module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load ``state`` into ``module``, all of it and nothing else."""
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in wanted]
    other = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    if missing or extra or other:
        notes = [f"{k} is {list(state[k].shape)} in the file, {list(wanted[k].shape)} in the model" for k in other[:3]]
        notes += [f"{len(missing)} missing in the file: {', '.join(missing[:3])} ..."] if missing else []
        notes += [f"{len(extra)} unknown to the model: {', '.join(extra[:3])} ..."] if extra else []
        heads = {state[k].shape[0] for k in other if state[k].ndim and state[k].shape[1:] == wanted[k].shape[1:]}
        hint = f"the file has {min(heads)} classes: model.classes={min(heads)}" if len(heads) == 1 else ""
        raise MismatchError("model.checkpoint", f"{path} does not fit {what}", hint=hint, notes=notes)
    module.load_state_dict(state, strict=False)  # as strict as above; only counters of batches may be missing


def _class_names(module: nn.Module) -> tuple[str, ...]:
    """The names of ImageNet's classes, where timm knows which subset its weights were trained on."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(module)
    if not subset:
        return ()
    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(info.num_classes()))


def _encoded(
    transform: Callable[[Any], Tensor], mask_transform: Callable[[Any], Tensor], samples: Sequence[Sample]
) -> Encoded:
    """PIL pictures or float tensors ``[3, H, W]`` in 0..1 to ``[N, 3, height, width]``, their masks alike."""
    import torch
    from PIL import Image

    rows: list[Tensor] = []
    masks: list[Tensor | None] = []
    size: tuple[int, ...]
    for sample in samples:
        data = sample.data
        if isinstance(data, Image.Image):
            data, size = data.convert("RGB"), (data.height, data.width)
        elif isinstance(data, torch.Tensor) and data.ndim == 3 and data.shape[0] == 3:
            data, size = data.float(), tuple(data.shape[1:])
        else:
            got = list(data.shape) if isinstance(data, torch.Tensor) else type(data).__name__
            raise MismatchError(
                "dataset", f"example {sample.id!r} is no colour picture [3, H, W], which the model takes", got=got
            )
        rows.append(transform(data))
        masks.append(None)
        if sample.mask is not None:
            mask = torch.as_tensor(sample.mask)
            if tuple(mask.shape) != size:
                raise MismatchError(
                    "dataset", f"the mask of example {sample.id!r} is not of its size {list(size)}",
                    got=list(mask.shape),
                )  # fmt: skip
            picture = Image.fromarray((mask.bool().to(torch.uint8) * 255).cpu().numpy()).convert("RGB")
            masks[-1] = mask_transform(picture)[0] > 0
    given = [mask for mask in masks if mask is not None]
    stacked = torch.stack([torch.zeros_like(given[0]) if m is None else m for m in masks]) if given else None
    return Encoded(torch.stack(rows), masks=stacked)
