"""The critical difference diagram of Demsar 2006: mean ranks on a line, bars over groups that do not differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xaiexp.report.drawing import draw, svg, svg_text

__all__ = ["cliques", "critical_difference_svg"]

_WIDTH, _SIDE, _ROW, _TOP, _BAR = 820, 290, 18, 58, 7


def cliques(ranks: Sequence[float], critical: float) -> list[tuple[int, int]]:
    """First and last index of every maximal run of the sorted ``ranks`` that spans at most the critical difference.

    >>> cliques([1.0, 1.5, 2.4, 4.0], 1.0)
    [(0, 1), (1, 2)]
    """
    runs: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = max(k for k in range(first, len(ranks)) if ranks[k] - ranks[first] <= critical)
        if last > first and not any(a <= first and last <= b for a, b in runs):
            runs.append((first, last))
    return runs


def critical_difference_svg(names: Sequence[str], mean_ranks: Sequence[float], critical: float) -> str:
    """The diagram as SVG.

    Args:
        names: of the cells.
        mean_ranks: over examples; 1 is the best.
        critical: the difference of two mean ranks that chance exceeds in 5 % of cases.
    """
    order = sorted(range(len(names)), key=lambda i: mean_ranks[i])
    ranks = [mean_ranks[i] for i in order]
    low, high = 1, len(names)
    runs = cliques(ranks, critical)
    half = math.ceil(len(order) / 2)
    bars = _TOP + 6
    first_row = bars + _BAR * len(runs) + 16
    height = first_row + _ROW * half
    root = svg(_WIDTH, height, f"mean ranks of {len(names)} cells; critical difference {critical:.2f}")

    def at(rank: float) -> float:
        return _SIDE + (rank - low) / max(1e-9, high - low) * (_WIDTH - 2 * _SIDE)

    draw(root, "line", x1=at(low), x2=at(high), y1=_TOP, y2=_TOP, stroke="#333", stroke_width=1)
    step = max(1, math.ceil((high - low) / 8))
    for tick in range(low, high + 1, step):
        draw(root, "line", x1=at(tick), x2=at(tick), y1=_TOP - 5, y2=_TOP, stroke="#333", stroke_width=1)
        draw(root, "text", str(tick), x=at(tick), y=_TOP - 9, text_anchor="middle", font_size=11, fill="#555")
    end = min(at(low + critical), at(high))
    draw(root, "line", x1=at(low), x2=end, y1=24, y2=24, stroke="#a33", stroke_width=2)
    label = f"critical difference {critical:.2f}" + (" (wider than the scale)" if at(low + critical) > at(high) else "")
    draw(root, "text", label, x=at(low), y=16, font_size=11, fill="#a33")
    for number, (first, last) in enumerate(runs):
        y = bars + _BAR * number
        draw(root, "line", x1=at(ranks[first]) - 3, x2=at(ranks[last]) + 3, y1=y, y2=y, stroke="#333", stroke_width=3)
    for place, i in enumerate(order):
        left = place < half
        y = first_row + _ROW * (place if left else len(order) - 1 - place)
        x, rank = at(mean_ranks[i]), f"{mean_ranks[i]:.2f}"
        edge = _SIDE - 8 if left else _WIDTH - _SIDE + 8
        points = f"{x:.1f},{_TOP} {x:.1f},{y:.1f} {edge:.1f},{y:.1f}"
        draw(root, "polyline", points=points, fill="none", stroke="#999", stroke_width=1)
        draw(
            root,
            "text",
            f"{names[i]}  {rank}" if left else f"{rank}  {names[i]}",
            x=edge - 4 if left else edge + 4,
            y=y + 4,
            text_anchor="end" if left else "start",
            font_size=12,
            fill="#222",
        )
    return svg_text(root)
