"""Attributions and scores addressed by content: what was computed once is not computed again.

An object is a small safetensors file named by its key. Writing is atomic and an object never changes, so any
number of processes may share a store. Beside the objects stand short notes of which content keys a planned cell
had when it last ran, so that ``xaiexp plan`` can tell what will be found without loading a model.
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
        folder: where; made on the first write.
        force: find nothing, so that everything is computed and written anew.
    """

    def __init__(self, folder: Path, force: bool = False) -> None:
        self.folder, self.force = folder, force

    def path(self, key: str) -> Path:
        """Where an object lies."""
        return self.folder / "objects" / key[:2] / f"{key}.safetensors"

    def get(self, key: str, *names: str) -> dict[str, Tensor] | None:
        """The tensors of an object, on the CPU; None where there is none, or where its file is damaged.

        A file without one of the ``names`` counts as damaged.
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
            path.unlink(missing_ok=True)  # computed anew, and then it is whole
            return None
        return tensors

    def put(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep an object."""
        from safetensors.torch import save

        # Copies: safetensors refuses tensors that share memory.
        whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        write_atomically(self.path(key), save(whole))

    def note(self, plan_key: str, keys: Sequence[str]) -> None:
        """Remember which objects a planned cell had."""
        write_atomically(self._note(plan_key), json.dumps(list(keys)).encode())

    def expected(self, plan_key: str) -> bool:
        """Whether a planned cell will be found whole, as far as can be told without loading anything."""
        try:
            keys = json.loads(self._note(plan_key).read_text())
        except (OSError, ValueError):
            return False
        return not self.force and bool(keys) and all(self.path(key).is_file() for key in keys)

    def _note(self, plan_key: str) -> Path:
        return self.folder / "plans" / plan_key[:2] / f"{plan_key}.json"
