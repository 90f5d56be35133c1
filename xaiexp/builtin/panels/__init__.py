"""The built-in panels: ``score_distribution`` holds the distribution of the scores of each metric."""

from __future__ import annotations

from xaiexp.builtin.panels.score_distribution import ScoreDistribution
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (ScoreDistribution,)
