from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from omegaconf import OmegaConf

from xaiexp.config.schema import derived
from xaiexp.core.parameters import Range, check
from xaiexp.errors import ParameterError


@dataclass(frozen=True)
class Knobs:
    needed: str
    n: Annotated[int, Range(1)] = 3
    share: Annotated[float, Range(0, 1, exclusive=True)] = 0.5
    how: Literal["fast", "slow"] = "fast"
    on: bool = False
    maybe: Annotated[int, Range(0, 9)] | None = None
    shape: tuple[int, ...] | None = None
    pair: tuple[float, float] = (0.0, 1.0)
    names: dict[str, int] | None = None


def test_missing_parameters_get_their_defaults():
    assert check("k", Knobs, {"needed": "x"})["n"] == 3


def test_lists_are_converted_to_tuples_and_integers_to_floats():
    got = check("k", Knobs, {"needed": "x", "shape": [1, 2], "pair": [0, 2], "share": 0.25})
    assert got["shape"] == (1, 2)
    assert got["pair"] == (0.0, 2.0)
    assert isinstance(got["pair"][0], float)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "k.needed: must be given\n  as k.needed=... (str)"),
        ({"needed": "x", "m": 1}, "k.m: no such parameter\n  parameters: needed, n, share"),
        ({"needed": "x", "n": 0}, "k.n: must be at least 1 (got 0)"),
        ({"needed": "x", "n": 2.5}, "k.n: must be int at least 1 (got 2.5)"),
        ({"needed": "x", "n": True}, "k.n: must be int at least 1 (got True)"),
        ({"needed": "x", "share": 1.0}, "k.share: must be between 0 and 1, both excluded (got 1.0)"),
        ({"needed": "x", "share": float("nan")}, "k.share: must be float"),
        ({"needed": "x", "how": "fas"}, "k.how: must be one of fast, slow (got 'fas')\n  nearest: fast"),
        ({"needed": "x", "on": 1}, "k.on: must be bool (got 1)"),
        ({"needed": "x", "maybe": 10}, "k.maybe: must be between 0 and 9 (got 10)"),
        ({"needed": "x", "maybe": "a"}, "k.maybe: must be int between 0 and 9 or null (got 'a')"),
        ({"needed": "x", "shape": 3}, "k.shape: must be list of int or null (got 3)"),
        ({"needed": "x", "shape": [1, "a"]}, "k.shape[1]: must be int (got 'a')"),
        ({"needed": "x", "pair": [1.0]}, "k.pair: must be list of float (got [1.0])"),
        ({"needed": 4}, "k.needed: must be str (got 4)"),
    ],
)
def test_invalid_parameters_are_reported_with_key_type_and_value(given, message):
    with pytest.raises(ParameterError) as caught:
        check("k", Knobs, given)
    assert str(caught.value).startswith(message)


def test_the_omegaconf_schema_contains_every_field_and_converts_strings():
    node = OmegaConf.structured(derived(Knobs, name="knobs"))
    node.needed = "y"
    node.n = "7"
    node.shape = [3]
    plain = OmegaConf.to_container(node)
    assert plain.pop("name") == "knobs"
    assert check("k", Knobs, plain) == check("k", Knobs, {"needed": "y", "n": 7, "shape": [3]})
