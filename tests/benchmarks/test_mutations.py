"""Mutation testing of a toy checkout: what a test notices is killed, what no test looks at survives."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("mutations")
        for name in ("mutations", "mutation_runs", "mutation_operators"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("return a < b", ["return None", "return (a <= b)"]),
        ("return a == b", ["return None", "return (a != b)"]),
        ("return a is b", ["return None", "return (a is not b)"]),
        ("return a in b", ["return None", "return (a not in b)"]),
        ("return a and b", ["return None", "return (a or b)"]),
        ("return not a", ["return None", "return a"]),
        ("return -a", ["return None", "return a"]),
        ("return a * b", ["return None", "return (a / b)"]),
        ("return [a]", ["return []"]),
        ("return {a: b}", ["return {}"]),
        ("return", ["pass"]),
        ("return None", []),
        ("a = 2", ["a = 3"]),
        ("a = True", ["a = False"]),
        ("a = 'done'", ["a = 'doneX'"]),
        ("a = 'no such key'", []),
        ("a = 'x' + b", ["a = 'xX' + b"]),
        ("a = f'{b + 1}'", []),
        ("a.b = c", ["pass"]),
        ("a += b", ["pass", "a -= b"]),
        ("a(b)", ["pass"]),
        ("a = b(c, d=e)", ["a = b(c)"]),
        ("a = b(**c)", ["a = b()"]),
        ("a = b[:c]", ["a = b[:(c + 1)]"]),
        ("a = b if c else d", ["a = b if not c else d"]),
        ("a = {b for b in c if d}", ["a = {b for b in c if True}"]),
        ("if a: b = c", ["if False: b = c", "if True: b = c"]),
        ("if a: b = c\n    else: b = d", ["if not a: b = c\n    else: b = d"]),
        ("while a: break", ["while not a: break", "while a: pass"]),
        ("raise a(b < 1, 'no', c='d')", ["pass"]),
        ("import a", []),
        ("é = b < c", ["é = (b <= c)"]),
        ("a: list[1]", []),
        ("if TYPE_CHECKING: a = 1", []),
    ],
)
def test_a_statement_is_changed_in_every_way_and_in_no_other(tool, statement, changed):
    function = "@d(e=1)\ndef f(x: 1 < 2) -> 3:\n    'one'\n    {}\n"
    found = [ast.unparse(ast.parse(mutant.source)) for mutant in tool.mutants(function.format(statement))]
    assert sorted(found) == sorted(ast.unparse(ast.parse(function.format(each))) for each in changed)


def test_exported_names_are_left_alone_and_fields_and_defaults_belong_to_the_import(tool):
    source = "__all__ = ['a']\nclass A:\n    b: int = 1\n    def c(self, d=2):\n        return (\n            d == 3)\n"
    found = {(m.line, m.mutation): (m.lines, m.at_import) for m in tool.mutants(source)}
    assert found == {
        (3, "1 -> 2"): (range(3, 4), True),
        (4, "2 -> 3"): (range(4, 5), True),
        (5, "return None in place of its value"): (range(5, 7), False),
        (6, "d == 3 -> d != 3"): (range(5, 7), False),
        (6, "3 -> 4"): (range(5, 7), False),
    }


TOY = {
    "pyproject.toml": "[tool.pytest.ini_options]\n",
    "xaiexp/__init__.py": "",
    "xaiexp/store/__init__.py": (
        "def tested(a, b):\n    return a + b\n\ndef executed(a, b):\n    a.append(b)\n\ndef alone():\n    return 7\n\n"
        "def by_program():\n    return 5\n\ndef ends(a):\n    while not a:\n        pass\n"
    ),
    "tests/store/test_toy.py": (
        "import subprocess\nimport sys\n\nfrom xaiexp import store\n\n"
        "def test_sum():\n    assert store.tested(2, 3) == 5\n\n"
        "def test_nothing():\n    store.executed([], 3)\n\n"
        "def test_program():\n    code = 'import sys; from xaiexp import store; sys.exit(store.by_program())'\n"
        "    assert subprocess.run([sys.executable, '-c', code]).returncode == 5\n\n"
        "def test_end():\n    store.ends(3)\n\n"
        "def test_that_fails():\n    assert store.tested(1, 1) == 3\n"
    ),
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    root = tmp_path_factory.mktemp("toy")
    for name, text in TOY.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def program(toy, *words):
    """The tool in a process of its own, since this one has imported the package."""
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); import mutations\n"
        "mutations.PRELOADED = ('pytest', 'hydra', 'hypothesis')\n"
        "mutations.GRACE = 3; code = mutations.main(sys.argv[1:])\n"
        "only = mutations.main([*sys.argv[1:], '--only', 'xaiexp/store/__init__.py:2']); sys.exit(10 * code + only)"
    )
    places = ["--root", str(toy), "--work", str(toy.parent / f"{toy.name}-work")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *places, *words], capture_output=True, text=True, check=False, env=environment
    )
    return done.returncode, done.stdout, done.stderr


def test_killed_and_surviving_mutants_are_told_apart(toy):
    code, out, err = program(toy, "--rooms", "store", "--jobs", "2")
    assert code == 10, err
    assert "| store | 2 | 2 | 0 | 0 | 100% |" in out  # the chosen line
    err = err.partition("1/2")[0]
    assert "left out, fails without a mutant: tests/store/test_toy.py::test_that_fails" in out
    outcome = {}
    for line in err.splitlines():
        word, _, rest = line.partition(" ")[2].partition(": xaiexp/store/__init__.py:")
        outcome[int(rest.partition(":")[0])] = word
    assert outcome == {2: "killed", 5: "survived", 8: "no test", 11: "killed", 14: "timed out"}
    assert "xaiexp/store/__init__.py:5: call removed (survived)" in out
    assert {name: (toy / name).read_text() for name in TOY} == TOY


def test_a_sample_depends_on_its_seed_and_not_on_lines_that_were_added_elsewhere(tool, tmp_path):
    for room, count in (("plan", 100), ("engine", 500)):
        folder = tmp_path / "xaiexp" / room
        folder.mkdir(parents=True)
        (folder / "one.py").write_text("".join(f"a{n} = {n}\n" for n in range(count)))

    def drawn(seed):
        every = tool.sample(("plan", "engine"), 60, seed, tmp_path)
        return [(chosen.file, chosen.mutant.mutation) for chosen in every]

    before = drawn(0)
    assert [Path(file).parent.name for file, _ in before] == ["plan"] * 20 + ["engine"] * 50
    assert before != drawn(1)
    changed = tmp_path / "xaiexp" / "plan" / "one.py"
    changed.write_text("import os\n" + changed.read_text())
    assert drawn(0) == before
