"""Inputs of the reader's own: an image, a text, a row of a table, written as a dataset of one example."""

from __future__ import annotations

import csv
import io
import json
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageOps

from xaiexp.contract.registry import Registry
from xaiexp.errors import ParameterError, ResourceError
from xaiexp.server.served import Served

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FOLDER", "PIXELS", "TEXT", "OwnInput", "image", "row", "text"]

FOLDER = Path("outputs", "view", "inputs")
PIXELS = 64_000_000
"""Pixels of an image at most."""
TEXT = 100_000
"""Characters of a text at most."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_ID, _TRIES = "xaiexp_row", 200
_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


@dataclass(frozen=True)
class OwnInput:
    """An own input.

    Args:
        id: names it in requests.
        kind: ``image``, ``text`` or ``row``.
        dataset: the node of the configuration that reads it.
    """

    id: str
    kind: str
    dataset: Mapping[str, Any]


def image(content: bytes, study: Served, registry: Registry) -> OwnInput:
    """An image file. It is decoded and written again, so that nothing but pixels is kept of what was sent.

    Args:
        content: of the file.
        study: where its images are arrays of one size, the image is scaled to it.
        registry: reads the dataset of the study.

    Raises:
        UserError: it is no image of a known format, is damaged, or has too many pixels.
    """
    pixels = _pixels(content)
    shape = _shape(study, registry)
    name, folder = _folder()
    if shape is None:
        pixels.save(folder / "own.png", "PNG")
        (folder / "labels.csv").write_text("file\nown.png\n", encoding="utf-8")
        return OwnInput(name, "image", {"name": "image_folder", "root": str(folder), "label_column": None})
    channels, height, width = shape
    scaled = pixels.convert("L" if channels == 1 else "RGB").resize((width, height))
    values = np.asarray(scaled, dtype=np.uint8).reshape(height, width, -1).transpose(2, 0, 1)
    file = folder / "own.npz"
    np.savez(file, inputs=values[None])
    return OwnInput(name, "image", {"name": "arrays", "path": str(file)})


def _shape(study: Served, registry: Registry) -> tuple[int, int, int] | None:
    """Channels, height and width of the arrays that are the study's images; None for pictures of any size.

    Raises:
        UserError: the dataset cannot be read, or its images have neither 1 nor 3 channels.
    """
    node = dict(study.values.get("dataset") or {})
    name = str(node.pop("name", ""))
    sample = registry.build("dataset", name, node, "dataset").open().read(0, 1)[0]
    if not hasattr(sample.data, "shape"):
        return None
    channels, height, width = (int(side) for side in sample.data.shape)
    if channels not in (1, 3):
        raise ResourceError("image", "the images of the study have neither 1 nor 3 channels", got=channels)
    return channels, height, width


def _pixels(content: bytes) -> Image:
    """The pixels of a file, RGB or RGBA."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)  # the limit is checked here
            with PIL.Image.open(io.BytesIO(content), formats=_FORMATS) as file:
                width, height = file.size
                if width * height > PIXELS:
                    what = f"has more than {PIXELS:,} pixels"
                    raise ResourceError("image", what, got=f"{width} x {height}", hint="reduce it before")
                file.load()
                turned = PIL.ImageOps.exif_transpose(file)
                pixels = turned.convert("RGBA" if "A" in turned.getbands() or "transparency" in turned.info else "RGB")
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        hint = f"formats: {', '.join(_FORMATS)}"
        raise ResourceError("image", f"cannot be read as an image ({type(error).__name__})", hint=hint) from None
    pixels.info.clear()
    return pixels


def text(words: object) -> OwnInput:
    """A text.

    Raises:
        ParameterError: it is empty or too long.
    """
    if not isinstance(words, str) or not words.strip():
        raise ParameterError("text", "must be a text that is not empty")
    if len(words) > TEXT:
        raise ParameterError("text", f"is longer than {TEXT:,} characters", got=len(words))
    name, folder = _folder()
    file = folder / "own.json"
    file.write_text(json.dumps([{"text": words}]), encoding="utf-8")
    return OwnInput(name, "text", {"name": "text", "path": str(file), "text_column": "text", "label_column": None})


