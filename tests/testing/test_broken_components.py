"""For every check there is a broken component that fails this check and no other."""

from __future__ import annotations

import broken_callbacks as callbacks
import broken_components as components
import broken_data as data
import broken_heavy as heavy
import broken_methods as methods
import broken_metrics as metrics
import broken_outputs as outputs
import broken_panels as panels
import broken_removals as removals
import broken_trackers as trackers
import pytest
import torch

from xaiexp.contract.kinds import KINDS
from xaiexp.testing import check, checks

BROKEN = [
    ("component", "registrable", components.MissingSource),
    ("component", "documented", components.Undocumented),
    ("component", "light_import", heavy.HeavyImport),
    ("component", "defaults", components.InvalidDefault),
    ("component", "schema", components.UnsupportedParameterType),
    ("component", "pickles", components.NotPicklable),
    ("component", "identity", components.AddressInRepr),
    ("component", "vocabulary", data.MisspelledModality),
    ("component", "values_were_checked", methods.RefusesAll),
    ("component", "fingerprint", data.OnlyNamesItsFile),
    ("method", "shape", methods.NotDetached),
    ("method", "standard_error", methods.NegativeStandardErrors),
    ("method", "precision", methods.AlwaysFloat32),
    ("method", "network_unchanged", methods.LeavesHook),
    ("method", "inputs_unchanged", methods.OverwritesInputs),
    ("method", "errors_change_nothing", methods.LeavesHookOnError),
    ("method", "same_seed", methods.OwnGenerator),
    ("method", "global_randomness", methods.GlobalGenerator),
    ("method", "batch_mates", methods.DividesByBatchMaximum),
    ("method", "padding", methods.DividesByPaddedLength),
    ("method", "batch_budget", methods.UnweightedMeanOfBlocks),
    ("method", "reads_baseline", methods.IgnoresBaseline),
    ("method", "device", methods.DiffersOnGpu),
    ("method", "complete", methods.WronglyComplete),
    ("method", "linear_network", methods.EqualAttributions),
    ("method", "target", methods.AlwaysFirstClass),
    ("method", "output", methods.AlwaysLogit),
    ("method", "passes", methods.UnderestimatesPasses),
    ("method", "own_memory", methods.ReturnsInputs),
    ("method", "kept_results", methods.ScalesKeptGradients),
    ("method", "low_precision", methods.DtypeOfLayer),
    ("method", "own_generator", methods.ConstantSeed),
    ("method", "labels", methods.WeightedByLabel),
    ("method", "same_ids", methods.KeepsByIds),
    ("method", "counted", methods.CallsModule),
    ("method", "needs", methods.UndeclaredModules),
    ("method", "feature_maps", methods.SquareGrid),
    ("method", "whole_features", methods.RemovesElements),
    ("method", "signed", methods.UndeclaredSigns),
    ("method", "sign", methods.ReversedSigns),
    ("method", "units", methods.WrongUnits),
    ("method", "heads", methods.MinusMeanLogit),
    ("metric", "shape", metrics.MeanOverBatch),
    ("metric", "network_unchanged", metrics.LeavesHook),
    ("metric", "inputs_unchanged", metrics.OverwritesInputs),
    ("metric", "errors_change_nothing", metrics.LeavesHookOnError),
    ("metric", "same_seed", metrics.OwnGenerator),
    ("metric", "global_randomness", metrics.GlobalGenerator),
    ("metric", "batch_mates", metrics.DividesByBatchMaximum),
    ("metric", "other_explanations", metrics.CountsExplanations),
    ("metric", "one_by_one", metrics.DifferentFormulaInScoreAll),
    ("metric", "batch_budget", metrics.FirstMiniBatchOnly),
    ("metric", "batch_budget", metrics.FirstBlockOnly),
    ("metric", "bounds", metrics.WrongBounds),
    ("metric", "direction", metrics.WrongDirection),
    ("metric", "exact_is_best", metrics.DifferentReference),
    ("metric", "scale_invariant", metrics.WronglyScaleInvariant),
    ("metric", "re_explains", metrics.WronglyReExplains),
    ("metric", "passes", metrics.UnderestimatesPasses),
    ("metric", "defined", metrics.AlwaysNan),
    ("metric", "precision", metrics.MultipliesByFloat32),
    ("metric", "kept_results", metrics.ClearsKeptLogits),
    ("metric", "own_generator", metrics.ConstantSeed),
    ("metric", "labels", metrics.AddsLabels),
    ("metric", "target", metrics.AlwaysFirstClass),
    ("metric", "same_ids", metrics.KeepsByIds),
    ("metric", "needs_sign", metrics.UndeclaredSigns),
    ("metric", "counted", metrics.CallsModule),
    ("metric", "needs", metrics.UndeclaredModules),
    ("metric", "feature_maps", metrics.SquareGrid),
    ("metric", "whole_features", metrics.RemovesElements),
    ("agreement", "shape", components.ColumnOfValues),
    ("agreement", "pairs", components.ReversedPairs),
    ("agreement", "inputs_unchanged", components.CentersInPlace),
    ("agreement", "batch_mates", components.CentersOverBatch),
    ("agreement", "bounds", components.WrongBounds),
    ("agreement", "symmetric", components.WeightedByFirstMap),
    ("agreement", "itself", components.BelowUpperBound),
    ("agreement", "order_of_features", components.WeightedByPosition),
    ("agreement", "constant_map", components.ZeroForUndefined),
    ("agreement", "needs_sign", components.UndeclaredSigns),
    ("baseline", "shape", data.SingleReference),
    ("baseline", "inputs_unchanged", data.OverwritesInputs),
    ("baseline", "same_seed", data.OwnGenerator),
    ("baseline", "global_randomness", data.GlobalGenerator),
    ("baseline", "batch_mates", data.MeanOverBatch),
    ("baseline", "precision", data.AlwaysFloat32),
    ("baseline", "differs_from_input", data.InputItself),
    ("baseline", "data_space", data.ZeroOfModel),
    ("baseline", "own_generator", data.ConstantSeed),
    ("features", "partition", data.GapsInIndex),
    ("features", "shape", data.WrongShape),
    ("features", "batch_mates", data.OrderedByBatchMean),
    ("features", "inputs_unchanged", data.OverwritesSamples),
    ("features", "global_randomness", data.DrawsGlobally),
    ("tracker", "one_run", trackers.AnotherName),
    ("tracker", "cells", trackers.OneBaseline),
    ("tracker", "status", trackers.AlwaysDone),
    ("tracker", "stopped", trackers.StaysRunning),
    ("tracker", "resumed", trackers.StartsAnew),
    ("tracker", "sent_again", trackers.AddsUp),
    ("tracker", "apart", trackers.LastStarted),
    ("tracker", "results_unchanged", trackers.LeavesFile),
    ("output", "tasks", outputs.NoTasks),
    ("output", "scalars_shape", outputs.OneColumn),
    ("output", "differentiable", outputs.Detached),
    ("output", "batch_mates", outputs.RelativeToBatch),
    ("output", "inputs_unchanged", outputs.InPlace),
    ("output", "other_tasks", outputs.EveryTask),
    ("removal", "facts", removals.UnknownNeed),
    ("removal", "shape", removals.DoublePrecision),
    ("removal", "kept", removals.ShiftsEverything),
    ("removal", "removed", removals.ChangesNothing),
    ("removal", "inputs_unchanged", removals.OverwritesInputs),
    ("removal", "same_seed", removals.OwnGenerator),
    ("removal", "global_randomness", removals.GlobalGenerator),
    ("removal", "batch_mates", removals.MeanOverBatch),
    ("removal", "blocks", removals.CountsRows),
    ("removal", "reference", removals.OtherReference),
    ("removal", "needs", removals.ReadsTheMean),
    ("removal", "differentiable", removals.Detached),
    ("removal", "in_a_metric", removals.EmptyBlocks),
    ("panel", "facts", panels.OtherSection),
    ("panel", "shown", panels.PlainText),
    ("panel", "accepted", panels.FromAddress),
    ("panel", "compiles", panels.NoMark),
    ("panel", "tables_unchanged", panels.FillsInPlace),
    ("panel", "same_tables", panels.CountsCalls),
    ("panel", "without_rows", panels.ExpectsRows),
    ("callback", "told", callbacks.NeedsReport),
    ("callback", "again", callbacks.NewFile),
    ("callback", "stays_in_folder", callbacks.WorkingDirectory),
    ("callback", "results_unchanged", callbacks.EditsRecord),
    ("dataset", "outline", data.WrongCount),
    ("dataset", "modality", data.ImagesInBytes),
    ("dataset", "stable", data.RandomAugmentation),
    ("dataset", "ids", data.DuplicateIds),
    ("dataset", "labels", data.LabelOutOfRange),
    ("dataset", "known_labels", data.OtherKnownLabels),
    ("dataset", "global_randomness", data.SeedsNumpy),
    ("dataset", "masks", data.MaskOfAnotherSize),
    ("dataset", "training_apart", data.TrainsOnExplained),
    ("model", "loads", data.TrainingMode),
    ("model", "same_weights", data.RandomWeights),
    ("model", "global_randomness", data.SeedsTorch),
    ("model", "encodes", data.AdditionalColumn),
    ("model", "batch_mates", data.CentersOverBatch),
    ("model", "offers", data.WronglyDifferentiable),
    ("model", "task", data.SaysNothingOfProbabilities),
    ("model", "masks", data.DropsMasks),
    ("model", "normalisation", data.UndeclaredNormalisation),
    ("model", "pictures", data.TensorsOnly),
]
CORRECT = [
    components.CorrectAgreement,
    components.MassOverlap,
    methods.CorrectGradient,
    methods.GradientTimesDifference,
    metrics.CorrectSingleRemoval,
    data.CorrectBaseline,
    data.CorrectFeatures,
    data.CorrectDataset,
    data.CorrectModel,
    outputs.CorrectOutput,
    removals.CorrectRemoval,
    trackers.Notes,
    callbacks.CorrectCallback,
    panels.CorrectPanel,
    panels.CorrectHtml,
]


