"""Samples become batches: chunks, labels, the background, and data that are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch

from xaiexp.contract.kinds import Dataset, Features
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded, Network, Outline, Sample, Source
from xaiexp.engine.loader import Examples, Loader, background_of
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.plan.settings import Settings

CPU = torch.device("cpu")


def rows(count, d=3):
    return torch.arange(count * d, dtype=torch.float32).view(count, d)


@dataclass(frozen=True)
class Rows(Dataset):
    """``count`` rows of ``d`` columns; row i has the label ``labels[i]``, or none."""

    count: int = 5
    d: int = 3
    labels: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    summary, source, modality = "rows", "made up", "table"

    def read(self, start, stop):
        data = rows(self.count, self.d)
        return [
            Sample(f"row {i}", data[i], self.labels[i] if i < len(self.labels) and self.labels[i] >= 0 else None)
            for i in range(start, stop)
        ]

    def open(self):
        return Source(self.count, self.read, self.class_names, self.names, self.columns)

    def outline(self):
        return Outline(self.count, (self.d,))


@dataclass(frozen=True)
class Columns(Features):
    summary, source, modalities = "columns", "made up", ("table",)

    def build(self, encoded):
        shape = encoded.inputs.shape[1:]
        return FeatureMap.from_index(torch.arange(shape.numel()).view(1, *shape), tuple(shape))

    def shape(self, inputs):
        return inputs


def encode(samples):
    inputs = torch.stack([sample.data for sample in samples])
    return Encoded(inputs, context={"weight": inputs[:, 0] * 10}, masks=inputs > 4)


def network(**more):
    return Network(lambda x: x, encode, "table", **{"classes": 3, **more})


def loader(dataset, limit=None, **more):
    return Loader(dataset, network(**more), Columns(), Settings(examples=limit, example_order="first"), CPU)


@pytest.mark.parametrize(("limit", "count"), [(None, 5), (3, 3), (9, 5)])
def test_a_study_has_as_many_examples_as_asked_for_and_there_are(limit, count):
    assert loader(Rows(), limit).count == count


def test_a_dataset_without_examples_is_refused():
    with pytest.raises(ResourceError, match=r"dataset\.rows: contains no examples"):
        loader(Rows(count=0))


@pytest.mark.parametrize(
    ("d", "chunk"), [(3, 64), (1 << 16, 64), ((1 << 16) + 1, 32), (1 << 22, 1), ((1 << 22) + 1, 1)]
)
def test_a_chunk_has_a_power_of_two_of_at_most_64_examples_and_4_million_elements(d, chunk, monkeypatch):
    monkeypatch.setattr(Rows, "read", lambda self, start, stop: [Sample("row", torch.zeros(d))] * (stop - start))
    assert loader(Rows(count=2, d=d)).chunk == chunk


@pytest.mark.parametrize(
    ("count", "d", "borders"),
    [
        (5, 3, [5]),
        (16, 3, [16]),
        (20, 3, [16, 20]),
        (300, 3, [16, 32, 64, 128, 192, 256, 300]),
        (40, 1 << 19, [8, 16, 24, 32, 40]),
        (70, (1 << 16) + 1, [16, 32, 64, 70]),
    ],
)
def test_the_chunks_of_few_examples_are_the_first_of_many(count, d, borders, monkeypatch):
    monkeypatch.setattr(Rows, "read", lambda self, start, stop: [Sample("row", torch.zeros(d))] * (stop - start))
    ranges = list(loader(Rows(count=count, d=d)).ranges())
    assert [stop for _, stop in ranges] == borders
    assert [start for start, _ in ranges] == [0, *borders[:-1]]


def test_a_batch_has_what_the_samples_and_their_encoding_have():
    ours = loader(Rows(labels=(2, -1, 0)))
    examples = ours.read(1, 4)
    batch = ours.with_truth(ours.batch(examples), examples, 3)
    assert batch.ids == ("row 1", "row 2", "row 3")
    assert torch.equal(batch.inputs, rows(5)[1:4])
    assert torch.equal(batch.context["weight"], rows(5)[1:4, 0] * 10)
    assert torch.equal(batch.masks, rows(5)[1:4] > 4)
    assert batch.labels.tolist() == [-1, 0, -1]
    assert batch.targets.tolist() == [0, 0, 0]
    assert batch.background is ours.background
    unlabelled = ours.read(3, 5)
    assert ours.with_truth(ours.batch(unlabelled), unlabelled, 3).labels is None


def test_chosen_examples_keep_all_that_belongs_to_them():
    inputs = torch.arange(12.0).view(3, 4)
    encoded = Encoded(
        inputs,
        context={"mask": inputs > 2},
        masks=inputs > 5,
        removable=inputs > 1,
        words=inputs.long() + 7,
        tokens=(("a",), ("b",), ("c",)),
    )
    samples = tuple(Sample(f"row {i}", None) for i in range(3))
    features = FeatureMap.from_index(torch.arange(12).view(3, 4) % 4, (4,))
    chosen = Examples(samples, encoded, features).rows(torch.tensor([2, 0]))
    assert [sample.id for sample in chosen.samples] == ["row 2", "row 0"]
    assert chosen.encoded.tokens == (("c",), ("a",))
    for name in ("inputs", "masks", "removable", "words"):
        assert torch.equal(getattr(chosen.encoded, name), getattr(encoded, name)[[2, 0]]), name
    assert torch.equal(chosen.encoded.context["mask"], encoded.context["mask"][[2, 0]])
    bare = Examples(samples, Encoded(inputs), features).rows(torch.tensor([1])).encoded
    assert (bare.masks, bare.removable, bare.words, bare.tokens) == (None, None, None, ())


@pytest.mark.parametrize(
    ("labels", "limit", "has"), [((), None, False), ((-1, -1, -1, 1), None, True), ((-1, -1, 1), 2, False)]
)
def test_labels_count_where_an_example_of_the_study_has_one(labels, limit, has):
    assert loader(Rows(labels=labels), limit).has_labels() is has


def test_the_background_is_spread_over_the_dataset_with_its_labels():
    ours = loader(Rows(count=100, labels=tuple(i % 3 for i in range(100))))
    chosen = [i * 100 // 64 for i in range(64)]
    assert torch.equal(ours.background.pool, rows(100)[chosen])
    assert ours.background.labels.tolist() == [i % 3 for i in chosen]
    assert torch.equal(ours.background.context["weight"], rows(100)[chosen, 0] * 10)
    assert torch.equal(loader(Rows(count=64)).background.pool, rows(64))


def test_the_fingerprint_of_the_background_follows_its_values_labels_and_context():
    prints = [
        loader(Rows()).fingerprint,
        loader(Rows(count=6)).fingerprint,
        loader(Rows(labels=(1,))).fingerprint,
        loader(Rows(labels=(2,))).fingerprint,
        loader(Rows(), special={"pad": torch.zeros(2)}).fingerprint,
        loader(Rows(), low=-1.0).fingerprint,
        Loader(
            Rows(),
            replace(network(), encode=lambda samples: replace(encode(samples), context={})),
            Columns(),
            Settings(examples=None),
            CPU,
        ).fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert loader(Rows()).fingerprint == loader(Rows(), limit=2).fingerprint


def test_names_come_from_the_model_before_the_dataset():
    assert loader(Rows(class_names=("a", "b", "c")), class_names=("x", "y", "z")).class_names == ("x", "y", "z")
    assert loader(Rows(class_names=("a", "b", "c"))).class_names == ("a", "b", "c")
    assert loader(Rows(), class_names=("x", "y", "z")).class_names == ("x", "y", "z")
    assert loader(Rows(names=("u", "v", "w"))).feature_names == ("u", "v", "w")


def test_the_columns_of_a_one_hot_group_share_a_name():
    assert loader(Rows(columns=("u", "u", "w"), names=("u=1", "u=2", "w"))).read(0, 1).encoded.columns == (
        "u",
        "u",
        "w",
    )
    assert loader(Rows(names=("u", "v", "w"))).read(0, 1).encoded.columns == ("u", "v", "w")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_refused_with_their_example(bad):
    def spoiled(samples):
        inputs = encode(samples).inputs.clone()
        for i, sample in enumerate(samples):
            inputs[i, 1] = bad if sample.id in {"row 2", "row 4"} else 0.0
        return Encoded(inputs)

    ours = Loader(Rows(), replace(network(), encode=spoiled), Columns(), Settings(examples=None), CPU)
    with pytest.raises(
        ResourceError, match=r"2 of 5 examples cannot be explained(.|\n)*infinite values \(got 'row 2'\)"
    ):
        ours.read(0, 5)


def test_classes_that_the_model_lacks_are_refused():
    with pytest.raises(MismatchError, match="the label of example 'row 1' is none of the model's 3 classes"):
        loader(Rows(labels=(0, 3)))
    with pytest.raises(MismatchError, match="has 2 classes; the model has 3"):
        loader(Rows(class_names=("a", "b")))


def test_statistics_of_images_are_taken_by_channel_and_the_legal_range_is_that_of_the_model():
    pool = torch.randn(5, 3, 4, 2, generator=torch.Generator().manual_seed(0))
    known = background_of(Encoded(pool, context={"c": pool[:, 0]}), Network(None, None, "image"))
    by_channel = pool.transpose(0, 1).flatten(1)
    for got, want in (
        (known.mean, by_channel.mean(1)),
        (known.low, by_channel.amin(1)),
        (known.high, by_channel.amax(1)),
    ):
        assert got.shape == (3, 1, 1)
        torch.testing.assert_close(got.flatten(), want)
    assert torch.equal(known.context["c"], pool[:, 0])
    legal = background_of(Encoded(pool), Network(None, None, "image", mean=0.5, std=0.25, low=0.0, high=1.0))
    assert legal.low.flatten().tolist() == [-2.0] * 3
    assert legal.high.flatten().tolist() == [2.0] * 3
    assert (legal.shift, legal.scale) == (0.5, 0.25)


def test_statistics_of_tables_are_taken_by_column():
    known = background_of(Encoded(rows(5)), Network(None, None, "table"))
    assert known.mean.tolist() == rows(5).mean(0).tolist()
    assert (known.low.tolist(), known.high.tolist()) == ([0, 1, 2], [12, 13, 14])


def test_statistics_of_texts_are_taken_over_their_own_tokens():
    pool = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    removable = torch.tensor([[False, True, True], [True, False, False]])
    tokens = torch.stack([pool[0, 1], pool[0, 2], pool[1, 0]])
    embed = len
    text = Network(None, None, "text", special={"pad": torch.ones(4)}, embed=embed)
    known = background_of(Encoded(pool, removable=removable, context={"c": pool[:, 0, 0]}), text)
    torch.testing.assert_close(known.mean, tokens.mean(0))
    assert torch.equal(known.low, tokens.amin(0))
    assert torch.equal(known.high, tokens.amax(0))
    assert known.embed is embed
    assert set(known.special) == {"pad"}
    assert torch.equal(known.context["c"], pool[:, 0, 0])
    every = background_of(Encoded(pool), text)
    torch.testing.assert_close(every.mean, pool.mean(dim=(0, 1)))
