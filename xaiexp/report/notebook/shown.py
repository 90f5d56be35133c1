"""Charts and figures that a notebook shows without a network and without further imports."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["shown_chart", "shown_figure"]


class _Chart:
    """In front of a class of Altair, whose own charts load their drawing code from a network."""

    def _repr_mimebundle_(self, *_args: Any, **_options: Any) -> dict[str, Any]:
        """The specification, for front ends that draw it themselves, and the drawing, for all others."""
        from xaiexp.report.charts.drawing import drawn

        spec: dict[str, Any] = self.to_dict()  # type: ignore[attr-defined]  # of the class of Altair
        version = str(spec["$schema"]).rsplit("/v", 1)[-1].partition(".")[0]
        named = f"application/vnd.vegalite.v{version}+json"
        return {named: spec, "image/svg+xml": drawn(spec, "svg").decode(), "text/plain": "a chart of Altair"}


def shown_chart(chart: Any) -> Any:
    """The chart, of a class that a notebook shows offline; its methods return further charts of this class."""
    cls = type(chart)
    own = type(cls.__name__, (_Chart, cls), {"__module__": cls.__module__})
    object.__setattr__(chart, "__class__", own)  # Altair keeps assigned attributes as parts of the specification
    return chart


def shown_figure(**options: Any) -> Any:
    """A new figure of matplotlib that a notebook shows, whether or not ``pyplot`` is imported there.

    Args:
        options: of ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png", dpi=100)
            return file.getvalue()

    return Shown(**options)
