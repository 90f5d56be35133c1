"""Examples that cannot be explained: left out, counted and named; too many are refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from documents import Opened
from PIL import Image
from small_studies import Facts
from toy_studies import GradientTimesInput, ToyData, ToyModel, linear, ran, registered, rows, study

from xaiexp import errors
from xaiexp.cli import app as cli
from xaiexp.contract.kinds import Baseline, Metric

METRIC = {"metrics": ["sparseness"]}


@dataclass(frozen=True)
class NeedsEveryMap(Metric):
    """The sum of a map; raises for examples by id."""

    summary, source = "a sum", "made up"
    higher_is_better, bounds, unit = True, (None, None), "1"
    needs_sign, scale_invariant, re_explains = False, False, False
    raises: tuple[str, ...] = ()

    def score(self, model, batch, explanation, rng):
        assert bool(explanation.values.isfinite().all())
        if set(self.raises) & set(batch.ids):
            raise ValueError("not this one")
        return explanation.values.sum(dim=1)


@dataclass(frozen=True)
class ExplainsAgain(Metric):
    """The change of the sum of the map when the inputs are doubled."""

    summary, source = "a change", "made up"
    higher_is_better, bounds, unit = True, (None, None), "1"
    needs_sign, scale_invariant, re_explains = False, False, True

    def score(self, model, batch, explanation, rng):
        again = explanation.explain_perturbed(2 * batch.inputs.unsqueeze(1))
        return again.flatten(2).sum(dim=2)[:, 0] - explanation.values.sum(dim=1)


@dataclass(frozen=True)
class PartialBaseline(Baseline):
    """Zeros; no reference for some examples."""

    summary, source, modalities = "zeros", "made up", ("table",)
    raises: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()

    def references(self, batch, rng):
        if set(self.raises) & set(batch.ids):
            raise ValueError("no reference")
        bad = torch.tensor([example in self.undefined for example in batch.ids])
        return torch.zeros_like(batch.inputs).masked_fill(bad.unsqueeze(1), float("nan"))


@dataclass(frozen=True)
class FromReference(Facts):
    """The input minus the reference."""

    reads_baseline = True

    def attribute(self, model, batch, reference, rng):
        return batch.inputs - reference


@pytest.fixture(autouse=True, scope="module")
def components():
    kinds = (ToyData, ToyModel, GradientTimesInput, NeedsEveryMap, ExplainsAgain, PartialBaseline, FromReference)
    with registered(*kinds):
        yield


def sums(count):
    """The sum of gradient times input of the predicted class of a linear network, by example."""
    module, x = linear().double(), rows(count).double()
    weights = module.weight[module(x).argmax(dim=1)]
    return {f"id {i}": float(value) for i, value in enumerate((weights * x).sum(dim=1))}


def values(outcome, method="gradient"):
    frame = outcome.scores[outcome.scores["method"] == method]
    return dict(zip(frame["example"], frame["value"], strict=True))


BAD = ToyData(130, damaged=(3, 70), infinite=(64,), unfit=(65,), nan_scores=(1, 129))
NAMES = ["row 3", "id 1", "row 70", "id 65", "id 64", "id 129"]


@pytest.mark.parametrize("stop_after", [None, 1, 2])
def test_examples_that_cannot_be_explained_are_left_out_counted_and_named(tmp_path, stop_after):
    asked = study(BAD, metrics={"sum": NeedsEveryMap()})
    outcome = ran(asked, tmp_path, stop_after)
    assert {each.example: each.reason for each in outcome.run.left_out} == {
        "row 3": "OSError: file 3 is truncated",
        "row 70": "OSError: file 70 is truncated",
        "id 64": "dataset.toy_data: contains NaN or infinite values (got 'id 64')",
        "id 65": "TypeError: expected Tensor as element 0 in argument 0, but got str",
        "id 1": "model: returns NaN or infinite scores (got 'id 1')",
        "id 129": "model: returns NaN or infinite scores (got 'id 129')",
    }
    assert sorted(each.example for each in outcome.run.left_out) == sorted(NAMES)
    want = {k: v for k, v in sums(130).items() if k not in {f"id {i}" for i in (3, 70, 64, 65, 1, 129)}}
    got = values(outcome)
    assert list(got) == list(want)
    np.testing.assert_allclose(list(got.values()), list(want.values()), rtol=1e-5)
    cell = outcome.cells["gradient"]
    assert (cell["status"], cell["examples"], cell["reason"]) == ("done", 124, "")


def test_a_chunk_of_which_nothing_is_left_is_passed_over(tmp_path):
    asked = study(ToyData(1400, damaged=tuple(range(64, 128)), nan_scores=(2, 1399)), metrics={"sum": NeedsEveryMap()})
    outcome = ran(asked, tmp_path)
    assert len(outcome.run.left_out) == 66
    assert outcome.cells["gradient"]["examples"] == len(values(outcome)) == 1334


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"damaged": (0, 5)}, ["2 of 20 examples", "more than 5%", "row 0: OSError: file 0 is truncated", "row 5"]),
        ({"infinite": (0, 5)}, ["2 of 20 examples", "id 0", "id 5"]),
        ({"unfit": (0, 15)}, ["2 of 20 examples", "id 0: TypeError", "id 15"]),
        ({"nan_scores": (0, 5)}, ["2 of 20 examples", "returns NaN or infinite scores", "id 0", "id 5"]),
        ({"damaged": tuple(range(20))}, ["16 of 20 examples", "row 0", "row 2"]),
        ({"infinite": tuple(range(20))}, ["contains NaN or infinite values (got 'id 0')", "16 of 20"]),
        ({"nan_scores": tuple(range(20))}, ["model: returns NaN or infinite scores", "16 of 20"]),
    ],
)
def test_too_many_are_refused_before_the_first_attribution(tmp_path, bad, named):
    with pytest.raises(errors.UserError) as refused:
        ran(study(ToyData(20, **bad)), tmp_path)
    for words in named:
        assert words in str(refused.value)
    stored = [path.read_bytes()[:2000] for path in tmp_path.rglob("*.safetensors")]
    assert not any(b"attributions" in head for head in stored)


def test_exactly_five_percent_may_be_left_out(tmp_path):
    assert len(ran(study(ToyData(20, damaged=(19,))), tmp_path).run.left_out) == 1


def test_examples_beyond_those_of_the_study_do_not_count(tmp_path):
    outcome = ran(study(ToyData(40, damaged=(10, 20, 30, 39)), examples=10, example_order="first"), tmp_path)
    assert not outcome.run.left_out
    assert outcome.cells["gradient"]["examples"] == 10


UNDEFINED = ("id 0", "id 64", "id 100")


@pytest.mark.parametrize("how", ["raises", "undefined"])
@pytest.mark.parametrize(("stop_after", "target"), [(None, "predicted"), (1, "predicted"), (None, (0, 2, "predicted"))])
def test_an_undefined_map_is_the_nan_of_its_example_alone(tmp_path, how, stop_after, target):
    methods = {"gradient": GradientTimesInput(**{how: UNDEFINED}), "whole": GradientTimesInput()}
    asked = study(
        ToyData(130), None, methods, metrics={"sum": NeedsEveryMap()}, agreements=["rank_correlation"], target=target
    )
    outcome = ran(asked, tmp_path, stop_after)
    frame = outcome.scores.pivot(index=["example", "target"], columns="method", values="value").reset_index()
    assert set(frame["example"][frame["gradient"].isna()]) == set(UNDEFINED)
    assert frame["whole"].notna().all()
    defined = frame[frame["gradient"].notna()]
    np.testing.assert_allclose(defined["gradient"], defined["whole"], rtol=1e-6)
    agreement = outcome.agreement
    assert set(agreement["example"][agreement["value"].isna()]) == set(UNDEFINED)
    reason = "ValueError: no idea" if how == "raises" else "returned NaN or infinite attributions"
    total = len(frame)
    undefined = int(frame["gradient"].isna().sum())
    named = ", ".join(f"{each} ({reason})" for each in (UNDEFINED if target == "predicted" else ["id 0"] * 3))
    cell = outcome.cells["gradient"]
    more = f" and {undefined - 3} more" if undefined > 3 else ""
    if target == "predicted":
        assert cell["reason"] == f"warning: undefined for {undefined} of {total} examples: {named}{more}"
    assert (cell["status"], cell["examples"]) == ("done", 130)
    assert {each.example for each in outcome.run.undefined()["gradient"]} == set(UNDEFINED)
    again = ran(asked, tmp_path)
    assert again.cells["gradient"]["reason"] == cell["reason"]
    assert again.cells["gradient"]["cached"]
    pd.testing.assert_frame_equal(again.scores, outcome.scores)


@pytest.mark.parametrize("how", ["raises", "undefined"])
@pytest.mark.parametrize("stop_after", [None, 1])
def test_a_cell_with_more_than_five_percent_undefined_maps_fails(tmp_path, how, stop_after):
    bad = tuple(f"id {i}" for i in range(60, 67))
    methods = {"gradient": GradientTimesInput(**{how: bad}), "whole": GradientTimesInput()}
    outcome = ran(study(ToyData(130), None, methods, **METRIC), tmp_path, stop_after)
    cell = outcome.cells["gradient"]
    assert cell["status"] == "failed"
    want = {
        "raises": "ValueError: no idea",
        "undefined": "returned NaN or infinite attributions for 7 of 128 examples (first: id 60)",
    }
    assert cell["reason"] == want[how]
    assert outcome.cells["whole"]["status"] == "done"
    assert set(outcome.scores["method"]) == {"whole"}


def test_a_method_that_raises_for_everyone_is_asked_no_more_often_than_it_takes(tmp_path):
    calls = []

    @dataclass(frozen=True)
    class Raises(Facts):
        def attribute(self, model, batch, reference, rng):
            calls.append(len(batch))
            raise ValueError("never")

    with registered(Raises):
        outcome = ran(study(ToyData(130), None, {"raises": Raises()}), tmp_path)
    assert outcome.cells["raises"]["status"] == "failed"
    assert outcome.cells["raises"]["reason"] == "ValueError: never"
    assert calls == [16, *[1] * 7]  # 6 of 130 may be undefined


@pytest.mark.parametrize("how", ["raises", "undefined"])
def test_a_reference_that_is_undefined_is_the_nan_of_its_example_alone(tmp_path, how):
    baselines = {"part": PartialBaseline(**{how: UNDEFINED})}
    methods = {"from_reference": FromReference()}
    asked = study(ToyData(130), None, methods, baselines=baselines, metrics={"sum": NeedsEveryMap()})
    outcome = ran(asked, tmp_path)
    got = values(outcome, "from_reference")
    want = {f"id {i}": float(total) for i, total in enumerate(rows(130).sum(dim=1))}
    assert {k for k, v in got.items() if np.isnan(v)} == set(UNDEFINED)
    np.testing.assert_allclose(
        [got[k] for k in want if k not in UNDEFINED], [want[k] for k in want if k not in UNDEFINED], rtol=1e-5
    )
    reason = {"raises": "ValueError: no reference", "undefined": "baseline 'partial_baseline' returned NaN"}[how]
    assert all(each.reason.startswith(reason) for each in outcome.run.undefined()["from_reference / part"])


@pytest.mark.parametrize("stop_after", [None, 1])
def test_a_metric_that_raises_for_an_example_is_undefined_there_alone(tmp_path, stop_after):
    methods = {"gradient": GradientTimesInput(), "other": GradientTimesInput()}
    asked = study(ToyData(130), None, methods, metrics={"sum": NeedsEveryMap(raises=("id 7", "id 128"))})
    outcome = ran(asked, tmp_path, stop_after)
    want = sums(130)
    for method in methods:
        got = values(outcome, method)
        assert {k for k, v in got.items() if np.isnan(v)} == {"id 7", "id 128"}
        kept = [k for k in want if k not in ("id 7", "id 128")]
        np.testing.assert_allclose([got[k] for k in kept], [want[k] for k in kept], rtol=1e-5)
    assert {each.example for each in outcome.run.undefined()["sum of gradient"]} == {"id 7", "id 128"}
    assert not outcome.run.failed()


def test_a_metric_that_explains_again_is_undefined_where_the_method_is(tmp_path):
    methods = {"gradient": GradientTimesInput(raises=("id 5",))}
    outcome = ran(study(ToyData(40), None, methods, metrics={"change": ExplainsAgain()}), tmp_path)
    got, want = values(outcome), sums(40)
    assert {k for k, v in got.items() if np.isnan(v)} == {"id 5"}
    kept = [k for k in want if k != "id 5"]
    np.testing.assert_allclose([got[k] for k in kept], [want[k] for k in kept], rtol=1e-4, atol=1e-5)
    assert not outcome.run.failed()


def test_a_metric_that_raises_for_too_many_fails(tmp_path):
    raises = tuple(f"id {i}" for i in range(3))
    outcome = ran(study(ToyData(40), metrics={"sum": NeedsEveryMap(raises=raises)}), tmp_path)
    assert {name: failure.reason for name, failure in outcome.run.failures().items()} == {
        "sum of gradient": "ValueError: not this one"
    }


def photos(folder, damaged):
    noise = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for i in range(15):
            pixels = noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i:02}.png")
    for name in damaged:
        path = folder / name
        path.write_bytes(path.read_bytes()[:-400])  # the header is whole


MODEL = """
import torch
from torch import nn
def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
"""
WORDS = ["model=factory", "model.target=mine:make", "model.mean=[0]", "model.std=[1]", "dataset=image_folder",
         "dataset.root=photos", "trust=[mine]", "method=[saliency]", "baseline=[zero]", "metric=[sparseness]",
         "agreement=[]", "tracking.uri=off", "report=true"]  # fmt: skip


def test_a_truncated_photo_is_named_in_the_record_on_the_terminal_and_on_the_page(workplace, monkeypatch, capsys):
    Path("mine.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(workplace))
    photos(Path("photos"), ["dog/03.png"])
    assert cli.main(WORDS) == cli.DONE
    (path,) = Path("outputs").glob("20*/*/record.json")
    (left_out,) = json.loads(path.read_text())["data"]["left_out"]
    assert left_out["example"] == "row 18"
    assert "dog/03.png cannot be read as an image" in left_out["reason"]
    assert "left out: 1 of 30 examples: row 18 (dataset.root: " in capsys.readouterr().out
    problems = {each.title: each.rows for each in Opened(path.parent / "report.html").study.problems}
    assert "dog/03.png" in problems["1 of 30 examples left out"][0][1]
    assert pd.read_parquet(path.parent / "cells.parquet")["examples"].item() == 29
    for name in ("cat/00.png", "cat/01.png"):
        photo = Path("photos") / name
        photo.write_bytes(photo.read_bytes()[:-400])
    assert cli.main(WORDS) == 2
    refused = capsys.readouterr().err
    assert "of 30 examples cannot be explained, more than 5%" in refused
    assert "Traceback" not in refused
