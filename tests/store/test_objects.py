from __future__ import annotations

import hashlib

import safetensors
import torch

from xaiexp.store.fingerprints import fingerprint
from xaiexp.store.objects import Store


def test_an_object_that_was_written_can_be_read(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {"a": torch.arange(6.0).view(2, 3).T}, "scores")
    assert torch.equal(store.get("ab12")["a"], torch.arange(6.0).view(2, 3).T)
    assert store.get("ab13") is None
    assert Store(tmp_path, force=True).get("ab12") is None


def test_a_cell_is_in_the_store_once_all_its_objects_are(tmp_path):
    store = Store(tmp_path)
    assert not store.has_cell("p")
    store.put("k1", {"a": torch.ones(1)}, "scores")
    store.put_cell_keys("p", ["k1", "k2"])
    assert not store.has_cell("p")
    store.put("k2", {"a": torch.ones(1)}, "scores")
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


def test_a_fingerprint_is_the_hash_of_what_its_docstring_says():
    x, y = torch.arange(6, dtype=torch.int16).view(2, 3), torch.zeros(0, 4)
    expected = hashlib.blake2b(b"('more', 2)" + b"x|torch.int16|(2, 3)|", digest_size=20)
    expected.update(b"".join(value.to_bytes(2, "little") for value in range(6)))
    expected.update(b"y|torch.float32|(0, 4)|")
    assert fingerprint({"y": y, "x": x}, "more", 2) == expected.hexdigest()


def test_an_object_is_found_where_earlier_versions_wrote_it(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {"a": torch.ones(1)}, "scores")
    store.put_cell_keys("cd34", ["ab12"])
    files = [str(file.relative_to(tmp_path)) for file in sorted(tmp_path.rglob("*")) if file.is_file()]
    assert files == ["objects/ab/ab12.safetensors", "plans/cd/cd34.json"]


def test_an_object_must_contain_the_tensors_that_are_asked_for_and_is_deleted_otherwise(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {"a": torch.ones(3), "b": torch.zeros(2)}, "scores")
    assert set(store.get("ab12", "a", "b")) == {"a", "b"}
    assert set(store.get("ab12", "a")) == {"a", "b"}
    assert store.get("ab12", "a", "c") is None
    assert not store.path("ab12").exists()


def test_an_object_without_tensors_counts_as_missing(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {}, "scores")
    assert store.get("ab12") is None


def test_tensors_that_share_memory_are_written_in_full(tmp_path):
    store, whole = Store(tmp_path), torch.arange(4.0, requires_grad=True)
    store.put("ab12", {"whole": whole, "part": whole[:2]}, "scores")
    found = store.get("ab12")
    assert found["whole"].tolist() == [0, 1, 2, 3]
    assert found["part"].tolist() == [0, 1]


def test_a_cell_is_not_predicted_to_be_found_where_everything_is_computed_again_or_nothing_was_used(tmp_path):
    store = Store(tmp_path)
    store.put("k1", {"a": torch.ones(1)}, "scores")
    store.put_cell_keys("p", ["k1"])
    store.put_cell_keys("nothing", [])
    assert store.has_cell("p")
    assert not Store(tmp_path, force=True).has_cell("p")
    assert not store.has_cell("nothing")
    for content in (b"torn", b"\xff", b"5", b"[5]", b'{"k1": 1}'):
        store._cell_path("p").write_bytes(content)
        assert not store.has_cell("p"), content


def test_an_object_that_another_process_deleted_meanwhile_is_missing_and_not_damaged(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.put("ab12", {"a": torch.ones(3)}, "scores")

    def gone(path, framework):
        path.unlink()
        raise FileNotFoundError(path)

    monkeypatch.setattr(safetensors, "safe_open", gone)
    assert store.get("ab12") is None
    assert not store.notes()
