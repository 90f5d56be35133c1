"""Networks that are trained for classes, for values and for sets of classes."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score
from torch import nn

from xaiexp.builtin.datasets.csv_table import Csv
from xaiexp.builtin.models.trained import objectives, training
from xaiexp.builtin.models.trained.dataset_recipes import tabular_mlp
from xaiexp.builtin.models.trained.objectives import held_out_figures
from xaiexp.builtin.models.trained.tabular_and_series import SeriesCnn, TabularMlp
from xaiexp.builtin.models.trained.training import Data, Recipe
from xaiexp.core.samples import LoadContext, Sample, Source
from xaiexp.errors import MismatchError

COUNT = 240


def load(model, folder, samples, task=None, names=()):
    source = Source(len(samples), lambda start, stop: samples[start:stop], names, task=task)
    return model.load(LoadContext(folder, training=lambda: source))


def outputs(network, samples):
    return network.module(network.encode(samples).inputs)


def rows(seed=0, count=COUNT):
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


def linear_targets(data):
    """A linear function of the columns in large units: its best prediction is known."""
    return 150_000 + 20_000 * (data @ torch.tensor([1.0, -2.0, 0.5, 0.0]))


def value_samples(data, targets):
    return [Sample(f"r{i}", row, float(y)) for i, (row, y) in enumerate(zip(data, targets, strict=True))]


def test_a_linear_target_is_learnt_in_its_own_unit(tmp_path):
    data, others = rows(), rows(seed=1)
    network = load(TabularMlp(steps=300), tmp_path, value_samples(data, linear_targets(data)), "regression")
    assert (network.task, network.classes, network.class_names) == ("regression", 1, ())
    predicted = outputs(network, value_samples(others, linear_targets(others)))
    assert predicted.shape == (COUNT, 1)
    assert r2_score(linear_targets(others), predicted[:, 0]) > 0.95
    assert abs(network.facts["held_out_r2"] - r2_score(linear_targets(others), predicted[:, 0])) < 0.05
    assert network.facts["held_out_mae"] < 0.2 * float(linear_targets(others).std())
    assert network.facts["held_out_r2_of"].startswith("5 networks like this one")
    assert network.facts["held_out_examples"] == COUNT
    assert "held_out_accuracy" not in network.facts


def test_the_unit_of_the_target_changes_the_outputs_alone(tmp_path):
    data = rows(count=60)
    target = linear_targets(data)
    models = [
        load(TabularMlp(steps=25), tmp_path, value_samples(data, y), "regression") for y in (target, target / 1000 - 7)
    ]
    large, small = (outputs(model, value_samples(data, target)) for model in models)
    torch.testing.assert_close(large / 1000 - 7, small, rtol=1e-4, atol=1e-3)
    assert models[0].facts["held_out_r2"] == pytest.approx(models[1].facts["held_out_r2"], abs=1e-3)
    assert models[0].identity != models[1].identity


def test_units_are_folded_into_the_last_layer():
    module = tabular_mlp(4, 1, (8,))
    data, targets = rows(), linear_targets(rows())
    before = module(data)
    objectives.fold_units(module, targets)
    mean, std = targets.double().mean(), targets.double().std(correction=0)
    torch.testing.assert_close(module(data).double(), before.double() * std + mean, rtol=1e-5, atol=0.1)
    standard = objectives.trained_targets("regression", targets).double()
    assert abs(float(standard.mean())) < 1e-6
    assert float(standard.std(correction=0)) == pytest.approx(1)
    assert objectives.value_units(torch.full((3,), 5.0)) == (5.0, 1.0)


def label_samples(count=COUNT, seed=0):
    """Labels ``a`` and ``b`` follow the signs of two columns; ``c`` is never given."""
    data = rows(seed, count)
    return [Sample(f"r{i}", row, tuple(j for j in range(2) if row[j] > 0)) for i, row in enumerate(data)]


@pytest.mark.parametrize("names", [("a", "b", "c"), ()])
def test_every_label_of_a_set_is_learnt(tmp_path, names):
    network = load(TabularMlp(steps=200), tmp_path, label_samples(), "multilabel", names)
    known = names or ("0", "1")
    assert (network.task, network.classes, network.class_names) == ("multilabel", len(known), known)
    samples = label_samples(seed=1)
    truth = torch.tensor([[j in s.label for j in range(len(known))] for s in samples])
    given = outputs(network, samples) > 0
    assert f1_score(truth[:, :2], given[:, :2], average="macro") > 0.93
    figures = network.facts["held_out_f1"]
    assert list(figures) == list(known)
    assert math.isnan(figures["c"]) if names else True
    assert network.facts["held_out_f1_macro"] == pytest.approx((figures[known[0]] + figures[known[1]]) / 2)
    assert network.facts["held_out_f1_macro"] > 0.9


def test_held_out_figures_are_those_of_scikit_learn():
    generator = torch.Generator().manual_seed(4)
    values, noise = torch.randn(50, generator=generator) * 9 + 100, torch.randn(50, 1, generator=generator)
    figures = held_out_figures("regression", values[:, None] + noise, values)
    assert figures["held_out_r2"] == pytest.approx(r2_score(values, values + noise[:, 0]), rel=1e-5)
    assert figures["held_out_mae"] == pytest.approx(mean_absolute_error(values, values + noise[:, 0]), rel=1e-5)
    constant = held_out_figures("regression", noise, torch.ones(50))
    assert math.isnan(constant["held_out_r2"])

    truth = (torch.rand(50, 4, generator=generator) > 0.6).float()
    logits = torch.randn(50, 4, generator=generator) + truth
    truth[:, 2], logits[:, 2] = 0, -1  # a label that no example has, and none is given
    truth[:, 3], logits[:, 3] = 0, 1  # one that no example has, and all are given
    figures = held_out_figures("multilabel", logits, truth, ("a", "b", "c", "d"))
    expected = f1_score(truth, logits > 0, average=None, zero_division=float("nan"))
    torch.testing.assert_close(
        torch.tensor(list(figures["held_out_f1"].values()), dtype=torch.float64), torch.tensor(expected), equal_nan=True
    )
    assert figures["held_out_f1_macro"] == pytest.approx(expected[[0, 1, 3]].mean())

    classes = torch.randint(3, (50,), generator=generator)
    scores = torch.randn(50, 3, generator=generator)
    accuracy = held_out_figures("multiclass", scores, classes)["held_out_accuracy"]
    assert accuracy == pytest.approx(accuracy_score(classes, scores.argmax(1)))


@pytest.mark.parametrize("task", ["multiclass", "regression", "multilabel"])
def test_the_optimiser_is_adamw(task):
    data = rows(count=64)
    labels = {
        "multiclass": (data[:, 0] > 0).long(),
        "regression": data[:, 0].clone(),
        "multilabel": (data[:, :2] > 0).float(),
    }[task]
    outputs = 1 if task == "regression" else 2

    def build():
        return tabular_mlp(4, outputs, (5,))

    recipe = Recipe(build, lambda: None, epochs=5, batch=16, rate=1e-2, decay=0.1, task=task)
    with training._reproducible(0):
        module, other = build(), build()
        other.load_state_dict(module.state_dict())
        training.fit(module, Data(data, labels, None, None, {}), recipe, seed=3)
        optimiser = torch.optim.AdamW(other.parameters(), lr=1, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)
        losses = {
            "multiclass": nn.CrossEntropyLoss(label_smoothing=0.05),
            "regression": lambda out, y: ((out[:, 0] - y) ** 2).mean(),
            "multilabel": nn.BCEWithLogitsLoss(),
        }
        targets = (labels - labels.mean()) / labels.std(correction=0) if task == "regression" else labels
        generator = torch.Generator().manual_seed(3)
        step, steps = 0, 5 * 4
        for _ in range(5):
            for batch in torch.split(torch.randperm(64, generator=generator), 16):
                rate = 1e-2 * 0.5 * (1 + math.cos(math.pi * step / steps)) * min(1.0, (step + 1) / 20)
                optimiser.param_groups[0]["lr"] = rate
                optimiser.zero_grad()
                losses[task](other(data[batch]), targets[batch]).backward()
                optimiser.step()
                step += 1
    expected = other(data)
    if task == "regression":
        expected = expected * labels.std(correction=0) + labels.mean()
    torch.testing.assert_close(module(data), expected, rtol=1e-4, atol=1e-5)
    stored = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    assert len(stored) == len(list(module.parameters()))  # no buffer is shared after the training


def test_a_series_network_learns_a_value(tmp_path):
    generator = torch.Generator().manual_seed(0)
    levels = torch.rand(80, generator=generator) * 40 + 10
    noise = torch.randn(80, 1, 20, generator=generator)
    samples = [Sample(f"s{i}", noise[i] + level, float(level)) for i, level in enumerate(levels)]
    network = load(SeriesCnn(steps=80), tmp_path, samples, "regression")
    assert network.facts["held_out_r2"] > 0.9
    assert outputs(network, samples).shape == (80, 1)


@pytest.mark.parametrize(("task", "make"), [("regression", value_samples), ("multilabel", None)])
def test_training_is_reproducible_and_cached(tmp_path, task, make):
    samples = label_samples(60) if make is None else make(rows(count=60), linear_targets(rows(count=60)))
    first, again, anew = (load(TabularMlp(steps=20), tmp_path / f, samples, task) for f in ("a", "a", "b"))
    facts = {key: value for key, value in first.facts.items() if key != "training_seconds"}
    assert again.facts == first.facts  # including the training time: it was not trained again
    assert list(again.facts) == list(first.facts)
    assert {k: v for k, v in anew.facts.items() if k not in ("weights", "training_seconds")} == {
        k: v for k, v in facts.items() if k != "weights"
    }
    for a, b in zip(first.module.parameters(), anew.module.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("label", "task", "names", "message"),
    [
        (math.nan, "regression", (), r"the label of example 'r1' is not a finite number \(got nan\)"),
        ((0,), "regression", (), r"the label of example 'r1' is not a finite number \(got \(0,\)\)"),
        (0.5, None, (), r"the label of example 'r1' is not a class index \(got 0\.5\)"),
        ((0,), None, (), r"the label of example 'r1' is not a class index"),
        (0, "multilabel", (), r"the label of example 'r1' is not a tuple, each a class index \(got 0\)"),
        ((0, 2), "multilabel", ("a", "b"), r"is not a tuple, each an index of one of the 2 classes \(got \(0, 2\)\)"),
        (None, "regression", (), r"example 'r1' of the training part has no label"),
    ],
)
def test_labels_of_another_kind_are_refused(tmp_path, label, task, names, message):
    right = {"regression": 1.5, "multilabel": (0,), None: 1}[task]
    samples = [Sample(f"r{i}", torch.ones(2), label if i == 1 else right) for i in range(4)]
    with pytest.raises(MismatchError, match=message):
        load(TabularMlp(), tmp_path, samples, task, names)


def test_equal_values_are_refused(tmp_path):
    samples = [Sample(f"r{i}", torch.ones(2), 1.5) for i in range(4)]
    with pytest.raises(MismatchError, match=r"the training part of the dataset contains only one value \(got 1\.5\)"):
        load(TabularMlp(), tmp_path, samples, "regression")


def test_a_large_training_part_is_read_in_pieces(tmp_path, monkeypatch):
    asked = []

    def read(start, stop):
        asked.append((start, stop))
        return [Sample(f"r{i}", torch.tensor([float(i)]), i % 2) for i in range(start, stop)]

    monkeypatch.setattr(training, "fit", lambda *args: None)
    source = Source(10_000, read)
    network = TabularMlp().load(LoadContext(tmp_path, training=lambda: source))
    assert asked == [(0, 4096), (4096, 8192), (8192, 10_000)]
    assert float(network.mean) == pytest.approx(4999.5)


def test_california_housing_is_learnt_as_a_regression(kit, tmp_path):
    dataset = Csv(str(kit / "published" / "california_housing_600.csv"), "MedHouseVal")
    network = TabularMlp().load(LoadContext(tmp_path, training=dataset.training))
    held_out = dataset.open()
    assert held_out.task == network.task == "regression"
    samples = held_out.read(0, held_out.count)
    r2 = r2_score([s.label for s in samples], outputs(network, samples)[:, 0])
    assert r2 > 0.55
    assert abs(network.facts["held_out_r2"] - r2) < 0.2