def failed(component):
    return [result.check for result in check(component) if result.outcome == "failed"]


@pytest.mark.parametrize(("name", "broken"), [row[1:] for row in BROKEN], ids=lambda v: getattr(v, "__name__", v))
def test_a_broken_component_fails_only_its_check(name, broken):
    if name == "device" and not torch.cuda.is_available():
        pytest.skip("no CUDA device is available")
    assert failed(broken) == [name]


@pytest.mark.parametrize("correct", CORRECT, ids=lambda c: f"{c.kind}-{c.__name__}")
def test_the_base_classes_of_broken_components_fail_no_check(correct):
    assert failed(correct) == []
    assert "passed" in {result.outcome for result in check(correct)}


def test_every_check_has_a_broken_component():
    defined = {(item.kind, item.name) for kind in KINDS for item in checks(kind)}
    assert defined == {(kind, name) for kind, name, _ in BROKEN}


@pytest.mark.parametrize("kind", KINDS)
def test_checks_have_unique_names_and_are_described_in_one_sentence(kind):
    names = [item.name for item in checks(kind)]
    assert len(set(names)) == len(names)
    for item in checks(kind):
        assert item.description.endswith(".")
        assert item.description[0].isupper() or item.description[0] == "`"
        assert set(item.after) <= set(names)
