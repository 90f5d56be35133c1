"""`xaiexp plugins try`: the components of a file are checked and used; a mistake in it is told in a few lines."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from xaiexp.cli.app import main
from xaiexp.cli.exit_codes import DONE, FAILED, WRONG
from xaiexp.cli.tools.scaffold import example
from xaiexp.contract.registry import installed

METHOD = example("method").replace("\nfrom xaiexp.plugin", "\n\nfrom xaiexp.plugin")


@pytest.fixture(autouse=True)
def _unchanged_interpreter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(installed().plugins), dict(installed()._classes)
    modules = set(sys.modules)
    yield
    for name in [each for each in sys.modules if each.startswith(("tried_", "trial")) and each not in modules]:
        del sys.modules[name]
    assert (installed().plugins, installed()._classes) == before


def tried(capsys, source, *words, name="trial.py"):
    """The exit code, and the lines of both streams."""
    with open(name, "w") as file:  # noqa: PTH123  # relative, as a person would name it
        file.write(source)
    code = main(["plugins", "try", name, *words])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_the_components_of_a_file_are_checked_and_studied(workplace, capsys):
    code, out, _ = tried(capsys, METHOD, "method.mine.power=2", "metric=[sparseness]")
    assert code == DONE
    (said,) = [line for line in out.splitlines() if line.startswith("checks: ") or " checks: " in line][:1]
    passed = re.search(r"checks: (\d+) passed, 0 failed, not applied: complete, device, linear_network", said)
    assert passed is not None
    assert int(passed[1]) > 20
    assert "results: " in out
    (folder,) = workplace.glob("outputs/20*/*")
    assert (folder / "scores.parquet").is_file()
    assert "power: 2.0" in (folder / "config.yaml").read_text()


def test_an_edited_file_finds_nothing_of_its_earlier_self_in_the_store(workplace, capsys):
    for source in (METHOD, METHOD.replace("return product", "return 2 * product")):
        code, out, _ = tried(capsys, source, "metric=[]")
        assert code == DONE, out
    import pandas as pd

    keys = [pd.read_parquet(file).set_index("method")["key"] for file in workplace.glob("outputs/20*/*/cells.parquet")]
    assert keys[0]["mine"] != keys[1]["mine"]
    assert keys[0]["random"] == keys[1]["random"]


MISTAKES = [
    (METHOD.replace("def attribute(", "def attribute"), "SyntaxError: "),
    (METHOD.replace("(Method):", "(Mehtod):"), "NameError: name 'Mehtod' is not defined"),
    (METHOD.replace("@dataclass(frozen=True)", "@dataclass"), "TypeError: cannot inherit non-frozen dataclass"),
    (METHOD.replace("    reads_baseline, signed", "    read_baseline, signed"), "Mine: does not state reads_baseline"),
    (METHOD.replace("class Mine", "class Saliency").replace("[Mine]", "[Saliency]"), "'saliency' is already provided"),
    ("import os\nraise SystemExit(3)\n", "SystemExit: 3"),
    ("import no_such_thing\n", "ModuleNotFoundError: No module named 'no_such_thing'"),
]


@pytest.mark.parametrize(("source", "message"), MISTAKES)
def test_a_mistake_is_told_with_file_and_line_and_without_a_traceback(source, message, workplace, capsys):
    code, out, err = tried(capsys, source)
    assert code == WRONG
    lines = err.strip().splitlines()
    assert 1 <= len(lines) <= 3
    number = int(lines[0].removeprefix("trial.py:").partition(":")[0])
    assert message in lines[0]
    assert "Traceback" not in out + err
    words = {"SyntaxError: ": "def attribute", "SystemExit: 3": "raise"}.get(message, "")
    assert words in source.splitlines()[number - 1]
    assert not list(workplace.glob("outputs/20*"))


def test_a_mistake_in_a_method_is_told_with_its_line_and_no_study_is_run(workplace, capsys):
    source = METHOD.replace("batch.inputs * model", "bach.inputs * model")
    code, out, err = tried(capsys, source)
    line = next(number for number, text in enumerate(source.splitlines(), 1) if "bach" in text)
    assert code == FAILED
    first = out.replace("\n", "").partition("checks: ")[0]
    assert re.search(r"name 'bach' is not defined\)\s+trial\.py:\d+ in attribute: product = bach\.inputs", first)
    assert f"trial.py:{line} in attribute" in first
    assert "the study was not run" in out
    assert "Traceback" not in out + err


def test_what_is_no_component_is_refused(workplace, capsys):
    code, _, err = tried(capsys, "x = 1\n")
    assert (code, err.partition("\n")[0]) == (WRONG, "trial.py: has no component")
    code, _, err = tried(capsys, METHOD.replace("XAIEXP_API = 1", "XAIEXP_API = 99"))
    assert code == WRONG
    assert "is written for version 99 of the contract" in err
    assert main(["plugins", "try", "trail.py"]) == WRONG
    assert "no such file (got 'trail.py')\n  nearest: trial.py" in capsys.readouterr().err
    code, _, err = tried(capsys, METHOD, "method.mine.pwoer=2")
    assert code == WRONG
    assert "nearest: power" in err


def test_the_help_says_that_the_file_is_run(capsys):
    assert main(["plugins", "try", "--help"]) == DONE
    assert "it may do whatever you may do" in " ".join(capsys.readouterr().out.split())
