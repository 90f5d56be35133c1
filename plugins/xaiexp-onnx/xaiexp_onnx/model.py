"""A model in ONNX format, run by ONNX Runtime."""

from __future__ import annotations

import functools
import glob
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
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
    nearest,
)
from xaiexp_onnx.arrays import Layout, channels_last

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Onnx", "Session"]

_AXES = {"image": 3, "series": 2, "table": 1}
_FLOATS = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}


@dataclass(frozen=True, kw_only=True)  # else `modality`, declared by Model, would have to stand first
class Onnx(Model):
    """A model in ONNX format, ``[N, *shape]`` to ``[N, classes]`` or ``[N]``, without gradients.

    The model takes ``scale * (data - mean) / std``, where pictures are 0..1. Pictures of another size are resized
    to the model's, bilinearly, and their masks alike.

    Args:
        path: the file.
        modality: what it takes: ``image``, ``table`` or ``series``.
        class_names: by index; empty where there are none.
        mean, std: one number or one for each channel (column); empty for 0 and 1.
        scale: what 1 in normalised data is to the model: 255 for one that takes bytes.
        layout: of pictures in the model; ``auto`` takes the axis of 1, 3 or 4 as channels.
        size: height and width of the pictures, where the graph leaves them open.
        input, output: names in the graph; null takes the only input and the first output.
        gives: ``logits`` (any scores), or ``probabilities``, whose logarithm is then taken as score, so that
            ``output=probability`` explains them as they are.
        provider: what ONNX Runtime computes with.
    """

    summary = "a model in ONNX format, on ONNX Runtime; no gradients"
    source = "the user's own file"
    offers = frozenset[str]()

    path: str
    modality: Literal["image", "table", "series"] = "image"
    class_names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[Annotated[float, Range(0, exclusive=True)], ...] = ()
    scale: Annotated[float, Range(0, exclusive=True)] = 1.0
    layout: Layout = "auto"
    size: tuple[int, int] | None = None
    input: str | None = None
    output: str | None = None
    gives: Literal["logits", "probabilities"] = "logits"
    provider: Literal["cpu", "cuda"] = "cpu"

    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of one input, ``[C, H, W]`` for pictures, as far as the graph fixes it."""
        path = Path(self.path).expanduser()
        if not path.is_file():
            return None
        shape, _ = self._shape(_opened(str(path), path.stat().st_mtime_ns, self.provider, 0))
        return None if None in shape else shape  # type: ignore[return-value]  # no None in it, as just seen

    def fingerprint(self) -> str:
        """Size and time of the file."""
        try:
            told = Path(self.path).expanduser().stat()
        except OSError:
            return ""
        return f"{told.st_size} bytes, {told.st_mtime_ns} ns"

    def load(self, context: LoadContext) -> Network:
        """The network; its module is a :class:`Session`.

        Raises:
            ResourceError: no such file, not an ONNX model, a provider that is not there.
            UnknownName, MismatchError: no such input or output, or of a kind that cannot be explained.
        """
        import onnxruntime
        import torch

        path = Path(self.path).expanduser()
        if not path.is_file():
            raise ResourceError("model.path", "no such file", got=str(path))
        opened = _opened(str(path), path.stat().st_mtime_ns, self.provider, torch.get_num_threads())
        given, taken = self._input(opened), self._output(opened)
        shape, last = self._shape(opened)
        fixed = given.shape[0] if isinstance(given.shape[0], int) else None
        session = Session(opened, given.name, taken, _FLOATS[given.type], last, fixed, self.gives == "probabilities")
        session, classes, note = self._probed(session, shape)
        axes = _AXES[self.modality] - 1
        mean = self._per_channel("mean", self.mean or (0.0,), shape[0], axes)
        std = self._per_channel("std", self.std or (1.0,), shape[0], axes) / self.scale
        outputs = 2 if classes == 1 else classes
        if self.class_names and outputs not in (None, len(self.class_names)):
            raise MismatchError(
                "model.class_names", f"the model has {classes} outputs", got=len(self.class_names), hint="one each"
            )
        picture = self.modality == "image"
        return Network(
            session,
            functools.partial(_encoded_pictures if picture else _encoded_rows, shape, mean, std),
            self.modality,
            classes=classes,
            class_names=self.class_names,
            mean=torch.as_tensor(mean),
            std=torch.as_tensor(std),
            low=0.0 if picture else None,
            high=1.0 if picture else None,
            identity=f"onnx {_digest(path)} {self.parameters()!r} onnxruntime {onnxruntime.__version__}",
            facts={"weights": str(path), "runtime": f"onnxruntime {onnxruntime.__version__}", "batch": note},
        )

    def _input(self, opened: Any) -> Any:
        """The graph's input."""
        known = {node.name: node for node in opened.get_inputs()}
        if self.input is None and len(known) > 1:
            raise MismatchError(
                "model.input", "the graph has several inputs", got=list(known), hint="name the only one"
            )
        node = _named("model.input", "input", self.input, known)
        if len(known) > 1:
            raise MismatchError("model.path", "the graph needs several inputs at once, and has one", got=list(known))
        if node.type not in _FLOATS:
            raise MismatchError("model.path", f"input {node.name!r} takes no floating-point numbers", got=node.type)
        wanted = _AXES[self.modality] + 1
        if len(node.shape) != wanted:
            raise MismatchError(
                "model.modality",
                f"{self.modality} inputs have {wanted} axes with that of examples, input {node.name!r} does not",
                got=node.shape,
                hint=f"modality={next((m for m, n in _AXES.items() if n + 1 == len(node.shape)), 'none fits')}",
            )
        return node

    def _output(self, opened: Any) -> str:
        """The name of the graph's output."""
        known = {node.name: node for node in opened.get_outputs()}
        node = _named("model.output", "output", self.output, known)
        if node.type not in _FLOATS:
            scores = [name for name, other in known.items() if other.type in _FLOATS]
            raise MismatchError(
                "model.output", f"output {node.name!r} is no scores", got=node.type, hint=f"scores: {', '.join(scores)}"
            )
        name: str = node.name
        return name

    def _shape(self, opened: Any) -> tuple[tuple[int | None, ...], bool]:
        """The shape of one input as xaiexp has it, open axes None, and whether its channels stand last."""
        shape = [side if isinstance(side, int) else None for side in self._input(opened).shape[1:]]
        if self.modality != "image":
            return tuple(shape), False
        last = channels_last("model.layout", self.layout, [side or 0 for side in shape])
        channels, *size = [shape[2], *shape[:2]] if last else shape
        for side, chosen in zip(size, self.size or (None, None), strict=True):
            if chosen is not None and side not in (None, chosen):
                raise MismatchError("model.size", f"the graph takes pictures of {size[0]} x {size[1]}", got=self.size)
        return (channels, *(self.size or size)), last

    def _probed(self, session: Session, shape: Sequence[int | None]) -> tuple[Session, int | None, str]:
        """The session, how many outputs it has, and what to tell of its batches; two rows of zeros tell."""
        import torch
        from onnxruntime.capi import onnxruntime_pybind11_state as states

        note = "any size"
        if session.batch is not None:
            note = f"fixed to {session.batch} by the graph: runs in pieces of that size inside the session"
        if None in shape:
            return session, None, note
        rows = torch.zeros(2, *[side or 0 for side in shape])
        trials = [session]
        if session.batch is None:  # the axis is open, and yet some exports fix it further inside
            trials.append(session.in_pieces(1))
        for trial in trials:
            try:
                out = trial(rows)
            except (states.Fail, states.InvalidArgument, states.RuntimeException, ValueError) as broken:
                reason = str(broken).splitlines()[0][:200]
                continue
            if out.ndim not in (1, 2):
                raise MismatchError(
                    "model.output",
                    f"output {session.output!r} must be scores [N, classes] or [N]",
                    got=["N", *out.shape[1:]],
                )
            if trial is not session:
                note = "fixed to 1 inside the graph: runs row by row inside the session"
            return trial, 1 if out.ndim == 1 else out.shape[1], note
        raise MismatchError("model.path", f"the model does not run: {reason}", got=list(shape))

    def _per_channel(self, name: str, values: tuple[float, ...], channels: int | None, axes: int) -> Tensor:
        import torch

        if len(values) not in (1, channels):
            raise ParameterError(
                f"model.{name}", f"must be one number or one for each of {channels} channels", got=list(values)
            )
        return torch.tensor(values).view(-1, *[1] * axes)


