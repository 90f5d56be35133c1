"""Whatever ends a study leaves a record and a traceback in a file, and never a traceback on the terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from small_studies import SMALL

import xaiexp
from xaiexp.cli import app as cli
from xaiexp.contract.kinds import Dataset, Model
from xaiexp.core.record import Record
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import UserError
from xaiexp.results.job_errors import keep_error

RAISED = {
    "runtime": RuntimeError("the archive \x1b[31mis away\nand more"),
    "recursion": RecursionError("too deep"),
    "memory": MemoryError(),
    "exit": SystemExit(0),
    "os": PermissionError(13, "Permission denied", "/archive/labels.csv"),
    "password": ValueError("cannot read s3://me:secret@archive/labels"),
    "silent": AssertionError(),
}
SAID = {
    "runtime": "RuntimeError: the archive \\x1b[31mis away",
    "recursion": "RecursionError: too deep",
    "memory": "out of memory",
    "exit": "SystemExit: 0",
    "os": "/archive/labels.csv: Permission denied",
    "password": "ValueError: cannot read s3://me:***@archive/labels",
    "silent": "AssertionError: no message",
}


@dataclass(frozen=True)
class Falling(Dataset):
    """Raises when it is opened, or when it is planned."""

    how: str = ""
    planned: str = ""
    summary, source, modality = "falls", "made up", "image"

    def open(self):
        if self.how == "interrupt":
            raise KeyboardInterrupt
        if self.how:
            raise RAISED[self.how]
        return Source(4, lambda start, stop: [Sample(str(i), torch.rand(1, 8, 8)) for i in range(start, stop)])

    def outline(self):
        if self.planned:
            raise RAISED[self.planned]
        return Outline(4, (1, 8, 8))


@dataclass(frozen=True)
class FallingModel(Model):
    """Raises when it is loaded."""

    summary, source, modality, offers = "falls", "made up", "image", frozenset()

    def load(self, context):
        raise RuntimeError("no such node")


WORDS = [*SMALL[2:], "model=digits_mlp", "dataset=falling", "method=[saliency]", "metric=[sparseness]", "agreement=[]"]


def records():
    return [Record.read(path) for path in sorted(Path("outputs").rglob("record.json"))]


@pytest.mark.parametrize("how", RAISED)
def test_what_a_dataset_raises_is_told_in_two_lines_and_kept(how, workplace, bring, capfd):
    bring(Falling)
    assert cli.main([*WORDS, f"dataset.how={how}", "hydra.run.dir=outputs/mine"]) == cli.FAILED
    lines = capfd.readouterr().err.strip().splitlines()
    assert lines[0] == SAID[how]
    place, _, path = lines[1].strip().partition("   traceback: ")
    assert place.startswith(f"at {__file__}:")
    assert len(lines) == 2
    text = Path(path).read_text()
    assert Path(path) == workplace / "outputs/mine/error.log"
    assert text.startswith("Traceback")
    assert type(RAISED[how]).__name__ in text
    assert "secret" not in text
    (record,) = records()
    assert (record.status, record.error) == ("failed", SAID[how])
    assert record.dataset.name == "falling"


def test_a_model_that_falls_is_kept_too(workplace, bring, capfd):
    bring(FallingModel)
    assert cli.main([*SMALL[1:], "model=falling_model", "method=[occlusion]"]) == cli.FAILED
    assert capfd.readouterr().err.startswith("RuntimeError: no such node\n  at ")
    assert [record.error for record in records()] == ["RuntimeError: no such node"]


@pytest.mark.parametrize("how", ["runtime", "exit"])
def test_a_sweep_goes_on_after_it(how, workplace, bring, capfd):
    bring(Falling)
    assert cli.main(["-m", *WORDS, f"dataset.how={how},''", "seed=0,1"]) == cli.FAILED
    assert [record.status for record in records()] == ["failed", "failed", "done", "done"]
    assert "Traceback" not in "".join(capfd.readouterr())


def test_an_interruption_ends_with_130_and_leaves_a_record(workplace, bring, capfd):
    bring(Falling)
    assert cli.main([*WORDS, "dataset.how=interrupt"]) == 130
    assert capfd.readouterr().err == "interrupted: finished chunks are in the store and will be reused\n"
    assert [record.status for record in records()] == ["failed"]
    assert not list(Path("outputs").rglob("error.log"))


@pytest.mark.parametrize("words", [[], ["plan"], ["-m"]])
@pytest.mark.parametrize("how", ["runtime", "memory", "os"])
def test_what_is_raised_before_the_first_job_is_told_in_the_same_way(how, words, workplace, bring, capfd):
    bring(Falling)
    assert (
        cli.main([*words, *WORDS, f"dataset.planned={how}", *(["seed=0,1"] if words == ["-m"] else [])]) == cli.FAILED
    )
    lines = capfd.readouterr().err.strip().splitlines()
    assert lines[0] == SAID[how]
    assert lines[1].endswith("   traceback: outputs/error.log")
    assert len(lines) == 2
    assert Path("outputs/error.log").read_text().startswith("Traceback")


def test_a_script_gets_the_error_itself_and_a_record(workplace, bring):
    bring(Falling)
    with pytest.raises(RuntimeError, match="the archive"):
        xaiexp.run([*WORDS, "dataset.how=runtime"], quiet=True)
    assert [record.error for record in records()] == [SAID["runtime"]]


def test_an_error_before_the_record_makes_one_and_folders_of_others_are_left(tmp_path):
    assert keep_error(tmp_path / "mine", UserError("seed", "is odd", hint="take another")) == (
        "seed: is odd\n  take another"
    )
    assert json.loads((tmp_path / "mine" / "record.json").read_text())["error"] == "seed: is odd\n  take another"
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["record.json"]
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.tex").write_text("")
    assert keep_error(tmp_path / "theirs", ValueError("x")) == "ValueError: x"
    assert len(list((tmp_path / "theirs").iterdir())) == 1
    (tmp_path / "file").write_text("")
    assert keep_error(tmp_path / "file", ValueError("x")).startswith("ValueError: x")  # nothing can be written there


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        ["report", LONG], ["export", LONG], ["track", LONG], ["store", "--store", LONG], ["plugins", "new", LONG],
        [*SMALL, f"hydra.run.dir=outputs/{LONG}"], ["-m", *SMALL, f"hydra.sweep.dir=outputs/{LONG}"],
        [*SMALL, f"store=outputs/{LONG}"], [*SMALL, "dataset=image_folder", f"dataset.root={LONG}"],
    ],
    ids=lambda words: " ".join(words[-2:])[:40],
)  # fmt: skip
def test_a_name_that_is_too_long_for_the_system_is_a_wrong_request(words, workplace, capsys):
    assert cli.main(words) == cli.WRONG
    told = capsys.readouterr().err
    assert "too long" in told
    assert len(told.splitlines()) <= 2
    assert not list(Path().rglob("error.log"))
