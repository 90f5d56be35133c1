"""Labels of several classes and of values: in the batch, in the store's keys, and as targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from small_studies import Facts
from toy_studies import CLASSES, GradientTimesInput, ToyData, ToyModel, linear, ran, registered, rows, study

from xaiexp import errors
from xaiexp.contract.kinds import Metric

SETS = [(), (2,), (0, 1), (0, 1, 2), (1,), (0, 2)]


@dataclass(frozen=True)
class ReadsTruth(Metric):
    """The number of true labels, or the true value."""

    summary, source = "labels", "made up"
    higher_is_better, bounds, unit = True, (None, None), "1"
    needs_sign, scale_invariant, re_explains = False, True, False

    def score(self, model, batch, explanation, rng):
        return batch.true_values if batch.label_sets is None else batch.label_sets.sum(dim=1).float()


@dataclass(frozen=True)
class TruthTimesInput(Facts):
    """A method that reads the truth."""

    def attribute(self, model, batch, reference, rng):
        truth = batch.true_values if batch.label_sets is None else batch.label_sets.sum(dim=1)
        return batch.inputs * truth.unsqueeze(1)


@pytest.fixture(autouse=True, scope="module")
def components():
    with registered(ToyData, ToyModel, GradientTimesInput, ReadsTruth, TruthTimesInput):
        yield


def sets(count):
    return tuple(SETS[i % len(SETS)] for i in range(count))


def test_sets_of_labels_and_values_come_in_the_batch(tmp_path):
    outcome = ran(study(ToyData(70, labels=sets(70), task="multilabel")), tmp_path)
    got = torch.cat([chunk.batch.label_sets for chunk in outcome.chunks])
    assert got.dtype == torch.bool
    want = [[k in SETS[i % 6] for k in range(CLASSES)] for i in range(70)]
    assert got.tolist() == want
    assert outcome.chunks[0].batch.labels is None
    values = tuple(None if i == 3 else i / 4 for i in range(70))
    outcome = ran(study(ToyData(70, labels=values, task="regression"), ToyModel(1)), tmp_path)
    got = torch.cat([chunk.batch.true_values for chunk in outcome.chunks])
    np.testing.assert_array_equal(got, [np.nan if v is None else v for v in values])


@pytest.mark.parametrize("stop_after", [None, 1])
@pytest.mark.parametrize("target", ["label", ("label", 1), (1, "label")])
def test_each_label_of_an_example_is_explained_once(tmp_path, stop_after, target):
    data = ToyData(130, labels=sets(130), task="multilabel")
    asked = study(data, target=target, metrics={"labels": ReadsTruth()}, agreements=["rank_correlation"],
                  methods={"a": GradientTimesInput(), "b": GradientTimesInput()})  # fmt: skip
    outcome = ran(asked, tmp_path, stop_after)
    own = outcome.scores[outcome.scores["method"] == "a"]
    got = sorted(zip(own["example"], own["target"], strict=True))
    want = {(f"id {i}", k) for i, labels in enumerate(sets(130)) for k in labels}
    want |= set() if target == "label" else {(f"id {i}", 1) for i in range(130)}
    assert got == sorted(want)
    assert outcome.cells["a"]["examples"] == len({example for example, _ in want})
    assert outcome.cells["a"]["status"] == "done"
    assert "target" in outcome.agreement.columns
    notes = [note for note in outcome.run.notes if "have no label" in note]
    assert notes == (["target=label: 22 examples have no label and are not explained"] if target == "label" else [])
    # Against the attribution by hand, example by example.
    weight, x = linear().weight, rows(130)
    for chunk in outcome.chunks:
        for i, example in enumerate(chunk.batch.ids):
            hand = weight[int(chunk.batch.targets[i])] * x[int(example.split()[1])]
            torch.testing.assert_close(next(iter(chunk.explanations.values())).elements[i], hand)


def test_a_dataset_without_any_label_has_none_to_explain(tmp_path):
    with pytest.raises(errors.MismatchError, match="has no labels"):
        ran(study(ToyData(6, labels=((),) * 6, task="multilabel"), target="label"), tmp_path)


def test_a_label_that_is_no_class_is_refused(tmp_path):
    with pytest.raises(errors.MismatchError, match="label of example 'id 1' is none of the model's 3 classes"):
        ran(study(ToyData(2, labels=((0,), (1, 3)), task="multilabel")), tmp_path)


@pytest.mark.parametrize("target", ["predicted", "label", "all", 0])
def test_the_one_value_of_a_regression_is_every_target(tmp_path, target):
    model = ToyModel(1, task="regression")
    outcome = ran(study(ToyData(6, labels=(1.5,) * 6, task="regression"), model, target=target), tmp_path)
    assert outcome.chunks[0].batch.targets.tolist() == [0] * 6
    weight = linear(1).weight[0]
    torch.testing.assert_close(next(iter(outcome.chunks[0].explanations.values())).elements, weight * rows(6))


@pytest.mark.parametrize("target", ["predicted", "label", ("predicted", 1)])
def test_of_several_values_none_is_predicted(tmp_path, target):
    with pytest.raises(errors.MismatchError, match="the model returns 3 values, and none of them is") as refused:
        ran(study(ToyData(6, labels=(1.5,) * 6), ToyModel(task="regression"), target=target), tmp_path)
    assert "target=INDEX (0 to 2), a list of these, or target=all" in str(refused.value)


def test_several_values_can_be_chosen(tmp_path):
    outcome = ran(study(ToyData(6, labels=(1.5,) * 6, task="regression"), ToyModel(), target=(0, 2)), tmp_path)
    assert [set(chunk.batch.targets.tolist()) for chunk in outcome.chunks] == [{0}, {2}]


def test_values_are_no_labels_of_a_classifier(tmp_path):
    with pytest.raises(errors.MismatchError, match="its labels are values; the task of the model is multiclass"):
        ran(study(ToyData(6, labels=(1.5,) * 6, task="regression"), ToyModel(task="multiclass")), tmp_path)


def test_classes_are_no_values_of_a_regression_and_that_is_said(tmp_path):
    outcome = ran(study(ToyData(6), ToyModel(1, task="regression")), tmp_path)
    assert outcome.chunks[0].batch.labels is None
    assert outcome.loaded.notes == ("the labels are classes, and the model returns values; the labels are not used",)


@pytest.mark.parametrize(
    ("task", "before", "after", "classes"),
    [("multilabel", sets(12), sets(13)[1:], 3), ("regression", (1.0,) * 12, (2.0,) * 12, 1)],
)
def test_other_labels_give_other_maps_and_scores_from_one_store(tmp_path, task, before, after, classes):
    def scores(labels):
        methods = {"truth": TruthTimesInput()}
        asked = study(
            ToyData(12, labels=labels, task=task), ToyModel(classes), methods, metrics={"labels": ReadsTruth()}
        )
        outcome = ran(asked, tmp_path)
        maps = torch.cat([next(iter(chunk.explanations.values())).elements for chunk in outcome.chunks])
        return outcome.scores["value"].tolist(), maps

    for labels in (before, after, before):
        truth = [float(len(each)) if task == "multilabel" else each for each in labels]
        values, maps = scores(labels)
        assert values == truth
        torch.testing.assert_close(maps, rows(12) * torch.tensor(truth).unsqueeze(1))
