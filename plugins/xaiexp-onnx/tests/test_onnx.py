"""Models on ONNX Runtime, compared with direct calls of ONNX Runtime, and images in .npz files."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import pytest

pytest.importorskip("xaiexp_onnx", reason="the distribution xaiexp-onnx is not installed")
pytest.importorskip("onnx", reason="the tests make models with onnx, which is not installed")

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import xaiexp
from xaiexp.inference.passes import Passes
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study
from xaiexp.plugin import LoadContext, MismatchError, ParameterError, ResourceError, Sample, UserError

RNG = np.random.default_rng(0)


def build(kind, name, **values):
    (component,) = (c for c in xaiexp.components(kind) if c.name == name)
    return component(**values)


def loaded(path, tmp_path, **values):
    return build("model", "onnx", path=str(path), **values).load(LoadContext(tmp_path))


def direct_scores(path, rows):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})[0]


def save(path, nodes, shape, out, weights=(), kind=TensorProto.FLOAT, batch="N", rows="N"):
    """A graph from ``x [batch, *shape]`` to ``y [rows, *out]``."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, [batch, *shape])],
        [helper.make_tensor_value_info("y", kind, [rows, *out])],
        [numpy_helper.from_array(value, name) for name, value in weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def linear(path, shape=(2, 4, 5), classes=3, batch="N", reshape=None, weight=None, **options):
    """``tanh`` of a linear layer over all inputs."""
    count = int(np.prod(shape))
    weight = RNG.normal(size=(count, classes)).astype(np.float32) if weight is None else weight
    flat = np.array([reshape or 0, count] if reshape else [-1, count])
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("Tanh", ["m"], ["y"]),
    ]
    return save(path, nodes, shape, [classes], [("s", flat), ("w", weight)], batch=batch, rows=batch, **options), weight


def test_scores_equal_onnx_runtime(tmp_path):
    path, _ = linear(tmp_path / "m.onnx", shape=(1, 4, 5))
    network = loaded(path, tmp_path)
    x = torch.randn(7, 1, 4, 5)
    assert torch.equal(network.module(x), torch.from_numpy(direct_scores(path, x.numpy())))
    assert (network.classes, network.modality, network.facts["batch"]) == (3, "image", "any size")


def test_the_model_of_the_kit_equals_onnx_runtime_on_bytes(kit, tmp_path):
    path = kit / "models" / "dianna_mnist_binary.onnx"
    dataset = build("dataset", "npz", path=str(kit / "arrays" / "mnist500.npz"), classes=[0, 1])
    network, source = loaded(path, tmp_path, scale=255.0), dataset.open()
    samples = source.read(0, source.count)
    got = network.module(network.encode(samples).inputs)
    with np.load(kit / "arrays" / "mnist500.npz") as arrays:
        kept = np.isin(arrays["labels"], [0, 1])
        want = direct_scores(path, arrays["images"][kept][:, None].astype(np.float32))
        assert [sample.label for sample in samples] == arrays["labels"][kept].tolist()
    torch.testing.assert_close(got, torch.from_numpy(want), rtol=1e-4, atol=1e-3)
    assert float((got.argmax(1) == torch.tensor([s.label for s in samples])).float().mean()) > 0.98


