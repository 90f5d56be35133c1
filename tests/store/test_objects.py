from __future__ import annotations

import torch

from xaiexp.store.fingerprints import fingerprint
from xaiexp.store.objects import Store


def test_what_was_put_is_found_again(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {"a": torch.arange(6.0).view(2, 3).T})
    assert torch.equal(store.get("ab12")["a"], torch.arange(6.0).view(2, 3).T)
    assert store.get("ab13") is None
    assert Store(tmp_path, force=True).get("ab12") is None


def test_a_damaged_object_is_computed_anew_not_crashed_on(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {"a": torch.ones(3)})
    store.path("ab12").write_bytes(b"torn")
    assert store.get("ab12") is None
    store.put("ab12", {"a": torch.ones(3)})
    assert store.get("ab12") is not None


def test_a_note_tells_whether_all_objects_are_there(tmp_path):
    store = Store(tmp_path)
    assert not store.expected("p")
    store.put("k1", {"a": torch.ones(1)})
    store.note("p", ["k1", "k2"])
    assert not store.expected("p")
    store.put("k2", {"a": torch.ones(1)})
    assert store.expected("p")


def test_fingerprints_see_names_types_shapes_and_every_bit():
    a = torch.zeros(4)
    b = a.clone()
    b[3] = 1e-45
    prints = [
        fingerprint({"x": a}),
        fingerprint({"y": a}),
        fingerprint({"x": a.double()}),
        fingerprint({"x": a.view(2, 2)}),
        fingerprint({"x": b}),
        fingerprint({"x": a}, "more"),
        fingerprint({"x": a[:0]}),
    ]
    assert len(set(prints)) == len(prints)
    assert fingerprint({"x": a, "y": b}) == fingerprint({"y": b, "x": a.clone()})
