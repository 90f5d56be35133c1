"""Exports the images of a report as files, for MLflow, papers and slides."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xaiexp.core.ids import CellId
from xaiexp.report.charts.drawing import drawn, specification
from xaiexp.report.charts.figures import main_figures
from xaiexp.report.pictures.images import heatmap_png, input_image, png
from xaiexp.report.pictures.series import series_image
from xaiexp.report.studies import StudyFolder, read_study
from xaiexp.store.files import file_name

__all__ = ["export_images"]

AGREEMENT = ("agreement", "signed_agreement")
"""The charts of agreement."""

EXAMPLES = 8
"""The pictures of how many examples are written."""


def export_images(folder: Path, cache: Path | None = None) -> list[Path]:
    """Write ``pictures/`` into a study folder, from the other files of the study.

    It holds ``agreement/MEASURE.svg`` for every measure of pairs, ``metrics/intervals.svg`` with the means of all
    metrics, and ``metrics/METRIC_curves.svg`` for those with curves. For images and series it also holds
    ``examples/NUMBER_NAME/METHOD_BASELINE.png`` for every example and cell, and ``input.png``.
    The pixels of small images are repeated.

    Args:
        folder: of the study.
        cache: a folder of this program's own, where figures are kept.

    Returns:
        The files, in the order of writing.

    Raises:
        ResourceError: the folder holds no file of a study.
    """
    study = read_study(Path(folder))
    target = Path(folder) / "pictures"
    files: dict[Path, bytes] = {}
    for figure in main_figures(study):
        drawing = drawn(specification(figure.chart, figure.rows, figure.parameters, figure.height), "svg", cache)
        part = "agreement" if figure.chart in AGREEMENT else "metrics"
        files[target / part / f"{file_name(figure.name.removeprefix('agreement_'))}.svg"] = drawing
    files |= {target / "examples" / name: content for name, content in _examples(study).items()}
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return list(files)


def _examples(study: StudyFolder) -> dict[str, bytes]:
    modality, arrays = study.gallery.modality, study.gallery.arrays
    files: dict[str, bytes] = {}
    for number, example in enumerate(study.gallery.examples[:EXAMPLES]):
        folder = f"{number}_{file_name(str(example.get('name') or example.get('id')))}"
        inputs = arrays.get(example.get("input") or "")
        if modality == "image" and inputs is not None:
            files[f"{folder}/input.png"] = png(input_image(inputs, enlarge=True))
        for described in example.get("maps") or ():
            method, values = str(described.get("method")), arrays.get(described.get("key"))
            if values is None or described.get("units") is not None:  # single units of a layer have no places
                continue
            title = str(CellId(method, str(described.get("baseline"))))
            signed = study.signed(method, values)
            if modality == "image" and values.ndim == 2:
                files[f"{folder}/{file_name(title)}.png"] = heatmap_png(values, signed, enlarge=True)
            elif modality == "series" and inputs is not None:
                steps = example.get("steps") if described.get("space") != "layer" else None
                picture = series_image(np.atleast_2d(inputs), values.ravel(), signed, steps)
                files[f"{folder}/{file_name(title)}.png"] = png(picture)
    return files