@dataclass(frozen=True)
class Session:
    """A session of ONNX Runtime as a function of tensors: ``[N, *shape]`` to ``[N, classes]`` or ``[N]``.

    Args:
        opened: the ``onnxruntime.InferenceSession``.
        input, output: names in the graph.
        dtype: of the input.
        channels_last: whether pictures go in as ``[N, H, W, C]``.
        batch: how many rows the graph takes at once; None for any number.
        logarithm: whether the output is probabilities, to be turned into their logarithm.
    """

    opened: Any
    input: str
    output: str
    dtype: str
    channels_last: bool = False
    batch: int | None = None
    logarithm: bool = False

    def __call__(self, inputs: Tensor) -> Tensor:
        """Scores of ``inputs``, float32 or wider, on their device."""
        import numpy as np
        import torch

        rows = inputs.detach().permute(0, 2, 3, 1) if self.channels_last else inputs.detach()
        array = np.ascontiguousarray(rows.cpu().numpy(), dtype=self.dtype)
        out = torch.from_numpy(self._run(array))
        if out.ndim == 0 or len(out) != len(inputs):
            raise ValueError(f"the graph gave {list(out.shape)} for {len(inputs)} rows")
        out = out.to(inputs.device, torch.promote_types(inputs.dtype, torch.float32))
        return out.clamp(min=torch.finfo(out.dtype).tiny).log() if self.logarithm else out

    def in_pieces(self, batch: int) -> Session:
        """The same, with so many rows at once."""
        return Session(self.opened, self.input, self.output, self.dtype, self.channels_last, batch, self.logarithm)

    def _run(self, array: Any) -> Any:
        import numpy as np

        if self.batch is None:
            return self.opened.run([self.output], {self.input: array})[0]
        pieces = []
        for start in range(0, len(array), self.batch):
            piece = array[start : start + self.batch]
            missing = self.batch - len(piece)
            filled = np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)]) if missing else piece
            pieces.append(self.opened.run([self.output], {self.input: filled})[0][: len(piece)])
        return np.concatenate(pieces)


