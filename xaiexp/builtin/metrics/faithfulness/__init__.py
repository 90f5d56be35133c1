"""Whether attributions predict how the score changes when features are removed or perturbed.

Components: ``deletion.py`` (curves over steps), ``comprehensiveness.py`` (given shares of the features, ROAD),
``faithfulness_correlation.py`` (correlations), ``infidelity.py`` (noise, prediction gaps); ``ordered_removal.py`` is the
base of the first two. Formulas: the files named ``*_formulas.py``; the curves themselves lie in
``metrics/removal_curves.py``.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.faithfulness.comprehensiveness import Comprehensiveness, Road, Sufficiency
from xaiexp.builtin.metrics.faithfulness.deletion import (
    Aopc,
    Deletion,
    Insertion,
    Irof,
    MonotonicityArya,
    PixelFlipping,
)
from xaiexp.builtin.metrics.faithfulness.faithfulness_correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityNguyen,
    SensitivityN,
)
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity, PredictionGapImportant, PredictionGapUnimportant
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityNguyen,
    SensitivityN,
    Aopc,
    Deletion,
    Insertion,
    Irof,
    MonotonicityArya,
    PixelFlipping,
    Infidelity,
    PredictionGapImportant,
    PredictionGapUnimportant,
    Comprehensiveness,
    Road,
    Sufficiency,
)
