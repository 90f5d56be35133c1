"""Weights in files, read without running anything that stands in them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from xaiexp.errors import MismatchError, ResourceError

__all__ = ["fit_in", "read_weights"]


def read_weights(where: str, path: Path, hint: str = "") -> dict[str, Tensor]:
    """A state dict from a ``.safetensors`` file, or from one that ``torch.load(weights_only=True)`` accepts.

    Args:
        where: the parameter that named the file.
        path: of the file.
        hint: what else the parameter may be, for a file that does not exist.

    Raises:
        ResourceError: no such file, damaged, or something else than a state dict.
    """
    if not path.is_file():
        raise ResourceError(where, "no such file", got=str(path), hint=hint)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: object = load_file(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of old file formats; the outcome is checked below
                found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as broken:  # a damaged pickle or archive may raise anything
        lines = str(broken).strip().splitlines() or [type(broken).__name__]
        # torch's own advice is to load without this safety; ours is not.
        why = "not a state dict of tensors alone" if "weights only" in lines[0].lower() else lines[0][:120]
        raise ResourceError(where, f"{path} cannot be read as weights: {why}") from None
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ResourceError(where, f"{path} holds no state dict (names of parameters to tensors)")
    return dict(found)


def fit_in(where: str, path: Path, module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load ``state`` into ``module``, all of it and nothing else.

    Args:
        where: the parameter that named the file.
        path: of the file.
        module: to load into; unchanged where it does not fit.
        state: the state dict.
        what: the module in a person's words.

    Raises:
        MismatchError: names or shapes differ; the message tells how.
    """
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in wanted]
    other = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    if missing or extra or other:
        notes = [
            f"{key} is {list(state[key].shape)} in the file, {list(wanted[key].shape)} in the model"
            for key in other[:3]
        ]
        notes += [f"{len(missing)} missing in the file: {', '.join(missing[:3])} ..."] if missing else []
        notes += [f"{len(extra)} unknown to the model: {', '.join(extra[:3])} ..."] if extra else []
        raise MismatchError(where, f"{path} does not fit {what}", hint=_classes(wanted, state, other), notes=notes)
    try:
        module.load_state_dict(state, strict=not any(k.endswith("num_batches_tracked") for k in wanted))
    except RuntimeError as broken:
        raise MismatchError(where, f"{path} does not fit {what}: {broken}") from None


def _classes(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], other: list[str]) -> str:
    """What to set where only the number of classes differs."""
    heads = {(wanted[key].shape[0], state[key].shape[0]) for key in other if state[key].ndim and wanted[key].ndim}
    inner = all(wanted[key].shape[1:] == state[key].shape[1:] for key in other)
    if len(heads) != 1 or not inner:
        return ""
    count = heads.pop()[1]
    return f"the file has {count} classes: model.classes={count}"
