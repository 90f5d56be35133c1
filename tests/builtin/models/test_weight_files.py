"""State dicts as training scripts leave them, compared with `torch.load` and renaming by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from xaiexp.builtin.models.weight_files import load_state_dict, read_state_dict
from xaiexp.errors import MismatchError, ResourceError


class Small(nn.Module):
    """Two layers and a batch normalisation, whose names contain those of wrappers inside."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        self.head = nn.ModuleDict({"module": nn.Linear(2, 3)})

    def forward(self, x):
        return self.head["module"](self.features(x).mean((2, 3)))


def small(seed):
    torch.manual_seed(seed)
    module = Small().eval()
    module.features[1].running_mean.normal_()
    return module


def loaded(path, module=None):
    module = small(1) if module is None else module
    return module, load_state_dict("model.weights", module, read_state_dict("model.weights", path), "the network")


def under(*keys):
    def nested(state):
        for key in reversed(keys):
            state = {key: state, "epoch": 3, "optimizer": {"state": {}, "lr": 0.1}}
        return state

    return nested


def prefixed(prefix):
    return lambda state: {f"{prefix}{key}": value for key, value in state.items()}


FORMS = {
    "plain": (lambda state: state, ""),
    "state_dict": (under("state_dict"), "under 'state_dict'"),
    "model_state_dict": (under("model_state_dict"), "under 'model_state_dict'"),
    "model": (under("model"), "under 'model'"),
    "nested": (under("model", "state_dict"), "under 'model.state_dict'"),
    "parallel": (prefixed("module."), "without the prefix 'module.'"),
    "compiled": (prefixed("_orig_mod."), "without the prefix '_orig_mod.'"),
    "lightning": (
        lambda state: under("state_dict")(prefixed("model.")(state)),
        "under 'state_dict', without the prefix 'model.'",
    ),
    "parallel of compiled": (prefixed("module._orig_mod."), "without the prefix 'module._orig_mod.'"),
    "compiled of parallel": (prefixed("_orig_mod.module."), "without the prefix '_orig_mod.module.'"),
    "lightning of parallel of compiled": (
        lambda state: under("state_dict")(prefixed("model.module._orig_mod.")(state)),
        "under 'state_dict', without the prefix 'model.module._orig_mod.'",
    ),
    "a part compiled": (
        lambda state: {key.replace("features.", "features._orig_mod."): value for key, value in state.items()},
        "without '_orig_mod' within names",
    ),
}


@pytest.mark.parametrize(
    ("form", "suffix"),
    # safetensors hold tensors by name only
    [*((form, "pth") for form in FORMS), *((form, "safetensors") for form in FORMS if "under" not in FORMS[form][1])],
)
def test_wrapped_state_dicts_are_loaded_and_that_is_said(tmp_path, form, suffix):
    build, note = FORMS[form]
    content, path = build(small(7).state_dict()), tmp_path / f"w.{suffix}"
    if suffix == "safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    module, said = loaded(path)
    for key, value in small(7).state_dict().items():
        assert torch.equal(module.state_dict()[key], value), key
    assert note in said
    assert (said == "") == (form == "plain")


def test_the_state_dict_of_wrapped_modules_is_loaded(tmp_path):
    trained, x = small(7), torch.randn(2, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    wrapped = nn.DataParallel(torch.compile(trained))  # nothing is compiled before it runs
    torch.save({"model_state_dict": wrapped.state_dict()}, tmp_path / "w.pth")
    module, said = loaded(tmp_path / "w.pth")
    assert torch.equal(module(x), trained(x))
    assert "under 'model_state_dict', without the prefix 'module._orig_mod.'" in said


def test_a_plain_state_dict_is_loaded_into_a_wrapped_module(tmp_path):
    torch.save(small(7).state_dict(), tmp_path / "w.pth")
    module, said = loaded(tmp_path / "w.pth", nn.DataParallel(small(1)))
    assert torch.equal(module.module.head["module"].weight, small(7).head["module"].weight)
    assert "with the prefix 'module.'" in said
    torch.save(nn.DataParallel(small(7)).state_dict(), tmp_path / "w.pth")
    assert loaded(tmp_path / "w.pth", nn.DataParallel(small(1)))[1] == ""  # the same names


def test_only_prefixes_of_all_names_are_removed(tmp_path):
    state = {("module." if "conv" in key else "") + key: value for key, value in small(7).state_dict().items()}
    state["module.extra"] = torch.zeros(1)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(MismatchError, match=r"1 unknown to the model: module\.extra"):
        loaded(tmp_path / "w.pth")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_floats_of_any_precision_are_loaded(tmp_path, dtype):
    torch.save(
        {key: v.to(dtype) if v.is_floating_point() else v for key, v in small(7).state_dict().items()}, tmp_path / "w"
    )
    weight = loaded(tmp_path / "w")[0].head["module"].weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, small(7).head["module"].weight.to(dtype).float())


