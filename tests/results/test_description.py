"""The record: what is known of a study before it runs, and what its run adds."""

from __future__ import annotations

import platform
import socket
import sys
from importlib.metadata import version
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from xaiexp.contract.registry import installed
from xaiexp.core.ids import CellId
from xaiexp.core.keys import digest
from xaiexp.core.record import DataFacts, LeftOutFacts, PassCount, PluginFacts, Record, SpeedFacts
from xaiexp.core.samples import Network
from xaiexp.engine.cell_state import CellState
from xaiexp.engine.chunk import Loaded
from xaiexp.engine.examples.left_out import LeftOut
from xaiexp.engine.examples.selection import Selection
from xaiexp.engine.failure import Failure
from xaiexp.inference.speed import Speed
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study
from xaiexp.results.description import add_loaded, add_results, describe


def component(kind, name, **parameters):
    return installed().build(kind, name, parameters)


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["xaiexp", "tracking.uri=http://me:secret@server"])
    return describe(
        Study(
            component("model", "digits_mlp"),
            component("dataset", "digits"),
            component("features", "pixel"),
            {"ig": component("method", "integrated_gradients", n_steps=7), "noise": component("method", "random")},
            {"black": component("baseline", "zero")},
            {"del": component("metric", "deletion"), "s": component("metric", "sparseness")},
            {"rho": component("agreement", "rank_correlation")},
            Settings(seed=3, examples=9, target=("predicted", 2), precision="bf16", store=str(tmp_path)),
        ),
        installed(),
    )


def test_the_record_names_what_was_asked_for(record):
    asked = record.study
    assert (asked.model, asked.dataset, asked.features, asked.modality) == ("digits_mlp", "digits", "pixel", "image")
    assert (asked.seed, asked.examples, asked.target, asked.precision) == (3, 9, "('predicted', 2)", "bf16")
    builtin = installed().plugins[0]
    assert record.plugins == (PluginFacts(builtin.name, builtin.distribution, builtin.version),)
    assert record.command == ("xaiexp", "tracking.uri=http://me:***@server")


def test_every_component_is_described_under_its_label(record):
    method = record.methods["ig"]
    declared = component("method", "integrated_gradients", n_steps=7)
    assert (method.name, method.summary, method.source) == (declared.name, declared.summary, declared.source)
    assert method.parameters == declared.parameters()
    facts = (method.signed, method.complete, method.multiplied_by_inputs, method.space, method.control)
    assert facts == (True, True, True, "input", False)
    assert record.methods["noise"].control
    assert (record.model.name, record.dataset.name, record.baselines["black"].name) == ("digits_mlp", "digits", "zero")
    deletion, agreement = component("metric", "deletion"), component("agreement", "rank_correlation")
    metric = record.metrics["del"]
    told = (metric.higher_is_better, metric.bounds, metric.unit, metric.needs_sign)
    assert told == (deletion.higher_is_better, deletion.bounds, deletion.unit, deletion.needs_sign)
    assert record.agreements["rho"].bounds == agreement.bounds
    assert (record.agreements["rho"].symmetric, record.agreements["rho"].needs_sign) == (True, agreement.needs_sign)
    assert deletion.auxiliary
    for name in deletion.auxiliary:
        extra = record.metrics[f"del.{name}"]
        assert (extra.name, extra.summary) == (f"deletion.{name}", f"{name}, an auxiliary value of del")
        assert (extra.higher_is_better, extra.bounds, extra.unit) == (None, (None, None), "1")
        assert extra.source == deletion.source
    assert set(record.conformance) == {
        "model.digits_mlp", "dataset.digits", "features.pixel", "method.integrated_gradients", "method.random",
        "baseline.zero", "metric.deletion", "metric.sparseness", "agreement.rank_correlation",
    }  # fmt: skip


