"""The page for authors: its code runs and keeps the laws, its table is that of the kit."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import Registry
from xaiexp.testing import check, laws, report

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
TITLES = {"features": "Features", "dataset": "Data sets"}
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The module that the page writes: its method, its metric, its hook."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "xaiexp_mine.py").write_text("\n\n".join(BLOCKS[:3]))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("xaiexp_mine")


def test_the_method_of_the_page_has_less_than_30_lines():
    assert len(BLOCKS[0].strip().splitlines()) < 30
    assert max(len(line) for block in BLOCKS for line in block.splitlines()) <= 120


def test_the_components_of_the_page_keep_every_law(mine):
    found = Registry()
    assert found.add("mine", "xaiexp-mine", "1.0", lambda: mine).reason == ""
    verdicts = [*report("mine", found), *check(mine.NoisyDifference(n_samples=3))]
    assert [str(v) for v in verdicts if v.outcome == "failed"] == []
    assert {v.component for v in verdicts} == {"method.noisy_difference", "metric.single_removal"}


def test_the_tests_of_the_page_are_tests(mine):
    space: dict[str, object] = {}
    exec(BLOCKS[3], space)
    (mark,) = space["test_conformance"].pytestmark
    assert len(mark.args[1]) == 2 * len(laws("method")) + len(laws("metric"))


def table(title):
    section = re.search(rf"^### {title}\n(.*?)(?=^##|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL).group(1)
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if "| `" in line]
    return [(name.strip("| `"), sentence, why) for name, sentence, why in rows]


@pytest.mark.parametrize("kind", ["component", *KINDS])
def test_the_table_of_the_page_is_that_of_the_kit(kind):
    title = "All components" if kind == "component" else TITLES.get(kind, f"{kind.capitalize()}s")
    told = table(title)
    known = laws("features" if kind == "component" else kind)
    assert [(name, sentence) for name, sentence, _ in told] == [(w.name, w.sentence) for w in known if w.kind == kind]
    assert all(len(why) > 10 for _, _, why in told)
