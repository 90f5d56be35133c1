"""A substitute for the library `datasets` with the functions that `hf_dataset` uses."""

from __future__ import annotations

import json
import types
from pathlib import Path

from PIL import Image


class Rows:
    """A split: rows that are read by column."""

    def __init__(self, rows, features):
        self.rows, self.features = rows, features
        self.column_names = list(features)

    def __len__(self):
        return len(self.rows)

    def select_columns(self, names):
        return Rows(self.rows, {name: self.features[name] for name in names})

    def __getitem__(self, numbers):
        rows = self.rows[numbers]
        return {name: [self._value(row[name]) for row in rows] for name in self.features}

    def _value(self, value):
        if isinstance(value, str) and value.endswith(".png"):
            with Image.open(value) as image:
                image.load()
                return image
        return value


def load_from_disk(folder):
    """Rows by split, from a file written by :func:`save`."""
    saved = json.loads((Path(folder) / "state.json").read_text())
    features = {name: types.SimpleNamespace(**({"names": names} if names else {})) for name, names in saved["features"]}
    splits = {split: Rows(rows, features) for split, rows in saved["splits"].items()}
    return splits if len(splits) > 1 else next(iter(splits.values()))


def load_dataset(path, name=None, *, revision=None):
    """Raises as the library does without a connection to the hub."""
    raise ConnectionError(f"Couldn't reach '{path}' on the Hub (OfflineModeIsEnabled)\nmore than one line")


def save(folder, splits, features):
    """Write rows for :func:`load_from_disk`; ``features`` maps column names to class names or None."""
    folder.mkdir()
    (folder / "state.json").write_text(json.dumps({"splits": splits, "features": list(features.items())}))
    return str(folder)


def stand_in(version="4.0.0"):
    """The substitute as a module, with the given version."""
    module = types.ModuleType("datasets")
    module.__version__ = version
    module.load_from_disk, module.load_dataset = load_from_disk, load_dataset
    bars = {"off": False}
    module.are_progress_bars_disabled = lambda: bars["off"]
    module.disable_progress_bars = lambda: bars.update(off=True)
    module.enable_progress_bars = lambda: bars.update(off=False)
    return module