@functools.lru_cache(maxsize=4)
def _opened(path: str, modified: int, provider: str, threads: int) -> Any:  # noqa: ARG001  # see below
    """A session; ``modified`` is when the file was, so that a new file is read anew.

    Args:
        path, provider: what is opened, and for what.
        modified: in nanoseconds; part of the key.
        threads: how many it computes with; 0 opens it only to look at it.
    """
    import onnxruntime

    name = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[provider]
    available = onnxruntime.get_available_providers()
    if name not in available:
        raise ResourceError(
            "model.provider",
            "ONNX Runtime was not built with it",
            got=provider,
            hint="pip install onnxruntime-gpu in place of onnxruntime",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 1
    options.log_severity_level = 3
    if not threads:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(path, options, providers=[name])
    except Exception as broken:  # its errors have no common class
        reason = str(broken).splitlines()[0][:200]
        raise ResourceError("model.path", f"{path} cannot be read as an ONNX model: {reason}") from None


def _named(where: str, what: str, name: str | None, known: dict[str, Any]) -> Any:
    """The node of that name; the first without a name."""
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        raise MismatchError(
            where,
            f"the graph has no {what} of this name",
            got=name,
            nearest=nearest(name, known),
            hint=f"{what}s: {', '.join(known)}",
        )
    return known[name]


def _digest(path: Path) -> str:
    """Of the file, and of those beside it that hold its larger weights (``model.onnx.data``, ``model.onnx_data``)."""
    total = hashlib.blake2b(digest_size=16)
    for each in sorted(path.parent.glob(f"{glob.escape(path.name)}*")):
        if each.is_file():
            with each.open("rb") as file:
                total.update(hashlib.file_digest(file, "blake2b").digest())
    return total.hexdigest()


def _encoded_rows(shape: Sequence[int | None], mean: Tensor, std: Tensor, samples: Sequence[Sample]) -> Encoded:
    """Rows of a table, or series, as they are."""
    import torch

    rows = [_tensor(sample) for sample in samples]
    for sample, row in zip(samples, rows, strict=True):
        if row.ndim != len(shape) or any(s not in (None, r) for s, r in zip(shape, row.shape, strict=True)):
            raise _unfit(sample, shape, row)
    return Encoded((torch.stack(rows) - mean) / std)


def _encoded_pictures(shape: Sequence[int | None], mean: Tensor, std: Tensor, samples: Sequence[Sample]) -> Encoded:
    """Pictures and masks, resized where the model takes another size."""
    import torch
    from PIL import Image
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as F

    channels, size = shape[0], [side for side in shape[1:] if side is not None]
    rows: list[Tensor] = []
    masks: list[Tensor | None] = []
    for sample in samples:
        data = sample.data
        if isinstance(data, Image.Image):
            row = F.pil_to_tensor(data.convert("L" if channels == 1 else "RGB")).float() / 255
        else:
            row = _tensor(sample)
        if row.ndim != 3 or channels not in (None, row.shape[0]):
            raise _unfit(sample, shape, row)
        mask = None if sample.mask is None else torch.as_tensor(sample.mask).bool()
        if mask is not None and mask.shape != row.shape[1:]:
            raise MismatchError(
                "dataset", f"the mask of example {sample.id!r} is not of its size {list(row.shape[1:])}",
                got=list(mask.shape),
            )  # fmt: skip
        if len(size) == 2 and list(row.shape[1:]) != size:
            row = F.resize(row, size, antialias=True)
            if mask is not None:
                mask = F.resize(mask[None].to(torch.uint8), size, InterpolationMode.NEAREST_EXACT)[0].bool()
        rows.append(row)
        masks.append(mask)
    if any(row.shape != rows[0].shape for row in rows):
        raise MismatchError(
            "model.size", "pictures differ in size, and the graph leaves theirs open", hint="size=[HEIGHT,WIDTH]"
        )
    given = [mask for mask in masks if mask is not None]
    stacked = torch.stack([torch.zeros_like(given[0]) if m is None else m for m in masks]) if given else None
    return Encoded((torch.stack(rows) - mean) / std, masks=stacked)


def _tensor(sample: Sample) -> Tensor:
    import torch

    if not isinstance(sample.data, torch.Tensor):
        raise MismatchError("dataset", f"example {sample.id!r} is no tensor", got=type(sample.data).__name__)
    return sample.data.float()


def _unfit(sample: Sample, shape: Sequence[int | None], row: Tensor) -> MismatchError:
    return MismatchError(
        "dataset",
        f"example {sample.id!r} does not fit the model, which takes {['any' if s is None else s for s in shape]}",
        got=list(row.shape),
    )
