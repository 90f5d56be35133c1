"""A finished study: its tables, its maps from the store, and what is known of its examples and features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from xaiexp.api.load import load
from xaiexp.api.outcomes import ReadAgain, read_again, rebuilt
from xaiexp.api.result import Result
from xaiexp.core.ids import CellId
from xaiexp.core.record import Record
from xaiexp.errors import ParameterError, ResourceError, UnknownName, nearest
from xaiexp.plan.study import Study
from xaiexp.report.studies import find_studies
from xaiexp.results.examples.example_table import EXAMPLES
from xaiexp.store.objects import Store

__all__ = ["Finished", "finished", "named_cell", "rebuilt_study", "studies_in"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Finished:
    """A study that has ended.

    Args:
        folder: with its files.
        result: its tables.
        record: of the study.
        trust: module prefixes that the person at the keyboard trusts; those in the folder do not count.
    """

    folder: Path
    result: Result
    record: Record
    trust: tuple[str, ...] = ()
    _columns: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def done(self) -> tuple[CellId, ...]:
        """The cells that are done, controls included."""
        cells = self.result.cells
        done = cells[cells["status"] == "done"]
        return tuple(CellId(m, b) for m, b in zip(done["method"], done["baseline"], strict=True))

    @cached_property
    def explaining(self) -> tuple[CellId, ...]:
        """The cells that are done and whose method is no control."""
        controls = {label for label, facts in self.record.methods.items() if facts.control}
        return tuple(cell for cell in self.done if cell.method not in controls)

    @cached_property
    def examples(self) -> pd.DataFrame:
        """The table of the examples, a row for each map, in the order of the maps.

        Raises:
            ResourceError: it is missing or damaged.
        """
        path = self.folder / "examples.parquet"
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise ResourceError(str(path), f"cannot be read ({type(error).__name__})") from None
        if missing := [name for name in EXAMPLES if name not in frame]:
            raise ResourceError(str(path), f"lacks the columns {', '.join(missing)}", hint="run the study again")
        return frame

    @cached_property
    def store(self) -> Store:
        """The store that the record names."""
        return Store(Path(self.record.store or self.folder / "store"))

    def maps(self, cell: CellId) -> FloatArray:
        """The attributions of a cell by feature, float64 ``[N, d]``, NaN beyond the features of an example."""
        values = self.result.attributions(cell.method, cell.baseline)
        return np.asarray(values.double().flatten(1).numpy(), dtype=np.float64)

    def stored(self, cell: CellId, name: str) -> FloatArray | None:
        """A tensor ``[N]`` that the store keeps of a cell, float64; None where the method has none."""
        parts = []
        for key in (self.record.objects or {}).get(cell, ()):
            tensors = self.store.get(key)
            if tensors is None:
                raise ResourceError("store", "no longer holds these maps", got=key, hint="run the study again")
            if name not in tensors:
                return None
            parts.append(tensors[name].double().numpy())
        return np.concatenate(parts) if parts else None

    @cached_property
    def study(self) -> Study:
        """The study, built from the configuration in its folder."""
        return rebuilt_study(self.folder, self.trust)

    @cached_property
    def again(self) -> ReadAgain:
        """Model and examples, read again; it costs no pass where the store has the predictions."""
        return read_again(self.study, self.folder, self.record, self.store)

    @cached_property
    def now(self) -> ReadAgain:
        """As :attr:`again`, also where the data are others now; these cost passes."""
        return read_again(self.study, self.folder, self.record, self.store, same=False)

    def column(self, name: str) -> FloatArray | NDArray[np.str_]:
        """The entries of a column of the dataset's file, a text for each map.

        Raises:
            UserError: there is no such column.
        """
        if name not in self._columns:
            self._columns[name] = read_again(self.study, self.folder, self.record, self.store, name).clusters
        entries = self._columns[name]
        return np.array([entries[example] for example in self.examples["example"]])

    @cached_property
    def inputs(self) -> list[Tensor]:
        """The input of every map as the model reads it, on the CPU; texts differ in their shapes."""
        return [row.cpu() for chunk in self.again.chunks for row in chunk.batch.inputs]

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features where all examples share them: the columns of a table; empty elsewhere."""
        features = self.again.chunks[0].batch.features
        if features.names:
            return tuple(features.names)
        names = self.again.loaded.feature_names
        return tuple(names) if len(names) == features.d else ()

    @cached_property
    def tokens(self) -> list[list[str]]:
        """Texts: the token or word of every feature of every map; empty lists elsewhere."""
        listed = []
        for chunk in self.again.chunks:
            features = chunk.batch.features
            for i, tokens in enumerate(chunk.examples.encoded.tokens):
                index = features.index[i if len(features.index) > 1 else 0].flatten(1)[: len(tokens), 0].tolist()
                words = [""] * (max(index, default=-1) + 1)
                for token, feature in zip(tokens, index, strict=True):
                    if feature >= 0:
                        words[feature] += token.removeprefix("##")
                listed.append([word.strip("\u0120\u2581 ").lower() for word in words])
        return listed

    @cached_property
    def inside(self) -> FloatArray | None:
        """The share of each feature's elements inside the ground truth, float64 ``[N, d]``; None without masks.

        All 0 for an example without a mask.
        """
        import torch

        rows = []
        for chunk in self.again.chunks:
            batch = chunk.batch
            if batch.masks is None:
                return None
            masks, features = batch.masks, batch.features
            if batch.inputs.ndim > masks.ndim:  # channels of images and series lead, embeddings of texts trail
                masks = masks.unsqueeze(-1 if self.study.model.modality == "text" else 1)
            elements = masks.expand(batch.inputs.shape).to(torch.float64)
            rows.append((features.pool(elements) / features.sizes.clamp(min=1)).cpu().numpy())
        widest = max(row.shape[1] for row in rows)
        return np.concatenate([np.pad(row, ((0, 0), (0, widest - row.shape[1]))) for row in rows])


