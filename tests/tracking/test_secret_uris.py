"""A password in ``tracking.uri`` is in no file that is written and in nothing that is printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from small_studies import SMALL

import xaiexp
from xaiexp.cli import app as cli
from xaiexp.config.compose import composed, expand
from xaiexp.config.search_path import CONF
from xaiexp.errors import UserError, without_passwords
from xaiexp.tracking.secret_uris import mask, unmask

QUICK = [*SMALL[:2], "method=[saliency]", "baseline=[zero]", "metric=[sparseness]", "agreement=[]", "report=false"]
NO_SERVER = [
    "postgresql://me:planted@127.0.0.1:9/db",
    "http://me:planted@127.0.0.1:9",
    "http://planted@127.0.0.1:9",
    "http://127.0.0.1:9/?token=planted",
    "mysql+pymysql://me:plan/ted:planted@127.0.0.1:9/db",
    "sqlite:///outputs/theirs.db?password=planted",
]


@pytest.fixture(autouse=True)
def no_addresses(monkeypatch):
    monkeypatch.setenv("XAIEXP_TRACKING_URIS", "{}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def files_with(word: str, folder: Path) -> list[str]:
    files = [p for p in folder.rglob("*") if p.is_file() and "models" not in p.parts]
    return [str(p) for p in files if word.encode() in p.read_bytes() or word in p.name]


@pytest.mark.parametrize("uri", NO_SERVER)
def test_a_server_that_cannot_be_reached(uri, workplace, capfd):
    words = [*QUICK, f"tracking.uri='{uri}'"]
    for line in (words, ["-m", *words, "seed=0,1"], ["--help", *words], ["--cfg", "job", *words], ["plan", *words]):
        cli.main(line)
        printed = "".join(capfd.readouterr())
        assert "planted" not in printed
        assert "Traceback" not in printed
    if uri.startswith("http"):  # it may be there later
        assert cli.main(words) == cli.DONE
        tracked = xaiexp.run(words, quiet=True).record["tracking"]["mlflow"]
        assert tracked["status"] == "not sent"
        assert "***" in tracked["error"]
    else:
        assert cli.main(words) == cli.WRONG
        with pytest.raises(UserError) as error:
            xaiexp.run(words, quiet=True)
        assert "planted" not in str(error.value)
        assert "***" in str(error.value)
    assert "planted" not in "".join(capfd.readouterr())
    assert bool(list(workplace.rglob("config.yaml"))) == uri.startswith("http")  # a wrong address is refused before
    assert files_with("planted", workplace) == []


def test_a_password_in_the_main_file_of_the_project(workplace, capfd):
    Path("conf").mkdir()
    text = (CONF / "config.yaml").read_text()
    Path("conf/config.yaml").write_text(text + f"\ntracking: {{uri: '{NO_SERVER[0]}'}}\n")
    for line in (QUICK, ["-m", *QUICK, "seed=0,1"], ["--help", *QUICK], ["--cfg", "job", *QUICK]):
        cli.main(line)
        assert "planted" not in "".join(capfd.readouterr())
    assert [Path(file).name for file in files_with("planted", workplace / "outputs")] == []


def test_an_override_that_cannot_be_read(workplace, capfd):
    assert cli.main([*QUICK, "tracking.uri=http://me:planted@h/?a=b"]) == cli.WRONG
    assert "planted" not in "".join(capfd.readouterr())


def test_a_store_that_works_gets_the_address_and_the_run_does_not(workplace, capfd):
    """SQLAlchemy passes ``timeout`` on to SQLite; it stands for a password that a server would take."""
    uri = f"sqlite:///{workplace}/theirs.db?timeout=7654321"
    for seeds in ("seed=0", "seed=1,2"):
        assert cli.main([*(["-m"] if "," in seeds else []), *QUICK, f"tracking.uri='{uri}'", seeds]) == 0
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("xaiexp")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 6
    assert any(run.data.params.get("tracking.uri", "").endswith("?timeout=***") for run in runs)
    assert "7654321" not in "".join(capfd.readouterr())
    assert files_with("7654321", workplace) == []


@pytest.mark.parametrize(
    "words",
    [
        ["tracking.uri=URI", "seed=0,1"],
        ["tracking={uri: 'URI'}", "seed=0,1"],
        ["tracking.uri=URI,off"],
        ["zip={seed: [0,1], tracking.uri: ['URI','off']}"],
    ],
)
def test_the_jobs_of_a_sweep_have_no_escapes_that_would_hide_a_password(words):
    uri = NO_SERVER[0]
    jobs = expand([word.replace("URI", uri) for word in words])
    for job in jobs:
        assert any(uri in word for word in job) or "off" in job[-1]
        assert "planted" not in "".join(map(without_passwords, job))
    assert composed(jobs[0]).tracking.uri == uri


def test_the_command_of_a_record_has_no_password(workplace, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script.py", "--server", NO_SERVER[0]])
    xaiexp.run([*QUICK, "tracking.uri=off"], quiet=True)
    assert files_with("planted", workplace) == []


def test_processes_of_a_launcher_know_the_address(monkeypatch):
    masked = mask(NO_SERVER[0])
    assert masked == "postgresql://me:***@127.0.0.1:9/db"
    code = f"from xaiexp.tracking.secret_uris import unmask; print(unmask('{masked}'))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == unmask(masked) == NO_SERVER[0]
    assert mask("http://127.0.0.1:9") == unmask("http://127.0.0.1:9") == "http://127.0.0.1:9"
    with pytest.raises(UserError, match="two passwords"):
        mask("postgresql://me:other@127.0.0.1:9/db")


@pytest.mark.parametrize("uri", NO_SERVER)
def test_masking_twice_is_masking_once(uri):
    assert without_passwords(without_passwords(uri)) == without_passwords(uri)
    assert "planted" not in without_passwords(f"got '{uri}', twice {uri}")
