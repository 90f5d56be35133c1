"""`xaiexp.plugin` is complete, documented, light, and the only module of the package that plugins need."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import xaiexp.plugin
from xaiexp.cli.tools.scaffold import new_plugin
from xaiexp.contract.registry import Registry

ROOT = Path(__file__).parents[1]
PUBLIC = {"xaiexp", "xaiexp.plugin", "xaiexp.testing"}

# Imports of internal modules in tests of plugins, with the reason.
EXCEPTIONS = {
    ("plugins/xaiexp-lxt/tests/lxt_cases.py", "xaiexp.builtin.models.embeddings"): "runs classifiers as studies do",
    ("plugins/xaiexp-lxt/tests/lxt_cases.py", "xaiexp.inference.passes"): "sets precision and rows per pass",
    (
        "plugins/xaiexp-lxt/tests/test_lxt_networks.py",
        "xaiexp.builtin.models.embeddings",
    ): "runs classifiers as studies do",
    (
        "plugins/xaiexp-lxt/tests/test_lxt_networks.py",
        "xaiexp.builtin.models.image_models",
    ): "runs classifiers as studies do",
    ("plugins/xaiexp-onnx/tests/test_onnx.py", "xaiexp.inference.passes"): "compares the outputs of single passes",
    ("plugins/xaiexp-onnx/tests/test_onnx.py", "xaiexp.plan.plan"): "plans a study without running it",
    ("plugins/xaiexp-onnx/tests/test_onnx.py", "xaiexp.plan.settings"): "plans a study without running it",
    ("plugins/xaiexp-onnx/tests/test_onnx.py", "xaiexp.plan.study"): "plans a study without running it",
    ("plugins/xaiexp-zennit/tests/lrp_cases.py", "xaiexp.inference.passes"): "sets precision and rows per pass",
}


def public_names():
    return [
        name
        for name, value in vars(xaiexp.plugin).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    ]


def is_documented_in_the_module(name):
    """Whether a name is neither a class nor a function: its docstring would be that of its type."""
    value = getattr(xaiexp.plugin, name)
    return not (inspect.isclass(value) or inspect.isfunction(value))


def test_all_contains_exactly_the_public_names_in_the_order_of_ruff():
    assert sorted(xaiexp.plugin.__all__) == sorted(public_names())

    def category(name):  # constants, classes, functions
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert sorted(xaiexp.plugin.__all__, key=category) == xaiexp.plugin.__all__


@pytest.mark.parametrize("name", xaiexp.plugin.__all__)
def test_every_name_has_a_docstring_of_its_own(name):
    if is_documented_in_the_module(name):
        assert re.search(rf"^- ``{name}``: .+(?:\n  .+)*", xaiexp.plugin.__doc__, flags=re.MULTILINE)
        return
    value = getattr(xaiexp.plugin, name)
    docstring = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    assert docstring, "no docstring of its own"
    assert not docstring.startswith(f"{name}("), "the docstring is the signature that dataclass writes"
    summary = docstring.strip().split("\n\n")[0]
    assert len(summary.split()) >= 3
    assert summary.rstrip()[-1] in ".:"
    assert not re.match(r"(as|see|like|the same)\b", summary, flags=re.IGNORECASE), (
        "the docstring refers to another one"
    )


@pytest.mark.parametrize("name", ["Modality", "Task", "Precision", "Space"])
def test_the_module_docstring_lists_the_values_of_literals(name):
    (line,) = re.findall(rf"^- ``{name}``: .+(?:\n  .+)*", xaiexp.plugin.__doc__, flags=re.MULTILINE)
    for value in getattr(xaiexp.plugin, name).__args__:
        assert f'``"{value}"``' in line


def test_importing_it_imports_nothing_heavy():
    code = (
        "import sys, xaiexp.plugin;"
        "print([m for m in ('torch', 'numpy', 'pandas', 'mlflow', 'captum', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def internal_imports(source):
    """The modules of the package that a source imports, except the public ones."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            if node.module == "xaiexp":
                modules |= {f"xaiexp.{alias.name}" for alias in node.names if alias.name not in xaiexp.__all__}
            else:
                modules.add(node.module)
    return {m for m in modules if m.split(".")[0] == "xaiexp"} - PUBLIC


def test_internal_imports_are_detected():
    assert (
        internal_imports("from xaiexp.plugin import Method\nimport xaiexp\nfrom xaiexp import hookimpl, run") == set()
    )
    assert internal_imports("from xaiexp import plugin, testing") == set()
    assert internal_imports("from xaiexp import store") == {"xaiexp.store"}
    assert internal_imports("def f():\n    from xaiexp.core import draws") == {"xaiexp.core"}
    assert internal_imports("import xaiexp.errors as e, torch, xaiexp_mine") == {"xaiexp.errors"}


SOURCES = sorted([*ROOT.glob("plugins/*/xaiexp_*/**/*.py"), *ROOT.glob("plugins/*/tests/*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_plugins_import_public_modules_only(path):
    name = path.relative_to(ROOT).as_posix()
    allowed = {module for file, module in EXCEPTIONS if file == name}
    assert internal_imports(path.read_text(encoding="utf-8")) == allowed


def test_the_exceptions_are_tests_of_plugins():
    assert all(
        re.fullmatch(r"plugins/[^/]+/tests/[^/]+\.py", file) and (ROOT / file).is_file() for file, _ in EXCEPTIONS
    )


BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in sorted(ROOT.glob("docs/*.md"))
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    )
]


@pytest.mark.parametrize("block", BLOCKS)
def test_code_in_the_documentation_imports_public_modules_only(block):
    assert internal_imports(block) == set()


def test_a_new_plugin_imports_public_modules_only(tmp_path):
    folder = new_plugin("demo", tmp_path, Registry())
    sources = list(folder.rglob("*.py"))
    assert len(sources) == 2
    assert [internal_imports(path.read_text()) for path in sources] == [set(), set()]
