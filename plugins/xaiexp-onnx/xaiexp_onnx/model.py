"""The model ``onnx``: a model in ONNX format, run by ONNX Runtime."""

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
from xaiexp_onnx.npz_dataset import Layout, channels_last

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Onnx", "Session"]

_AXES = {"image": 3, "series": 2, "table": 1}
_FLOATS = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}


@dataclass(frozen=True, kw_only=True)  # otherwise the field `modality`, declared by Model, would have to come first
class Onnx(Model):
    """A model in ONNX format, ``[N, *shape]`` to ``[N, classes]`` or ``[N]``, without gradients.

    The input of the model is ``scale * (data - mean) / std``, with images in 0..1. Images of another size are resized
    bilinearly to the size of the model, and their masks by nearest neighbour.

    Args:
        path: path of the file.
        modality: kind of the inputs: ``image``, ``table`` or ``series``.
        class_names: by index; empty if there are none.
        mean, std: one number or one per channel (column); empty for 0 and 1.
        scale: factor after normalisation: 255 for a model that expects values in 0..255.
        layout: layout of images in the model; ``auto`` takes the axis of length 1, 3 or 4 for the channels.
        size: height and width of the images, if the graph does not fix them.
        input, output: names in the graph; null takes the only input and the first output.
        gives: ``logits`` (any scores), or ``probabilities``, whose logarithms are then the scores:
            ``output=probability`` explains the probabilities of the model.
        provider: device of ONNX Runtime.
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
        """The shape of one input, ``(C, H, W)`` for images; None if the graph does not fix it."""
        path = Path(self.path).expanduser()
        if not path.is_file():
            return None
        shape, _ = self._shape(_opened(str(path), path.stat().st_mtime_ns, self.provider, 0))
        return None if None in shape else shape  # type: ignore[return-value]  # contains no None

    def fingerprint(self) -> str:
        """Size and modification time of the file."""
        try:
            status = Path(self.path).expanduser().stat()
        except OSError:
            return ""
        return f"{status.st_size} bytes, {status.st_mtime_ns} ns"

    def load(self, context: LoadContext) -> Network:
        """The network; its module is a :class:`Session`.

        Raises:
            ResourceError: the file is missing or not an ONNX model, or the provider is not available.
            UnknownName, MismatchError: there is no such input or output, or its type or shape is not supported.
        """
        import onnxruntime
        import torch

        path = Path(self.path).expanduser()
        if not path.is_file():
            raise ResourceError("model.path", "no such file", got=str(path))
        opened = _opened(str(path), path.stat().st_mtime_ns, self.provider, torch.get_num_threads())
        input_node, output_name = self._input(opened), self._output(opened)
        shape, last = self._shape(opened)
        batch = input_node.shape[0] if isinstance(input_node.shape[0], int) else None
        dtype, logarithm = _FLOATS[input_node.type], self.gives == "probabilities"
        session = Session(opened, input_node.name, output_name, dtype, last, batch, logarithm)
        session, classes, note = self._probed(session, shape)
        axes = _AXES[self.modality] - 1
        mean = self._per_channel("mean", self.mean or (0.0,), shape[0], axes)
        std = self._per_channel("std", self.std or (1.0,), shape[0], axes) / self.scale
        outputs = 2 if classes == 1 else classes
        if self.class_names and outputs not in (None, len(self.class_names)):
            raise MismatchError(
                "model.class_names", f"the model has {classes} outputs", got=len(self.class_names), hint="one each"
            )
        is_image = self.modality == "image"
        return Network(
            session,
            functools.partial(_encoded_images if is_image else _encoded_rows, shape, mean, std),
            self.modality,
            classes=classes,
            class_names=self.class_names,
            mean=torch.as_tensor(mean),
            std=torch.as_tensor(std),
            low=0.0 if is_image else None,
            high=1.0 if is_image else None,
            identity=f"onnx {_digest(path)} {self.parameters()!r} onnxruntime {onnxruntime.__version__}",
            facts={"weights": str(path), "runtime": f"onnxruntime {onnxruntime.__version__}", "batch": note},
        )

    def _input(self, opened: Any) -> Any:
        """The input node of the graph, checked."""
        known = {node.name: node for node in opened.get_inputs()}
        if self.input is None and len(known) > 1:
            raise MismatchError(
                "model.input", "the graph has several inputs", got=list(known), hint="name the only one"
            )
        node = _named("model.input", "input", self.input, known)
        if len(known) > 1:
            raise MismatchError("model.path", "the graph has several inputs, which is not supported", got=list(known))
        if node.type not in _FLOATS:
            raise MismatchError(
                "model.path", f"input {node.name!r} does not accept floating-point numbers", got=node.type
            )
        expected = _AXES[self.modality] + 1
        if len(node.shape) != expected:
            raise MismatchError(
                "model.modality",
                f"{self.modality} inputs have {expected} axes with that of examples; input {node.name!r} does not",
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
        """The shape of one input in xaiexp's layout, None for open axes, and whether the graph has channels last."""
        shape = [side if isinstance(side, int) else None for side in self._input(opened).shape[1:]]
        if self.modality != "image":
            return tuple(shape), False
        last = channels_last("model.layout", self.layout, [side or 0 for side in shape])
        channels, *size = [shape[2], *shape[:2]] if last else shape
        for side, requested in zip(size, self.size or (None, None), strict=True):
            if requested is not None and side not in (None, requested):
                raise MismatchError("model.size", f"the graph expects images of {size[0]} x {size[1]}", got=self.size)
        return (channels, *(self.size or size)), last

    def _probed(self, session: Session, shape: Sequence[int | None]) -> tuple[Session, int | None, str]:
        """Run two rows of zeros; the session, the number of outputs, and a note on batch sizes for ``record.json``."""
        import torch
        from onnxruntime.capi import onnxruntime_pybind11_state as states

        note = "any size"
        if session.batch is not None:
            note = f"fixed to {session.batch} by the graph: runs in pieces of that size inside the session"
        if None in shape:
            return session, None, note
        rows = torch.zeros(2, *[side or 0 for side in shape])
        trials = [session]
        if session.batch is None:  # some exports leave this axis open but fix it inside the graph
            trials.append(session.with_batch(1))
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
        """The values as a tensor that broadcasts over one input."""
        import torch

        if len(values) not in (1, channels):
            raise ParameterError(
                f"model.{name}", f"must be one number or one for each of {channels} channels", got=list(values)
            )
        return torch.tensor(values).view(-1, *[1] * axes)


