"""Tables in the store that follow from other tables, so that they are computed once."""

from __future__ import annotations

import functools
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.core.keys import StatisticsKey, digest
from xaiexp.store.objects import Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["frame_digest", "kept_tables"]

_PACKAGES = ("numpy", "scipy", "pandas")
_ROOMS = ("core", "statistics", "results")
"""The packages whose code decides the tables."""


def kept_tables(
    store: Store,
    scores: pd.DataFrame,
    rules: Mapping[str, Any],
    compute: Callable[[], dict[str, pd.DataFrame]],
    names: Sequence[str] = (),
) -> dict[str, pd.DataFrame]:
    """The tables that ``compute`` makes of scores; read from the store where it has them.

    Args:
        store: is asked first, and gets what was computed.
        scores: what the tables are made of.
        rules: everything else that decides them, as plain values.
        compute: makes the tables by name.
        names: of the tables; a stored object without one of them is damaged.
    """
    import pandas as pd
    import torch

    key = StatisticsKey(frame_digest(scores), digest(rules), _code()).digest
    if (found := store.get(key, *names)) is not None:
        return {name: pd.read_parquet(io.BytesIO(content.numpy().tobytes())) for name, content in found.items()}
    tables = compute()
    try:
        files = {name: frame.to_parquet(index=False) for name, frame in tables.items()}
        for name, content in files.items():
            pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(content)), tables[name], check_exact=True)
    except (AssertionError, ValueError, TypeError):  # a table that parquet would change is computed each time
        return tables
    store.put(key, {k: torch.frombuffer(bytearray(v), dtype=torch.uint8) for k, v in files.items()}, "statistics")
    return tables


def frame_digest(frame: pd.DataFrame) -> str:
    """A hash of a table: names, types and values of its columns, in their order; numbers by their bytes."""
    import pandas as pd

    content = hashlib.blake2b(digest_size=20)
    for name, column in frame.items():
        content.update(f"{name}|{column.dtype}|{len(column)}|".encode())
        if pd.api.types.is_numeric_dtype(column.dtype):
            content.update(column.to_numpy().tobytes())
        else:
            codes, values = pd.factorize(column, use_na_sentinel=False)
            content.update(codes.tobytes())
            content.update(json.dumps([repr(value) for value in values]).encode())
    return content.hexdigest()


@functools.cache
def _code() -> str:
    """A hash of the code that computes statistics, and of the versions of what it uses."""
    package = Path(__file__).parents[1]
    files = sorted(file for room in _ROOMS for file in (package / room).rglob("*.py"))
    contents = [(file.relative_to(package).as_posix(), file.read_text(encoding="utf-8")) for file in files]
    return digest([contents, [version(name) for name in _PACKAGES]])
