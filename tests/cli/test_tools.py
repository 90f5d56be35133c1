"""The tools of the program, called as a person calls them."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

import pytest
from small_studies import run

from xaiexp.cli import app as cli
from xaiexp.cli.tools import conformance
from xaiexp.cli.tools.ui import addresses
from xaiexp.contract.registry import installed
from xaiexp.testing import CheckResult


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of one study."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("study"))
        return run("method=[saliency]", "metric=[]", "agreement=[]", "examples=2").path.resolve()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["repot"],
            "repot: is neither KEY=VALUE nor a tool\n"
            "  nearest: report, export   tools: archive, completion, drift, export, gate, plan, plugins, repair, "
            "report, reproduce, show, store, track, ui, verify, view",
        ),
        (["export", "nowhere"], "export: no such folder (got 'nowhere')"),
        (["report"], "report: the following arguments are required: DIR"),
        (["report", "nowhere"], "report: no such folder (got 'nowhere')"),
        (["report", "."], "report: contains no study (a folder with record.json) (got '.')"),
        (
            ["plugins", "check", "nothing"],
            "plugins check: no installed plugin or component has this name (got 'nothing')",
        ),
        (["plugins", "nw"], "plugins: argument TOOL: invalid choice: 'nw'"),
        (["ui"], "ui: there are no runs here yet (got 'outputs/mlflow.db')\n  run a study: xaiexp"),
        (["view"], "view: the following arguments are required: DIR"),
        (["view", "nowhere"], "view: no such folder (got 'nowhere')"),
        (["view", "."], "view: contains no study (a folder with record.json) (got '.')"),
        (["view", ".", "--port", "70000"], "view --port: must be between 0 and 65535 (got 70000)"),
        (["ui", "--port", "x"], "ui: argument --port: invalid int value: 'x'"),
    ],
)
def test_a_wrong_request_of_a_tool_is_told_in_its_words(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == cli.WRONG
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize("tool", cli.TOOLS)
def test_every_tool_explains_itself(tool, capsys):
    assert cli.main([tool, "--help"]) == cli.DONE
    out = capsys.readouterr().out
    assert out.startswith(f"usage: xaiexp {tool}")
    assert len(out.split("\n\n")[1].split()) > 3  # what it does


def test_the_version_is_that_of_the_distribution(capsys):
    from importlib.metadata import version

    assert cli.main(["--version"]) == cli.DONE
    assert capsys.readouterr().out == f"xaiexp {version('xaiexp')}\n"


def test_a_report_is_written_beside_the_study_or_where_it_is_asked_for(study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", str(study)]) == cli.DONE
    assert Path(capsys.readouterr().out.strip()) == study / "report.html"
    assert (study / "report.html").is_file()
    assert cli.main(["report", str(study.parent), "--out", "pages/all.html"]) == cli.DONE
    assert Path(capsys.readouterr().out.strip()) == Path("pages/all.html")
    assert Path("pages/all.html").is_file()


def test_the_interface_of_mlflow_replaces_the_process_and_listens_on_the_loopback_address_only(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("outputs").mkdir()
    Path("outputs/mlflow.db").touch()
    started = []
    monkeypatch.setattr(os, "execv", lambda *words: started.append(words))
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    cli.main(["ui", "--port", "5077"])
    ((program, command),) = started
    assert program == command[0] == sys.executable
    assert command[1:4] == ["-m", "mlflow", "ui"]
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert options == {
        "--backend-store-uri": f"sqlite:///{Path('outputs/mlflow.db').resolve()}",
        "--host": "127.0.0.1",
        "--port": "5077",
        "--workers": "1",
    }
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert capsys.readouterr().out == "http://127.0.0.1:5077\n"


def test_the_interface_of_mlflow_is_opened_where_the_runs_are(tmp_path):
    file = tmp_path / "mlflow.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT)")
        database.execute("CREATE TABLE runs (run_uuid TEXT, name TEXT, experiment_id INTEGER)")
        database.execute("INSERT INTO experiments VALUES (0, 'Default'), (3, 'xaiexp')")
        database.execute("INSERT INTO runs VALUES ('a', 'one', 3), ('b', 'two', 3)")
    assert addresses(file, 5077) == ["xaiexp: http://127.0.0.1:5077/#/experiments/3/runs?workflowType=machine_learning"]


def test_a_new_plugin_is_written_where_it_is_asked_for_and_the_next_steps_are_told(tmp_path, capsys):
    assert cli.main(["plugins", "new", "my_method", "--dir", str(tmp_path)]) == cli.DONE
    (folder,) = tmp_path.iterdir()
    steps = [f"pip install --editable {folder} --group {folder / 'pyproject.toml'}:dev", f"sh {folder / 'check.sh'}"]
    assert capsys.readouterr().out.splitlines() == [str(folder), *(f"  {step}" for step in steps)]
    assert list(folder.rglob("pyproject.toml"))


def test_the_list_of_plugins_names_components_and_who_provides_them(capsys, monkeypatch):
    registry = installed()
    assert cli.main(["plugins"]) == cli.DONE
    out = " ".join(capsys.readouterr().out.split())
    builtin = registry.plugins[0]
    assert f"{len(builtin.components)} components" in out
    assert "plugin distribution state import reason" in out
    assert "kind name what it does from" in out
    saliency = next(c for c in registry.classes() if c.name == "saliency")
    assert f"method saliency {saliency.summary}"[:40] in out


def test_the_list_as_json_has_every_component_with_its_parameters(capsys):
    assert cli.main(["plugins", "--json"]) == cli.DONE
    told, registry = json.loads(capsys.readouterr().out), installed()
    assert [(c["kind"], c["name"]) for c in told["components"]] == [(c.kind, c.name) for c in registry.classes()]
    assert [p["name"] for p in told["plugins"]] == [p.name for p in registry.plugins]
    builtin = told["plugins"][0]
    plugin = registry.plugins[0]
    assert builtin == {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "reason": None,
        "seconds": round(plugin.seconds, 4),
        "heavy": [],
    }
    saliency = next(c for c in told["components"] if (c["kind"], c["name"]) == ("method", "saliency"))
    described = next(c for c in registry.classes() if (c.kind, c.name) == ("method", "saliency"))
    assert saliency["summary"] == described.summary
    assert saliency["source"] == described.source
    assert (saliency["distribution"], saliency["version"]) == (plugin.distribution, plugin.version)
    steps = next(c for c in told["components"] if c["name"] == "integrated_gradients")["parameters"]
    assert next(iter(steps)) == "n_steps"


RESULTS = [
    CheckResult("finite", "method.saliency", "passed", ""),
    CheckResult("shape", "method.saliency", "passed", ""),
    CheckResult("batches", "method.saliency", "skipped", "no batch"),
    CheckResult("range", "metric.other", "failed", "is -1"),
    CheckResult("sign", "metric.other", "excused", "known"),
]


def test_outcomes_of_checks_are_counted_and_kept_with_the_version_of_the_plugin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conformance.testing, "report", lambda *_: RESULTS)
    kept = Path("outputs/store/conformance.json")
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"model.old": {"plugin": "old 1.0", "passed": 3}}))
    assert conformance.check("some", installed()) == RESULTS
    stored = json.loads(kept.read_text())
    assert stored == {
        "model.old": {"plugin": "old 1.0", "passed": 3},
        "method.saliency": {
            "plugin": str(installed().plugins[0]), "passed": 2, "failed": 0, "skipped": 1, "excused": 0,
        },
        "metric.other": {"plugin": "", "passed": 0, "failed": 1, "skipped": 0, "excused": 1},
    }  # fmt: skip
    kept.write_text("torn")
    conformance.check("some", installed())
    assert set(json.loads(kept.read_text())) == {"method.saliency", "metric.other"}


@pytest.mark.parametrize(
    ("results", "code", "lines"),
    [
        (RESULTS[:2], cli.DONE, ["2 passed"]),
        (RESULTS, cli.FAILED, ["no batch", "is -1", "known", "2 passed, 1 failed, 1 skipped, 1 excused"]),
        ([], cli.DONE, ["no plugin except the built-in one is installed", ""]),
    ],
)
def test_a_check_prints_what_did_not_pass_and_fails_where_something_failed(
    results, code, lines, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conformance.testing, "report", lambda *_: results)
    assert cli.main(["plugins", "check"]) == code
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(lines)
    for line, part in zip(printed, lines, strict=True):
        assert part in line
