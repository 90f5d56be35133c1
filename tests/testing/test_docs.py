"""`docs/plugins.md`: its code runs and passes the checks, and its tables are those of the kit."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import Registry
from xaiexp.testing import check, checks, report
from xaiexp.testing.studies import modality_study

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
TITLES = {"component": "All components", "features": "Features"}
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
FURTHER = dict(re.findall(r"<!-- generated: (\w+) -->\n\n```python\n(.*?)```", PAGE, re.S))
STUDY = next(block for block in BLOCKS if "import study" in block)
LAYER = next(block for block in BLOCKS if "model.layer(" in block)


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The module in the page: a method, a metric and the hook."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "xaiexp_mine.py").write_text("\n\n".join(BLOCKS[:3]))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("xaiexp_mine")


def test_the_method_in_the_page_is_shorter_than_30_lines():
    assert len(BLOCKS[0].strip().splitlines()) < 30
    assert max(len(line) for block in BLOCKS for line in block.splitlines()) <= 120


def test_the_components_in_the_page_pass_all_checks(mine):
    registry = Registry()
    assert registry.add("mine", "xaiexp-mine", "1.0", lambda: mine).reason == ""
    results = [*report("mine", registry), *check(mine.NoisyDifference(n_samples=3))]
    assert [str(result) for result in results if result.outcome == "failed"] == []
    assert {result.component for result in results} == {"method.noisy_difference", "metric.single_removal"}


@pytest.mark.parametrize("kind", sorted(FURTHER))
def test_a_complete_example_of_a_kind_is_short_and_passes_all_checks(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len([line for line in FURTHER[kind].splitlines() if line.strip()]) < 40
    (tmp_path / f"xaiexp_page_{kind}.py").write_text(FURTHER[kind])
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(f"xaiexp_page_{kind}")
    registry = Registry()
    assert registry.add("page", "xaiexp-page", "1.0", lambda: module).reason == ""
    results = report("page", registry)
    assert [str(result) for result in results if result.outcome == "failed"] == []
    assert {result.component.partition(".")[0] for result in results} == {kind}


def test_every_kind_has_a_complete_example():
    assert set(FURTHER) | {"method", "metric"} == set(KINDS)


def test_the_study_in_the_page_is_done(mine, workplace):
    namespace: dict[str, object] = {}
    exec(STUDY, namespace)
    (test,) = (value for name, value in namespace.items() if name.startswith("test_"))
    test(workplace / "study")


def test_the_method_of_a_layer_in_the_page_is_gradient_times_activation():
    namespace: dict[str, object] = {}
    exec(LAYER, namespace)
    test_study = modality_study("series")
    size = test_study.batch.inputs[0].numel()
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    model = test_study.handle().with_module(module.eval().requires_grad_(False))
    found = namespace["attribute"](SimpleNamespace(layer="1"), model, test_study.batch, None, None)
    hidden = module[:2](test_study.batch.inputs).requires_grad_()
    scores = module[2:](hidden).gather(1, test_study.batch.targets.unsqueeze(1))
    (gradient,) = torch.autograd.grad(scores.sum(), hidden)
    torch.testing.assert_close(found, (gradient * hidden).detach())


def test_the_ten_mistakes_name_checks_of_the_kit():
    section = re.search(r"^## Ten mistakes.*?\n(.*?)(?=^## )", PAGE, re.M | re.S).group(1)
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in section.splitlines() if "| `" in line]
    assert len(rows) == 10
    for _, kind, name in rows:
        known = {each.name for each in checks("method" if kind == "all" else kind)}
        assert name.strip("`") in known


def test_the_test_module_in_the_page_has_one_case_per_check(mine):
    namespace: dict[str, object] = {}
    exec(BLOCKS[-1], namespace)
    (mark,) = namespace["test_conformance"].pytestmark
    assert len(mark.args[1]) == 2 * len(checks("method")) + len(checks("metric"))


def table(title):
    section = re.search(rf"^### {title}\n(.*?)(?=^##|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL).group(1)
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if "| `" in line]
    return [(name.strip("| `"), description, reason) for name, description, reason in rows]


@pytest.mark.parametrize("kind", ["component", *KINDS])
def test_the_tables_in_the_page_are_those_of_the_kit(kind):
    documented = table(TITLES.get(kind, f"{kind.capitalize()}s"))
    defined = [item for item in checks("features" if kind == "component" else kind) if item.kind == kind]
    assert [(name, text) for name, text, _ in documented] == [(item.name, item.description) for item in defined]
    assert all(len(reason) > 10 for _, _, reason in documented)
