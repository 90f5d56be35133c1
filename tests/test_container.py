"""What the files of the container promise; `.ci/try-container` runs their steps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def test_the_dockerfile_passes_its_linter():
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed")
    done = subprocess.run([program, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def stages():
    """The instructions of every stage, by name, those of the stages that it is built on first."""
    found, current = {}, []
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"FROM (\S+) AS (\S+)", line):
            found[match[2]] = current = list(found.get(match[1], []))
        elif line and not line.startswith("#"):
            current.append(line)
    return found


@pytest.mark.parametrize("target", ["cpu", "cuda", "dev"])
def test_no_image_runs_as_root(target):
    users = [line.removeprefix("USER ") for line in stages()[target] if line.startswith("USER ")]
    assert users[-1:] == ["1000"]
    assert "useradd --create-home --uid 1000 xaiexp" in (ROOT / "container/system.sh").read_text()


def test_the_context_has_what_the_wheel_is_built_from():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", "constraints.txt", "README.md", *project["project"]["license-files"]}
    assert kept >= needed | set(wheel["packages"]) | set(wheel["force-include"])
    assert [name for name in kept if not (ROOT / name).exists()] == []


def test_ports_are_open_to_this_machine_alone():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert "ports" not in services["postgres"]


def test_the_server_of_the_services_gets_every_variable_that_its_script_reads():
    script = (ROOT / "container/mlflow_server.sh").read_text()
    read = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", script)) - {"MLFLOW_BACKEND_STORE_URI"}
    given = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["mlflow"]["environment"]
    assert read == set(given)


def test_the_development_container_names_a_stage_and_a_script_that_exist():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert container["build"]["target"] in stages()
    for script in (".devcontainer/create.sh", "container/install.sh", "container/system.sh"):
        assert subprocess.run(["sh", "-n", ROOT / script], check=False).returncode == 0
    assert container["postCreateCommand"] == "bash .devcontainer/create.sh"
