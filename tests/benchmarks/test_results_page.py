"""``python -m benchmarks``: what is measured alternates, and ``RESULTS.md`` says what was measured where."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _benchmarks_are_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        del sys.modules[name]


def test_the_page_is_that_of_the_results():
    from benchmarks.__main__ import page

    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    assert (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8") == page(results)


def test_every_suite_has_rows():
    from importlib import import_module

    from benchmarks.__main__ import SUITES

    assert all(callable(import_module(module).rows) for _, module in SUITES.values())


def test_measurements_alternate():
    from benchmarks.suites.measuring import alternate, ratio, spread

    made = []
    times = alternate({"a": lambda: made.append("a"), "b": lambda: made.append("b")}, repeats=2)
    assert made == ["a", "b"] * 3
    assert [len(each) for each in times.values()] == [2, 2]
    assert spread([1.0, 3.0, 2.0]) == "2 (1 to 3)"
    assert spread([2880.4]) == "2,880"
    assert ratio([2.0, 9.0], [1.0, 3.0]) == "2.5 (2 to 3)"


def test_the_floor_makes_the_passes_that_were_counted():
    import xaiexp
    from benchmarks.suites.methods import counted, floor

    rows = []
    network = nn.Sequential(nn.Linear(4, 3)).eval().requires_grad_(False)
    x, target = torch.rand(6, 4), torch.zeros(6, dtype=torch.int64)
    with counted() as made:
        xaiexp.attribute(network, x, "integrated_gradients", target=target, n_steps=5)
    network.register_forward_hook(lambda module, given, out: rows.append(len(out)))
    floor(network, x, target, 7, *made)
    assert made[1] >= 30
    assert sum(rows) == made[0]
    assert max(rows) <= 7
