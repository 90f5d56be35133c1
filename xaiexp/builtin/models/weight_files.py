"""State dicts from files, read without executing code from them."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.errors import MismatchError, ResourceError

__all__ = ["StateDict", "load_state_dict", "read_state_dict"]

log = logging.getLogger(__name__)

# Keys of training checkpoints under which the state dict of the model is saved.
_CONTAINERS = ("state_dict", "model_state_dict", "model", "module")
# torch.compile adds this part to a name, at the place of the compiled module.
_COMPILED = "_orig_mod"
# First parts of names that wrappers add: DataParallel, torch.compile, a training loop's `self.model`.
_WRAPPERS = {*_CONTAINERS, _COMPILED}
_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_SAVE = "save the weights alone, where you trust the file: torch.save(model.state_dict(), FILE)"
_SHOWN = 3


@dataclass(frozen=True)
class StateDict:
    """A state dict read from a file.

    Args:
        path: of the file.
        tensors: by name, without the parts of names that wrappers of a module add.
        container: the keys under which the state dict was found, joined by dots; empty for the file itself.
        prefix: what was removed from the beginning of all names.
        compiled: whether parts that ``torch.compile`` adds were removed within names.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    container: str = ""
    prefix: str = ""
    compiled: bool = False


def read_state_dict(where: str, path: Path, hint: str = "") -> StateDict:
    """A state dict from a ``.safetensors`` file, or from a file that ``torch.load(weights_only=True)`` accepts.

    It may lie under the keys ``state_dict``, ``model_state_dict``, ``model`` or ``module`` of a checkpoint, nested too,
    and its names may have the prefixes of ``DataParallel``, ``torch.compile`` and training loops.

    Args:
        where: the parameter that names the file, for messages.
        path: path of the file.
        hint: hint of the error for a file that does not exist.

    Raises:
        ResourceError: the file is missing, damaged, needs unpickling of objects, or contains no state dict.
    """
    if not path.is_file():
        raise ResourceError(where, "no such file", got=str(path), hint=hint)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: object = load_file(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about old file formats; the content is checked below
                content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as broken:  # a damaged pickle or archive may raise anything
        raise _unreadable(where, path, str(broken).strip() or type(broken).__name__) from None
    containers = []
    while isinstance(content, Mapping):
        inner = [key for key in _CONTAINERS if isinstance(content.get(key), Mapping)]
        if not inner:
            break
        if len(inner) > 1:
            raise ResourceError(
                where, f"{path} contains several state dicts: {', '.join(inner)}", hint="save one of them alone"
            )
        containers.append(inner[0])
        content = content[inner[0]]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise ResourceError(
            where,
            f"{path} does not contain a state dict (parameter names to tensors)",
            got=_described(content),
            hint=_SAVE,
        )
    tensors = {str(key): value for key, value in content.items()}
    names, prefix = _bare_names(tensors)
    compiled = any(_COMPILED in key.removeprefix(prefix).split(".") for key in tensors)
    bare = {name: tensors[key] for key, name in names.items()}
    if len(bare) < len(tensors):  # two names differ only in what wrappers add: they are not names of one module
        bare, prefix, compiled = tensors, "", False
    return StateDict(path, bare, ".".join(containers), prefix, compiled)


def load_state_dict(
    where: str, module: nn.Module, state: StateDict, description: str, fitting: Callable[[], str] = str
) -> str:
    """Load a state dict into a module; all names and shapes must match, except for what wrappers add to names.

    Args:
        where: the parameter that names the file, for messages.
        module: the module; unchanged if the state dict does not match.
        state: the state dict.
        description: the module, in words for messages.
        fitting: what would fit the state dict, for the hint; called where it does not fit the module.

    Returns:
        How the file was read where its names are not those of the module, for ``record.json``; otherwise empty.

    Raises:
        MismatchError: names or shapes differ (the message lists the differences), or values are quantised or complex.
    """
    expected = module.state_dict()
    names, prefix = _bare_names(expected)
    own_names = {bare: key for key, bare in names.items()}
    given = {own_names.get(name, name): value for name, value in state.tensors.items()}
    missing = [key for key in expected if key not in given and not key.endswith("num_batches_tracked")]
    extra = [key for key in given if key not in expected]
    mismatched = [key for key in expected if key in given and given[key].shape != expected[key].shape]
    if missing or extra or mismatched:
        notes = [
            f"{key} is {list(given[key].shape)} in the file, {list(expected[key].shape)} in the model"
            for key in mismatched[:_SHOWN]
        ]
        if len(mismatched) > _SHOWN:
            notes.append(f"{len(mismatched)} differ in shape")
        notes += [f"{len(missing)} missing in the file: {_first(missing)}"] if missing else []
        notes += [f"{len(extra)} unknown to the model: {_first(extra)}"] if extra else []
        raise MismatchError(
            where,
            f"{state.path} does not match {description}",
            hint=((missing or extra) and fitting()) or _hint_for_classes(expected, given, mismatched),
            notes=notes,
        )
    unfit = [key for key, value in given.items() if not _same_kind(value, expected[key])]
    if unfit:
        kinds = ", ".join(sorted({str(given[key].dtype).removeprefix("torch.") for key in unfit}))
        raise MismatchError(
            where,
            f"{state.path} has values of type {kinds}, {description} has real floating-point numbers",
            hint="quantised weights need their scales: save the weights in float32",
            notes=[f"{len(unfit)} of this type: {_first(unfit)}"],
        )
    try:
        module.load_state_dict(given, strict=not any(k.endswith("num_batches_tracked") for k in expected))
    except RuntimeError as broken:
        raise MismatchError(where, f"{state.path} does not match {description}: {broken}") from None
    return _note(state, prefix)


def _unreadable(where: str, path: Path, message: str) -> ResourceError:
    """The error for a file that torch or safetensors refuses to read, with the message of theirs."""
    # The message of torch recommends weights_only=False, which is unsafe.
    line = message.splitlines()[0]
    reason, hint = line[:120], ""
    if "torchscript" in message.lower():
        reason, hint = "it is a TorchScript archive, whose code is not run", _SAVE
    elif "weights only" in line.lower():
        kind = re.search(r"GLOBAL ([\w.]+)", message)
        reason = f"it contains Python objects{f' ({kind[1]})' if kind else ''}, and unpickling can run any code"
        hint = _SAVE
    return ResourceError(where, f"{path} cannot be read as weights: {reason}", hint=hint)


def _described(content: object) -> str:
    """What a file contains in place of a state dict, in a few words."""
    if not isinstance(content, Mapping):
        return type(content).__name__
    return f"keys {_first(map(str, content))}" if content else "nothing"


def _bare_names(keys: Iterable[str]) -> tuple[dict[str, str], str]:
    """Names without what wrappers add, by name, and the prefix that was removed from all of them."""
    parts = {key: key.split(".") for key in keys}
    removed: list[str] = []
    while parts and all(len(names) > 1 for names in parts.values()):
        first = {names[0] for names in parts.values()}
        if len(first) > 1 or not first <= _WRAPPERS:
            break
        removed += first
        parts = {key: names[1:] for key, names in parts.items()}
    bare = {key: ".".join(part for part in names if part != _COMPILED) for key, names in parts.items()}
    return bare, "".join(f"{part}." for part in removed)


def _same_kind(value: Tensor, own: Tensor) -> bool:
    """Whether a value of the file means the same as a value of the module's own type."""
    if value.layout != torch.strided or value.is_quantized:
        return False
    if own.dtype in _FLOATS:
        return value.dtype in _FLOATS
    if own.is_floating_point() or own.is_complex():
        return value.dtype == own.dtype
    return not value.is_floating_point() and not value.is_complex()


def _first(names: Iterable[str]) -> str:
    """The first few names."""
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")


def _note(state: StateDict, own_prefix: str) -> str:
    """How names and place of the state dict differ from those of the module's own."""
    parts = [f"under {state.container!r}"] if state.container else []
    if state.prefix != own_prefix:
        parts.append(f"without the prefix {state.prefix!r}" if state.prefix else f"with the prefix {own_prefix!r}")
    if state.compiled:
        parts.append(f"without {_COMPILED!r} within names")
    if not parts:
        return ""
    note = f"{state.path.name}: weights read {', '.join(parts)}"
    log.info(note)
    return note


def _hint_for_classes(expected: Mapping[str, Tensor], state: Mapping[str, Any], mismatched: list[str]) -> str:
    """The number of classes to set if only the heads differ, by their number of classes; empty otherwise."""
    heads = {
        (expected[key].shape[0], state[key].shape[0]) for key in mismatched if state[key].ndim and expected[key].ndim
    }
    inner = all(expected[key].shape[1:] == state[key].shape[1:] for key in mismatched)
    if len(heads) != 1 or not inner:
        return ""
    count = heads.pop()[1]
    return f"the file has {count} classes: model.classes={count}"
