"""What identifies a network in the keys of the store."""

from __future__ import annotations

from torch import nn

from xaiexp.core.samples import Network
from xaiexp.engine.guard import tensors_of
from xaiexp.errors import MismatchError
from xaiexp.store.fingerprints import fingerprint

__all__ = ["weights_fingerprint"]


def weights_fingerprint(network: Network) -> str:
    """A hash of the weights and of everything else that decides the scores.

    Raises:
        MismatchError: the model is no ``torch.nn.Module`` and states no identity, so that its results could not be
            distinguished from those of another model in the store.
    """
    module = network.module
    if not isinstance(module, nn.Module) and not network.identity:
        raise MismatchError(
            "model",
            "is no torch.nn.Module, and its Network has no identity",
            got=type(module).__name__,
            hint="set Network(identity=...) to a hash of what decides the scores, such as the model file",
        )
    code = f"{type(module).__module__}.{type(module).__qualname__}"
    description = str(module) if isinstance(module, nn.Module) else ""
    return fingerprint(tensors_of(module), code, description, network.identity)
