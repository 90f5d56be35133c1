"""Arrays of an ``.npz`` file, and networks that read several of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import xaiexp
from xaiexp.builtin.datasets.arrays import Arrays
from xaiexp.core.samples import Encoded, Network, Sample
from xaiexp.engine.examples.reading import encode_samples
from xaiexp.errors import MismatchError, ParameterError, ResourceError

MODULE = """
import torch
from torch import nn


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.rows, self.head = nn.Conv2d(1, 4, 3), nn.Linear(5, 4), nn.Linear(8, 2)

    def forward(self, image, table):
        seen, read = torch.relu(self.conv(image)).mean((2, 3)), torch.tanh(self.rows(table))
        return self.head(torch.cat([seen * read, read], dim=1))


def make():
    return Two()
"""


@pytest.fixture
def arrays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    rng = np.random.default_rng(0)
    values = {
        "image": rng.random((20, 1, 8, 8)).astype(np.float32),
        "table": rng.normal(size=(20, 5)).astype(np.float32),
        "y": np.array(["cat", "dog"] * 10),
    }
    np.savez("two.npz", **values)
    return values


def study(module, inputs, *more):
    return xaiexp.run(
        [
            "dataset=arrays", "dataset.path=two.npz", f"dataset.inputs={inputs}", "dataset.context=[image,table]",
            "dataset.labels=y", "model=factory", f"model.target={module}:make", f"trust=[{module}]",
            f"model.inputs={inputs}", "method=[saliency,occlusion]", "metric=[sparseness]", "baseline=[zero]",
            "agreement=[]", "examples=null", "target=1", "tracking.uri=off", "report=false", *more,
        ],
        quiet=True,
    )  # fmt: skip


@pytest.mark.parametrize("inputs", ["image", "table"])
def test_a_study_explains_one_input_and_the_others_ride_along(inputs, arrays, tmp_path):
    """Against the gradient of the network itself, and against occlusion of one column by hand."""
    name = f"two_inputs_{inputs}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    more = ["model.mean=[0]", "model.std=[1]"] if inputs == "image" else ["model.modality=table"]
    result = study(name, inputs, *more)
    given = {key: torch.from_numpy(arrays[key]) for key in ("image", "table")}
    leaf = given[inputs].clone().requires_grad_()
    network = __import__(name).make().eval()
    scores = network(**{**given, inputs: leaf})[:, 1]
    (gradient,) = torch.autograd.grad(scores.sum(), leaf)
    expected = gradient.abs().squeeze(1)  # pixels of one channel
    torch.testing.assert_close(result.attributions("saliency"), expected, rtol=1e-4, atol=1e-6)
    if inputs == "table":
        without = given["table"].clone()
        without[:, 2] = 0
        drop = scores - network(given["image"], without)[:, 1]
        torch.testing.assert_close(result.attributions("occlusion", "zero")[:, 2], drop.detach(), atol=1e-5, rtol=0)


def test_arrays_are_read_with_their_labels_and_further_inputs(arrays):
    dataset = Arrays(path="two.npz", inputs="table", context=("image", "table"), labels="y")
    source = dataset.open()
    assert (dataset.modality, source.count, source.class_names) == ("table", 20, ("cat", "dog"))
    assert dataset.outline().shape == (5,)
    (sample,) = source.read(3, 4)
    assert (sample.id, sample.label, list(sample.context)) == ("3", 1, ["image"])
    np.testing.assert_array_equal(sample.data, arrays["table"][3])
    np.testing.assert_array_equal(sample.context["image"], arrays["image"][3])
    assert Arrays(path="two.npz", inputs="image").modality == "image"
    assert list(source.labels()) == [0, 1] * 10


def test_bytes_of_images_are_in_0_to_1_and_integers_of_the_context_stay_integers(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(
        path, inputs=np.full((2, 3, 4, 4), 255, dtype=np.uint8), index=np.array([[3], [4]]), y=np.array([0.5, np.nan])
    )
    samples = Arrays(path=str(path), context=("index",), labels="y", label_kind="value").open().read(0, 2)
    assert samples[0].data.unique().tolist() == [1.0]
    assert [sample.context["index"].tolist() for sample in samples] == [[3], [4]]
    assert [sample.label for sample in samples] == [0.5, None]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"inputs": "tabel"}, "has no array of this name (got 'tabel')"),
        ({"inputs": "y"}, "must be [N, C, H, W], [N, C, T] or [N, F], and not empty"),
        ({"inputs": "table", "context": ("y",)}, "must hold numbers, one row for each of the 20"),
        ({"inputs": "table", "labels": "image"}, "array 'image' must have shape [20]"),
    ],
)
def test_wrong_arrays_are_refused(values, said, arrays):
    with pytest.raises(MismatchError) as error:
        Arrays(path="two.npz", **values).open()
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) <= 2


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ResourceError, match="no such file"):
        Arrays(path=str(tmp_path / "none.npz")).open()


def test_an_input_that_the_network_does_not_have_is_refused_with_the_nearest(arrays, tmp_path):
    (tmp_path / "two_inputs_wrong.py").write_text(MODULE)
    with pytest.raises(ParameterError) as error:
        study("two_inputs_wrong", "table", "model.modality=table", "model.inputs=tabel")
    first, second = str(error.value).splitlines()
    assert first.startswith("model.inputs: forward of the network of two_inputs_wrong:make has no such parameter")
    assert second.strip() == "nearest: table   parameters: image, table"


def network(names=()):
    def encode(samples):
        rows = torch.stack([sample.data for sample in samples])
        return Encoded(rows, context=dict.fromkeys(names, rows))

    return Network(nn.Identity(), encode, "table")


def sample(i, **context):
    return Sample(str(i), torch.ones(2), context=context)


def test_further_inputs_must_be_the_same_for_all_samples():
    one, two = torch.ones(3), torch.ones(4)
    for samples, said in (
        ([sample(0, a=one), sample(1)], "has other further inputs than the first"),
        ([sample(0, a=one), sample(1, a=two)], "the further input 'a' has several shapes"),
    ):
        with pytest.raises(MismatchError, match=said):
            encode_samples("dataset", network(), samples, [])
    with pytest.raises(MismatchError, match="the model itself sets a further input of this name"):
        encode_samples("dataset", network(["a"]), [sample(0, a=one)], [])


def test_an_example_with_nan_in_a_further_input_is_left_out():
    errors = []
    kept, encoded = encode_samples(
        "dataset", network(), [sample(0, a=torch.tensor([1.0])), sample(1, a=torch.tensor([torch.nan]))], errors
    )
    assert [each.id for each in kept] == ["0"]
    assert encoded.context["a"].tolist() == [[1.0]]
    assert [name for name, _ in errors] == ["1"]