def test_a_study_skips_methods_that_need_gradients(kit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, images = kit / "models" / "dianna_mnist_binary.onnx", kit / "arrays" / "mnist500.npz"
    result = xaiexp.run(
        [
            *("model=onnx", f"model.path={model}", "model.scale=255"),
            *("dataset=npz", f"dataset.path={images}", "dataset.classes=[0,1]", "examples=2"),
            "method=[occlusion,feature_ablation,kernel_shap,random,integrated_gradients]",
            *("method.occlusion.sliding_window_shapes=[1,7,7]",),
            *("baseline=[zero]", "metric=[]", "agreement=[]", "report=false", "tracking.uri=off"),
        ]
    )
    status = dict(zip(result.cells["method"], result.cells["status"], strict=True))
    assert status.pop("integrated_gradients") == "skipped"
    assert status == dict.fromkeys(("occlusion", "feature_ablation", "kernel_shap", "random"), "done")
    reasons = result.cells.set_index("method")["reason"]
    assert reasons["integrated_gradients"] == "needs gradients, which model 'onnx' does not offer"
    # Feature ablation is the change of the score when one pixel becomes 0: computed directly for the first example.
    with np.load(images) as arrays:
        image = arrays["images"][np.isin(arrays["labels"], [0, 1])][0].astype(np.float32)
    changed = np.repeat(image[None, None], 28 * 28 + 1, axis=0)
    for pixel in range(28 * 28):
        changed[pixel, 0, pixel // 28, pixel % 28] = 0
    scores = direct_scores(model, changed)
    scores = scores[:, scores[-1].argmax()]
    want = torch.from_numpy(scores[-1] - scores[:-1])
    torch.testing.assert_close(
        result.attributions("feature_ablation", "zero")[0].flatten().float(), want, rtol=1e-3, atol=1e-3
    )


def test_the_plan_skips_methods_without_importing_torch(tmp_path):
    linear(tmp_path / "m.onnx", shape=(1, 4, 5))
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 4, 5), np.uint8), labels=np.arange(3))
    code = f"""
import sys
from xaiexp.contract.registry import installed
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study
build = installed().build
study = Study(
    build("model", "onnx", {{"path": {str(tmp_path / "m.onnx")!r}}}),
    build("dataset", "npz", {{"path": {str(tmp_path / "a.npz")!r}}}),
    build("features", "pixel", {{}}),
    {{name: build("method", name, {{}}) for name in ("random", "integrated_gradients", "feature_ablation")}},
    {{"zero": build("baseline", "zero", {{}})}},
    {{}}, {{}}, Settings())
made = plan(study)
cells = [(c.id.method, c.skip, c.cost and c.cost.total) for c in made.cells]
print(cells, made.count, made.shape, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        done.stdout.strip()
        == str(
            [
                ("random", "", 0),
                ("integrated_gradients", "needs gradients, which model 'onnx' does not offer", 100),
                ("feature_ablation", "", 21),
            ]
        )
        + " 3 (1, 4, 5) False"
    ), done.stderr


def test_a_channels_last_graph_gives_the_same_scores(tmp_path):
    path, weight = linear(tmp_path / "first.onnx", shape=(3, 5, 6))
    turned = weight.reshape(3, 5, 6, 3).transpose(1, 2, 0, 3).reshape(90, 3)
    other, _ = linear(tmp_path / "last.onnx", shape=(5, 6, 3), weight=np.ascontiguousarray(turned))
    x = torch.rand(6, 3, 5, 6)
    model = build("model", "onnx", path=str(other))
    assert model.input_shape() == (3, 5, 6)
    torch.testing.assert_close(
        model.load(LoadContext(tmp_path)).module(x),
        torch.from_numpy(direct_scores(path, x.numpy())),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"batch": 1}, "fixed to 1 by the graph: runs in pieces of that size inside the session"),
        ({"batch": 4}, "fixed to 4 by the graph: runs in pieces of that size inside the session"),
        ({"reshape": 1}, "fixed to 1 inside the graph: runs row by row inside the session"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_fixed_batch_size_does_not_change_the_scores(options, note, tmp_path):
    free, weight = linear(tmp_path / "free.onnx", shape=(1, 4, 5))
    path, _ = linear(tmp_path / "fixed.onnx", shape=(1, 4, 5), weight=weight, **options)
    network = loaded(path, tmp_path)
    assert network.facts["batch"] == note
    x = torch.randn(6, 1, 4, 5)
    torch.testing.assert_close(
        network.module(x), torch.from_numpy(direct_scores(free, x.numpy())), rtol=1e-6, atol=1e-6
    )


def test_tables_series_and_a_single_output_are_supported(tmp_path):
    path, _ = linear(tmp_path / "t.onnx", shape=(6,), classes=1)
    network = loaded(path, tmp_path, modality="table", mean=[1.0], std=[2.0], class_names=["no", "yes"])
    rows = torch.randn(4, 6)
    encoded = network.encode([Sample(str(i), row) for i, row in enumerate(rows)])
    torch.testing.assert_close(encoded.inputs, (rows - 1) / 2)
    assert network.classes == 1
    assert (network.low, network.high) == (None, None)
    path, _ = linear(tmp_path / "s.onnx", shape=(2, 9))
    network = loaded(path, tmp_path, modality="series")
    assert network.module(torch.randn(3, 2, 9)).shape == (3, 3)
    with pytest.raises(MismatchError, match="example 'a' must have the shape"):
        network.encode([Sample("a", torch.randn(2, 8))])


def test_double_precision_graphs_get_doubles(tmp_path):
    nodes = [helper.make_node("Tanh", ["x"], ["y"])]
    path = save(tmp_path / "d.onnx", nodes, [6], [6], kind=TensorProto.DOUBLE)
    network = loaded(path, tmp_path, modality="table")
    x = torch.randn(3, 6, dtype=torch.float64)
    torch.testing.assert_close(network.module(x), x.tanh(), rtol=1e-12, atol=1e-12)


def test_probabilities_are_explained_unchanged(tmp_path):
    nodes = [helper.make_node("Softmax", ["x"], ["y"], axis=1)]
    path = save(tmp_path / "p.onnx", nodes, [4], [4])
    x = torch.randn(3, 4)
    network = loaded(path, tmp_path, modality="table", gives="probabilities")
    torch.testing.assert_close(network.module(x).softmax(1), x.softmax(1))
    assert bool(network.module(torch.tensor([[500.0, 0, 0, 0]])).isfinite().all())


def test_images_and_masks_are_preprocessed(tmp_path):
    path, _ = linear(tmp_path / "m.onnx", shape=(1, 4, 6))
    network = loaded(path, tmp_path, scale=255.0, mean=[0.5], std=[0.25])
    exact = torch.rand(1, 4, 6)
    mask = torch.zeros(8, 12, dtype=torch.bool)
    mask[:4, :6] = True
    photo = Image.fromarray(np.full((8, 12, 3), 51, np.uint8))
    encoded = network.encode([Sample("a", exact), Sample("b", photo, mask=mask)])
    torch.testing.assert_close(encoded.inputs[0], (exact - 0.5) / 0.25 * 255)
    torch.testing.assert_close(encoded.inputs[1], torch.full((1, 4, 6), (0.2 - 0.5) / 0.25 * 255))
    assert encoded.masks.tolist()[0] == [[False] * 6] * 4
    assert encoded.masks.tolist()[1] == [[True] * 3 + [False] * 3] * 2 + [[False] * 6] * 2
    # Baselines use these: 0 in data space is the value for black in model space.
    torch.testing.assert_close((0.0 - network.mean) / network.std, torch.full((1, 1, 1), -510.0))


def test_an_open_size_is_given_or_taken_from_the_images(tmp_path):
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["g"]),
        helper.make_node("Flatten", ["g"], ["y"]),
    ]
    path = save(tmp_path / "open.onnx", nodes, [3, "H", "W"], [3])
    images = [Sample("a", torch.rand(3, 8, 8)), Sample("b", torch.rand(3, 6, 8))]
    assert build("model", "onnx", path=str(path)).input_shape() is None
    with pytest.raises(MismatchError, match=r"model\.size: images differ in size"):
        loaded(path, tmp_path).encode(images)
    network = loaded(path, tmp_path, size=[5, 7])
    assert network.encode(images).inputs.shape == (2, 3, 5, 7)
    assert build("model", "onnx", path=str(path), size=[5, 7]).input_shape() == (3, 5, 7)


def test_methods_work_for_any_budget(tmp_path):
    path, _ = linear(tmp_path / "m.onnx", shape=(1, 4, 5))
    network = loaded(path, tmp_path)
    x = torch.rand(3, 1, 4, 5)
    want = xaiexp.attribute(network.module, x, "occlusion", target=1, sliding_window_shapes=[1, 2, 2])
    got = xaiexp.attribute(network.module, x, "occlusion", target=1, sliding_window_shapes=[1, 2, 2], batch_budget=2)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)
    with pytest.raises(MismatchError, match="must return scores"):
        Passes(lambda rows: network.module(rows)[:1]).forward(x, {})


def test_the_identity_depends_on_the_weights(tmp_path):
    path, weight = linear(tmp_path / "m.onnx", shape=(1, 4, 5))
    first = loaded(path, tmp_path).identity
    linear(path, shape=(1, 4, 5), weight=weight)
    assert loaded(path, tmp_path).identity == first
    linear(path, shape=(1, 4, 5))
    assert loaded(path, tmp_path).identity != first
    (tmp_path / "m.onnx.data").write_bytes(b"weights beside the graph")
    other = loaded(path, tmp_path).identity
    (tmp_path / "m.onnx.data").write_bytes(b"other weights")
    assert loaded(path, tmp_path).identity != other


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"path": "nowhere.onnx"}, ResourceError, "model.path: no such file"),
        ({"path": "bad.onnx"}, ResourceError, "cannot be read as an ONNX model"),
        ({"modality": "table"}, MismatchError, "table inputs have 2 axes .*hint|modality=image"),
        ({"output": "yy"}, MismatchError, "model.output: the graph has no output of this name .*\n  nearest: y"),
        ({"input": "z"}, MismatchError, "model.input: the graph has no input of this name"),
        ({"size": [9, 9]}, MismatchError, "model.size: the graph expects images of 4 x 5"),
        ({"mean": [0.1, 0.2]}, ParameterError, "model.mean: must be one number or one for each of 1 channels"),
        ({"class_names": ["a"]}, MismatchError, "model.class_names: the model has 3 outputs"),
        ({"path": "amb.onnx"}, MismatchError, "model.layout: must be given"),
        ({"path": "ints.onnx"}, MismatchError, "does not accept floating-point numbers"),
        ({"path": "map.onnx"}, MismatchError, r"must be scores \[N, classes\]"),
        ({"provider": "cuda"}, ResourceError, "model.provider: ONNX Runtime was not built with it"),
    ],
)
def test_unsupported_models_raise_with_the_reason(values, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if values.get("provider") == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    linear(tmp_path / "m.onnx", shape=(1, 4, 5))
    linear(tmp_path / "amb.onnx", shape=(4, 5, 3))
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    same = [helper.make_node("Identity", ["x"], ["y"])]
    save(tmp_path / "ints.onnx", same, [1, 4, 5], [1, 4, 5], kind=TensorProto.INT64)
    save(tmp_path / "map.onnx", same, [1, 4, 5], [1, 4, 5])
    with pytest.raises(kind, match=message):
        loaded(values.pop("path", "m.onnx"), tmp_path, **values)


def arrays(tmp_path, **given):
    np.savez(tmp_path / "a.npz", **given)
    return str(tmp_path / "a.npz")


def test_npz_reads_images_and_labels_and_selects_classes(tmp_path):
    images = RNG.integers(0, 256, (6, 3, 5, 7), dtype=np.uint8)
    path = arrays(tmp_path, images=images, y=np.array([4, 7, 1, 7, 4, 2]))
    dataset = build("dataset", "npz", path=path, images_key="images", labels_key="y", classes=[7, 4])
    source = dataset.open()
    samples = source.read(0, 4)
    assert (source.count, source.class_names) == (4, ("7", "4"))
    assert [(s.id, s.label, s.name) for s in samples] == [
        ("0", 1, "4"), ("1", 0, "7"), ("3", 0, "7"), ("4", 1, "4")
    ]  # fmt: skip
    torch.testing.assert_close(samples[2].data, torch.from_numpy(images[3]).float() / 255)
    assert source.read(2, 9)[0].id == "3"
    assert (dataset.outline().count, dataset.outline().shape) == (4, (3, 5, 7))


@pytest.mark.parametrize("form", [np.savez, np.savez_compressed])
def test_npz_supports_greyscale_and_channels_last_images(form, tmp_path):
    images = RNG.random((2, 5, 7, 3)).astype(np.float32)
    form(tmp_path / "a.npz", images=images, grey=images[..., 0])
    last = build("dataset", "npz", path=str(tmp_path / "a.npz"), labels_key=None)
    assert last.outline().shape == (3, 5, 7)
    torch.testing.assert_close(last.open().read(1, 2)[0].data, torch.from_numpy(images[1]).permute(2, 0, 1))
    grey = build("dataset", "npz", path=str(tmp_path / "a.npz"), labels_key=None, images_key="grey")
    assert grey.outline().shape == (1, 5, 7)
    torch.testing.assert_close(grey.open().read(1, 2)[0].data, torch.from_numpy(images[1, ..., 0])[None])
    assert grey.open().read(1, 2)[0].label is None


def test_npz_divides_integers_by_the_largest_of_their_type(tmp_path):
    words = RNG.integers(0, 65536, (2, 5, 7), dtype=np.uint16)
    path = arrays(tmp_path, words=words, dark=words >> 8, many=words.astype(np.uint32))
    for key, scale, factor in (("words", None, 65535), ("dark", None, 65535), ("dark", 255.0, 255)):
        dataset = build("dataset", "npz", path=path, images_key=key, labels_key=None, scale=scale)
        values = words >> 8 if key == "dark" else words
        torch.testing.assert_close(dataset.open().read(1, 2)[0].data[0], torch.from_numpy(values[1] / factor).float())
    with pytest.raises(MismatchError, match=r"dataset\.images_key: must be uint8, uint16 or floats \(got 'uint32'\)"):
        build("dataset", "npz", path=path, images_key="many", labels_key=None).open()


@pytest.mark.parametrize("ask", ["open", "outline"])
def test_npz_that_claims_more_than_the_file_holds_is_refused(tmp_path, ask):
    written, path = io.BytesIO(), tmp_path / "a.npz"
    np.lib.format.write_array_header_1_0(written, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 4, 4)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", written.getvalue() + bytes(32))
    with pytest.raises(ResourceError, match=r"the header of 'images' claims uint8 \[1\d+, 4, 4\], the file holds 32 b"):
        getattr(build("dataset", "npz", path=str(path), labels_key=None), ask)()


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"path": "nowhere.npz"}, ResourceError, "dataset.path: no such file"),
        ({"path": "bad.npz"}, ResourceError, "is not an .npz file"),
        ({"images_key": "image"}, MismatchError, "dataset.images_key: .* has no such array .*\n  nearest: images"),
        ({"labels_key": "images"}, MismatchError, "dataset.labels_key: must be one integer for each image"),
        ({"images_key": "labels"}, MismatchError, "dataset.images_key: must be images"),
        ({"images_key": "bright"}, MismatchError, "dataset.scale: images must lie between 0 and 1 "),
        ({"classes": [1, 5]}, MismatchError, "dataset.classes: no example has the label 5 .*\n  labels: 0, 1"),
        ({"classes": [1, 1]}, MismatchError, "dataset.classes: contains a label twice"),
        ({"labels_key": None, "classes": [1]}, MismatchError, "selects by label, but there are no labels"),
        ({"images_key": "objects"}, ResourceError, "cannot be read as .npz: 'objects' contains Python objects"),
    ],
)
def test_invalid_npz_files_raise_with_the_reason(values, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.array([{"a": 1}] * 2, dtype=object)
    images = np.zeros((2, 4, 4), np.uint8)
    arrays(tmp_path, images=images, labels=np.array([0, 1]), bright=np.full((2, 4, 4), 3.0), objects=objects)
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match=message) as caught:
        build("dataset", "npz", **{"path": "a.npz", **values}).open()
    assert isinstance(caught.value, kind)


def test_images_for_a_table_model_are_refused_by_the_plan(tmp_path):
    path, _ = linear(tmp_path / "t.onnx", shape=(6,))
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 4, 5), np.uint8), labels=np.arange(3))
    study = Study(
        build("model", "onnx", path=str(path), modality="table"),
        build("dataset", "npz", path=str(tmp_path / "a.npz")),
        build("features", "pixel"),
        {"random": build("method", "random")},
        *({}, {}, {}),
        Settings(),
    )
    with pytest.raises(MismatchError, match="contains images; model 'onnx' expects tables"):
        plan(study)


def test_registering_the_plugin_imports_no_heavy_package():
    code = (
        "import sys, xaiexp_onnx; xaiexp_onnx.xaiexp_components();"
        "print([m for m in ('torch', 'numpy', 'onnxruntime', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