@dataclass(frozen=True)
class Session:
    """A session of ONNX Runtime as a function of tensors: ``[N, *shape]`` to ``[N, classes]`` or ``[N]``.

    The module path and name of this class are part of the keys of the store.

    Args:
        opened: the ``onnxruntime.InferenceSession``.
        input, output: names in the graph.
        dtype: dtype of the input.
        channels_last: whether the graph expects images ``[N, H, W, C]``.
        batch: batch size fixed by the graph; None for any size.
        logarithm: whether the output are probabilities, whose logarithms are the scores.
    """

    opened: Any
    input: str
    output: str
    dtype: str
    channels_last: bool = False
    batch: int | None = None
    logarithm: bool = False

    def __call__(self, inputs: Tensor) -> Tensor:
        """Scores of ``inputs``, at least float32, on the same device."""
        import numpy as np
        import torch

        rows = inputs.detach().permute(0, 2, 3, 1) if self.channels_last else inputs.detach()
        array = np.ascontiguousarray(rows.cpu().numpy(), dtype=self.dtype)
        out = torch.from_numpy(self._run(array))
        if out.ndim == 0 or len(out) != len(inputs):
            raise ValueError(f"the graph returned {list(out.shape)} for {len(inputs)} rows")
        out = out.to(inputs.device, torch.promote_types(inputs.dtype, torch.float32))
        return out.clamp(min=torch.finfo(out.dtype).tiny).log() if self.logarithm else out

    def with_batch(self, batch: int) -> Session:
        """The same session, run with the given number of rows at a time."""
        return Session(self.opened, self.input, self.output, self.dtype, self.channels_last, batch, self.logarithm)

    def _run(self, array: Any) -> Any:
        """The output for an array of rows, computed in chunks of the fixed batch size."""
        import numpy as np

        if self.batch is None:
            return self.opened.run([self.output], {self.input: array})[0]
        outputs = []
        for start in range(0, len(array), self.batch):
            chunk = array[start : start + self.batch]
            missing = self.batch - len(chunk)
            padded = np.concatenate([chunk, np.repeat(chunk[-1:], missing, axis=0)]) if missing else chunk
            outputs.append(self.opened.run([self.output], {self.input: padded})[0][: len(chunk)])
        return np.concatenate(outputs)


