"""Attributions by example from ``.npz``, ``.safetensors`` and ``.parquet`` files, read without running code."""

from __future__ import annotations

import functools
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.errors import MismatchError, ResourceError, UserError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["MapFile", "read_map_file"]

_IDS, _MAPS, _TARGETS = "ids", "attributions", "targets"


@dataclass(frozen=True)
class MapFile:
    """The attributions of a file.

    Args:
        path: of the file.
        maps: by the id of the example and the class that is explained, None where the file names no classes.
    """

    path: str
    maps: Mapping[tuple[str, int | None], Array]

    @functools.cached_property
    def has_targets(self) -> bool:
        """Whether the file says which class a map explains."""
        return any(target is not None for _, target in self.maps)


def read_map_file(where: str, path: Path) -> MapFile:
    """Read a file; it is read again only after it was modified.

    ``.npz`` and ``.safetensors``: arrays ``ids [N]``, ``attributions [N, ...]`` and, if wanted, ``targets [N]``; or an
    array for each example, named by its id. The ids of a safetensors file are the entry ``ids`` of its metadata, a JSON
    list. ``.parquet``: a row for each example, with the columns ``example``, optionally ``target``, and either a column
    ``attributions`` of lists or a column for each feature.

    Args:
        where: the parameter that names the file, for messages.
        path: of the file.

    Raises:
        ResourceError: the file is missing, damaged, or has another format.
        MismatchError: its arrays do not fit together.
    """
    try:
        status = path.stat()
    except OSError as missing:
        raise ResourceError(where, f"cannot be read: {missing.strerror}", got=str(path)) from None
    return _read(where, path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read(where: str, path: Path, size: int, modified: int) -> MapFile:  # noqa: ARG001  # the key of the cache
    readers = {".npz": _npz, ".safetensors": _safetensors, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ResourceError(where, "has no known format", got=str(path), hint=f"known: {', '.join(readers)}")
    try:
        return MapFile(str(path), reader(where, path))
    except UserError:
        raise
    except Exception as broken:  # a damaged file may raise anything
        reason = (str(broken).strip().splitlines() or [type(broken).__name__])[0][:200]
        raise ResourceError(where, f"{path} cannot be read: {reason}") from None


def _npz(where: str, path: Path) -> dict[tuple[str, int | None], Array]:
    import numpy as np

    if not zipfile.is_zipfile(path):
        raise ResourceError(where, f"{path} is not an .npz file")
    with np.load(path, allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files}
    return _keyed(where, path, arrays, arrays.pop(_IDS, None))


def _safetensors(where: str, path: Path) -> dict[tuple[str, int | None], Array]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as content:
        ids = (content.metadata() or {}).get(_IDS)
        arrays = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118  # it is no mapping
    return _keyed(where, path, arrays, None if ids is None else json.loads(ids))


def _parquet(where: str, path: Path) -> dict[tuple[str, int | None], Array]:
    import numpy as np
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    if "example" not in table.column_names:
        raise MismatchError(
            where, f"{path} has no column 'example'", hint=f"columns: {', '.join(table.column_names[:10])}"
        )
    ids = table["example"].to_pylist()
    targets = table["target"].to_pylist() if "target" in table.column_names else None
    if _MAPS in table.column_names:
        maps: Any = [np.array(row) for row in table[_MAPS].to_pylist()]
    else:
        columns = [table[name].to_numpy() for name in table.column_names if name not in ("example", "target")]
        maps = np.stack(columns, axis=1)
    return _by_example(where, path, ids, maps, targets)


def _keyed(where: str, path: Path, arrays: dict[str, Array], ids: Any) -> dict[tuple[str, int | None], Array]:
    """The maps of named arrays: all in one array with ids, or one for each example."""
    if ids is None:
        return _by_example(where, path, list(arrays), list(arrays.values()), None)
    if _MAPS not in arrays:
        raise MismatchError(
            where, f"{path} has ids, but no array {_MAPS!r}", hint=f"arrays: {', '.join(list(arrays)[:10]) or 'none'}"
        )
    targets = arrays.get(_TARGETS)
    return _by_example(where, path, list(ids), arrays[_MAPS], None if targets is None else targets.tolist())


def _by_example(
    where: str, path: Path, ids: Sequence[Any], maps: Any, targets: Sequence[Any] | None
) -> dict[tuple[str, int | None], Array]:
    """The maps by example and class, of a sequence of arrays or one array ``[N, ...]``.

    Raises:
        MismatchError: the numbers of ids, maps and classes differ, an example occurs twice, or values are no numbers.
    """
    import numpy as np

    lengths = [len(ids), len(maps), *([] if targets is None else [len(targets)])]
    if len(set(lengths)) > 1 or not lengths[0]:
        raise MismatchError(where, f"{path} must have an id, a map and, if any, a class for each example", got=lengths)
    found: dict[tuple[str, int | None], Array] = {}
    for number, name in enumerate(ids):
        values = np.asarray(maps[number])
        target = None if targets is None else targets[number]
        if values.dtype.kind not in "fiub":
            raise MismatchError(where, f"{path}: the map of example {str(name)!r} is no array of numbers")
        if target is not None and (not isinstance(target, int) or target < 0):
            raise MismatchError(where, f"{path}: the target of example {str(name)!r} is no class index", got=target)
        key = (str(name), target)
        if key in found:
            raise MismatchError(where, f"{path} has two maps of one example and class", got=str(name))
        found[key] = values.astype(np.float64)
    return found
