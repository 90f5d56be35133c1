"""The model ``timm``: image models of timm, with timm's evaluation preprocessing."""

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
    import torch
    from torch import Tensor, nn

__all__ = ["Timm"]

# Architectures whose convolutions are patch embeddings: of all architectures of timm 1.0, at most three convolutions
# have overlapping windows. A test checks the networks.
_PATCH_BASED = re.compile(
    r"aimv2|beit|cait|convit|crossvit|deepseek|deit|eva|flexivit|gemma4|gmixer|gmlp|hiera|mixer_|naflexvit|nest_|pit_|qwen3"
    r"|resmlp|sam2|samvit|sequencer|swin_|swinv2|test_vit|tnt_|volo|vit_(?!\w+_r(\d|es))"
)


@dataclass(frozen=True)
class Timm(Model):
    """An image model of timm over ``[N, 3, height, width]``, with ``classes`` logits.

    Images are resized, cropped and normalised by timm's evaluation transform of the model; masks are resized and
    cropped in the same way.

    Args:
        arch: a name of ``timm.list_models()``, with or without the tag of its weights (``resnet50.a1_in1k``).
        checkpoint: a file of weights: safetensors or a state dict that loads with ``weights_only``; all names and
            shapes must match. Null for none.
        pretrained: whether to use timm's weights of that tag, downloaded once from the hub. With neither these nor a
            file, the weights are random, from a fixed seed.
        classes: number of outputs; null takes that of timm's weights.
        size: side of the images in pixels; null takes timm's.
        crop_pct: side of the crop as a fraction of the shorter side; null takes timm's.
        interpolation: interpolation of resizing; null takes timm's.
        mean, std: per channel, of images in 0..1; null takes timm's.
    """

    summary = "an image model of timm, with timm's preprocessing"
    source = "Wightman 2019, PyTorch Image Models; weights from the hub unless a file is given"
    modality = "image"

    arch: str = "resnet18"
    checkpoint: str | None = None
    pretrained: bool = False
    classes: Annotated[int, Range(1)] | None = None
    size: Annotated[int, Range(1)] | None = None
    crop_pct: Annotated[float, Range(0, 1)] | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = None
    mean: Annotated[tuple[float, float, float], Range(0, 1)] | None = None
    std: Annotated[tuple[float, float, float], Range(0, exclusive=True), Range(high=1)] | None = None

    @property
    def offers(self) -> frozenset[str]:
        """Gradients and modules; convolutions if the architecture has others than patch embeddings."""
        capabilities = {"gradients", "modules"}
        return frozenset(capabilities if _PATCH_BASED.match(self.arch) else capabilities | {"convolutions"})

    def input_shape(self) -> tuple[int, ...] | None:
        """``(3, size, size)``; None for timm's default size, which is unknown without importing torch."""
        return None if self.size is None else (3, self.size, self.size)

    def fingerprint(self) -> str:
        """Architecture, and size and modification time of the file of weights or the version of timm."""
        weights = f"{'hub' if self.pretrained else 'random'} timm {version('timm')}"
        if self.checkpoint is not None:
            try:
                status = Path(self.checkpoint).expanduser().stat()
            except OSError:
                return ""
            weights = f"{status.st_size} bytes, {status.st_mtime_ns} ns"
        return f"{self.arch} {weights}"

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            UnknownName: there is no such architecture or tag.
            ParameterError: both a file and ``pretrained`` are given.
            ResourceError: weights are missing, damaged or cannot be downloaded.
            MismatchError: weights do not match the architecture or the number of classes.
        """
        import torch
        from timm.data import create_transform, resolve_data_config

        if self.pretrained and self.checkpoint is not None:
            raise ParameterError("model.checkpoint", "must not be given with pretrained=true", got=self.checkpoint)
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
            _load_state_dict(path, module, _read_state_dict(path), f"{self.arch} with {classes} classes")
        module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        options = {"crop_pct": self.crop_pct, "interpolation": self.interpolation, "mean": self.mean, "std": self.std}
        options |= {"input_size": self.size and (3, self.size, self.size)}
        config = resolve_data_config({k: v for k, v in options.items() if v is not None}, model=module)
        mean, std = (torch.tensor(config[key]).view(-1, 1, 1) for key in ("mean", "std"))
        mask_config = config | {"interpolation": "nearest", "mean": (0.0, 0.0, 0.0), "normalize": False}
        transform, mask_transform = create_transform(**config), create_transform(**mask_config)
        return Network(
            module,
            partial(_encoded, transform, mask_transform),
            self.modality,
            classes=classes,
            task="multiclass" if classes > 1 else None,
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
        """timm's configuration of the architecture's pretrained weights."""
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
                hint="all names: timm.list_models()",
            )
        try:
            published = get_pretrained_cfg(self.arch)
        except RuntimeError:
            published = None
        if published is None and "." in self.arch:
            tags = timm.list_models(f"{base}.*", pretrained=True, include_tags=True)
            raise UnknownName(
                "model.arch", "timm has no weights of this tag", got=self.arch, nearest=tags[:5], hint=f"all: {base}.*"
            )
        if published is None and self.pretrained:
            raise ResourceError("model.pretrained", f"timm has no weights of {self.arch}")
        return published or PretrainedCfg()

    def _module(self, classes: int, published: Any) -> nn.Module:
        """The architecture with timm's weights, or with random weights from a fixed seed."""
        import timm

        options: dict[str, Any] = {"num_classes": classes}
        if self.size is not None and published.fixed_input_size:
            options["img_size"] = self.size
        with _fixed_seed(), _quiet():
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
def _fixed_seed() -> Iterator[None]:
    """Seed torch's generators within the block and restore their state afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the log messages of the hub's client within the block; the raised error has the reason."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    """A state dict from a file, read without executing code from it."""
    import torch

    where = "model.checkpoint"
    if not path.is_file():
        raise ResourceError(where, "no such file", got=str(path), hint="or pretrained=true for timm's own weights")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: object = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as broken:  # a damaged pickle or archive may raise anything
        first = (str(broken).strip().splitlines() or [type(broken).__name__])[0]
        # The message of torch recommends weights_only=False, which is unsafe.
        reason = "not a state dict of tensors only" if "weights only" in first.lower() else first[:120]
        raise ResourceError(where, f"{path} cannot be read as weights: {reason}") from None
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(value, torch.Tensor) for value in content.values())
    ):
        raise ResourceError(where, f"{path} does not contain a state dict (parameter names to tensors)")
    return dict(content)


def _load_state_dict(path: Path, module: nn.Module, state: Mapping[str, Tensor], description: str) -> None:
    """Load a state dict into a module; all names and shapes must match."""
    expected = module.state_dict()
    missing = [key for key in expected if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in expected]
    mismatched = [key for key in expected if key in state and state[key].shape != expected[key].shape]
    if missing or extra or mismatched:
        notes = [
            f"{k} is {list(state[k].shape)} in the file, {list(expected[k].shape)} in the model" for k in mismatched[:3]
        ]
        notes += [f"{len(missing)} missing in the file: {', '.join(missing[:3])} ..."] if missing else []
        notes += [f"{len(extra)} unknown to the model: {', '.join(extra[:3])} ..."] if extra else []
        heads = {state[k].shape[0] for k in mismatched if state[k].ndim and state[k].shape[1:] == expected[k].shape[1:]}
        hint = f"the file has {min(heads)} classes: model.classes={min(heads)}" if len(heads) == 1 else ""
        raise MismatchError("model.checkpoint", f"{path} does not match {description}", hint=hint, notes=notes)
    unfit = [k for k, v in state.items() if expected[k].is_floating_point() and v.dtype not in _floats()]
    if unfit:
        raise MismatchError(
            "model.checkpoint",
            f"{path} has values of type {str(state[unfit[0]].dtype).removeprefix('torch.')}, {description} has real "
            "floating-point numbers",
            hint="quantised weights need their scales: save the weights in float32",
            notes=[f"{len(unfit)} of this type: {', '.join(unfit[:3])} ..."],
        )
    module.load_state_dict(state, strict=False)  # names were checked above; only batch counters may be missing


def _floats() -> tuple[torch.dtype, ...]:
    """The types whose values are weights by themselves."""
    import torch

    return torch.float64, torch.float32, torch.float16, torch.bfloat16


def _class_names(module: nn.Module) -> tuple[str, ...]:
    """The names of ImageNet's classes, if timm knows which subset the weights were trained on."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(module)
    if not subset:
        return ()
    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(info.num_classes()))


def _encoded(
    transform: Callable[[Any], Tensor], mask_transform: Callable[[Any], Tensor], samples: Sequence[Sample]
) -> Encoded:
    """Encode PIL images or float tensors ``[3, H, W]`` in 0..1, and masks, as ``[N, 3, height, width]``."""
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
            raise MismatchError("dataset", f"example {sample.id!r} is not a colour image [3, H, W]", got=got)
        rows.append(transform(data))
        masks.append(None)
        if sample.mask is not None:
            mask = torch.as_tensor(sample.mask)
            if tuple(mask.shape) != size:
                raise MismatchError(
                    "dataset", f"the mask of example {sample.id!r} does not have the size {list(size)} of its image",
                    got=list(mask.shape),
                )  # fmt: skip
            image = Image.fromarray((mask.bool().to(torch.uint8) * 255).cpu().numpy()).convert("RGB")
            masks[-1] = mask_transform(image)[0] > 0
    given = [mask for mask in masks if mask is not None]
    stacked = torch.stack([torch.zeros_like(given[0]) if m is None else m for m in masks]) if given else None
    return Encoded(torch.stack(rows), masks=stacked)
