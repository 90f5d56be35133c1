"""Reports: one self-contained HTML page over any number of studies, and its images as files.

`build` reads only the files of a study. It also works after a crash and on another machine.
"""

from __future__ import annotations

from xaiexp.report.page import build
from xaiexp.report.pictures.files import export_images
from xaiexp.report.pictures.images import heatmap, heatmap_png
from xaiexp.report.studies import find_studies

__all__ = ["build", "export_images", "find_studies", "heatmap", "heatmap_png"]
