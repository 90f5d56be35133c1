"""State dicts from files, read without executing code from them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from xaiexp.errors import MismatchError, ResourceError

__all__ = ["load_state_dict", "read_state_dict"]


def read_state_dict(where: str, path: Path, hint: str = "") -> dict[str, Tensor]:
    """A state dict from a ``.safetensors`` file, or from a file that ``torch.load(weights_only=True)`` accepts.

    Args:
        where: the parameter that names the file, for messages.
        path: path of the file.
        hint: hint of the error for a file that does not exist.

    Raises:
        ResourceError: the file is missing, damaged, or not a state dict.
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
        lines = str(broken).strip().splitlines() or [type(broken).__name__]
        # The message of torch recommends weights_only=False, which is unsafe.
        reason = "not a state dict of tensors only" if "weights only" in lines[0].lower() else lines[0][:120]
        raise ResourceError(where, f"{path} cannot be read as weights: {reason}") from None
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ResourceError(where, f"{path} does not contain a state dict (parameter names to tensors)")
    return dict(content)


def load_state_dict(where: str, path: Path, module: nn.Module, state: Mapping[str, Tensor], description: str) -> None:
    """Load a state dict into a module; all names and shapes must match.

    Args:
        where: the parameter that names the file, for messages.
        path: path of the file.
        module: the module; unchanged if the state dict does not match.
        state: the state dict.
        description: the module, in words for messages.

    Raises:
        MismatchError: names or shapes differ; the message lists the differences.
    """
    expected = module.state_dict()
    missing = [key for key in expected if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in expected]
    mismatched = [key for key in expected if key in state and state[key].shape != expected[key].shape]
    if missing or extra or mismatched:
        notes = [
            f"{key} is {list(state[key].shape)} in the file, {list(expected[key].shape)} in the model"
            for key in mismatched[:3]
        ]
        notes += [f"{len(missing)} missing in the file: {', '.join(missing[:3])} ..."] if missing else []
        notes += [f"{len(extra)} unknown to the model: {', '.join(extra[:3])} ..."] if extra else []
        raise MismatchError(
            where,
            f"{path} does not match {description}",
            hint=_hint_for_classes(expected, state, mismatched),
            notes=notes,
        )
    try:
        module.load_state_dict(state, strict=not any(k.endswith("num_batches_tracked") for k in expected))
    except RuntimeError as broken:
        raise MismatchError(where, f"{path} does not match {description}: {broken}") from None


def _hint_for_classes(expected: Mapping[str, Tensor], state: Mapping[str, Tensor], mismatched: list[str]) -> str:
    """The number of classes to set if only the heads differ, by their number of classes; empty otherwise."""
    heads = {
        (expected[key].shape[0], state[key].shape[0]) for key in mismatched if state[key].ndim and expected[key].ndim
    }
    inner = all(expected[key].shape[1:] == state[key].shape[1:] for key in mismatched)
    if len(heads) != 1 or not inner:
        return ""
    count = heads.pop()[1]
    return f"the file has {count} classes: model.classes={count}"
