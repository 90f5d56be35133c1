"""The kit is right: for every law there is a component that breaks it, and that law alone catches it."""

from __future__ import annotations

import broken_components as components
import broken_data as data
import broken_heavy as heavy
import broken_methods as methods
import broken_metrics as metrics
import pytest
import torch

from xaiexp.contract.kinds import KINDS
from xaiexp.testing import check, laws

LIARS = [
    ("component", "registrable", components.StatesNoSource),
    ("component", "documented", components.Undocumented),
    ("component", "light", heavy.Heavy),
    ("component", "defaults", components.BadDefault),
    ("component", "schema", components.NotPlain),
    ("component", "pickles", components.HoldsALock),
    ("component", "identity", components.TellsItsAddress),
    ("method", "shape", methods.StillInTheGraph),
    ("method", "standard_error", methods.NegativeErrors),
    ("method", "precision", methods.AlwaysFloat32),
    ("method", "network_unchanged", methods.LeavesAHook),
    ("method", "inputs_unchanged", methods.ClearsTheInputs),
    ("method", "errors_change_nothing", methods.NoFinally),
    ("method", "same_seed", methods.OwnGenerator),
    ("method", "global_randomness", methods.GlobalSampler),
    ("method", "batch_mates", methods.SharedMaximum),
    ("method", "padding", methods.CountsPadding),
    ("method", "batch_budget", methods.MeanOfMeans),
    ("method", "reads_baseline", methods.IgnoresTheBaseline),
    ("method", "device", methods.OtherOnTheGpu),
    ("method", "complete", methods.ClaimsCompleteness),
    ("method", "linear_network", methods.EqualShares),
    ("method", "target", methods.AlwaysClassZero),
    ("method", "output", methods.AlwaysLogits),
    ("method", "passes", methods.ForetellsTooLittle),
    ("metric", "shape", metrics.OneForAll),
    ("metric", "network_unchanged", metrics.LeavesAHook),
    ("metric", "inputs_unchanged", metrics.ClearsTheInputs),
    ("metric", "errors_change_nothing", metrics.NoFinally),
    ("metric", "same_seed", metrics.OwnGenerator),
    ("metric", "global_randomness", metrics.GlobalSampler),
    ("metric", "batch_mates", metrics.SharedMaximum),
    ("metric", "other_explanations", metrics.CountsRivals),
    ("metric", "one_by_one", metrics.TwoFormulas),
    ("metric", "batch_budget", metrics.FirstMiniBatch),
    ("metric", "batch_budget", metrics.FirstBlockOfSamples),
    ("metric", "bounds", metrics.TightBounds),
    ("metric", "direction", metrics.WrongDirection),
    ("metric", "exact_is_best", metrics.RemovesToOne),
    ("metric", "scale_invariant", metrics.ClaimsInvariance),
    ("metric", "re_explains", metrics.ClaimsToExplainAgain),
    ("metric", "passes", metrics.ForetellsTooLittle),
    ("agreement", "shape", components.ColumnOfValues),
    ("agreement", "pairs", components.PairsReversed),
    ("agreement", "inputs_unchanged", components.CentresInPlace),
    ("agreement", "batch_mates", components.CentresOverTheBatch),
    ("agreement", "bounds", components.NeverNegative),
    ("agreement", "symmetric", components.WeighedByTheFirst),
    ("agreement", "itself", components.NeverQuiteOne),
    ("agreement", "order_of_features", components.FirstFeaturesFirst),
    ("agreement", "constant_map", components.ZeroForUndefined),
    ("agreement", "needs_sign", components.ReadsSigns),
    ("baseline", "shape", data.OneReferenceForAll),
    ("baseline", "inputs_unchanged", data.ClearsTheInputs),
    ("baseline", "same_seed", data.OwnGenerator),
    ("baseline", "global_randomness", data.GlobalSampler),
    ("baseline", "batch_mates", data.MeanOfTheBatch),
    ("features", "partition", data.Gaps),
    ("features", "shape", data.ForetellsAnother),
    ("features", "batch_mates", data.OrderOfTheBatch),
    ("dataset", "outline", data.ForetellsMore),
    ("dataset", "modality", data.Bytes),
    ("dataset", "stable", data.Augmented),
    ("dataset", "ids", data.SharedIds),
    ("dataset", "labels", data.LabelBeyond),
    ("dataset", "global_randomness", data.SeedsEverything),
    ("model", "loads", data.InTraining),
    ("model", "same_weights", data.NewEveryTime),
    ("model", "global_randomness", data.SeedsTorch),
    ("model", "encodes", data.OneColumnMore),
    ("model", "batch_mates", data.CentresOverTheBatch),
    ("model", "offers", data.NoGradients),
]
HONEST = [
    components.Honest,
    methods.Honest,
    methods.HonestShares,
    metrics.Honest,
    data.HonestBaseline,
    data.HonestFeatures,
    data.HonestRows,
    data.HonestModel,
]


def failed(component):
    return [verdict.law for verdict in check(component) if verdict.outcome == "failed"]


@pytest.mark.parametrize(("law", "liar"), [row[1:] for row in LIARS], ids=lambda v: getattr(v, "__name__", v))
def test_the_law_alone_catches_its_liar(law, liar):
    if law == "device" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")
    assert failed(liar) == [law]


@pytest.mark.parametrize("honest", HONEST, ids=lambda c: f"{c.kind}-{c.__name__}")
def test_the_components_that_liars_derive_from_break_no_law(honest):
    assert failed(honest) == []
    assert "passed" in {v.outcome for v in check(honest)}


def test_every_law_has_a_liar():
    known = {(law.kind, law.name) for kind in KINDS for law in laws(kind)}
    assert known == {(kind, law) for kind, law, _ in LIARS}


@pytest.mark.parametrize("kind", KINDS)
def test_laws_have_names_of_their_own_and_are_one_sentence(kind):
    names = [law.name for law in laws(kind)]
    assert len(set(names)) == len(names)
    for law in laws(kind):
        assert law.sentence.endswith(".")
        assert law.sentence[0].isupper() or law.sentence[0] == "`"
        assert set(law.after) <= set(names)
