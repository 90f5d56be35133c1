"""What identifies a network in the keys of the store."""

from __future__ import annotations

from torch import nn

from xaiexp.contract.kinds import Model
from xaiexp.core.samples import Network
from xaiexp.engine.guard import tensors_of
from xaiexp.errors import MismatchError
from xaiexp.store.fingerprints import file_hash, fingerprint, named_paths

__all__ = ["weights_fingerprint"]


def weights_fingerprint(network: Network, model: Model) -> str:
    """A hash of the weights and of everything else that decides the scores.

    A network without tensors, such as a session of another library, is known by what it and its component say, and by
    the content of the files that the parameters of the component name.

    Raises:
        MismatchError: the network has no tensors and nothing else is known of it, so that its results could not be
            distinguished from those of another model in the store.
    """
    module, tensors = network.module, tensors_of(network.module)
    contents: list[str] = []
    if not tensors:
        files = [path for path in named_paths(model.parameters()) if path.is_file()]
        contents = [text for text in (model.fingerprint(), *map(file_hash, files)) if text]
        if not network.identity and not contents:
            raise MismatchError(
                f"model.{model.name}",
                "has no weights by which the store could tell it from another model, and no fingerprint",
                got=type(module).__name__,
                hint="add to its class: def fingerprint(self): return file_hash(Path(self.path))",
            )
    code = f"{type(module).__module__}.{type(module).__qualname__}"
    description = str(module) if isinstance(module, nn.Module) else ""
    return fingerprint(tensors, code, description, network.identity, *contents)
