from __future__ import annotations

import re

import pytest
import torch
import written_studies
from small_studies import passes, run

import xaiexp
from xaiexp.errors import MismatchError, ParameterError, ResourceError, UnknownName, UserError


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("result"))
        yield run("target=label")


def test_the_text_is_short_and_names_model_data_and_verdicts(result):
    lines = repr(result).splitlines()
    assert len(lines) < 15
    assert lines[0].startswith("digits_mlp on digits, seed 0; 12 examples; accuracy ")
    assert any(line.startswith("deletion: ") for line in lines)


@pytest.mark.parametrize("modality", ["image", "text", "table", "series"])
def test_html_shows_three_examples_and_escapes_what_others_wrote(modality, tmp_path):
    html = xaiexp.load(written_studies.write_study(tmp_path / "s", modality, examples=5))._repr_html_()
    assert re.findall(r"<b>(example \d)</b>", html) == ["example 0", "example 1", "example 2"]
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert ("data:image/png;base64," in html) == (modality in ("image", "series"))
    assert html.count("<figure") >= 3 * len(written_studies.CELLS)


def test_html_of_a_folder_that_is_gone_has_the_table(tmp_path):
    result = xaiexp.load(written_studies.write_study(tmp_path / "s"))
    (tmp_path / "s").rename(tmp_path / "t")
    assert "infidelity" in result._repr_html_()


def test_inputs_predictions_and_labels_are_in_the_order_of_the_attributions(result):
    loaded = xaiexp.load(result.path)
    for each in (result, loaded):
        assert each.inputs.shape == (12, 1, 8, 8)
        assert each.predictions.shape == (12, 10)
        assert len(each.attributions("saliency")) == 12
        share = (each.predictions.argmax(dim=1) == each.labels).double().mean()
        assert each.accuracy == pytest.approx(float(share))
    torch.testing.assert_close(loaded.inputs, result.inputs, rtol=0, atol=0)
    # The targets are the labels: those of the scores, which stand in the order of the examples.
    one = result.scores[(result.scores["method"] == "saliency") & (result.scores["metric"] == "deletion")]
    assert one["target"].tolist() == result.labels.tolist()


def test_inputs_of_several_targets_have_a_row_each(result, monkeypatch):
    monkeypatch.chdir(result.path.parents[2])
    several = run("target=[0,1,2]", "examples=4", "method=[saliency]")
    assert several.inputs.shape == (12, 1, 8, 8)
    assert len(several.attributions("saliency")) == 12


def test_reading_inputs_costs_no_pass(result, monkeypatch):
    from xaiexp.inference.pass_engine import PassEngine

    loaded = xaiexp.load(result.path)
    monkeypatch.setattr(PassEngine, "forward", lambda *_: pytest.fail("a pass was made"))
    assert len(loaded.inputs) == 12
    assert passes(result) > 0


def test_data_that_changed_are_refused(result):
    record = {**result.record, "data": {**result.record["data"], "fingerprint": "other"}}
    changed = xaiexp.Result(**{**vars(xaiexp.load(result.path)), "record": record})
    with pytest.raises(MismatchError, match="others now"):
        changed.inputs  # noqa: B018


def test_plot_has_the_input_and_a_panel_for_each_map(result):
    def titles(figure):
        return [ax.get_title() for ax in figure.axes if ax.get_title()]

    cells = ["saliency", "integrated_gradients / zero", "integrated_gradients / mean", "random"]
    assert titles(result.plot()) == ["input", *cells]
    assert titles(result.plot(2, cells=["integrated_gradients/mean"])) == ["input", "integrated_gradients / mean"]
    assert titles(result.plot(cells="integrated_gradients")) == ["input", cells[1], cells[2]]


@pytest.mark.parametrize("modality", ["image", "text", "table", "series"])
def test_plot_draws_every_modality(modality, tmp_path):
    figure = xaiexp.load(written_studies.write_study(tmp_path / "s", modality)).plot(1)
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.mark.parametrize(("given", "error"), [({"example": 99}, ParameterError), ({"cells": ["salency"]}, UnknownName)])
def test_plot_refuses_what_is_not_there(given, error, result):
    with pytest.raises(error):
        result.plot(**given)


def test_a_sweep_has_the_joint_table_and_no_maps(tmp_path):
    for seed in range(2):
        written_studies.write_study(tmp_path / str(seed), seed=seed)
    (tmp_path / "sweep.json").write_text("{}")
    sweep = xaiexp.load(tmp_path)
    assert repr(sweep).startswith("sweep of 2 studies\ndigits_cnn on digits, over all seeds")
    assert len(repr(sweep).splitlines()) < 15
    assert "over all seeds" in sweep.to_markdown()
    for ask in (sweep.plot, lambda: sweep.inputs):
        with pytest.raises(UserError, match="not of a sweep"):
            ask()


def test_a_study_that_never_began_has_no_inputs(tmp_path):
    (tmp_path / "record.json").write_text('{"status": "failed"}')
    with pytest.raises(ResourceError):
        xaiexp.load(tmp_path).inputs  # noqa: B018
