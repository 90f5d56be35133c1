"""Methods that remove or replace parts of the input and read the change of the score.

``occlusion.py`` holds the components; ``sliding_windows.py`` the windows of occlusion, ``random_masks.py`` the masks of
RISE.
"""

from __future__ import annotations

from xaiexp.builtin.methods.perturbation.occlusion import FeatureAblation, FeaturePermutation, Occlusion, Rise
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    FeatureAblation,
    FeaturePermutation,
    Occlusion,
    Rise,
)
