"""A folder that contains something and is no study is not written to."""

from __future__ import annotations

import shutil

import pytest
from small_studies import SMALL

import xaiexp
from xaiexp.cli import app as cli
from xaiexp.errors import UserError

QUICK = [*SMALL, "method=[saliency]", "baseline=[zero]", "metric=[sparseness]", "agreement=[]"]


@pytest.mark.parametrize("name", ["config.yaml", "notes.txt", ".hydra/config.yaml", ".hidden", "0/config.yaml"])
def test_a_foreign_folder_is_refused_and_stays_as_it_is(name, workplace, capfd):
    file = workplace / "theirs" / name
    file.parent.mkdir(parents=True)
    file.write_text("theirs")
    for words, key in (([], "hydra.run.dir"), (["-m", "seed=0,1"], "hydra.sweep.dir")):
        assert cli.main([*words, *QUICK, f"{key}=theirs"]) == cli.WRONG
        message = capfd.readouterr().err
        assert message.startswith(f"{key}: contains files, and no study (got '")
        assert len(message.strip().splitlines()) == 2
    with pytest.raises(UserError, match="contains files, and no study"):
        xaiexp.run([*QUICK, "hydra.run.dir=theirs"], quiet=True)
    assert [p for p in (workplace / "theirs").rglob("*") if p.is_file()] == [file]
    assert file.read_text() == "theirs"


def test_an_empty_folder_and_the_folder_of_an_earlier_study_are_fine(workplace):
    (workplace / "mine").mkdir()
    for _ in range(2):
        assert cli.main([*QUICK, "hydra.run.dir=mine"]) == 0
    xaiexp.run([*QUICK, "hydra.run.dir=mine"], quiet=True)
    (workplace / "sweep").mkdir()
    for _ in range(2):
        assert cli.main(["-m", *QUICK, "seed=0,1", "hydra.sweep.dir=sweep"]) == 0


def test_a_study_that_was_stopped_before_its_record_can_be_repeated(workplace):
    assert cli.main([*QUICK, "hydra.run.dir=mine"]) == 0
    for file in (workplace / "mine").iterdir():
        if file.is_dir() and file.name != ".hydra":
            shutil.rmtree(file)
        elif file.is_file() and file.name != "xaiexp.log":
            file.unlink()
    assert cli.main([*QUICK, "hydra.run.dir=mine"]) == 0


def test_a_foreign_folder_of_one_job_fails_that_job_only(workplace, capfd):
    assert cli.main(["-m", *QUICK, "seed=0,1", "hydra.sweep.dir=sweep"]) == 0
    for file in (workplace / "sweep" / "1").iterdir():
        if file.is_file():
            file.unlink()
    (workplace / "sweep" / "1" / "config.yaml").write_text("theirs")
    assert cli.main(["-m", *QUICK, "seed=0,1", "hydra.sweep.dir=sweep"]) == cli.FAILED
    assert "contains files, and no study" in capfd.readouterr().err
    assert (workplace / "sweep" / "1" / "config.yaml").read_text() == "theirs"
