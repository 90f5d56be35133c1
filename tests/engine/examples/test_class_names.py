"""Classes of data and model are matched by name, said or refused; target=NAME."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import pytest
from small_studies import SMALL
from toy_studies import CLASSES, GradientTimesInput, ToyData, ToyModel, linear, ran, registered, rows, study

import xaiexp
from xaiexp import errors
from xaiexp.cli import app as cli
from xaiexp.engine.examples.class_names import align, class_index

ANIMALS = ("cat", "Dog", "guinea_pig")


@pytest.fixture(autouse=True, scope="module")
def components():
    with registered(ToyData, ToyModel, GradientTimesInput):
        yield


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_names_decide_whatever_their_order(order):
    data = [("CAT", "dog", "Guinea-Pig")[i] for i in order]
    found = align("d", data, ANIMALS, 3)
    assert found.names == ANIMALS
    assert [found.column(i) for i in range(3)] == list(order)
    assert bool(found.note) == (order != (0, 1, 2))
    assert ("another order" in found.note) == (order != (0, 1, 2))


def test_a_part_of_the_classes_is_found_among_many():
    model = [f"name {i}" for i in range(1000)]
    found = align("d", ["name_7", "Name-999"], model, 1000)
    assert found.columns == (7, 999)
    assert found.note.startswith(
        "the data have 2 of the model's 1000 classes; labels are matched by name: 'name_7' is 7"
    )


def test_a_name_that_two_classes_share_needs_an_order_that_tells_them_apart():
    model = ("crane", "maillot", "crane", "dog")
    assert align("d", model, model, 4).columns == ()
    assert align("d", ("dog", "crane", "crane", "maillot"), model, 4).columns == (3, 0, 2, 1)
    with pytest.raises(errors.MismatchError, match="1 of its classes and 2 of the model's have this name"):
        align("d", ("dog", "crane"), model, 4)


@pytest.mark.parametrize(
    ("data", "model", "classes"),
    [
        (("cat", "dog"), ("LABEL_0", "LABEL_1"), 2),
        (("cat", "dog"), ("class 0", "class 1"), 2),
        (("cat", "dog"), ("0", "1"), 1),
        (("cat", "dog"), (), 2),
        (("cat", "dog"), (), None),
        (("LABEL_0", "LABEL_1"), ("cat", "dog"), 2),
    ],
)
def test_generic_names_are_none_and_the_others_are_taken_by_index_and_said(data, model, classes):
    found = align("d", data, model, classes)
    assert (found.names, found.columns, found.counted) == (("cat", "dog"), (), 2)
    assert found.note.endswith("by index: 0 is 'cat', 1 is 'dog'")


def test_nothing_is_said_where_nobody_names_classes():
    for data, model in (((), ()), (("0", "1"), ("LABEL_0", "LABEL_1")), ((), ("a", "b"))):
        assert align("d", data, model, 2).note == ""


def test_names_without_any_in_common_are_taken_by_index_with_a_warning_that_names_both():
    note = align("d", ("Katze", "Hund", "Maus"), ANIMALS, 3).note
    assert note.startswith("warning: ")
    assert "'Katze', 'Hund', 'Maus'" in note
    assert "'cat', 'Dog', 'guinea_pig'" in note
    with pytest.raises(errors.MismatchError, match="has 2 classes; the model has 3, and no name is the same"):
        align("d", ("Katze", "Hund"), ANIMALS, 3)


def test_a_class_that_the_model_lacks_is_refused_with_the_nearest():
    with pytest.raises(errors.MismatchError) as refused:
        align("d", ("dog", "guinea pigs", "cat"), ANIMALS, 3)
    assert "1 of its 3 classes are none of the model's 3 (got 'guinea pigs')" in str(refused.value)
    assert "nearest: guinea_pig" in str(refused.value)


def test_the_name_of_a_single_output_is_that_of_class_one():
    assert align("d", ("spam", "ham"), ("SPAM",), 1).columns == (1, 0)
    assert align("d", ("ham", "spam"), ("SPAM",), 1).columns == ()
    assert align("d", ("ham", "spam"), ("spam", "ham"), 1).columns == (1, 0)


@pytest.mark.parametrize("classes", [CLASSES, None])
@pytest.mark.parametrize("stop_after", [None, 1])
def test_the_label_is_the_class_of_that_name(tmp_path, classes, stop_after):
    predicted = linear()(rows(130)).argmax(dim=1).tolist()
    order = (2, 0, 1)  # the data's class i is the model's class order[i]
    labels = tuple(order.index(k) for k in predicted)
    data = ToyData(130, labels=labels, names=("guinea pig", "cat", "dog"))
    outcome = ran(study(data, ToyModel(names=ANIMALS), target="label"), tmp_path, stop_after)
    targets = [t for chunk in outcome.chunks for t in chunk.batch.targets.tolist()]
    assert targets == predicted
    assert [t for chunk in outcome.chunks for t in chunk.batch.labels.tolist()] == predicted
    assert outcome.loaded.class_names == ANIMALS
    assert "another order" in outcome.loaded.notes[0]
    assert outcome.run.performance.facts().accuracy == 1


def test_two_folders_of_many_classes_are_explained_as_what_they_are(tmp_path):
    data = ToyData(16, labels=tuple(i % 2 for i in range(16)), names=("guinea pig", "dog"))
    outcome = ran(study(data, ToyModel(names=ANIMALS), target="label"), tmp_path)
    assert outcome.chunks[0].batch.targets.tolist() == [(2, 1)[i % 2] for i in range(16)]
    assert outcome.chunks[0].batch.background.labels.tolist() == [(2, 1)[i % 2] for i in range(16)]


def test_classes_by_index_must_be_as_many_as_the_outputs_turn_out_to_be(tmp_path):
    @dataclass(frozen=True)
    class Unknown(ToyModel):
        def load(self, context):
            return replace(super().load(context), classes=None)

    with registered(Unknown), pytest.raises(errors.MismatchError, match="has 2 classes; the model has 3"):
        ran(study(ToyData(6, labels=(0, 1) * 3, names=("a", "b")), Unknown()), tmp_path)


@pytest.mark.parametrize(("name", "index"), [("cat", 0), ("DOG", 1), ("guinea pig", 2), ("Guinea-Pig", 2)])
def test_a_target_by_name(tmp_path, name, index):
    assert class_index(name, ANIMALS) == index
    outcome = ran(study(ToyData(6), ToyModel(names=ANIMALS), target=name), tmp_path)
    assert outcome.chunks[0].batch.targets.tolist() == [index] * 6


def test_targets_by_name_and_index_in_a_list(tmp_path):
    outcome = ran(study(ToyData(6), ToyModel(names=ANIMALS), target=("dog", 0, "2", "dog")), tmp_path)
    assert [set(chunk.batch.targets.tolist()) for chunk in outcome.chunks] == [{1}, {0}, {2}]


def test_a_name_of_several_classes_is_refused_unless_it_is_exact():
    assert class_index("Dog", ("dog", "Dog")) == 1
    with pytest.raises(errors.MismatchError, match=r"2 classes have this name: \[0, 1\]"):
        class_index("DOG", ("dog", "Dog"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("target=six", ["target: no class has this name (got 'six')"]),
        ("target=[predicted,nobody]", ["target: no class has this name (got 'nobody')"]),
        ("target=[all,1]", ["all stands for every class"]),
        ("target=' '", ["target: names no target"]),
        ("target=-1", ["target: must be at least 0"]),
        ("target=1.5", ["target: must be"]),
        ("target=null", ["target: must be"]),
    ],
)
def test_targets_that_mean_nothing_are_refused(workplace, capsys, target, words):
    assert cli.main([*SMALL, target]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for each in words:
        assert each in said


def test_an_unknown_class_has_its_nearest(tmp_path):
    with pytest.raises(errors.UnknownName) as refused:
        ran(study(ToyData(6), ToyModel(names=ANIMALS), target="guineapig"), tmp_path)
    assert "nearest: guinea_pig" in str(refused.value)
    with pytest.raises(errors.MismatchError, match="neither the model nor the data name classes"):
        ran(study(ToyData(6), ToyModel(), target="cat"), tmp_path)


def test_numeric_strings_are_indices(workplace):
    result = xaiexp.run([*SMALL, "target='3'", "method=[random]", "metric=[sparseness]", "agreement=[]"], quiet=True)
    assert set(result.scores["target"]) == {3}
