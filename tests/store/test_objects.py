from __future__ import annotations

import torch

from xaiexp.store.fingerprints import fingerprint
from xaiexp.store.objects import Store


def test_an_object_that_was_written_can_be_read(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {"a": torch.arange(6.0).view(2, 3).T})
    assert torch.equal(store.get("ab12")["a"], torch.arange(6.0).view(2, 3).T)
    assert store.get("ab13") is None
    assert Store(tmp_path, force=True).get("ab12") is None


def test_a_damaged_object_counts_as_missing(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {"a": torch.ones(3)})
    store.path("ab12").write_bytes(b"torn")
    assert store.get("ab12") is None
    store.put("ab12", {"a": torch.ones(3)})
    assert store.get("ab12") is not None


def test_a_cell_is_in_the_store_once_all_its_objects_are(tmp_path):
    store = Store(tmp_path)
    assert not store.has_cell("p")
    store.put("k1", {"a": torch.ones(1)})
    store.put_cell_keys("p", ["k1", "k2"])
    assert not store.has_cell("p")
    store.put("k2", {"a": torch.ones(1)})
    assert store.has_cell("p")


def test_fingerprints_depend_on_names_dtypes_shapes_every_bit_and_extra_values():
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
