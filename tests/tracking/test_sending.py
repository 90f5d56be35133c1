"""A tracker that fails stops no study; what it lacks is sent later, once."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from broken_trackers import Notes, Page

import xaiexp
from xaiexp.cli import app as cli

STUDY = [
    "model=digits_mlp", "method=[saliency,random]", "metric=[]", "agreement=[]", "examples=4", "report=false",
    "baseline=[zero]",
]  # fmt: skip


class _Fragile(Page):
    """Raises where the file ``broken`` says so."""

    def raises(self, place):
        broken = Path("broken")
        if broken.exists() and broken.read_text() == place:
            raise RuntimeError(f"no answer at {place}\nand more")

    def __init__(self, tracker, study):
        self.raises("start")
        super().__init__(tracker, study)

    def log_cell(self, cell):
        if cell.id.method == "random":
            self.raises("log_cell")
        super().log_cell(cell)

    def finish(self, record):
        self.raises("finish")
        super().finish(record)


@dataclass(frozen=True)
class Fragile(Notes):
    """Raises on demand."""

    run: ClassVar[type[Page]] = _Fragile


def pages(folder):
    return json.loads((folder / "xaiexp.json").read_text())


@pytest.mark.parametrize("place", ["start", "log_cell", "finish"])
def test_a_tracker_that_raises_stops_nothing_and_gets_the_study_later_and_once(workplace, bring, capfd, place):
    bring(Fragile)
    Path("broken").write_text(place)
    assert cli.main(["-m", *STUDY, "seed=0,1", "tracker=[fragile]"]) == cli.DONE
    said = capfd.readouterr().err
    assert f"tracker.fragile: RuntimeError: no answer at {place}\n" in said
    assert "and more" not in said
    (sweep,) = Path("outputs/multirun").glob("*/*")
    result = xaiexp.load(sweep)
    assert result.cells["status"].tolist() == ["done"] * 4
    for study in result.studies.values():
        facts = study.record["tracking"]["fragile"]
        assert (facts["status"], facts["error"]) == ("not sent", f"RuntimeError: no answer at {place}")
    assert cli.main(["track", str(sweep)]) == cli.FAILED  # it is still broken
    Path("broken").unlink()
    assert cli.main(["track", str(sweep)]) == cli.DONE
    assert "2 of 2 studies are tracked" in capfd.readouterr().out
    kept = pages(sweep)
    assert [page["status"] for page in kept.values()] == ["done", "done"]
    assert all(sorted(page["cells"]) == ["random", "saliency"] for page in kept.values())
    assert {xaiexp.load(sweep / job).record["tracking"]["fragile"]["run"] for job in "01"} == set(kept)
    before = (sweep / "xaiexp.json").read_bytes()
    assert cli.main(["track", str(sweep)]) == cli.DONE
    assert (sweep / "xaiexp.json").read_bytes() == before


def test_the_line_of_a_sweep_sends_what_its_finished_studies_lack(workplace, bring):
    bring(Fragile)
    Path("broken").write_text("start")
    line = ["-m", *STUDY, "seed=0,1", "tracker=[fragile]"]
    assert cli.main(line) == cli.DONE
    (sweep,) = Path("outputs/multirun").glob("*/*")
    Path("broken").unlink()
    assert cli.main([*line, f"hydra.sweep.dir={sweep}"]) == cli.DONE
    assert [page["status"] for page in pages(sweep).values()] == ["done", "done"]


def test_what_cannot_be_sent_is_said(workplace, capfd):
    study = xaiexp.run([*STUDY, "tracking.uri=off"], quiet=True).path
    assert cli.main(["track", str(study)]) == cli.DONE
    assert f"{study}: is not tracked (tracking.uri=off, or no tracker)" in capfd.readouterr().out
    record = json.loads((study / "record.json").read_text())
    (study / "record.json").write_text(json.dumps(record | {"status": "running"}))
    assert cli.main(["track", str(study)]) == cli.DONE
    assert f"{study}: not finished; run it again first" in capfd.readouterr().out
    assert cli.main(["track", str(workplace / "nowhere")]) == cli.WRONG


def test_a_run_of_a_dead_process_is_ended_by_repair_and_those_of_others_are_not(workplace, capfd):
    """The process is killed while it explains; another one starts a run that goes on."""
    from mlflow import MlflowClient

    from xaiexp.builtin.trackers.mlflow_client import client_at
    from xaiexp.store.owners import this_process
    from xaiexp.tracking.addresses import embedded_uri

    xaiexp.run([*STUDY], quiet=True)
    client: MlflowClient = client_at(embedded_uri())
    experiment = client.get_experiment_by_name("xaiexp").experiment_id
    me = this_process()

    def run(pid, host=me.host, started=""):
        tags = {"xaiexp.pid": str(pid), "xaiexp.host": host, "xaiexp.process": started}
        return client.create_run(experiment, tags=tags).info.run_id

    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    dead, reused = run(process.pid), run(me.pid, started="1")
    alive, elsewhere = run(me.pid, started=me.started), run(process.pid, host="elsewhere")
    foreign = client.create_run(experiment).info.run_id
    assert cli.main(["repair"]) == cli.DONE
    assert "2 runs ended" in capfd.readouterr().out
    status = {name: client.get_run(name).info.status for name in (dead, reused, alive, elsewhere, foreign)}
    assert [status[name] for name in (dead, reused)] == ["KILLED", "KILLED"]
    assert {status[name] for name in (alive, elsewhere, foreign)} == {"RUNNING"}
    assert cli.main(["repair"]) == cli.DONE
    assert "0 runs ended" in capfd.readouterr().out


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class Server:
    """An MLflow server on the loopback address."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/server.db", "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.2)
        raise TimeoutError((self.folder / "log").read_text())

    def stop(self):
        import os
        import signal

        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.mark.heavy
@pytest.mark.timeout(1200)
def test_a_server_that_dies_in_the_middle_of_a_sweep_lacks_nothing_in_the_end(workplace, bring, tmp_path):
    from mlflow import MlflowClient

    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(folder, free_port())
    uri = f"http://127.0.0.1:{server.port}"

    class _Stops(Page):
        """Stops the server when the second study starts."""

        def __init__(self, tracker, study):
            super().__init__(tracker, study)
            if study.record.study.seed == 1:
                server.stop()

    @dataclass(frozen=True)
    class Stops(Notes):
        """Stops the server."""

        run: ClassVar[type[Page]] = _Stops

    bring(Stops)
    try:
        server.start()
        words = [*STUDY, "seed=0,1,2", "tracker=[mlflow,stops]", f"tracking.uri={uri}"]
        assert cli.main(["-m", *words]) == cli.DONE
        (sweep,) = Path("outputs/multirun").glob("*/*")
        status = [xaiexp.load(sweep / job).record["tracking"]["mlflow"]["status"] for job in "012"]
        assert status == ["sent", "not sent", "not sent"]
        server.start()
        assert cli.main(["track", str(sweep)]) == cli.DONE
        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("xaiexp").experiment_id
        runs = client.search_runs([experiment])
        studies = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        assert sorted(run.data.params["seed"] for run in studies) == ["0", "1", "2"]
        assert {run.info.status for run in runs} == {"FINISHED"}
        for study in studies:
            own = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == study.info.run_id]
            assert sorted(run.info.run_name for run in own) == ["random", "saliency"]
            files = {each.path for each in client.list_artifacts(study.info.run_id)}
            assert files >= {"record.json", "scores.parquet"}
            assert len(client.get_metric_history(study.info.run_id, "seconds")) == 1
    finally:
        server.stop()
