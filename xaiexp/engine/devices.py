"""The device of a study: named by the user, or a GPU that no other study on this machine uses."""

from __future__ import annotations

import getpass
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from xaiexp.errors import ResourceError
from xaiexp.store.leases import leased_among

__all__ = ["device_of", "leased", "placed"]


def device_of(name: str) -> torch.device:
    """The device with this name; ``auto`` is a GPU where there is one.

    Raises:
        ResourceError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ResourceError("device", "there is no CUDA device here", got=name, hint="device=cpu or device=auto")
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise ResourceError("device", f"there are {torch.cuda.device_count()} CUDA devices here", got=name)
    return device


def placed(module: nn.Module, device: torch.device) -> nn.Module:
    """The network as components of a study see it: on the device, in eval mode, with frozen parameters.

    Gradients at the output of a layer are therefore defined only where they are defined at the input.
    """
    return module.to(device).eval().requires_grad_(False)


@contextmanager
def leased(name: str) -> Iterator[torch.device]:
    """The device with this name; for ``auto`` a GPU that stays reserved within the block, where there are GPUs.

    Studies of one user on one machine, in whatever process, never share a GPU that they reserve; one waits for another
    to end. A device that the user names (``cuda:0``) is not reserved.

    Raises:
        ResourceError: as :func:`device_of`.
    """
    device = device_of(name)
    if name != "auto" or device.type != "cuda":
        yield device
        return
    uuids = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    others = (
        f"device=auto: waiting, since other studies use all {len(uuids)} GPUs of this machine; device=cuda:0 shares one"
    )
    with leased_among(uuids, _folder(), waiting=others) as index:
        yield torch.device("cuda", index)


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"xaiexp-devices-{getpass.getuser()}"
