"""The typed record: round trips, other versions, incomplete and damaged files."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from written_studies import CELLS, record

from xaiexp.core.claim_facts import ClaimFacts
from xaiexp.core.ids import CellId
from xaiexp.core.record import (
    VERSION,
    AgreementFacts,
    ComponentFacts,
    DataFacts,
    FailureFacts,
    GitState,
    LeftOutFacts,
    MethodFacts,
    MetricFacts,
    PassCount,
    PassCounts,
    PerformanceFacts,
    PluginFacts,
    Record,
    SpeedFacts,
    StudyFacts,
    WeightsFacts,
)
from xaiexp.errors import ResourceError

COMPLETE = Record(
    status="done",
    claim=ClaimFacts(sha256="ab12", metric="deletion", pairs=(("saliency", "random"),), verdict="supported"),
    started="2025-11-22T09:00:00+00:00",
    study=StudyFacts("net", "data", "pixel", "image", 3, None, "predicted", "logit", "fp32", "", "drawn", 1, "patient"),
    plugins=(PluginFacts("builtin", "xaiexp", "0.1.0"),),
    conformance={"method.saliency": {"passed": 12, "failed": 0}, "model.net": "not checked"},
    model=ComponentFacts("net", "a network", "a paper", {"seed": 0, "layers": [3, 4]}),
    methods={"mine": MethodFacts("saliency", signed=False, complete=False, multiplied_by_inputs=False)},
    baselines={"zero": ComponentFacts("zero")},
    metrics={
        "deletion": MetricFacts("deletion", higher_is_better=False, bounds=(0.0, None), unit="probability"),
        "deletion.shift": MetricFacts("deletion.shift", bounds=(None, None), unit="1"),
    },
    agreements={"rho": AgreementFacts("rank_correlation", bounds=(-1.0, 1.0))},
    versions={"torch": "2.9.0"},
    git=GitState("b04b953", True),
    command=("xaiexp", "examples=8"),
    metrics_left_out={"iou": "has no ground truth"},
    device="cpu",
    weights=WeightsFacts("w-1"),
    data=DataFacts(8, (1, 8, 8), "d-1", (LeftOutFacts("a.png", "is damaged"),)),
    model_facts={"accuracy": 0.98},
    class_names=("cat", "dog"),
    performance=PerformanceFacts(7, accuracy=0.5),
    notes=("in another order",),
    passes=PassCounts(PassCount(10, 2), {"deletion": PassCount(16, 0, 0.5)}, PassCount(8, 0)),
    speed=SpeedFacts("channels last", 32, 2.5, 1e-6, 2e-6),
    failures={"saliency / zero": FailureFacts("ValueError: no", "mine.py:3", "Traceback ...")},
    undefined={"saliency": (LeftOutFacts("b.png", "is NaN"),)},
    store="outputs/store",
    objects={CellId("mine"): ("k1", "k2"), CellId("occlusion", "zero"): ("k3",)},
    seconds=1.5,
)


def test_record_survives_writing_and_reading():
    assert Record.from_json(COMPLETE.to_json()) == COMPLETE
    assert Record.from_json(COMPLETE.to_mapping()) == COMPLETE


def test_keys_of_the_file_are_stable():
    content = json.loads(COMPLETE.to_json())
    assert " ".join(content) == (
        "version status error started study plugins conformance model dataset methods baselines metrics agreements "
        "versions git host platform threads command claim metrics_left_out device weights data model_facts class_names "
        "performance notes passes speed failures undefined store objects seconds id config sources code tracking"
    )
    assert content["version"] == VERSION
    assert content["error"] is None
    assert content["study"]["examples"] is None
    assert content["metrics"]["deletion"]["bounds"] == [0.0, None]
    assert content["objects"] == {"mine|none": ["k1", "k2"], "occlusion|zero": ["k3"]}
    assert content["passes"]["attributions"] == {"forward": 10, "backward": 2}
    assert content["passes"]["metrics"]["deletion"] == {"forward": 16, "backward": 0, "seconds": 0.5}
    assert " ".join(content["methods"]["mine"]) == (
        "name summary source parameters signed complete multiplied_by_inputs space control draws"
    )
    assert " ".join(content["metrics"]["deletion"]) == (
        "name summary source parameters higher_is_better bounds unit needs_sign curve"
    )
    assert " ".join(content["agreements"]["rho"]) == "name summary source parameters bounds needs_sign symmetric"


def test_unknown_fields_are_not_written():
    content = Record(status="running", data=DataFacts(8, (3,))).to_mapping()
    assert content["git"] is content["error"] is None
    assert content["data"] == {"count": 8, "shape": [3]}
    assert not {"device", "passes", "seconds", "objects"} & set(content)


def test_record_without_version_is_version_0():
    old = record("image", "net", "data", 0, CELLS)
    read = Record.from_json(json.dumps(old))
    assert read.version == 0
    assert read.study.model == "net"
    assert read.methods["saliency"].signed is False
    assert read.metrics["infidelity"].bounds == (0, None)
    assert read.passes is not None
    assert read.passes.attributions == PassCount(12345, 678)


def test_unknown_keys_of_a_newer_version_are_ignored():
    content = COMPLETE.to_mapping()
    newer = content | {"version": 99, "planet": "Mars", "study": content["study"] | {"weather": ["rain"]}}
    assert Record.from_json(newer) == replace(COMPLETE, version=99)


@pytest.mark.parametrize("name", [field.name for field in fields(Record)])
def test_missing_key_has_its_default(name):
    content = COMPLETE.to_mapping()
    del content[name]
    read, default = Record.from_json(content), Record(version=0)
    assert getattr(read, name) == getattr(default, name)
    assert replace(read, **{name: getattr(COMPLETE, name)}) == COMPLETE


def test_values_of_another_type_have_their_defaults():
    read = Record.from_json({"study": None, "passes": 3, "metrics": [], "methods": {"a": 1, "b": {"signed": "no"}}})
    assert read.study == StudyFacts()
    assert read.passes is None
    assert read.metrics == {}
    assert read.methods == {"b": MethodFacts()}
    assert Record.from_json({"seconds": True, "threads": "4", "class_names": [1]}) == Record(version=0)


@pytest.mark.parametrize("content", [b"", b"\x00broken", b'{"status": "do', b"[]", b"3"])
def test_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(ResourceError, match="is damaged") as caught:
        Record.read(path)
    assert caught.value.where == str(path)


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Record.read(tmp_path / "record.json")


def test_values_without_json_type_are_written_as_text(tmp_path):
    model = ComponentFacts("net", parameters={"path": tmp_path})
    assert json.loads(Record(model=model).to_json())["model"]["parameters"] == {"path": str(tmp_path)}
    assert Record(model=model).to_mapping()["model"]["parameters"] == {"path": tmp_path}


@pytest.mark.parametrize(
    ("metric", "auxiliary"), [("deletion", False), ("deletion.shift", True), ("unknown.shift", False), ("other", False)]
)
def test_auxiliary_values_are_recognised_by_their_metric(metric, auxiliary):
    assert COMPLETE.is_auxiliary(metric) is auxiliary
