"""Whatever is mistyped on a command line or in a file is answered in a few lines, and does nothing else."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from random_lines import requests
from trained_networks import trained_networks

from xaiexp.cli import app as cli

COUNT = int(os.environ.get("XAIEXP_LINES", "40"))
ANSWERS = (cli.DONE, cli.FAILED, cli.WRONG)
LONGEST, MOST_LINES, SECONDS = 2000, 5, 120


class Hangs(BaseException):
    """A line that was not answered in time."""


@contextlib.contextmanager
def within(seconds):
    def ring(number, frame):
        raise Hangs

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def workplace(files):
    """An empty folder to work in, but for some files; the networks are trained already."""
    here, above = Path.cwd(), Path(tempfile.mkdtemp())
    folder = above / "place"
    (folder / "outputs" / "store").mkdir(parents=True)
    (folder / "outputs" / "store" / "models").symlink_to(trained_networks(), target_is_directory=True)
    for path, content in {**files, "a/b.txt": b"no results"}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(here)
        shutil.rmtree(above)


def written():
    """Everything above the working folder and in it, but for what is below outputs/."""
    found = (str(path.relative_to(Path.cwd().parent)) for path in Path.cwd().parent.rglob("*"))
    return sorted(path for path in found if not path.startswith("place/outputs/"))


def answer(words):
    out, err, asked = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    try:
        with within(SECONDS), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return cli.main(words), out.getvalue(), err.getvalue()
    finally:
        signal.signal(signal.SIGTERM, asked)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("count", [COUNT])
def test_a_line_is_answered_without_a_traceback_and_writes_below_outputs_alone(count, monkeypatch):
    monkeypatch.setattr(os, "execv", lambda *words: pytest.fail(f"starts {words}"))
    answers = Counter[int]()

    @settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests())
    def answered(request):
        with workplace(request.files):
            before = written()
            code, out, err = answer(list(request.words))
            answers[code] += 1
            assert code in ANSWERS
            assert "Traceback" not in out + err
            assert not set("\x1b\x07\x9b\u202e\r\0") & set(out + err)
            assert [file.read_text() for file in Path().rglob("error.log")] == []  # no fault of ours, no plugin is here
            assert written() == before
            if code == cli.WRONG:
                told = [line for line in err.splitlines() if " drawn with example_seed=" not in line]
                assert told or " skipped: " in out
                assert max(map(len, told), default=0) < LONGEST
                assert len(told) <= MOST_LINES or "-m" in request.words or "--multirun" in request.words

    answered()
    print(f"{count} lines: {dict(answers)}")  # noqa: T201  # figures for benchmarks/README.md
    assert answers[cli.WRONG] > count / 4
    assert answers[cli.DONE]
