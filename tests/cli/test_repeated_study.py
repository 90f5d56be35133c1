"""What a study costs whose results are all in the store: counted, not timed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from trained_networks import trained_networks

from xaiexp.cli import app
from xaiexp.cli.exit_codes import DONE
from xaiexp.results import verdict
from xaiexp.statistics import summary

STUDY = [
    "method=[saliency,random]", "metric=[deletion]", "agreement=[cosine]", "examples=8", "tracking.uri=off",
    "report=false",
]  # fmt: skip
PROGRAM = """
import sys
from xaiexp.cli import app
assert app.main(sys.argv[2:]) == 0
print("loaded:", [name for name in sys.argv[1].split(",") if name in sys.modules])
"""


@pytest.fixture(autouse=True)
def _in_a_folder_with_trained_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "outputs" / "store" / "models"
    models.parent.mkdir(parents=True)
    models.symlink_to(trained_networks(), target_is_directory=True)
    monkeypatch.chdir(tmp_path)


def loaded(modules: str, line: list[str]) -> str:
    """Which of these modules the program has loaded at its end."""
    command = [sys.executable, "-c", PROGRAM, modules, *line]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_an_untracked_study_loads_no_tracking_and_a_plan_no_torch_either() -> None:
    assert loaded("torch,mlflow", STUDY) == "loaded: ['torch']"
    assert loaded("torch,mlflow,scipy.stats,sklearn", ["plan", *STUDY]) == "loaded: []"


def test_a_study_with_tracking_and_page_loads_what_it_uses_when_it_runs_and_again() -> None:
    line = [*(word for word in STUDY if not word.startswith(("tracking", "report"))), "method=[deep_lift,random]"]
    large = "torch,mlflow,sqlalchemy,sklearn,sympy,torchvision,matplotlib"
    assert loaded(large, line) == "loaded: ['torch']"
    assert loaded(f"{large},scipy.stats,scipy.optimize", line) == "loaded: ['torch']"
    assert len(list(Path("outputs/mlartifacts").glob("*/artifacts/record.json"))) == 2


def test_the_statistics_of_a_study_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def count(module: ModuleType, name: str) -> None:
        original: Callable[..., object] = getattr(module, name)

        def counted(*arguments: object, **more: object) -> object:
            calls.append(name)
            return original(*arguments, **more)

        monkeypatch.setattr(module, name, counted)

    for module, name in ((verdict, "verdict_table"), (verdict, "comparison_table"), (summary, "summarise")):
        count(module, name)
    assert app.main([*STUDY, "hydra.run.dir=outputs/a"]) == DONE
    assert sorted(calls) == ["comparison_table", "summarise", "verdict_table"]
    assert app.main([*STUDY, "hydra.run.dir=outputs/b"]) == DONE
    assert len(calls) == 3
    for name in ("summary", "verdicts", "comparisons"):
        a, b = (Path("outputs", folder, f"{name}.csv").read_bytes() for folder in "ab")
        assert a == b
    assert app.main([*STUDY, "null_draws=0", "hydra.run.dir=outputs/c"]) == DONE
    assert len(calls) == 6
