"""Words of a text, and the word of each of its tokens."""

from __future__ import annotations

import re

import pytest

from xaiexp.builtin.models.word_spans import crosses_spaces, word_numbers, word_spans


def words_of(text):
    return [text[start:stop] for start, stop in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t", []),
        ("film", ["film"]),
        ("(Good), bad.", ["(", "Good", ")", ",", "bad", "."]),
        ("It wasn't O’Neil's", ["It", "wasn't", "O’Neil's"]),
        ("$1,299.50 3D", ["$", "1,299.50", "3D"]),
        ("state-of-the-art", ["state", "-", "of", "-", "the", "-", "art"]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("한국어 영화", ["한국어", "영화"]),
        ("我喜欢电影。", ["我", "喜", "欢", "电", "影", "。"]),
        ("映画 カタカナ", ["映", "画", "カタカナ"]),
        ("so 👩\u200d👩\u200d👧 !", ["so", "👩\u200d👩\u200d👧", "!"]),
    ],
)
def test_words_end_at_the_default_boundaries_of_unicode(text, words):
    assert words_of(text) == words


def test_every_character_but_spaces_is_in_one_word():
    text = "Well — it's  a_b, http://x.y/z?q=1…\n\n‘quoted’ 50% #tag @me über-Straße \u3000end"
    covered = [i for start, stop in word_spans(text) for i in range(start, stop)]
    assert covered == [i for i, character in enumerate(text) if not character.isspace()]


@pytest.mark.parametrize("seed", range(5))
def test_letters_between_spaces_and_punctuation_stay_together(seed):
    import random

    draw = random.Random(seed)
    text = "".join(draw.choice(["film", "Über", "x", " ", "  ", ", ", "! ", "(", ")", "-", "\n"]) for _ in range(60))
    assert [word for word in words_of(text) if word.isalpha()] == re.findall(r"[^\W\d_]+", text)


@pytest.mark.parametrize(
    ("text", "tokens", "numbers"),
    [
        ("a good", ["a", " good"], [0, 1]),  # the space belongs to the token
        ("goodness me", ["good", "ness", " ", "me"], [0, 0, 1, 1]),  # a token of a space
        ("me  ", ["me", " ", " "], [0, 0, 0]),
        ("  ", [" ", " "], [0, 0]),
        ("wasn't", ["wasn", "'", "t"], [0, 0, 0]),
        ("(ok).", ["(", "ok", ")."], [0, 1, 2]),
        ("(ok).", ["(o", "k", ").", ], [0, 0, 1]),  # a token joins a word and its punctuation
        ("电影", ["电影"], [0]),
        ("电影院", ["电影", "院"], [0, 1]),
        ("a b c", ["a b", " c"], [-1, 0]),
        ("a bit of", ["a b", "it", " of"], [-1, 0, 1]),
    ],
)  # fmt: skip
def test_tokens_are_numbered_by_their_words(text, tokens, numbers):
    offsets, start = [], 0
    for token in tokens:
        offsets.append((start, start + len(token)))
        start += len(token)
    assert word_numbers(text, offsets) == numbers


def test_tokens_of_several_words_join_them_on_request():
    assert word_numbers("a bit of it", [(0, 3), (3, 5), (5, 8), (8, 11)], joined=True) == [0, 0, 1, 2]


def test_the_bytes_of_a_character_are_one_word():
    assert word_numbers("é 电", [(0, 1), (0, 1), (1, 2), (2, 3), (2, 3)]) == [0, 0, 1, 1, 1]


def test_words_cut_off_by_truncation_are_not_counted():
    assert word_numbers("a good film", [(7, 11)]) == [0]
    assert word_numbers("a good film", []) == []


@pytest.mark.parametrize(
    ("token", "crosses"), [("a b", True), (" ab ", False), ("ab", False), (" ", False), ("", False)]
)
def test_a_token_crosses_spaces_between_its_characters(token, crosses):
    assert crosses_spaces(token) == crosses
