"""Methods that remove or replace parts of the input and measure the change of the score.

``feature_ablation.py``, ``feature_permutation.py``, ``occlusion.py`` and ``rise.py`` hold the components. Formulas:
``score_changes.py`` (changes of the score by replaced features), ``sliding_windows.py`` (windows of occlusion) and
``random_masks.py`` (masks of RISE).
"""

from __future__ import annotations

from xaiexp.builtin.methods.perturbation.feature_ablation import FeatureAblation
from xaiexp.builtin.methods.perturbation.feature_permutation import FeaturePermutation
from xaiexp.builtin.methods.perturbation.occlusion import Occlusion
from xaiexp.builtin.methods.perturbation.rise import Rise
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    FeatureAblation,
    FeaturePermutation,
    Occlusion,
    Rise,
)