def test_the_record_says_where_and_with_what_it_ran(record):
    assert record.versions["python"] == platform.python_version()
    assert record.versions["torch"] == version("torch")
    assert record.versions["hydra-core"] == version("hydra-core")
    assert record.versions["cuda"] == ("none" if not torch.cuda.is_available() else torch.version.cuda)
    assert (record.host, record.platform) == (socket.gethostname(), platform.platform())
    assert record.threads == torch.get_num_threads()


def test_what_was_loaded_is_added():
    network = Network(None, None, "table", facts={"accuracy": 0.5})
    selection = Selection(np.array([4, 1, 2]), {"no": 2, "yes": 1}, "3 of 9 examples")
    loaded = Loaded(network, torch.device("cpu"), 9, (3, 4), 100, "abc", ("u",), ("no", "yes"), (), selection)
    record = add_loaded(Record(host="here"), loaded)
    assert (record.host, record.device, record.weights.fingerprint) == ("here", "cpu", "abc")
    assert record.data == DataFacts(
        9, (3, 4), selection="3 of 9 examples", rows="4,1-2", class_counts={"no": 2, "yes": 1}
    )
    assert (record.model_facts, record.class_names) == ({"accuracy": 0.5}, ("no", "yes"))


def finished(tmp_path, failures=(), failed=False):
    done = CellState(CellId("a"), "done", forward=3, backward=2, keys=["k1", "k2"])
    skipped = CellState(CellId("b"), "skipped", forward=4)
    every = dict(failures)
    return SimpleNamespace(
        states={done.id: done, skipped.id: skipped},
        evaluator=SimpleNamespace(
            failures=every,
            seconds={"s": 1.23456},
            counters={"s": SimpleNamespace(forward=5, backward=6)},
            unsupported={"late": "not for this model"},
            repeats={},
            metrics={},
        ),
        other_passes=SimpleNamespace(forward=7, backward=8),
        data_fingerprints=["x", "y"],
        readout=None,
        performance=None,
        speed=Speed("channels last", 16, 2.0, 1e-6, 1e-6),
        notes=["a note"],
        clusters={"x": "c"},
        left_out=(LeftOut("row 1", "http://me:secret@server"),),
        undefined=lambda: {"a": (LeftOut("row 2", "no"),)},
        store=SimpleNamespace(folder=tmp_path),
        failed=lambda: failed,
        failures=lambda: every,
    )


def test_what_the_run_found_is_added(tmp_path):
    before = Record(data=DataFacts(9, (3,)), metrics_left_out={"early": "needs maps"}, notes=("first",))
    record = add_results(before, finished(tmp_path))
    assert record.notes == ("first", "a note")
    assert record.undefined == {"a": (LeftOutFacts("row 2", "no"),)}
    assert (record.status, record.error, record.failures) == ("done", None, {})
    assert record.passes.attributions == PassCount(7, 2)
    assert record.speed == SpeedFacts("channels last", 16, 2.0, 1e-6, 1e-6)
    assert record.passes.metrics == {"s": PassCount(5, 6, 1.2346)}
    assert record.passes.predictions_and_references == PassCount(7, 8)
    assert record.data == DataFacts(
        9,
        (3,),
        clusters={"x": "c"},
        fingerprint=digest(["x", "y"]),
        left_out=(LeftOutFacts("row 1", "http://me:***@server"),),
    )
    assert record.metrics_left_out == {"early": "needs maps", "late": "not for this model"}
    assert record.objects == {CellId("a"): ("k1", "k2")}
    assert record.store == str(tmp_path.resolve())


def test_failures_are_added_without_passwords(tmp_path):
    secret = "http://me:secret@server"
    failures = {"m": Failure(f"ValueError: {secret}", "a.py:3", f"Traceback {secret}"), "n": Failure("no")}
    record = add_results(Record(), finished(tmp_path, failures, failed=True))
    assert record.status == "failed"
    assert record.error == f"m: ValueError: {secret}; n: no"
    assert record.failures["m"].reason == "ValueError: http://me:***@server"
    assert record.failures["m"].traceback == "Traceback http://me:***@server"
    assert record.failures["m"].place == "a.py:3"