def row(cells: object, study: Served, registry: Registry) -> OwnInput:
    """A row of a table, added to a copy of the study's own file, so that model and encoding are those of the study.

    Args:
        cells: by the name of the column; columns that are missing are empty.
        study: whose dataset is ``csv``.
        registry: reads the dataset.

    Raises:
        UserError: the file cannot be read, a column is unknown, or a cell is no number where it must be one.
    """
    if not isinstance(cells, dict) or not all(isinstance(each, str) for each in cells.values()):
        raise ParameterError("row", "must be an object of texts, by the name of the column")
    dataset = dict(study.values.get("dataset") or {})
    if dataset.get("name") != "csv":
        raise ParameterError("row", "own rows are for studies of dataset=csv", got=dataset.get("name"))
    rows = _table(dataset)
    header = rows[0]
    unknown = [name for name in cells if name not in header]
    if unknown:
        raise ParameterError("row", "the file has no such column", got=unknown[0], hint=f"columns: {', '.join(header)}")
    key = dataset.get("id_column")
    place = None if key is None else header.index(key)
    own = ["" if name == key else str(cells.get(name, "")) for name in header]
    name, folder = _folder()
    file = folder / "own.csv"
    changed = dataset | {"path": str(file), "id_column": key or _ID, "delimiter": "auto", "encoding": "utf-8"}
    for number in range(_TRIES):  # which rows are held out follows from their ids
        label = f"own-{number}"
        content = io.StringIO()
        writer = csv.writer(content)
        if place is None:
            writer.writerow([*header, _ID])
            writer.writerow([*own, label])
            writer.writerows([*each, str(i)] for i, each in enumerate(rows[1:]))
        else:
            writer.writerow(header)
            writer.writerow([label if i == place else cell for i, cell in enumerate(own)])
            writer.writerows(rows[1:])
        file.write_text(content.getvalue(), encoding="utf-8", newline="")
        values = {k: v for k, v in changed.items() if k != "name"}
        source = registry.build("dataset", "csv", values, "dataset").open()
        if source.read(0, 1)[0].id.endswith(f"/{label}"):
            return OwnInput(name, "row", changed)
    raise ResourceError("row", "no place among the rows that are explained was found", got=dataset.get("held_out"))


def _table(dataset: Mapping[str, Any]) -> list[list[str]]:
    """The lines of the study's file."""
    path = Path(str(dataset.get("path"))).expanduser()
    said = str(dataset.get("delimiter") or "auto")
    kind = ("tab" if path.suffix in (".tsv", ".tab") else "comma") if said == "auto" else said
    if kind not in _SEPARATORS or path.suffix in (".json", ".jsonl", ".ndjson"):
        what = f"own rows are for files with {', '.join(_SEPARATORS)} between the cells"
        raise ResourceError("row", what, got=path.name)
    try:
        with path.open(encoding=str(dataset.get("encoding") or "utf-8"), newline="") as file:
            rows = list(csv.reader(file, delimiter=_SEPARATORS[kind]))
    except (OSError, UnicodeError, csv.Error, LookupError) as error:
        raise ResourceError("row", f"the file of the study cannot be read ({type(error).__name__})") from None
    rows = [each for each in rows if each]
    if not rows:
        raise ResourceError("row", "the file of the study is empty", got=path.name)
    rows[0][0] = rows[0][0].removeprefix("\ufeff")
    return rows


def _folder() -> tuple[str, Path]:
    """A new folder for an input, with its name."""
    name = uuid.uuid4().hex[:16]
    folder = FOLDER / name
    folder.mkdir(parents=True)
    return name, folder
