"""The faithfulness metrics that tests run, grouped by what they share."""

from __future__ import annotations

import pytest
from faithfulness_cases import images, texts

from xaiexp.builtin.metrics.faithfulness.correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityNguyen,
    SensitivityN,
)
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity
from xaiexp.builtin.metrics.faithfulness.prediction_gap import PredictionGapImportant, PredictionGapUnimportant
from xaiexp.builtin.metrics.faithfulness.removal_at_shares import Comprehensiveness, Road, Sufficiency
from xaiexp.builtin.metrics.faithfulness.removal_in_steps import (
    Aopc,
    Deletion,
    Insertion,
    Irof,
    MonotonicityArya,
    PixelFlipping,
)

ORDERS = ("morf", "lerf", "difference")
CURVES = [
    Deletion(steps=4),
    Insertion(steps=4),
    PixelFlipping(steps=4),
    *(Aopc(steps=4, order=order) for order in ORDERS),
    Aopc(steps=100),
    Irof(steps=4),
    MonotonicityArya(steps=4),
    MonotonicityArya(steps=3, share=True),
    Comprehensiveness(),
    Sufficiency(),
    *(Road(removal="mean", order=order) for order in ORDERS),
]
# The evaluated inputs are the same for all explanations.
SHARED = [
    FaithfulnessCorrelation(n_samples=9, share=0.4),
    SensitivityN(n_samples=5, shares=(0.1, 0.5)),
    FaithfulnessEstimate(),
    FaithfulnessEstimate(n_features=7),
    MonotonicityNguyen(),
    MonotonicityNguyen(n_features=7, removal="zero"),
    Infidelity(n_samples=9),
    Infidelity(n_samples=9, perturbation="noise"),
    Infidelity(n_samples=9, perturbation="baseline_difference"),
]
GAPS = [PredictionGapImportant(n_samples=5), PredictionGapUnimportant(n_samples=5)]
# For images only.
IMAGES_ONLY = [
    Road(),
    Road(order="difference"),
    Deletion(removal="noisy_linear", steps=4),
    FaithfulnessCorrelation(n_samples=9, removal="noisy_linear"),
    FaithfulnessEstimate(n_features=7, removal="noisy_linear"),
    MonotonicityNguyen(n_features=7, n_samples=3, removal="marginal"),
    Infidelity(n_samples=9, removal="noisy_linear"),
    Infidelity(n_samples=9, perturbation="square"),
    Infidelity(n_samples=9, perturbation="baseline_difference", removal="noisy_linear"),
]
MODALITY_CASES = [(metric, make) for metric in [*CURVES, *SHARED, *GAPS] for make in (images, texts)]
MODALITY_CASES += [(metric, images) for metric in IMAGES_ONLY]
EVERY = [*CURVES, *SHARED, *GAPS, *IMAGES_ONLY]
cases = pytest.mark.parametrize(("metric", "make"), MODALITY_CASES, ids=lambda v: getattr(v, "__name__", repr(v)))
