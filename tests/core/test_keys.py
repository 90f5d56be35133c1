"""Properties of every key of the store, generated from the dataclasses derived from ``Key`` and their fields."""

from __future__ import annotations

import dataclasses
import inspect
import os
import pickle
import subprocess
import sys
import types
import typing
from collections.abc import Mapping, Sequence

import pytest

from xaiexp.core import keys
from xaiexp.core.keys import ComponentKey, Key

KINDS = [kind for _, kind in inspect.getmembers(keys, inspect.isclass) if issubclass(kind, Key) and kind is not Key]


def values_of(hint: object, n: int) -> list[object]:
    """Two or more distinct values of the type of a field, different for every position ``n`` of the field."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is str:
        return [f"a{n}", f"b{n}", ""]
    if hint is int:
        return [10 * n + 1, 10 * n + 2, -1]
    if hint is types.NoneType:
        return [None]
    if origin in (typing.Union, types.UnionType):
        return [value for option in arguments for value in values_of(option, n)]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return [{"p": n, "q": 0.5}, {"p": n, "q": 0.25}, {"p": n}, {"p": n, "r": 0.5}]
    if isinstance(origin, type) and issubclass(origin, Sequence):
        first, second, *_ = values_of(arguments[0], n)
        return [[first], [second], [first, second], [second, first]]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return [instance(hint, n), *(other for _, others in variations(hint, n) for other in others)]
    raise AssertionError(f"no values for a field of type {hint}: add them here")


def instance(kind: type, n: int = 0):
    hints = typing.get_type_hints(kind)
    return kind(**{f.name: values_of(hints[f.name], n + i)[0] for i, f in enumerate(dataclasses.fields(kind))})


def variations(kind: type, n: int = 0):
    """For each field, the instances that differ from ``instance(kind, n)`` in this field only."""
    hints, original = typing.get_type_hints(kind), instance(kind, n)
    for i, f in enumerate(dataclasses.fields(kind)):
        yield f.name, [dataclasses.replace(original, **{f.name: v}) for v in values_of(hints[f.name], n + i)[1:]]


FIELDS = [(kind, f.name) for kind in KINDS for f in dataclasses.fields(kind)]


def test_every_key_of_the_module_is_tested():
    assert {kind.__name__ for kind in KINDS} == {name for name in keys.__all__ if name.endswith("Key")} - {
        "Key",
        "ComponentKey",
    }
    assert set(KINDS) >= set(Key.__subclasses__())


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_changing_a_field_changes_the_digest(kind, field):
    others = dict(variations(kind))[field]
    digests = [instance(kind).digest, *(other.digest for other in others)]
    assert others
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(ComponentKey)])
@pytest.mark.parametrize(
    ("kind", "component"),
    [(kind, name) for kind, name in FIELDS if ComponentKey in typing.get_args(typing.get_type_hints(kind)[name])]
    + [(kind, name) for kind, name in FIELDS if typing.get_type_hints(kind)[name] is ComponentKey],
)
def test_changing_a_field_of_a_component_changes_the_digest(kind, component, field):
    original = instance(kind)
    for changed in dict(variations(ComponentKey))[field]:
        same = dataclasses.replace(original, **{component: instance(ComponentKey)})
        assert dataclasses.replace(original, **{component: changed}).digest != same.digest


@pytest.mark.parametrize("kind", KINDS)
def test_two_fields_that_swap_their_values_change_the_digest(kind):
    hints, original = typing.get_type_hints(kind), instance(kind)
    names = [f.name for f in dataclasses.fields(kind)]
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if hints[a] == hints[b]:
                swapped = {a: getattr(original, b), b: getattr(original, a)}
                assert dataclasses.replace(original, **swapped).digest != original.digest, (a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_two_kinds_with_equal_fields_have_different_digests(kind):
    twin = dataclasses.make_dataclass("OtherKey", [], bases=(kind,), frozen=True)
    fields = {f.name: getattr(instance(kind), f.name) for f in dataclasses.fields(kind)}
    assert twin(**fields).digest != kind(**fields).digest


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_changes_with_the_version(kind, monkeypatch):
    before = instance(kind).digest
    monkeypatch.setattr(keys, "VERSION", keys.VERSION + 1)
    assert instance(kind).digest != before


@pytest.mark.parametrize("kind", KINDS)
def test_equal_values_have_equal_digests(kind):
    digest = instance(kind).digest
    assert instance(kind).digest == pickle.loads(pickle.dumps(instance(kind))).digest == digest
    assert len(digest) == 40
    assert int(digest, 16) >= 0


def test_the_digest_is_independent_of_the_order_of_parameters():
    component = instance(ComponentKey)
    reordered = dataclasses.replace(component, parameters=dict(reversed(component.parameters.items())))
    assert list(reordered.parameters) != list(component.parameters)
    assert keys.ScoreKey(reordered, "a", "truth").digest == keys.ScoreKey(component, "a", "truth").digest


_PRINT_DIGESTS = """
import pickle, sys
for key in pickle.load(sys.stdin.buffer):
    print(key.digest)
assert "torch" not in sys.modules
"""


def test_digests_are_equal_in_processes_with_different_hash_seeds():
    instances = [instance(kind) for kind in KINDS]
    for hash_seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", _PRINT_DIGESTS],
            input=pickle.dumps(instances),
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode().split() == [key.digest for key in instances]
