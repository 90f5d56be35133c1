"""Networks that are trained on the dataset of the study."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import trained_networks
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from xaiexp.builtin.datasets.csv_table import Csv
from xaiexp.builtin.datasets.scikit_learn import BreastCancer
from xaiexp.builtin.datasets.time_series import TimeSeries
from xaiexp.builtin.models.trained import dataset_recipes, objectives, training
from xaiexp.builtin.models.trained.tabular_and_series import SeriesCnn, TabularMlp
from xaiexp.builtin.models.trained.training import Data, Recipe
from xaiexp.core.samples import LoadContext, Sample, Source
from xaiexp.errors import MismatchError, ResourceError


def source_of(samples, names=("no", "yes"), columns=()):
    return Source(len(samples), lambda start, stop: samples[start:stop], names, columns)


def blobs(count=60, width=4, seed=0, gap=2.0):
    """Two clusters of rows with distance ``gap`` in the first column."""
    random = torch.Generator().manual_seed(seed)
    data = torch.randn(count, width, generator=random)
    return [Sample(f"r{i}", row + gap * (i % 2) * torch.eye(width)[0], i % 2) for i, row in enumerate(data)]


def waves(count=24, steps=40, seed=0):
    """Noise with a positive or negative bump at a random position."""
    random = torch.Generator().manual_seed(seed)
    data = torch.randn(count, 1, steps, generator=random) * 0.3
    for i, each in enumerate(data):
        place = int(torch.randint(steps - 6, (1,), generator=random))
        each[0, place : place + 6] += 2 * (i % 2) - 1
    return [Sample(f"s{i}", each, i % 2) for i, each in enumerate(data)]


def load(model, folder, samples, names=("no", "yes")):
    return model.load(LoadContext(folder, training=lambda: source_of(samples, names)))


def accuracy(network, samples):
    logits = network.module(network.encode(samples).inputs)
    return (logits.argmax(1) == torch.tensor([s.label for s in samples])).double().mean().item()


def whole(source):
    return source.read(0, source.count)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_tabular_mlp_is_as_accurate_on_breast_cancer_as_a_linear_model(cache):
    dataset, model = BreastCancer(), TabularMlp()
    network = model.load(LoadContext(cache, training=dataset.training))
    train, out = whole(dataset.training()), whole(dataset.open())
    scaler = StandardScaler().fit(torch.stack([s.data for s in train]))
    linear = LogisticRegression().fit(scaler.transform(torch.stack([s.data for s in train])), [s.label for s in train])
    expected = linear.score(scaler.transform(torch.stack([s.data for s in out])), [s.label for s in out])
    assert accuracy(network, out) > expected - 0.03
    assert accuracy(network, out) >= 0.93
    assert network.class_names == ("malignant", "benign")
    assert network.facts["trained_on_examples"] == 400
    assert str(network.facts["trained_on_columns"]).startswith("mean radius, mean texture, ")
    assert network.facts["held_out_accuracy_of"] == "a network like this one, trained without 1/5 of the training part"
    assert abs(network.facts["held_out_accuracy"] - accuracy(network, out)) < 0.06
    # The encoding of data is (data - mean) / std of the training part.
    encoded = network.encode(out[:5]).inputs
    torch.testing.assert_close(encoded, torch.tensor(scaler.transform(torch.stack([s.data for s in out[:5]]))).float())
    assert not network.module.training
    assert not any(p.requires_grad for p in network.module.parameters())
    assert model.input_shape() is None


def test_tabular_mlp_learns_the_titanic_table(kit, cache):
    dataset = Csv(str(kit / "tabular" / "titanic3.csv"), "survived", ignore=("boat", "body"))
    network = TabularMlp().load(LoadContext(cache, training=dataset.training))
    out = whole(dataset.open())
    share = sum(s.label == 0 for s in out) / len(out)
    assert accuracy(network, out) > max(0.77, share + 0.1)
    assert abs(network.facts["held_out_accuracy"] - accuracy(network, out)) < 0.07
    assert network.facts["trained_on_columns"] == "pclass, sex, age, sibsp, parch, fare, embarked"


def test_series_cnn_learns_the_ecg_from_23_series(kit, cache):
    dataset = TimeSeries(str(kit / "arrays" / "two_lead_ecg.npz"))
    network = SeriesCnn().load(LoadContext(cache, training=dataset.training))
    assert accuracy(network, whole(dataset.open())) > 0.97  # nearest neighbour: 0.75
    assert network.facts["trained_on_examples"] == 23
    assert network.facts["held_out_examples"] == 23


def test_series_cnn_learns_bumps_at_any_position(tmp_path):
    network = load(SeriesCnn(steps=200), tmp_path, waves())
    assert accuracy(network, waves(100, seed=1)) > 0.95
    assert network.mean.shape == network.std.shape == (1, 1)


@pytest.mark.parametrize(("model", "make"), [(TabularMlp(steps=60), blobs), (SeriesCnn(steps=30), waves)])
def test_training_does_not_depend_on_the_global_random_state(model, make, tmp_path):
    states, threads = [], torch.get_num_threads()
    try:
        for name, seed, count in (("a", 0, 1), ("b", 7, 2)):
            torch.manual_seed(seed)
            torch.set_num_threads(count)
            before = torch.random.get_rng_state()
            states.append(load(model, tmp_path / name, make()).module.state_dict())
            assert torch.equal(torch.random.get_rng_state(), before)
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_cached_networks_depend_on_the_training_examples(tmp_path):
    model = TabularMlp(steps=20)

    def identity(samples, of=model, names=("no", "yes")):
        return load(of, tmp_path, samples, names).identity

    first = identity(blobs())
    assert identity(blobs()) == first
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    moved, swapped = blobs(), blobs()
    moved[7] = replace(moved[7], data=moved[7].data + 1e-6)
    swapped[7] = replace(swapped[7], label=1 - swapped[7].label)
    others = [identity(moved), identity(swapped), identity(blobs()[:-2]), identity(blobs(), names=("no", "yes", "so"))]
    others += [identity(blobs(), replace(model, seed=1)), identity(blobs(), replace(model, hidden=(8,)))]
    assert len({first, *others}) == 7
    assert len(list(tmp_path.glob("*.safetensors"))) == 7
    assert first.startswith(model.fingerprint())


def test_a_damaged_cache_file_is_replaced_with_a_note(tmp_path, caplog):
    model = TabularMlp(steps=20)
    first = load(model, tmp_path, blobs())
    (file,) = tmp_path.glob("*.safetensors")
    assert load(model, tmp_path, blobs()).facts == first.facts  # including the training time: it was not trained again
    file.write_bytes(file.read_bytes()[:200])
    mended = load(model, tmp_path, blobs())
    assert "trained again" in str(mended.facts["note"])
    for a, b in zip(first.module.parameters(), mended.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_accuracy_is_measured_on_examples_that_were_not_trained_on():
    # Inputs are one-hot, so the weights for a held-out example are untrained. The logits of a linear network are then
    # those of its bias, and the class with more examples is predicted.
    count = 30
    labels = torch.tensor([0] * 20 + [1] * 10)
    data = Data(torch.eye(count) * 5, labels, None, None, {})
    recipe = Recipe(lambda: linear(count), lambda: data, epochs=60, batch=6, rate=3e-2)
    with training._reproducible(0):
        outputs, tested = training.cross_validated(data, recipe, 0)
        module = recipe.build()
        training.fit(module, data, recipe, 0)
    assert (training.outputs_of(module, data.inputs).argmax(1) == labels).all()  # it can memorise training examples
    assert len(tested) == 30
    assert objectives.held_out_figures("multiclass", outputs, tested) == {"held_out_accuracy": pytest.approx(20 / 30)}


def linear(count):
    module = torch.nn.Linear(count, 2)
    torch.nn.init.zeros_(module.weight)
    torch.nn.init.zeros_(module.bias)
    return module


def test_folds_are_stratified_by_class(monkeypatch):
    observed = []
    monkeypatch.setattr(
        training, "fit", lambda module, data, recipe, seed: observed.append(data.labels.bincount().tolist())
    )
    labels = torch.tensor([0] * 35 + [1] * 15)
    data = Data(torch.arange(50.0)[:, None], labels, None, None, {})
    recipe = Recipe(lambda: torch.nn.Identity(), lambda: data, epochs=1)
    outputs, tested = training.cross_validated(data, recipe, 0)
    assert observed == [[28, 12]] * 5
    assert sorted(outputs[:, 0].tolist()) == list(range(50))  # every example is tested once, with its own label
    assert torch.equal(labels[outputs[:, 0].long()], tested)
    assert len(training.cross_validated(data, replace(recipe, tested_folds=1), 0)[1]) == 10
    one = Data(torch.zeros(1, 2), torch.tensor([0]), None, None, {})
    nothing = training.cross_validated(one, replace(recipe, folds=1, tested_folds=1), 0)
    assert math.isnan(objectives.held_out_figures("multiclass", *nothing)["held_out_accuracy"])


def test_the_number_of_steps_does_not_depend_on_the_number_of_examples():
    for count in (10, 100, 1_000, 50_000):
        examples = dataset_recipes.Examples(torch.zeros(count, 3), torch.arange(count) % 2, ("a", "b"), ())
        recipe = dataset_recipes.recipe_for(examples, linear, steps=600, batch=64, rate=1e-3, decay=0.0)
        steps = recipe.epochs * math.ceil(count / recipe.batch)
        assert 500 <= steps <= 900, count
        assert recipe.tested_folds == (5 if count < 300 else 1)


def test_a_constant_column_stays_finite(tmp_path):
    samples = [replace(s, data=torch.cat([s.data, torch.tensor([1e6])])) for s in blobs()]
    network = load(TabularMlp(steps=30), tmp_path, samples)
    assert network.std[-1] == 1
    encoded = network.encode([replace(samples[0], data=samples[0].data + torch.eye(5)[4])])
    assert encoded.inputs[0, -1] == 1


def test_hidden_layers_have_the_given_widths(tmp_path):
    for hidden in ((), (3,), (5, 4, 3)):
        module = load(TabularMlp(hidden=hidden, steps=10), tmp_path, blobs()).module
        widths = [m.out_features for m in module if isinstance(m, torch.nn.Linear)]
        assert widths == [*hidden, 2]
        assert sum(isinstance(m, torch.nn.ReLU) for m in module) == len(hidden)


def changed(**values):
    samples = blobs()
    samples[5] = replace(samples[5], **values)
    return samples


@pytest.mark.parametrize(
    ("samples", "names", "kind", "message"),
    [
        ([], ("no", "yes"), MismatchError, r"model\.tabular_mlp: the training part of the dataset is empty"),
        (changed(label=None), ("no", "yes"), MismatchError, "example 'r5' of the training part has no label"),
        (
            changed(label=2),
            ("no", "yes"),
            MismatchError,
            r"the label of example 'r5' is not an index of one of the 2 classes \(got 2\)",
        ),
        (changed(label=-1), (), MismatchError, r"the label of example 'r5' is not a class index \(got -1\)"),
        (
            changed(data=torch.zeros(5)),
            (),
            MismatchError,
            r"'r5' does not have the shape \[4\] of the other examples \(got \[5\]\)",
        ),
        (changed(data=torch.full((4,), math.nan)), (), ResourceError, r"NaN or infinite values \(got 'r5'\)"),
        (changed(data="a text"), (), MismatchError, "example 'r5' is a str; the model expects"),
        (
            blobs()[::2],
            ("no", "yes"),
            MismatchError,
            r"the training part of the dataset contains only one class \(got 0\)",
        ),
        (waves(), ("no", "yes"), MismatchError, r"cannot be trained on series of 1 channels and 40 steps \(got 's0'\)"),
    ],
)
def test_unsuitable_training_parts_raise_with_the_reason(tmp_path, samples, names, kind, message):
    with pytest.raises(kind, match=message):
        load(TabularMlp(), tmp_path, samples, names)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("opens", [None, lambda: None])
def test_a_dataset_without_a_training_part_raises(tmp_path, opens):
    for model in (TabularMlp(), SeriesCnn()):
        with pytest.raises(MismatchError) as raised:
            model.load(LoadContext(tmp_path, training=opens))
        first, hint = str(raised.value).splitlines()
        assert first == (f"model.{model.name}: is trained on the dataset of the study, which has no training part")
        assert "dataset=csv" in hint
        assert "model=factory" in hint


def test_a_dataset_of_another_shape_raises(tmp_path):
    network = load(TabularMlp(steps=10), tmp_path, blobs())
    with pytest.raises(
        MismatchError, match=r"example 'x' does not have the shape \[4\]: the model expects rows of 4 columns"
    ):
        network.encode([Sample("x", torch.zeros(12))])


def test_classes_without_names_are_numbered(tmp_path):
    assert load(TabularMlp(steps=10), tmp_path, blobs(), ()).class_names == ("0", "1")


def test_the_tests_train_again_once_the_code_that_trains_was_edited(tmp_path, monkeypatch):
    code = trained_networks.training_code()
    assert {"training.py", "digits_and_shapes_recipes.py", "splits.py", "shape_images.py", "random_state.py"} <= {
        file.name for file in code
    }
    monkeypatch.setattr(trained_networks, "PACKAGE", tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "recipe.py").write_text("epochs = 20")
    monkeypatch.setattr(trained_networks, "training_code", lambda: [tmp_path / "recipe.py"])
    folder = trained_networks.trained_networks.__wrapped__
    before = folder()
    assert folder() == before
    (tmp_path / "recipe.py").write_text("epochs = 21")
    assert folder() != before
