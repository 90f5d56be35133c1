"""The pictures of a report one by one, for viewers that show files: MLflow, papers, slides."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from xaiexp.report.figures import agreement_svg, series_svg
from xaiexp.report.images import heatmap_png, photograph, png
from xaiexp.report.studies import StudyFolder, read_study
from xaiexp.report.wording import cell

__all__ = ["export_pictures"]


def export_pictures(folder: Path) -> list[Path]:
    """Writes ``pictures/`` into a study folder, from the study's other files.

    ``pictures/agreement/MEASURE.svg`` of every measure; for pictures and series also
    ``pictures/examples/NUMBER_NAME/METHOD_BASELINE.png`` (``.svg`` for series) of every example and cell, and
    ``input.png``. Small pictures are enlarged, pixel by pixel.

    Returns:
        The files, in the order of writing.

    Raises:
        ResourceError: when the folder holds nothing of a study.
    """
    study = read_study(Path(folder))
    place = Path(folder) / "pictures"
    files: dict[Path, bytes] = {}
    for measure in dict.fromkeys(str(name) for name in study.agreement["measure"]):
        drawn = agreement_svg(study.agreement, measure, study.about("agreements", measure).get("bounds"))
        files[place / "agreement" / f"{_file_name(measure)}.svg"] = drawn.encode()
    files |= {place / "examples" / name: content for name, content in _examples(study).items()}
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return list(files)


def _file_name(text: str) -> str:
    """A name that every file system and every artifact store takes."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:80] or "unnamed"


def _examples(study: StudyFolder) -> dict[str, bytes]:
    modality, arrays = study.gallery.modality, study.gallery.arrays
    files: dict[str, bytes] = {}
    for number, example in enumerate(study.gallery.examples):
        folder = f"{number}_{_file_name(str(example.get('name') or example.get('id')))}"
        seen = arrays.get(example.get("input") or "")
        if modality == "image" and seen is not None:
            files[f"{folder}/input.png"] = png(photograph(seen, enlarge=True))
        for drawn in example.get("maps") or ():
            method, values = str(drawn.get("method")), arrays.get(drawn.get("key"))
            if values is None or drawn.get("units") is not None:  # units of a layer are no picture
                continue
            title = cell(method, str(drawn.get("baseline")))
            signed = study.signed(method, values)
            if modality == "image" and values.ndim == 2:
                files[f"{folder}/{_file_name(title)}.png"] = heatmap_png(values, signed, enlarge=True)
            elif modality == "series" and seen is not None:
                steps = example.get("steps") if drawn.get("space") != "layer" else None
                picture = series_svg(np.atleast_2d(seen), values.ravel(), signed, title, steps)
                files[f"{folder}/{_file_name(title)}.svg"] = picture.encode()
    return files
