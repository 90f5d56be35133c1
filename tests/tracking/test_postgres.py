"""Tracking in a PostgreSQL database, on a server that the test starts."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from trained_networks import trained_networks

STUDY = [
    "-m", "seed=0,1", "model=digits_mlp", "method=[saliency]", "metric=[sparseness]", "baseline=[zero]", "agreement=[]",
    "examples=8", "report=false",
]  # fmt: skip


@pytest.fixture
def server():
    """The address of a new server, with a password."""
    psycopg2 = pytest.importorskip("psycopg2", reason="the extra postgres is not installed")
    if shutil.which("initdb") is None or shutil.which("postgres") is None:
        pytest.skip("initdb and postgres are not on the PATH")
    password = secrets.token_hex(12)
    user = {"user": "postgres"} if os.getuid() == 0 else {}  # the server refuses root
    with tempfile.TemporaryDirectory(prefix="xaiexp-pg-") as name, socket.socket() as free:
        folder = Path(name)
        if user:
            shutil.chown(folder, "postgres")
        (folder / "password").write_text(password)
        (folder / "password").chmod(0o644)
        auth = ["--username=xaiexp", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync"]
        made = subprocess.run(["initdb", "-D", folder / "data", *auth], capture_output=True, cwd=folder, **user)
        assert made.returncode == 0, made.stderr
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        options = ["-D", folder / "data", "-k", folder, "-c", "listen_addresses=127.0.0.1", "-p", str(port)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(["postgres", *options], cwd=folder, **quiet, **user) as process:
            try:
                address = f"postgresql://xaiexp:{password}@127.0.0.1:{port}/postgres"
                _wait_for(psycopg2, address)
                yield address, password
            finally:
                process.terminate()


def _wait_for(psycopg2, address):
    until = time.monotonic() + 60
    while True:
        try:
            psycopg2.connect(address).close()
        except psycopg2.OperationalError:
            assert time.monotonic() < until
            time.sleep(0.1)
        else:
            return


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_studies_are_tracked_and_the_password_is_nowhere(server, tmp_path):
    import psycopg2

    address, password = server
    models = tmp_path / "outputs" / "store" / "models"
    models.parent.mkdir(parents=True)
    models.symlink_to(trained_networks(), target_is_directory=True)
    command = [sys.executable, "-m", "xaiexp", *STUDY, f"tracking.uri={address}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    connection = psycopg2.connect(address)
    with connection, connection.cursor() as cursor:
        cursor.execute("select name, status from runs order by name")
        rows = cursor.fetchall()
        cursor.execute("select value from params union select value from tags union select value from experiment_tags")
        texts = [str(value) for (value,) in cursor.fetchall()]
    connection.close()
    studies = [(f"digits_mlp on digits, seed {seed}", "FINISHED") for seed in (0, 1)]
    assert sorted(rows) == sorted([*studies, ("saliency", "FINISHED"), ("saliency", "FINISHED")])
    assert password not in ran.stdout + ran.stderr + "".join(texts)
    files = [file for file in (tmp_path / "outputs").rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if password.encode() in file.read_bytes()] == []


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_the_server_of_the_container_takes_studies_and_keeps_the_password_to_itself(server, tmp_path):
    address, password = server
    host, _, database = address.rpartition("@")[2].partition("/")
    (tmp_path / "password").write_text(password)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).parents[2] / "container" / "mlflow_server.sh"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DATABASE": f"xaiexp@{host}/{database}",
        "PASSWORD_FILE": str(tmp_path / "password"),
        "ARTIFACTS": str(tmp_path / "artifacts"),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "ALLOWED_HOSTS": f"127.0.0.1:{port}",
    }
    said = (tmp_path / "said").open("w")
    with subprocess.Popen(["sh", script], cwd=tmp_path, env=environment, stdout=said, stderr=said) as process:
        try:
            _wait_until_healthy(f"http://127.0.0.1:{port}/health")
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            command = [sys.executable, "-m", "xaiexp", *STUDY[2:], f"tracking.uri=http://127.0.0.1:{port}"]
            ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        finally:
            process.terminate()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert b"mlflow" in arguments
    assert password.encode() not in arguments
    assert password not in (tmp_path / "said").read_text()
    assert list((tmp_path / "artifacts").rglob("verdicts.csv"))


def _wait_until_healthy(address):
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.5)
        else:
            return
