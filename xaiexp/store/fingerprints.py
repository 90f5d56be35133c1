"""Content hashes of tensors and files."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["file_hash", "fingerprint"]


def fingerprint(tensors: Mapping[str, Tensor], *extra: object) -> str:
    """The BLAKE2b hash, 40 hexadecimal digits, of tensors and further plain values.

    It covers names, dtypes, shapes and bytes of the tensors, and the ``repr`` of ``extra``; it does not depend on the
    order or the device of the tensors.
    """
    import torch

    digest = hashlib.blake2b(repr(extra).encode(), digest_size=20)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        if tensor.numel():
            digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """The BLAKE2b hash, 40 hexadecimal digits, of the content of a file.

    The file is read again only if its size or its time of modification changed.

    Raises:
        OSError: the file cannot be read.
    """
    status = path.stat()
    return _file_hash(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _file_hash(path: Path, size: int, modified: int) -> str:  # noqa: ARG001  # size and time belong to the cache's key
    digest = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
