"""How well the model does on the explained examples, against scikit-learn and scipy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from documents import Opened
from scipy.stats import binom
from sklearn import metrics
from toy_studies import GradientTimesInput, ToyData, ToyModel, linear, ran, registered, rows, study

from xaiexp.cli import app as cli
from xaiexp.core.record import PerformanceFacts
from xaiexp.engine.examples.performance import chance_warning, p_above_chance

CHOICE = np.random.default_rng(0)


@pytest.fixture(autouse=True, scope="module")
def components():
    with registered(ToyData, ToyModel, GradientTimesInput):
        yield


def facts(folder, labels, task=None, classes=3, model_task=None, stop_after=None, **more):
    data = ToyData(len(labels), labels=tuple(labels), task=task, **more)
    outcome = ran(study(data, ToyModel(classes, task=model_task), target=0), folder, stop_after)
    return outcome.run.performance.facts(), outcome.run.notes


@pytest.mark.parametrize("stop_after", [None, 1])
def test_accuracy_of_the_explained_examples(tmp_path, stop_after):
    predicted = linear()(rows(130)).argmax(dim=1).numpy()
    labels = [int(k) if CHOICE.random() < 0.7 else int(CHOICE.integers(3)) for k in predicted]
    labels[5] = None
    kept = [i for i in range(130) if i not in (5, 9)]
    got, notes = facts(tmp_path, labels, stop_after=stop_after, damaged=(9,))
    truth = np.array([labels[i] for i in kept])
    assert got.examples == 128
    assert got.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted[kept]))
    assert got.chance == pytest.approx(np.bincount(truth).max() / 128)
    correct = int((truth == predicted[kept]).sum())
    assert got.p_value == pytest.approx(binom.sf(correct - 1, 128, got.chance))
    assert not notes


def test_values_have_r2_and_the_mean_absolute_error(tmp_path):
    value = linear(1)(rows(130))[:, 0].double().numpy()
    truth = value + CHOICE.normal(size=130)
    got, notes = facts(tmp_path, [float(v) for v in truth], "regression", 1)
    assert got.r2 == pytest.approx(metrics.r2_score(truth, value), rel=1e-5)
    assert got.mean_absolute_error == pytest.approx(metrics.mean_absolute_error(truth, value), rel=1e-5)
    assert got.accuracy is None
    assert not notes
    _, notes = facts(tmp_path / "b", [float(v) for v in -value], "regression", 1)
    assert "no better than their mean" in notes[0]
    assert facts(tmp_path / "c", [2.0] * 20, "regression", 1)[0].r2 is None


def test_sets_of_labels_have_macro_f1_and_exact_match(tmp_path):
    scores = linear(4)(rows(130))
    truth = (scores > 0).numpy() ^ (CHOICE.random((130, 4)) < 0.1)
    truth[:, 3] = False
    labels = [tuple(np.flatnonzero(row).tolist()) for row in truth]
    got, _ = facts(tmp_path, labels, "multilabel", 4)
    predicted = (scores > 0).numpy()
    assert got.macro_f1 == pytest.approx(metrics.f1_score(truth, predicted, average="macro", zero_division=0))
    assert got.exact_match == pytest.approx(metrics.accuracy_score(truth, predicted))


def test_the_accuracy_of_a_single_output_needs_the_task(tmp_path):
    labels = (linear(1)(rows(40))[:, 0] > 0).long().tolist()
    assert facts(tmp_path, labels, classes=1)[0].accuracy == 1  # class labels and numbers beyond 0 to 1: a logit
    assert facts(tmp_path, labels, classes=1, model_task="binary")[0].accuracy == 1
    assert facts(tmp_path, labels, classes=1, model_task="probabilities")[0].accuracy < 1


def test_a_warning_where_the_accuracy_is_at_chance(tmp_path):
    predicted = linear()(rows(130)).argmax(dim=1).tolist()
    got, notes = facts(tmp_path, [(k + 1) % 3 for k in predicted])
    assert got.accuracy == 0
    assert "accuracy on the explained examples, 0.0% of 130, is not above chance" in notes[0]


@pytest.mark.parametrize("chance", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("count", [1, 2, 4, 5, 20, 100])
def test_the_warning_is_the_binomial_test_where_it_can_tell(count, chance):
    for correct in range(count + 1):
        p = binom.sf(correct - 1, count, chance)
        assert p_above_chance(correct, count, chance) == pytest.approx(p)
        told = PerformanceFacts(count, accuracy=correct / count, chance=chance, p_value=p)
        assert bool(chance_warning(told)) == (p > 0.05 and chance**count <= 0.05)


def test_labels_of_one_class_alone_are_compared_with_a_guess(tmp_path):
    got, notes = facts(tmp_path, [1] * 30)
    assert got.chance == pytest.approx(1 / 3)
    share = float((linear()(rows(30)).argmax(dim=1) == 1).float().mean())
    assert got.accuracy == pytest.approx(share)
    assert bool(notes) == (binom.sf(round(30 * share) - 1, 30, 1 / 3) > 0.05)


def test_the_accuracy_is_in_the_record_on_the_terminal_and_on_the_page(workplace, capsys):
    words = ["model=digits_mlp", "examples=12", "method=[saliency]", "metric=[sparseness]", "agreement=[]"]
    assert cli.main([*words, "tracking.uri=off"]) == cli.DONE
    (path,) = Path("outputs").glob("20*/*/record.json")
    told = json.loads(path.read_text())["performance"]
    assert told["examples"] == 12
    assert 0.8 <= told["accuracy"] <= 1
    line = (
        f"model on the 12 explained examples with labels: accuracy {told['accuracy']:.1%} (chance {told['chance']:.1%})"
    )
    assert line in capsys.readouterr().out
    facts = dict(Opened(path.parent / "report.html").study.made.facts)
    assert facts["accuracy"].startswith(f"{100 * told['accuracy']:.1f} % of 12 examples")
