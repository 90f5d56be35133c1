from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from xaiexp.store.owners import Owner, claim, owner_of, release, this_process


def written(file, owner):
    file.write_text(json.dumps(asdict(owner)))
    return file


def test_a_claim_names_this_process_and_its_release_removes_it(tmp_path):
    file = tmp_path / "new" / "owner.json"
    assert claim(file) is None
    assert claim(file) is None  # again by the same process
    assert owner_of(file) == this_process()
    release(file)
    assert list(file.parent.iterdir()) == []


def test_a_process_that_runs_keeps_its_claim_and_one_that_ended_loses_it(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        stat = Path(f"/proc/{process.pid}/stat")
        started = stat.read_text().rpartition(")")[2].split()[19] if stat.exists() else ""
        file = written(tmp_path / "owner.json", replace(this_process(), pid=process.pid, started=started))
        assert claim(file).pid == process.pid
        release(file)
        assert file.exists()  # it is not ours
        process.kill()
    assert claim(file) is None
    assert owner_of(file) == this_process()


def test_another_process_with_the_number_of_one_that_ended_owns_nothing(tmp_path):
    me = this_process()
    assert me.started or not Path("/proc/self/stat").exists()
    if not me.started:
        pytest.skip("this system does not say when a process started")
    assert owner_of(written(tmp_path / "owner.json", replace(me, started="1"))) is None


def test_of_a_process_of_another_machine_nothing_is_known_so_it_keeps_its_claim(tmp_path):
    other = Owner(2**22 + 1, "elsewhere", "1")
    assert claim(written(tmp_path / "owner.json", other)) == other


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}', "no json"])
def test_a_damaged_claim_is_none(tmp_path, text):
    file = tmp_path / "owner.json"
    file.write_text(text)
    assert claim(file) is None
