"""Content hashes of tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["fingerprint"]


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
