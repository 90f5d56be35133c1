"""No password of a tracking server reaches the words that Hydra writes to files."""

from __future__ import annotations

import pytest

from xaiexp.cli import app as cli
from xaiexp.cli.hydra_words import hydra_words
from xaiexp.errors import UserError

SECRET, OTHER, OPEN = "http://me:secret@server", "http://you:word@server", "http://server"


@pytest.fixture(autouse=True)
def no_known_addresses(monkeypatch):
    monkeypatch.delenv("XAIEXP_TRACKING_URIS", raising=False)
    monkeypatch.setenv("XAIEXP_TRACKING_URIS", "{}")


@pytest.mark.parametrize(
    "word", [f"tracking.uri={SECRET}", f"+tracking.uri='{SECRET}'", f"tracking={{uri: '{SECRET}'}}"]
)
@pytest.mark.parametrize("known", [[SECRET], []], ids=["composed", "not composed"])
def test_a_password_on_the_command_line_is_masked_and_nothing_else_is_added(word, known):
    words = ["seed=1", word]
    assert hydra_words(words, words, known) == ["seed=1", word.replace("me:secret@", "me:***@")]


def test_words_without_a_password_stay_as_they_are():
    words = ["-m", "seed=1", f"tracking.uri={OPEN}", "dataset.path=a:b@c", "model.path=http://me:secret@data"]
    assert hydra_words(words, words[1:], [OPEN]) == words


def test_a_password_of_a_file_is_replaced_on_the_command_line():
    assert hydra_words(["seed=1"], ["seed=1"], [SECRET, SECRET]) == [
        "seed=1",
        "tracking.uri='http://me:***@server'",
    ]


def test_a_password_that_only_some_jobs_read_is_refused():
    with pytest.raises(UserError, match=r"tracking\.uri: has a password in some jobs only"):
        hydra_words(["seed=1"], ["seed=1"], [SECRET, OPEN])


def test_passwords_of_several_servers_are_masked():
    words = [f"tracking.uri={SECRET},{OTHER}"]
    (masked,) = hydra_words(words, words, [SECRET, OTHER])
    assert "secret" not in masked
    assert "word" not in masked


@pytest.mark.parametrize("words", [["--info", "nope"], ["--nope", "seed=1"], ["--cfg"], ["-x"]])
def test_wrong_flags_are_refused_in_two_lines(words, capsys):
    assert cli.main(words) == cli.WRONG
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert told[0].startswith("xaiexp: ")
    assert told[1] == "  all words: xaiexp --help"
