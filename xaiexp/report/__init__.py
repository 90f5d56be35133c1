"""Reports: one self-contained HTML page over any number of studies, and its pictures one by one.

`build` needs nothing but the files of a study, so that it also serves after a crash and on another machine.
"""

from __future__ import annotations

from xaiexp.report.export import export_pictures
from xaiexp.report.figures import agreement_svg, series_svg
from xaiexp.report.images import heatmap, heatmap_png
from xaiexp.report.pages import build
from xaiexp.report.studies import find_studies

__all__ = ["agreement_svg", "build", "export_pictures", "find_studies", "heatmap", "heatmap_png", "series_svg"]
