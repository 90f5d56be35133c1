"""The device of a study: named by the user, or a GPU that no other study on this machine uses."""

from __future__ import annotations

import getpass
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from xaiexp.core.samples import Network
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.store.leases import leased_among

__all__ = ["device_of", "leased", "placed", "settled"]


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


def settled(network: Network, device: torch.device, asked: str) -> tuple[Network, torch.device]:
    """The network as :func:`placed`, and the device of the study.

    A network that lies on its devices already stays there; the study then works where its inputs belong.

    Args:
        network: as the model loaded it.
        device: of the study, where the network does not decide it.
        asked: the key ``device`` of the study.

    Raises:
        MismatchError: the study names another device than that of a network which is not moved.
    """
    if not isinstance(network.module, nn.Module):
        return network, device
    if network.device is None:
        return replace(network, module=placed(network.module, device)), device
    if asked != "auto" and not _same(device, network.device):
        raise MismatchError(
            "device",
            f"the model lies on its devices already, and its inputs belong on {network.device}",
            got=asked,
            hint="leave device out, or take the network as one piece (model.device_map=null)",
        )
    return replace(network, module=network.module.eval().requires_grad_(False)), network.device


def _same(one: torch.device, other: torch.device) -> bool:
    """Whether two devices are the same; a type without a number is the first of its type."""
    return (one.type, one.index or 0) == (other.type, other.index or 0)


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
