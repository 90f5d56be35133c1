"""The content-addressed store of attributions, predictions and scores.

An object is a safetensors file named by its key (:mod:`xaiexp.core.keys`). Writes are atomic and objects are immutable,
therefore several processes may share a store. For each planned cell, an index file lists the keys of the objects that
the cell used when it last ran: ``xaiexp plan`` reads it to predict cache hits without loading a model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xaiexp.store.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Store"]


class Store:
    """A folder of objects.

    Args:
        folder: the folder; created on the first write.
        force: whether to treat every object as missing, which recomputes and overwrites it.
    """

    def __init__(self, folder: Path, force: bool = False) -> None:
        self.folder, self.force = folder, force

    def path(self, key: str) -> Path:
        """The file of an object."""
        return self.folder / "objects" / key[:2] / f"{key}.safetensors"

    def get(self, key: str, *names: str) -> dict[str, Tensor] | None:
        """Read an object.

        A file that cannot be read, or that lacks one of the ``names``, is deleted and counts as missing.

        Args:
            key: key of the object.
            names: tensors that the object must contain.

        Returns:
            The tensors by name, on the CPU; None where the object is missing.
        """
        path = self.path(key)
        if self.force or not path.is_file():
            return None
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(path)
        except (SafetensorError, OSError):
            tensors = {}
        if not tensors or not all(name in tensors for name in names):
            path.unlink(missing_ok=True)  # the caller recomputes and writes it
            return None
        return tensors

    def put(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Write an object: tensors by name, on any device."""
        from safetensors.torch import save

        # Cloned because safetensors rejects tensors that share memory.
        copies = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        write_atomically(self.path(key), save(copies))

    def put_cell_keys(self, plan_key: str, keys: Sequence[str]) -> None:
        """Write the keys of the objects of a planned cell (:class:`xaiexp.core.keys.PlanKey`)."""
        write_atomically(self._cell_path(plan_key), json.dumps(list(keys)).encode())

    def has_cell(self, plan_key: str) -> bool:
        """Whether all objects that a planned cell used when it last ran are in the store.

        It is a prediction: data or weights may have changed in a way that the plan key does not cover.
        """
        try:
            keys = json.loads(self._cell_path(plan_key).read_text())
        except (OSError, ValueError):
            return False
        return not self.force and bool(keys) and all(self.path(key).is_file() for key in keys)

    def _cell_path(self, plan_key: str) -> Path:
        return self.folder / "plans" / plan_key[:2] / f"{plan_key}.json"
