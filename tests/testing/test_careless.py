"""Components that a careless author wrote: for each of them the checks that catch it, the telling one first."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from xaiexp.testing import check

PLACE = Path(os.environ.get("XAIEXP_CARELESS", Path(__file__).parents[3] / "shared" / "careless")) / "careless.py"
CAUGHT_BY = {
    "WBatchMax": "batch_mates",
    "WTrain": "network_unchanged",
    "WHookLeak": "errors_change_nothing",
    "WGlobalRng": "global_randomness",
    "WPythonHash": "own_generator",
    "WView": "own_memory",
    "WSign": "sign",
    "WLabels": "labels",
    "WArgmax": "target",
    "WContext": "inputs_unchanged",
    "WContextDict": "shape",
    "WAbs": "signed",
    "WUnsigned": "signed",
    "WDirect": "counted",
    "WBackward": "counted",
    "WRefuses": "values_were_checked",
    "WElements": "whole_features",
    "MLabels": "labels",
    "MBounds": "bounds",
    "MSign": "needs_sign",
    "MBatchStd": "batch_mates",
    "MMut": "inputs_unchanged",
    "MNan": "defined",
    "BModelSpaceZero": "data_space",
    "BBatchMean": "batch_mates",
    "NProb": "task",
    "DOverlap": "training_apart",
}


@pytest.fixture(scope="module")
def careless():
    """The module of wrong components, which is not part of this repository."""
    if not PLACE.is_file():
        pytest.skip(f"there are no careless components at {PLACE} (set XAIEXP_CARELESS)")
    spec = importlib.util.spec_from_file_location("careless", PLACE)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(importlib.import_module("sys").modules, "careless", module)
        spec.loader.exec_module(module)
        yield module


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_a_careless_component_fails_the_check_that_names_its_fault(careless, name):
    failures = {result.check: result.message for result in check(getattr(careless, name)) if result.outcome == "failed"}
    assert CAUGHT_BY[name] in failures
    assert len(failures[CAUGHT_BY[name]]) > 20


def test_every_careless_component_is_named_here(careless):
    assert {cls.__name__ for cls in careless.ALL} == set(CAUGHT_BY)
