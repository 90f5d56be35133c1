"""A message is short whatever the user gave, and shows no part of a password."""

from __future__ import annotations

import pytest

from xaiexp.errors import UserError


@pytest.mark.parametrize("place", ["where", "what", "got", "hint", "notes"])
def test_a_long_text_is_shown_by_its_ends(place):
    text = "begin" + "x" * 5000 + "end"
    parts = {"where": "key", "what": "is wrong", "got": None, "hint": "", "notes": []}
    message = str(UserError(**{**parts, place: [text] if place == "notes" else text}))
    assert len(message) < 1600
    assert "beginxx" in message
    assert "xxend" in message


def test_a_password_is_hidden_before_a_text_is_cut():
    for length in range(100, 200):
        message = str(UserError("k", "w", got="x" * length + "s3://me:" + "secret" * 60 + "@host/" + "y" * 400))
        assert "secret" not in message
        assert "..." in message