def studies_in(tool: str, folder: Path, trust: Sequence[str] = ()) -> list[Finished]:
    """The finished studies in a folder: a study, or those of a sweep.

    Raises:
        ResourceError: there is none, or one of them has not ended.
    """
    if not folder.is_dir():
        raise ResourceError(tool, "no such folder", got=str(folder))
    found = list(find_studies(folder))
    if not found:
        raise ResourceError(tool, "contains no study (a folder with record.json)", got=str(folder))
    return [finished(tool, each, trust) for each in found]


def finished(tool: str, folder: Path, trust: Sequence[str] = ()) -> Finished:
    """A study that has ended.

    Raises:
        ResourceError: the folder holds no study, several, or one that was cut off.
    """
    if not folder.is_dir():
        raise ResourceError(tool, "no such folder", got=str(folder))
    if not (folder / "record.json").is_file():
        raise ResourceError(tool, "contains no study (a folder with record.json)", got=str(folder))
    record = Record.read(folder / "record.json")
    if record.status not in ("done", "failed") or record.passes is None:
        hint = "run it again first"
        raise ResourceError(tool, "is a study that has not ended", got=str(folder), hint=hint)
    return Finished(folder, load(folder), record, tuple(trust))


def rebuilt_study(folder: Path, trust: Sequence[str]) -> Study:
    """The study of the configuration in a folder; what it says of trust does not count.

    Raises:
        UserError: it cannot be built.
    """
    study = rebuilt(folder)
    if (target := study.model.parameters().get("target")) and study.model.name == "factory" and not trust:
        module = str(target).partition(":")[0]
        hint = f"to trust it: --trust {module}"
        raise ParameterError("model.target", f"module {module} is not trusted, and its code is not run", hint=hint)
    return replace(study, settings=replace(study.settings, trust=tuple(trust)))


def named_cell(where: str, text: str, study: Finished) -> CellId:
    """The cell that a text names, as ``occlusion / zero``; the method alone where it has one cell.

    Raises:
        UnknownName: there is none.
    """
    listed = [CellId(m, b) for m, b in zip(study.result.cells["method"], study.result.cells["baseline"], strict=True)]
    method, _, baseline = (part.strip() for part in text.partition("/"))
    fitting = [cell for cell in listed if cell.method == method and baseline in ("", cell.baseline)]
    if len(fitting) == 1:
        return fitting[0]
    names = [str(cell) for cell in listed]
    close = [str(cell) for cell in fitting] or nearest(text, names) or nearest(method, names)
    what = "is the method of several cells" if fitting else "names no cell of the study"
    raise UnknownName(where, what, got=text, nearest=close, hint=f"cells: {', '.join(names)}")
