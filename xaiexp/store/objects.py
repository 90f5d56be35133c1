"""The content-addressed store of attributions, predictions and scores.

An object is a safetensors file named by its key (:mod:`xaiexp.core.keys`), with a checksum that is verified whenever it
is read. Writes are atomic and objects are immutable, therefore several processes may share a store. For each planned
cell, an index file lists the keys of the objects that the cell used when it last ran: ``xaiexp plan`` reads it to
predict cache hits without loading a model.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from xaiexp.store.files import move_aside, write_atomically
from xaiexp.store.tensor_files import Damaged, read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["OBJECTS", "PLANS", "SUFFIX", "ObjectKind", "Store"]

OBJECTS, PLANS, SUFFIX = "objects", "plans", ".safetensors"
"""The folders of the objects and of the index, and the suffix of an object."""

ObjectKind = Literal["attributions", "predictions", "scores", "model checks", "statistics", "speed measurements"]
"""What an object holds; it is written into the file for people and ``xaiexp store``."""


class Store:
    """A folder of objects.

    Args:
        folder: the folder; created on the first write.
        force: whether to treat every object as missing, which recomputes and overwrites it.

    Attributes:
        damaged: the files that were found damaged, each with what is wrong with it.
    """

    def __init__(self, folder: Path, force: bool = False) -> None:
        self.folder, self.force = folder, force
        self.damaged: dict[Path, str] = {}

    def path(self, key: str) -> Path:
        """The file of an object."""
        return self.folder / OBJECTS / key[:2] / f"{key}{SUFFIX}"

    def get(self, key: str, *names: str) -> dict[str, Tensor] | None:
        """Read an object.

        A file that is damaged (its checksum is verified), or that lacks one of the ``names``, is added to
        :attr:`damaged`, deleted, and counts as missing: the caller computes it again.

        Args:
            key: key of the object.
            names: tensors that the object must contain.

        Returns:
            The tensors by name, on the CPU; None where the object is missing.
        """
        path = self.path(key)
        if self.force or not os.path.lexists(path):
            return None
        try:
            return self._read(path, key, names)
        except FileNotFoundError:  # another process has deleted it
            return None
        except Damaged as error:
            self.damaged[path] = str(error)
        with contextlib.suppress(OSError):  # where it cannot be deleted, it is replaced
            move_aside(path)
            path.unlink(missing_ok=True)
        return None

    def _read(self, path: Path, key: str, names: Sequence[str]) -> dict[str, Tensor]:
        tensors, metadata = read_tensors(path)
        if metadata.get("key") != key:
            raise Damaged("is the file of another object")
        if not tensors or not all(name in tensors for name in names):
            raise Damaged(f"lacks {', '.join(name for name in names if name not in tensors) or 'all tensors'}")
        return tensors

    def put(self, key: str, tensors: Mapping[str, Tensor], kind: ObjectKind) -> None:
        """Write an object: tensors by name, on any device."""
        # Not flushed: an object that a power failure damaged counts as missing, and a study writes thousands.
        write_tensors(self.path(key), tensors, {"key": key, "kind": kind}, durable=False)

    def notes(self) -> list[str]:
        """One line that says which objects were damaged; none where all were as they were written."""
        if not self.damaged:
            return []
        path, reason = next(iter(self.damaged.items()))
        count = "a damaged object" if len(self.damaged) == 1 else f"{len(self.damaged)} damaged objects"
        return [f"store: {count} computed again, first {path.relative_to(self.folder)} ({reason})"]

    def put_cell_keys(self, plan_key: str, keys: Sequence[str]) -> None:
        """Write the keys of the objects of a planned cell (:class:`xaiexp.core.keys.PlanKey`)."""
        path = self._cell_path(plan_key)
        move_aside(path)
        write_atomically(path, json.dumps(list(keys)).encode())

    def has_cell(self, plan_key: str) -> bool:
        """Whether all objects that a planned cell used when it last ran are in the store.

        It is a prediction: data or weights may have changed in a way that the plan key does not cover, and checksums
        are not verified.
        """
        try:
            keys = json.loads(self._cell_path(plan_key).read_bytes())
        except (OSError, ValueError):
            return False
        if self.force or not isinstance(keys, list) or not keys:
            return False
        return all(isinstance(key, str) and self.path(key).is_file() for key in keys)

    def _cell_path(self, plan_key: str) -> Path:
        return self.folder / PLANS / plan_key[:2] / f"{plan_key}.json"
