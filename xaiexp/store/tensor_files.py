"""Files of tensors with a checksum: safetensors files whose metadata hold a hash of all tensors and other metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from xaiexp.store.files import move_aside, write_atomically
from xaiexp.store.fingerprints import fingerprint

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Damaged", "read_metadata", "read_tensors", "write_tensors"]

CHECKSUM = "checksum"


class Damaged(Exception):
    """A file is not as it was written; the message says what is wrong with it."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], durable: bool = True) -> None:
    """Write tensors, on any device, and texts about them atomically. A folder in the place of the file is moved aside.

    ``durable`` is that of :func:`xaiexp.store.files.write_atomically`.

    Raises:
        OSError: the file cannot be written.
    """
    from safetensors.torch import save

    # Cloned because safetensors rejects tensors that share memory.
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    checksum = fingerprint(copies, sorted(metadata.items()))
    move_aside(path)
    write_atomically(path, save(copies, {**metadata, CHECKSUM: checksum}), durable)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors, on the CPU, and the metadata that :func:`write_tensors` wrote, once the checksum has been verified.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: the file cannot be read, is cut off or altered, or was written without a checksum.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except FileNotFoundError:
        raise
    except Exception as error:  # what an altered header makes safetensors and torch raise is of many types
        if path.is_dir():
            raise Damaged("is a folder") from None
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Damaged(f"cannot be read ({lines[0][:200]})") from None
    checksum = metadata.pop(CHECKSUM, None)
    if checksum is None:
        raise Damaged("has no checksum")
    if checksum != fingerprint(tensors, sorted(metadata.items())):
        raise Damaged("has another content than was written")
    return tensors, metadata


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a file, without torch and without verifying anything.

    Raises:
        Damaged: they cannot be read.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "np") as file:
            return dict(file.metadata() or {})
    except Exception as error:  # as above
        raise Damaged(str(error)) from None
