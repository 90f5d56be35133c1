"""Small networks that are trained on first use, and networks from functions of the user."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from xaiexp.builtin.datasets.scikit_learn import Digits
from xaiexp.builtin.datasets.shapes import Shapes
from xaiexp.builtin.gaussian_blur import default_sigma, gaussian_blur
from xaiexp.builtin.models import COMPONENTS
from xaiexp.builtin.models.factory import Factory
from xaiexp.builtin.models.trained import digits_and_shapes_recipes as recipes
from xaiexp.builtin.models.trained.digits_and_shapes import DigitsCnn, DigitsMlp, ShapesCnn, shipped_weights
from xaiexp.builtin.models.trained.training import load_or_train, load_shipped, outputs_of
from xaiexp.contract.registry import flaw
from xaiexp.core.samples import LoadContext, Sample
from xaiexp.errors import MismatchError, ParameterError, ResourceError, UserError


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return LoadContext(tmp_path_factory.mktemp("cache"))


def trained(folder):
    return load_or_train(recipes.digits_mlp(), folder / "digits_mlp.safetensors")


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_every_model_declares_its_facts(component):
    assert flaw(component) == ""


@pytest.mark.parametrize(
    ("model", "dataset", "least"),
    [
        (DigitsCnn(), Digits(), 0.97),
        (DigitsMlp(), Digits(), 0.95),
        (ShapesCnn(), Shapes(count=512), 0.95),
    ],
    ids=lambda p: getattr(p, "name", str(p)),
)
def test_the_recorded_accuracy_equals_that_on_the_held_out_dataset(model, dataset, least, context):
    network = model.load(context)
    samples = dataset.open().read(0, dataset.outline().count)
    encoded = network.encode(samples)
    labels = torch.tensor([s.label for s in samples])
    accuracy = (network.module(encoded.inputs).argmax(1) == labels).double().mean().item()
    assert accuracy >= least
    assert network.facts["held_out_accuracy"] == pytest.approx(accuracy, abs=1e-9)
    assert network.facts["held_out_examples"] == len(samples)
    assert tuple(encoded.inputs.shape[1:]) == model.input_shape()
    assert network.class_names == dataset.open().class_names
    assert not network.module.training
    assert not any(p.requires_grad for p in network.module.parameters())
    # The encoding of data is (data - mean) / std.
    torch.testing.assert_close(encoded.inputs[0] * network.std + network.mean, samples[0].data, rtol=1e-5, atol=1e-5)
    assert (encoded.masks is None) == (samples[0].mask is None)
    if encoded.masks is not None:
        assert torch.equal(encoded.masks[3], samples[3].mask)


def test_training_does_not_depend_on_the_global_random_state(tmp_path):
    states, threads = [], torch.get_num_threads()
    try:
        for name, seed, count in (("a", 0, 1), ("b", 7, 2)):
            torch.manual_seed(seed)
            torch.set_num_threads(count)
            before = torch.random.get_rng_state()
            with torch.no_grad():
                states.append(trained(tmp_path / name)[0].state_dict())
            assert torch.equal(torch.random.get_rng_state(), before)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not list(tmp_path.rglob("*.part"))


def test_weights_are_cached_and_a_damaged_file_is_replaced_with_a_note(tmp_path, caplog):
    first, again = trained(tmp_path), trained(tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    kept = file.read_bytes()
    assert "note" not in again[2]
    assert again[2] == first[2]  # including the training time: it was not trained again
    file.write_bytes(kept[: len(kept) // 2])
    mended = trained(tmp_path)
    assert "trained again" in str(mended[2]["note"])
    assert "trained again" in caplog.text
    for a, b, c in zip(*(module.parameters() for module, _, _ in (first, again, mended)), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


@pytest.mark.parametrize("name", ["digits_cnn", "digits_mlp"])
def test_the_recipe_of_shipped_weights_gives_a_network_as_accurate(name, tmp_path):
    recipe = getattr(recipes, name)()
    file = shipped_weights(name)
    module, _, facts = load_shipped(recipe, file)
    again, _, now = load_or_train(recipe, tmp_path / "again.safetensors")
    assert facts["held_out_accuracy"] == pytest.approx(now["held_out_accuracy"], abs=0.01)
    data = recipe.data()
    for network, told in ((module, facts), (again, now)):
        correct = (outputs_of(network, data.held_out_inputs).argmax(1) == data.held_out_labels).double().mean()
        assert correct.item() == pytest.approx(told["held_out_accuracy"], abs=0.004)  # two images: rounding elsewhere
    assert sorted(module.state_dict()) == sorted(again.state_dict())


def test_shipped_weights_that_were_altered_are_refused(tmp_path):
    file = tmp_path / "digits_mlp.safetensors"
    content = bytearray(shipped_weights("digits_mlp").read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ResourceError, match="has another content than was written"):
        load_shipped(recipes.digits_mlp(), file)


def test_a_cache_that_cannot_be_written_raises(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=r"^store: trained weights cannot be written to .*file"):
        trained(tmp_path / "file")


def test_a_dataset_of_another_shape_raises(context):
    network = DigitsMlp().load(context)
    with pytest.raises(
        MismatchError, match=r"'x' does not have the shape \[1, 8, 8\]: the model expects images of 1 chan"
    ):
        network.encode([Sample("x", torch.zeros(3, 8, 8))])
    with pytest.raises(MismatchError, match="example 'x' is a str; the model expects images, tables or series"):
        network.encode([Sample("x", "a text")])


def test_another_size_of_shapes_gives_another_network():
    assert ShapesCnn(size=16).input_shape() == (3, 16, 16)
    assert ShapesCnn(size=16).fingerprint() != ShapesCnn().fingerprint()


def test_planning_does_not_import_torch():
    code = """
