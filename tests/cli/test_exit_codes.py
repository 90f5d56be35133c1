from __future__ import annotations

import os
import signal
import sys

import pytest
from small_studies import SMALL

from xaiexp.cli import app as cli
from xaiexp.cli.exit_codes import combined


def test_a_study_whose_cells_are_all_skipped_is_an_invalid_request(workplace, capsys):
    words = [*SMALL, "method=[occlusion]", "method.occlusion.sliding_window_shapes=[1,99,99]"]
    assert cli.main(words) == cli.WRONG
    assert "skipped: a window of [1, 99, 99]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], 0), ([0], 0), ([2], 2), ([0, 0], 0), ([1, 1], 1), ([2, 2], 2), ([0, 1], 1), ([0, 2], 1), ([2, 1, 0], 1)],
)
def test_the_code_of_several_jobs_is_theirs_or_that_some_were_not_done(codes, code):
    assert combined(codes) == code


def tool(monkeypatch, run):
    monkeypatch.setattr(cli, "_tool", lambda word: run)


def test_an_interruption_says_what_is_kept_and_fails(monkeypatch, capsys):
    def interrupted(words):
        raise KeyboardInterrupt

    tool(monkeypatch, interrupted)
    assert cli.main(["plan"]) == cli.INTERRUPTED
    assert capsys.readouterr().err == "interrupted: finished chunks are in the store and will be reused\n"


def test_the_end_that_a_scheduler_sets_is_an_interruption(monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    tool(monkeypatch, lambda words: signal.raise_signal(signal.SIGTERM))
    try:
        assert cli.main(["plan"]) == cli.INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err.startswith("interrupted")


def test_a_reader_that_went_away_ends_the_program_without_words(monkeypatch, tmp_path):
    def broken(words):
        raise BrokenPipeError

    tool(monkeypatch, broken)
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert cli.main(["plan"]) == cli.FAILED
        os.write(out.fileno(), b"lost")
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize(("stop", "code"), [(SystemExit(5), 5), (SystemExit(0), 0), (SystemExit("words"), 0)])
def test_a_tool_ends_with_its_own_code(monkeypatch, stop, code):
    def stops(words):
        raise stop

    tool(monkeypatch, stops)
    assert cli.main(["plan"]) == code


@pytest.mark.parametrize("first", ["seed=1", "-m", "+x=1", "~metric"])
def test_a_first_word_that_is_no_tool_belongs_to_the_study(monkeypatch, first):
    seen = []
    monkeypatch.setattr(cli, "_application", lambda words: seen.append(words) or 0)
    assert cli.main([first, "a=b"]) == 0
    assert seen == [[first, "a=b"]]


def test_a_sweep_of_a_wrong_job_and_a_good_one_ends_with_1(workplace):
    words = [*SMALL, "method=[occlusion]", "metric=[sparseness]", "agreement=[]", "baseline=[zero]"]
    windows = "method.occlusion.sliding_window_shapes="
    assert cli.main(["-m", *words, f"{windows}[1,99,99],[1,4,4]"]) == cli.FAILED
    assert cli.main(["-m", *words, f"{windows}[1,99,99],[1,98,98]"]) == cli.WRONG
