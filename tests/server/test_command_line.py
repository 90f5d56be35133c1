"""What is written as an override is what Hydra reads."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from xaiexp.server.command_line import _written

PARSER = OverridesParser.create()


def read(text):
    value = PARSER.parse_override(f"key={text}").value()
    return value.text if isinstance(value, QuotedString) else value


def unquoted(value):
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [unquoted(each) for each in value]
    if isinstance(value, dict):
        return {unquoted(key): unquoted(each) for key, each in value.items()}
    return value


WORDS = some.text(some.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="$"), max_size=12)
NUMBERS = some.integers(-(10**12), 10**12) | some.floats(allow_nan=False, allow_infinity=False)
VALUES = some.recursive(
    some.none() | some.booleans() | NUMBERS | WORDS, lambda inner: some.lists(inner, max_size=3), max_leaves=6
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_hydra_reads_the_value_that_was_written(value):
    assert unquoted(read(_written(value))) == value
    assert type(unquoted(read(_written(value)))) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "True",
        "nan",
        "-inf",
        "1",
        "1e5",
        ".5",
        "1_000",
        "",
        " a",
        "a b",
        "a,b",
        "it's",
        "\\",
        "a\\'",
        "[x]",
        "{a:b}",
        "é",
    ],
)
def test_a_text_that_looks_like_more_stays_a_text(text):
    assert read(_written(text)) == text
    assert isinstance(read(_written(text)), str)


@pytest.mark.parametrize("text", ["zero", "/data/photos", "outputs/view/a-b.csv", "../x.tsv"])
def test_names_and_paths_need_no_quotes(text):
    assert _written(text) == text
