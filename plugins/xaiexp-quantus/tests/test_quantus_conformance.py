"""Quantus' metrics and the checks of the conformance kit, with few samples; what they fail says why."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_quantus", reason="the distribution xaiexp-quantus is not installed")

from xaiexp_quantus import axiomatic, complexity, faithfulness, localisation, randomisation, robustness

from xaiexp.testing import conformance

test_conformance = conformance(
    complexity.Complexity,
    complexity.Sparseness,
    localisation.AUC,
    localisation.PointingGame,
    localisation.RelevanceRankAccuracy,
    localisation.TopKIntersection(k=3),
    robustness.MaxSensitivity(nr_samples=2),
)
test_conformance_of_other_robustness = pytest.mark.heavy(
    conformance(robustness.AvgSensitivity(nr_samples=2), robustness.LocalLipschitzEstimate(nr_samples=2))
)
test_conformance_of_effective_complexity = conformance(
    complexity.EffectiveComplexity,
    known_failures={"direction": "counts attributions above eps, all of them for any noise"},
)
test_conformance_of_relevance_mass = conformance(
    localisation.RelevanceMassAccuracy,
    known_failures={"direction": "sums negative attributions too, so that shares are of any size"},
)
test_conformance_of_completeness = conformance(
    axiomatic.Completeness,
    known_failures={
        "direction": "compares floats with ==, after normalisation: 0 for exact attributions",
        "needs_sign": "as for direction: the value is 0 whatever the signs",
    },
)
test_conformance_of_faithfulness_correlation = conformance(
    faithfulness.FaithfulnessCorrelation(nr_runs=20, subset_size=4),
    known_failures={"exact_is_best": "correlates over few random subsets, by which a degraded map may gain"},
)
test_conformance_of_attribution_localisation = conformance(
    localisation.AttributionLocalisation,
    known_failures={"exact_is_best": "a share inside the mask, which an exact map need not have"},
)
test_conformance_of_mprt = conformance(
    randomisation.MPRT,
    known_failures={"precision": "draws other weights in another precision"},
)
test_conformance_of_relative_stability = pytest.mark.heavy(
    conformance(
        robustness.RelativeInputStability(nr_samples=2),
        robustness.RelativeOutputStability(nr_samples=2),
        known_failures={"direction": "divides by numbers close to 0, which any noise dominates"},
    )
)
test_conformance_of_non_sensitivity = conformance(
    axiomatic.NonSensitivity(),
    known_failures={
        "direction": "counts zeros, of which no degree of noise leaves any",
        "whole_features": "perturbs single elements, whatever the features",
    },
)
