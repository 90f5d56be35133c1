"""Callbacks are told of a study in order, what they raise stops nothing, and they change no result."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import pandas as pd
import pytest

import xaiexp
from xaiexp import errors
from xaiexp.builtin.callbacks import ProgressFile
from xaiexp.plugin import Callback, StartedStudy

SMALL = [
    "model=digits_mlp", "method=[saliency,occlusion,grad_cam]", "baseline=[zero]", "metric=[sparseness]",
    "agreement=[]", "tracker=[]", "examples=20", "report=false",
]  # fmt: skip
HEARD = []


@pytest.fixture(autouse=True)
def nothing_heard():
    HEARD.clear()


@dataclass(frozen=True)
class Listener(Callback):
    """Notes what it is told."""

    summary = "notes what it is told"
    source = "made up"

    def on_start(self, study):
        HEARD.append(("start", study))

    def on_chunk(self, chunk):
        HEARD.append(("chunk", chunk))

    def on_cell(self, cell):
        HEARD.append(("cell", cell))

    def on_study(self, study):
        HEARD.append(("study", study))


@dataclass(frozen=True)
class Unlucky(Listener):
    """Raises whatever it is told."""

    def on_start(self, study):
        raise ValueError("no dashboard")

    def on_chunk(self, chunk):
        raise SystemError("no chunk")

    on_cell = on_study = on_chunk


@dataclass(frozen=True)
class Meddler(Callback):
    """Tries to change what it is told."""

    summary = "tries to change what it is told"
    source = "made up"

    def on_cell(self, cell):
        cell.row["status"] = "failed"


def run(*more):
    return xaiexp.run([*SMALL, *more], quiet=True)


def test_a_callback_is_told_of_start_chunks_cells_and_end_in_this_order(workplace, bring):
    bring(Listener)
    result = run("callback=[listener]")
    assert [event for event, _ in HEARD] == ["start", "chunk", "chunk", "cell", "cell", "cell", "study"]
    facts = [fact for _, fact in HEARD]
    start = facts[0]
    assert isinstance(start, StartedStudy)
    assert (start.examples, start.folder, start.id) == (20, result.path, result.record["id"])
    assert [str(cell) for cell in start.cells] == ["saliency", "occlusion / zero"]
    assert [(chunk.number, chunk.done) for chunk in facts[1:3]] == [(1, 16), (2, 20)]
    told = [example for chunk in facts[1:3] for example in chunk.examples]
    assert told == list(dict.fromkeys(result.scores["example"]))
    rows = result.cells.to_dict("records")
    assert [dict(cell.row) for cell in facts[3:6]] == rows
    want = result.summary.set_index(["method", "metric"])["mean"]
    assert facts[3].means == {"sparseness": want["saliency", "sparseness"]}
    assert facts[5].means == {}
    assert (facts[6].status, facts[6].error) == ("done", "")
    assert all(dataclasses.is_dataclass(fact) and fact.__dataclass_params__.frozen for fact in facts)


def test_what_a_callback_raises_is_a_warning_with_its_name_and_changes_nothing(workplace, bring, capsys):
    bring(Unlucky, Meddler, Listener)
    plain = run()
    result = xaiexp.run([*SMALL, "callback=[unlucky,meddler,listener]", "store=elsewhere"])
    pd.testing.assert_frame_equal(result.scores, plain.scores)
    assert list(result.cells["status"]) == list(plain.cells["status"])
    assert result.record["status"] == "done"
    said = capsys.readouterr()
    lines = (said.out + said.err).splitlines()
    assert sum("callback.unlucky: on_chunk failed (SystemError: no chunk); the study goes on" in x for x in lines) == 1
    assert sum("callback.unlucky: on_start failed (ValueError: no dashboard)" in line for line in lines) == 1
    assert sum("callback.meddler: on_cell failed (TypeError" in line for line in lines) == 1
    assert len(HEARD) == 7  # the next one was told all the same


def test_a_callback_has_no_part_in_the_keys_of_the_store(workplace, bring):
    bring(Listener)
    first, second = run(), run("callback=[listener]")
    assert second.cells["cached"].tolist()[:2] == [True, True]
    assert first.cells["key"].tolist() == second.cells["key"].tolist()


def test_a_study_that_fails_as_a_whole_is_told_with_the_reason(workplace, bring, monkeypatch):
    bring(Listener)
    from xaiexp.results.tables import TableBuilder

    def broken(self, *_):
        raise errors.UserError("tables", "cannot be built")

    monkeypatch.setattr(TableBuilder, "build", broken)
    with pytest.raises(errors.UserError):
        run("callback=[listener]")
    event, end = HEARD[-1]
    assert (event, end.status, end.error, end.report) == ("study", "failed", "tables: cannot be built", None)


def test_the_progress_file_has_a_line_of_json_for_each_event(workplace):
    result = run("callback=[progress_file]", "callback.progress_file.file=how_far.jsonl")
    lines = [json.loads(line) for line in (result.path / "how_far.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "chunk", "chunk", "cell", "cell", "cell", "end"]
    assert (lines[1]["done"], lines[1]["of"], lines[2]["done"], lines[2]["seconds_left"]) == (16, 20, 20, 0)
    assert lines[1]["seconds_left"] == pytest.approx(lines[1]["seconds"] / 16 * 4, abs=1e-3)
    assert lines[3]["means"]["sparseness"] == pytest.approx(result.summary["mean"].iloc[0])
    assert lines[5]["status"] == "skipped"
    assert lines[6]["status"] == "done"


@pytest.mark.parametrize("file", ["../x.jsonl", "/tmp/x.jsonl", "record.json", "a/b.jsonl", ".jsonl", ""])
def test_the_progress_file_is_a_new_file_of_the_folder(file):
    with pytest.raises(errors.ParameterError, match="must be the name of a file"):
        ProgressFile(file=file)


def test_the_progress_file_follows_no_link(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "progress.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"progress\.jsonl"):
        ProgressFile().on_start(StartedStudy("1", "a", folder, (), (), 1, 0))
    assert not (tmp_path / "elsewhere").exists()
