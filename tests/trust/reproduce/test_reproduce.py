"""Files, verdicts and messages of ``xaiexp reproduce``, with a small publication of a plugin."""

from __future__ import annotations

import hashlib
import io
import types
import urllib.error
import urllib.request

import pytest

from xaiexp import hookimpl
from xaiexp.cli import app as cli
from xaiexp.contract.registry import installed
from xaiexp.plugin import Finding, Publication, PublishedFile, PublishedNumbers
from xaiexp.trust.reproduce.comparison import Compared, Row

CONTENT = b"row,a,label\n0,1,0\n1,2,1\n"
FILE = PublishedFile("small.csv", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "https://example.org/small.csv")


class Small(Publication):
    """The mean of a column of digits."""

    name = "test/small"
    title = "a small result"
    source = "nowhere"
    files = (FILE,)
    published = (PublishedNumbers("accuracy", ("digits",), (1.0,), 0.2),)

    def overrides(self, files, folder):
        assert files["small.csv"].read_bytes() == CONTENT
        assert not list(folder.iterdir())
        return ["model=digits_mlp", "examples=8", "method=[saliency]", "metric=[]", "agreement=[]"]

    def ours(self, study):
        return {"accuracy": [study.accuracy]}


@pytest.fixture
def brought(workplace):
    """The publication, provided by a plugin."""
    registry = installed()
    plugins = list(registry.plugins)
    module = types.ModuleType("brought")
    module.xaiexp_publications = hookimpl(lambda: [Small()])
    plugin = registry.add("brought", "xaiexp-brought", "1.0", lambda: module)
    assert not plugin.reason, plugin.reason
    yield workplace
    registry.plugins[:] = plugins


def downloads(monkeypatch, content):
    asked = []

    def urlopen(address, timeout):
        asked.append(address)
        if isinstance(content, Exception):
            raise content
        return io.BytesIO(content)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_a_publication_of_a_plugin_is_listed_and_reproduced(brought, capsys):
    assert cli.main(["reproduce"]) == 0
    assert any(line.startswith("test/small ") for line in capsys.readouterr().out.splitlines())
    (brought / "data").mkdir()
    (brought / "data" / "small.csv").write_bytes(CONTENT)
    assert cli.main(["reproduce", "test/small", "--data", "data", "--out", "page.md"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "test/small: 1 of 1 numbers agree"
    assert "## test/small" in (brought / "page.md").read_text()


def test_a_file_is_downloaded_once_and_verified(brought, monkeypatch):
    asked = downloads(monkeypatch, CONTENT)
    assert cli.main(["reproduce", "test/small"]) == 0
    assert cli.main(["reproduce", "test/small"]) == 0
    assert asked == [FILE.address]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (urllib.error.URLError("no network"), "test/small needs small.csv, which cannot be downloaded (no network)"),
        (CONTENT + b"x", "another size or SHA-256"),
    ],
)
def test_what_cannot_be_downloaded_is_told_in_two_lines(content, message, brought, monkeypatch, capsys):
    downloads(monkeypatch, content)
    assert cli.main(["reproduce", "test/small"]) == cli.WRONG
    told = capsys.readouterr().err
    assert message in told
    assert "--data FOLDER" in told
    assert len(told.strip().splitlines()) == 2


def test_another_file_of_the_same_name_is_refused(brought, capsys):
    (brought / "small.csv").write_bytes(b"other")
    assert cli.main(["reproduce", "test/small", "--data", "."]) == cli.WRONG
    assert "is not the file that test/small was published with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["captum/titanik"], "no published result has this name (got 'captum/titanik')\n  nearest: captum/titanic"),
        (["captum/titanic", "--data", "nowhere"], "reproduce --data: no such folder (got 'nowhere')"),
    ],
)
def test_a_wrong_request_is_told(words, message, workplace, capsys):
    assert cli.main(["reproduce", *words]) == cli.WRONG
    assert message in capsys.readouterr().err


NUMBERS = PublishedNumbers("q", ("a", "b"), (1.0, 2.0), 0.01)


@pytest.mark.parametrize(
    ("ours", "truth", "findings", "verdict"),
    [
        ((1.0, 2.005), (float("nan"), 2.005), (), "agrees"),
        ((1.0, 2.5), (1.0, 2.5), (), "differs"),
        ((1.0, 2.5), (1.0, 2.5), (True,), "explained"),
        ((1.0, 2.5), (1.0, 2.5), (True, False), "differs"),
        ((1.0, 2.0), (1.0, 2.5), (True,), "wrong"),
    ],
)
def test_the_verdict_asks_for_the_truth_first_and_then_for_a_reason(ours, truth, findings, verdict):
    rows = tuple(Row(*row) for row in zip(NUMBERS.names, ours, NUMBERS.values, truth, strict=True))
    reasons = tuple(Finding("r", holds, "s") for holds in findings)
    assert Compared(NUMBERS, rows, reasons, 0.1).verdict == verdict


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([object()], "is no instance of xaiexp.plugin.Publication"),
        ([Small(), Small()], "publication 'test/small' is provided twice"),
    ],
)
def test_what_is_no_publication_is_refused_with_its_plugin(given, reason):
    registry = type(installed())()
    module = types.ModuleType("brought")
    module.xaiexp_publications = hookimpl(lambda: given)
    assert reason in registry.add("brought", "xaiexp-brought", "1.0", lambda: module).reason
