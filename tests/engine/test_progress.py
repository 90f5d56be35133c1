"""Progress on a terminal, and lines where the output is none."""

from __future__ import annotations

import io
import sys

import pytest
from rich.progress import Progress

from xaiexp.engine import progress
from xaiexp.engine.progress import Meter, console


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is set."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(("stderr", "stream"), [(True, "stderr"), (False, "stdout")])
def test_a_console_writes_to_its_stream_and_is_wide_where_that_is_no_terminal(stderr, stream, monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, stream, written)
    console(stderr).print("x" * 150)
    assert written.getvalue() == "x" * 150 + "\n"
    assert console(stderr).width == 160
    monkeypatch.setattr(sys, stream, Terminal())
    monkeypatch.setenv("COLUMNS", "77")
    assert console(stderr).width == 77


def test_a_line_is_written_after_more_than_ten_seconds_with_the_time_that_is_left(clock, capsys):
    with Meter("a study") as meter:
        clock[0] += 50  # loading the model is not part of the passes
        meter.start(1000)
        clock[0] += 10
        meter.advance(100)
        assert capsys.readouterr().err == ""
        clock[0] += 10
        meter.advance(150)
        assert capsys.readouterr().err == "a study: 250 of about 1,000 passes, about 60 s left\n"
        clock[0] += 10
        meter.advance(1)
        assert capsys.readouterr().err == ""
        clock[0] += 0.5
        meter.advance(1000)
        assert capsys.readouterr().err == "a study: 1,251 of about 1,251 passes, about 0 s left\n"


def test_a_study_that_expects_no_pass_divides_by_none(clock, capsys):
    meter = Meter("a study")
    meter.start(0)
    clock[0] += 11
    meter.advance(1)
    assert capsys.readouterr().err == "a study: 1 of about 1 passes, about 0 s left\n"


def test_a_quiet_meter_writes_nothing(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Meter("a study", quiet=True) as meter:
        meter.say("a note")
        meter.start(5)
        clock[0] += 11
        meter.advance(5)
        assert meter._live is None
    assert sys.stderr.getvalue() == ""


def test_notes_are_written_as_they_are(capsys):
    Meter("a study").say("[bold]loud[/bold] [/]")
    assert capsys.readouterr().err == "[bold]loud[/bold] [/]\n"


def test_a_bar_counts_passes_grows_with_unexpected_ones_and_ends_with_the_study(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    stopped = []
    monkeypatch.setattr(Progress, "stop", lambda self: stopped.append(self))
    with Meter("a study") as meter:
        meter.start(10)
        assert meter._live.console is meter._console
        (task,) = meter._live.tasks
        assert (task.description, task.completed, task.total) == ("a study", 0, 10)
        meter.advance(4)
        meter.advance(3)
        assert (task.completed, task.total) == (7, 10)
        clock[0] += 11
        meter.advance(5)
        assert (task.completed, task.total) == (12, 12)
        assert not stopped
    assert stopped == [meter._live]
    assert "about" not in sys.stderr.getvalue()