def quantised(value):
    return torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda v: (v * 100).to(torch.int8), "int8"),
        (lambda v: v.to(torch.complex64), "complex64"),
        (quantised, "qint8"),
        (lambda v: v.to(torch.float8_e4m3fn), "float8_e4m3fn"),
        (lambda v: v > 0, "bool"),
    ],
    ids=lambda p: p if isinstance(p, str) else "",
)
@pytest.mark.filterwarnings("ignore:.*[qQ]uantiz")  # torch is to remove its quantised tensors
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_quantised_and_complex_weights_are_refused(tmp_path, change, kind):
    state = small(7).state_dict()
    state["head.module.weight"] = change(state["head.module.weight"])
    torch.save(state, tmp_path / "w.pth")
    module = small(1)
    with pytest.raises(MismatchError) as said:
        loaded(tmp_path / "w.pth", module)
    lines = str(said.value).splitlines()
    assert (
        lines[0]
        == f"model.weights: {tmp_path}/w.pth has values of type {kind}, the network has real floating-point numbers"
    )
    assert lines[2] == "  note: 1 of this type: head.module.weight"
    assert torch.equal(module.state_dict()["features.0.weight"], small(1).state_dict()["features.0.weight"])


def test_names_and_shapes_that_do_not_match_are_listed_with_their_number(tmp_path):
    state = small(7).state_dict()
    state["features.0.weight"], state["head.module.bias"] = torch.zeros(2, 3, 3, 3), torch.zeros(4)
    for key in [key for key in state if key.startswith("features.1")]:
        state[f"{key}_old"] = state.pop(key)
    torch.save(prefixed("module.")(state), tmp_path / "w.pth")
    with pytest.raises(MismatchError) as said:
        loaded(tmp_path / "w.pth")
    assert str(said.value).splitlines() == [
        f"model.weights: {tmp_path}/w.pth does not match the network",
        "  note: features.0.weight is [2, 3, 3, 3] in the file, [2, 1, 3, 3] in the model",
        "  note: head.module.bias is [4] in the file, [3] in the model",
        "  note: 4 missing in the file: features.1.weight, features.1.bias, features.1.running_mean ...",
        "  note: 5 unknown to the model: features.1.weight_old, features.1.bias_old, features.1.running_mean_old ...",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(2)], r"does not contain a state dict .*\(got 'list'\)\n  save the weights alone"),
        ({}, r"does not contain a state dict .*\(got 'nothing'\)"),
        ({"state_dict": {}}, r"does not contain a state dict .*\(got 'nothing'\)"),
        ({"epoch": 3, "net": {"w": torch.zeros(2)}}, r"\(got 'keys epoch, net'\)"),
        (
            {"model": {"w": torch.zeros(2)}, "state_dict": {"w": torch.ones(2)}},
            "several state dicts: state_dict, model",
        ),
    ],
)
def test_files_without_one_state_dict_are_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ResourceError, match=message):
        read_state_dict("model.weights", tmp_path / "w.pth")


class Touching(nn.Linear):
    """A module whose unpickling creates a file."""

    path = ""

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("content", ["module", "object", "numpy"])
def test_pickled_objects_are_refused_with_the_way_out_and_not_unpickled(tmp_path, content):
    Touching.path = str(tmp_path / "owned")
    given = {"module": nn.Linear(2, 2), "object": {"w": Touching(2, 2)}, "numpy": {"w": np.float64(1.0)}}[content]
    torch.save(given, tmp_path / "w.pth")
    (tmp_path / "owned").unlink(missing_ok=True)
    with pytest.raises(ResourceError) as said:
        read_state_dict("model.weights", tmp_path / "w.pth")
    name = {"module": "torch.nn.modules.linear.Linear", "object": "io.open", "numpy": "numpy._core.multiarray.scalar"}
    assert str(said.value).splitlines() == [
        f"model.weights: {tmp_path}/w.pth cannot be read as weights: it contains Python objects ({name[content]}), "
        "and unpickling can run any code",
        "  save the weights alone, where you trust the file: torch.save(model.state_dict(), FILE)",
    ]
    assert not (tmp_path / "owned").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_torchscript_archive_is_refused(tmp_path):
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(tmp_path / "w.pt")
    with pytest.raises(ResourceError, match=r"w\.pt cannot be read as weights: it is a TorchScript archive"):
        read_state_dict("model.weights", tmp_path / "w.pt")
