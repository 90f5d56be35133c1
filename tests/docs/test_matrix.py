"""Every method on small networks, as docs/matrix.md has it for large ones; and a wrong map does not pass."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from xaiexp.api.functions import components

ROOT = Path(__file__).parents[2]
SMALL = ("mlp", "conv1d")
# Not those that read files or trees, and not those of other libraries (benchmarks/peers_agree.py).
METHODS = {
    cls.name: cls
    for cls in components("method")
    if not cls.name.startswith(("captum_", "shap_")) and cls.repeatable and "trees" not in cls.needs
}


@pytest.fixture(scope="module")
def matrix():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("matrix")
        for name in ("matrix", "matrix_networks", "matrix_references"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def columns(matrix):
    return {name: dict(matrix.column(name)) for name in SMALL}


@pytest.mark.parametrize("network", SMALL)
def test_no_method_fails_on_a_small_network(columns, network):
    cells = columns[network]
    assert set(cells) == set(METHODS)
    assert {name: cell for name, cell in cells.items() if cell.status == "failed"} == {}
    assert {name for name, cell in cells.items() if cell.status == "skip" and not cell.note} == set()


@pytest.mark.parametrize("network", SMALL)
def test_every_claim_to_add_up_is_measured_and_holds(columns, network):
    claimed = {name for name, cls in METHODS.items() if cls().complete}
    cells = {name: cell for name, cell in columns[network].items() if name in claimed and cell.status != "skip"}
    assert {"integrated_gradients", "deep_lift", "exact_shapley", "neuron_integrated_gradients"} <= set(cells)
    assert {
        name: cell for name, cell in cells.items() if cell.status != "complete" or not 0 <= cell.deviation <= 1e-3
    } == {}


def test_the_page_names_every_method_and_every_network(matrix):
    page = (ROOT / "docs" / "matrix.md").read_text(encoding="utf-8")
    assert [name for name in METHODS if f"| `{name}` |" not in page] == []
    assert f"| method | {' | '.join(each.title for each in matrix.NETWORKS.values())} |" in page
    assert "**failed**" not in page


def broken(name, change):
    """A method of the registry whose maps are changed."""
    cls = METHODS[name]

    def attribute(self, model, batch, reference, rng):
        return change(cls.attribute(self, model, batch, reference, rng), batch)

    return type(cls.__name__, (cls,), {"attribute": attribute, "name": name})


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("integrated_gradients", lambda found, _: 1.01 * found, "from its expected sum in 4096 steps"),
        ("deep_lift", lambda found, _: 1.01 * found, "from its expected sum"),
        ("neuron_integrated_gradients", lambda found, _: 1.01 * found, "from its expected sum in 4096 steps"),
        ("saliency", lambda found, _: found.roll(1, dims=1), "differs from the reference implementation"),
        ("layer_activation", lambda found, _: -found, "differs from the reference implementation"),
        ("neuron_conductance", lambda found, _: 0.9 * found, "differs from the reference implementation"),
        ("guided_backprop", lambda found, _: found / found.abs().max(), "the first example alone has another map"),
        ("random", lambda found, _: torch.zeros_like(found), "0 everywhere"),
        ("random", lambda found, _: found[:, :1], "returned attributions of shape"),
    ],
)
def test_a_wrong_map_does_not_pass(matrix, name, change, reason):
    cell = matrix.cell(matrix.NETWORKS["mlp"].make(), broken(name, change))
    assert cell.status == "failed"
    assert reason in cell.note


def test_a_method_that_the_network_cannot_serve_is_skipped_with_the_reason(matrix):
    case = matrix.NETWORKS["mlp"].make()
    assert matrix.cell(case, METHODS["raw_attention"]) == matrix.Cell("skip", note="the network has no attention")
    assert matrix.cell(case, METHODS["sobel"]).note == "for image only"
    without = replace(case, offers=frozenset())
    assert matrix.cell(without, METHODS["saliency"]).note == "the network has no gradients"
    assert matrix.cell(without, METHODS["feature_ablation"]).status == "equal"