import sys
from xaiexp.builtin.models import COMPONENTS
for c in COMPONENTS:
    needed = {name: {"path": "x"} for name in ("transformers", "causal_lm", "seq2seq_lm")}
    given = {**needed, "factory": {"target": "a:b"}, "mlflow": {"uri": "models:/a/1"}}
    model = c(**given.get(c.name, {}))
    assert model.offers >= {"gradients"}, c
    model.input_shape(), model.fingerprint()
print(sorted({"torch", "numpy", "sklearn", "PIL", "transformers", "torchvision", "safetensors"} & set(sys.modules)))
"""
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout == "[]\n"


MODELS = """
from pathlib import Path
from os import system

import torch

from xaiexp.core.samples import Encoded, Network

Path("imported").touch()


def build(width=4, classes=3):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(width, classes)).train().double()


def network(modality="table"):
    return Network(build(), lambda samples: Encoded(torch.stack([s.data for s in samples])), modality, classes=3)


def broken():
    raise ZeroDivisionError("by hand")


def nothing():
    return None
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user in the working folder."""
    name = "my_networks"
    (tmp_path / f"{name}.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield name
    sys.modules.pop(name, None)


def load(trust=("my_networks",), **values):
    return Factory(**values).load(LoadContext(None, trust))


def test_a_module_from_a_factory_becomes_a_network(mine):
    path = list(sys.path)
    network = load(target=f"{mine}:build", kwargs={"classes": 2}, modality="table", mean=(1.0,), std=(2.0,))
    assert sys.path == path
    encoded = network.encode([Sample("a", torch.tensor([1.0, 3.0, 5.0, 7.0]))])
    assert encoded.inputs.tolist() == [[0.0, 1.0, 2.0, 3.0]]
    assert network.module(encoded.inputs).shape == (1, 2)
    assert not network.module.training
    assert next(network.module.parameters()).dtype == torch.float32
    assert not next(network.module.parameters()).requires_grad


def test_the_normalisation_of_images_is_per_channel(mine):
    network = load(target=f"{mine}:build", mean=(0.0, 0.5), std=(1.0, 0.5))
    encoded = network.encode([Sample("a", torch.ones(2, 1, 2))])
    assert encoded.inputs.tolist() == [[[[1.0, 1.0]], [[1.0, 1.0]]]]
    assert (encoded.inputs[0] * network.std + network.mean == 1).all()


def test_a_factory_may_return_a_network(mine):
    assert load(target=f"{mine}:network", modality="table").classes == 3
    with pytest.raises(MismatchError, match=r"model\.modality: my_networks:network returned a network for table"):
        load(target=f"{mine}:network", modality="image")


@pytest.mark.parametrize("trust", [(), ("my",), ("networks",), ("my_networks.sub",), ("",)])
def test_untrusted_modules_are_not_imported(mine, tmp_path, trust):
    with pytest.raises(ParameterError, match="not trusted") as raised:
        load(trust, target=f"{mine}:build")
    assert not (tmp_path / "imported").exists()
    assert mine not in sys.modules
    assert "'trust=[" in str(raised.value)


def test_trust_applies_to_submodules_by_whole_names():
    network = load(("torch",), target="torch.nn:Flatten", modality="table")
    assert isinstance(network.module, torch.nn.Flatten)


def test_functions_imported_by_a_trusted_module_are_not_trusted(mine):
    with pytest.raises(ParameterError, match=r"module \w+ is not trusted"):
        load(target=f"{mine}:system", kwargs={"command": "touch owned"})


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"target": "my_networks"}, ParameterError, r"model\.target: must be package\.module:function"),
        ({"target": "my_networks:a.b"}, ParameterError, r"model\.target: must be package\.module:function"),
        ({"target": "my_networks:bild"}, ParameterError, r"has no function 'bild'\n  nearest: build"),
        ({"target": "my_networks:broken"}, UserError, "my_networks:broken raised ZeroDivisionError: by hand"),
        ({"target": "my_networks:nothing"}, MismatchError, r"must return a torch\.nn\.Module .* \(got 'NoneType'\)"),
        (
            {"target": "my_networks:build", "kwargs": {"depth": 2}},
            ParameterError,
            r"model\.kwargs: my_networks:build\(width=4, classes=3\): got an unexpected keyword argument 'depth'",
        ),
        (
            {"target": "my_networks:build", "modality": "text"},
            MismatchError,
            "which defines how texts become embeddings",
        ),
        (
            {"target": "my_networks:build", "modality": "video"},
            ParameterError,
            r"model\.factory\.modality: must be one",
        ),
    ],
)
def test_invalid_factories_raise_with_the_reason(mine, values, kind, message):
    with pytest.raises(kind, match=message):
        load(**values)


def test_a_missing_module_raises(mine):
    with pytest.raises(ResourceError, match=r"model\.target: cannot import nowhere_at_all: No module named"):
        load(("nowhere_at_all",), target="nowhere_at_all:build")


@pytest.mark.parametrize(
    ("model", "dataset", "chance"),
    [(DigitsCnn(), Digits(), 0.1), (ShapesCnn(), Shapes(), 0.25)],
    ids=lambda p: getattr(p, "name", str(p)),
)
def test_the_default_blur_reduces_accuracy_to_chance_level(model, dataset, chance, context):
    network = model.load(context)
    inputs = network.encode(dataset.open().read(0, 200)).inputs
    blurred = gaussian_blur(inputs, default_sigma(tuple(inputs.shape[2:])))
    same = network.module(blurred).argmax(1) == network.module(inputs).argmax(1)
    assert same.double().mean() < chance + 0.12