@functools.lru_cache(maxsize=4)
def _opened(path: str, modified: int, provider: str, threads: int) -> Any:  # noqa: ARG001  # see below
    """A session of ONNX Runtime, cached until the file is modified.

    Args:
        path, provider: the file, and the device to compute with.
        modified: modification time in nanoseconds; part of the key of the cache.
        threads: number of threads; 0 opens the model only to read its inputs and outputs.
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
    except Exception as broken:  # its errors have no common base class
        reason = str(broken).splitlines()[0][:200]
        raise ResourceError("model.path", f"{path} cannot be read as an ONNX model: {reason}") from None


def _named(where: str, what: str, name: str | None, known: dict[str, Any]) -> Any:
    """The node with the given name; the first node if the name is None."""
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
    """A hash of the file and of its external weights (``model.onnx.data``, ``model.onnx_data``)."""
    digest = hashlib.blake2b(digest_size=16)
    for file_path in sorted(path.parent.glob(f"{glob.escape(path.name)}*")):
        if file_path.is_file():
            with file_path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def _encoded_rows(shape: Sequence[int | None], mean: Tensor, std: Tensor, samples: Sequence[Sample]) -> Encoded:
    """Rows of a table, or series, normalised."""
    import torch

    rows = [_tensor(sample) for sample in samples]
    for sample, row in zip(samples, rows, strict=True):
        if row.ndim != len(shape) or any(s not in (None, r) for s, r in zip(shape, row.shape, strict=True)):
            raise _wrong_shape(sample, shape, row)
    return Encoded((torch.stack(rows) - mean) / std)


def _encoded_images(shape: Sequence[int | None], mean: Tensor, std: Tensor, samples: Sequence[Sample]) -> Encoded:
    """Images, resized to the size of the model and normalised, and their masks, resized."""
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
            raise _wrong_shape(sample, shape, row)
        mask = None if sample.mask is None else torch.as_tensor(sample.mask).bool()
        if mask is not None and mask.shape != row.shape[1:]:
            raise MismatchError(
                "dataset", f"the mask of example {sample.id!r} does not have the size {list(row.shape[1:])}",
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
            "model.size", "images differ in size, and the graph does not fix a size", hint="size=[HEIGHT,WIDTH]"
        )
    given = [mask for mask in masks if mask is not None]
    stacked = torch.stack([torch.zeros_like(given[0]) if m is None else m for m in masks]) if given else None
    return Encoded((torch.stack(rows) - mean) / std, masks=stacked)


def _tensor(sample: Sample) -> Tensor:
    import torch

    if not isinstance(sample.data, torch.Tensor):
        raise MismatchError("dataset", f"example {sample.id!r} is not a tensor", got=type(sample.data).__name__)
    return sample.data.float()


def _wrong_shape(sample: Sample, shape: Sequence[int | None], row: Tensor) -> MismatchError:
    return MismatchError(
        "dataset",
        f"example {sample.id!r} must have the shape {['any' if s is None else s for s in shape]}",
        got=list(row.shape),
    )
