from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import trust_studies
from documents import Opened

from xaiexp.cli import app as cli
from xaiexp.trust.drift.comparison import _paired_change, drift_of
from xaiexp.trust.drift.importance import Importance, relative
from xaiexp.trust.finished import finished

TRUST = ["--trust", "known_network"]
ONE = "~method.integrated_gradients"


@pytest.fixture(scope="module")
def periods(tmp_path_factory):
    """Two periods of twelve columns, of which the second has a shift in two; and another model for the first."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("periods")
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        weights = trust_studies.write_network(folder, columns=12)
        torch.manual_seed(0)
        state = torch.load(weights)
        state["0.weight"] = 0.02 * torch.randn(8, 12).sign() * (1 + torch.rand(8, 12))  # nearly additive
        torch.save(state, weights)
        first = trust_studies.write_table(folder / "first.csv", 12, 160, seed=1)
        second = trust_studies.write_table(folder / "second.csv", 12, 160, seed=2, shift={3: 2, 8: -2}, start=1000)
        studies = [trust_studies.run(table, weights, ONE, columns=12) for table in (first, second)]
        state["2.weight"] = state["2.weight"] + 0.3
        torch.save(state, folder / "other.pt")
        studies.append(trust_studies.run(first, folder / "other.pt", ONE, columns=12))
        return [study.path for study in studies]


def told(capsys, *words):
    code = cli.main(["drift", *map(str, words), *TRUST])
    return code, capsys.readouterr().out.splitlines()


def test_two_periods_name_the_two_columns_that_moved(periods, capsys):
    first, second, _ = periods
    code, lines = told(capsys, first, second)
    assert code == 0
    gained = [line.split()[1] for line in lines if line.startswith("gained: ")]
    assert sorted(gained) == ["c3", "c8"]
    assert not any(line.startswith("lost: ") for line in lines)
    assert "what differs: dataset; 0 examples are in both" in lines
    assert "agreement: the studies explain no example in common" in lines
    assert any(line.startswith("change of accuracy: ") for line in lines)


def test_a_study_has_not_drifted_from_itself(periods, capsys):
    code, lines = told(capsys, periods[0], periods[0], "--fail-above", "0")
    assert code == 0
    assert "no feature changed (12 tested)" in lines
    assert "rank_correlation of input_x_gradient: 1 [1, 1], 160 examples" in lines


def test_two_models_are_compared_on_the_same_examples(periods, capsys):
    first, _, other = periods
    found = drift_of(*(finished("drift", path, ["known_network"]) for path in (first, other)))
    assert found.paired
    assert found.differs == ("model",)
    assert found.same == 160
    study = [finished("drift", path, ["known_network"]) for path in (first, other)]
    maps = [each.maps(each.done[0]) for each in study]
    cosine = (maps[0] * maps[1]).sum(axis=1) / np.linalg.norm(maps[0], axis=1) / np.linalg.norm(maps[1], axis=1)
    measured = next(each for each in found.agreement if each.what.startswith("cosine"))
    assert measured.mean == pytest.approx(cosine.mean())
    feature = next(each for each in found.features if each.feature == "c5")
    assert feature.before == pytest.approx(np.abs(maps[0][:, 5]).mean())
    assert feature.after == pytest.approx(np.abs(maps[1][:, 5]).mean())


@pytest.mark.parametrize(("above", "code"), [("0.3", 1), ("50", 0)])
def test_the_exit_code_follows_the_largest_effect(above, code, periods, capsys):
    assert told(capsys, *periods[:2], "--fail-above", above)[0] == code


def test_the_interactive_page_of_both_studies_says_what_changed(periods, tmp_path, capsys):
    page = tmp_path / "drift.html"
    assert told(capsys, *periods[:2], "--out", page)[1][-1] == str(page)
    first, second = Opened(page).fields["studies"]
    assert first["panels"] == second["panels"]
    titles = [panel["title"] for panel in second["panels"]]
    name = "Drift of importance by input_x_gradient"
    assert titles == ["Drift", name, f"{name}, in numbers"]
    assert [panel["error"] for panel in second["panels"]] == [""] * 3
    assert "2 of 12 features changed" in second["panels"][0]["html"]
    rows = json.loads(second["panels"][1]["chart"])["data"]["values"]
    assert {row["feature"] for row in rows if row["found"] == "changed"} == {"c3", "c8"}


def test_the_change_of_accuracy_of_few_pairs_is_no_proof():
    one_of_hundred = _paired_change(np.array([1.0] + [0.0] * 99))
    assert one_of_hundred.mean == pytest.approx(0.01)
    assert one_of_hundred.low < 0 < one_of_hundred.high
    # Agresti and Min 2005, section 2.2: (c* - b*) / (n + 2), with half a pair added to each cell.
    found = _paired_change(np.array([1.0] * 20 + [-1.0] * 5 + [0.0] * 75))
    spread = 1.959964 * np.sqrt(26 - 15**2 / 102) / 102
    assert (found.low, found.high) == pytest.approx((15 / 102 - spread, 15 / 102 + spread), abs=1e-6)


def test_false_alarms_of_the_change_of_accuracy_are_rare():
    rng = np.random.default_rng(0)
    found = [_paired_change(rng.choice([-1.0, 0.0, 1.0], 60, p=[0.1, 0.8, 0.1])) for _ in range(400)]
    assert np.mean([not each.low < 0 < each.high for each in found]) < 0.07


def test_examples_of_one_id_with_other_inputs_are_others(periods, tmp_path, monkeypatch, capsys):
    folder = periods[0].parents[2]
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    lines = (folder / "first.csv").read_text().splitlines()
    lines[1:81] = [line.replace(",", ",0", 1) if line.split(",")[1][0] != "-" else line for line in lines[1:81]]
    lines[1] = ",".join([lines[1].split(",")[0], "9", *lines[1].split(",")[2:]])
    (tmp_path / "first.csv").write_text("\n".join(lines) + "\n")
    other = trust_studies.run(tmp_path / "first.csv", folder / "weights.pt", ONE, columns=12).path
    found = drift_of(*(finished("drift", path, ["known_network"]) for path in (periods[0], other)), draws=99)
    assert not found.paired
    assert found.same == 159
    assert cli.main(["drift", str(periods[0]), str(other)]) == cli.WRONG  # reading inputs needs trust
    assert "--trust known_network" in capsys.readouterr().err


def test_relative_importance_adds_up_to_one():
    values = np.array([[1.0, 3.0], [0.0, 0.0]])
    found = relative(Importance(("a", "b"), values, values))
    assert found.before[0].tolist() == [0.25, 0.75]
    assert np.isnan(found.before[1]).all()


def test_studies_of_other_configurations_are_not_compared(periods, tabular, capsys):
    assert cli.main(["drift", str(periods[0]), str(tabular.path), *TRUST]) == cli.WRONG
    assert "the configurations differ in method, not only in model and dataset" in capsys.readouterr().err


def test_images_are_compared_by_region(workplace):
    from small_studies import run

    images = finished("drift", run("method=[saliency]", "metric=[]").path)
    found = drift_of(images, images, draws=99)
    assert len(found.features) == 64
    assert found.features[0].feature == "rows 0-0, columns 0-0"
    maps = images.maps(images.done[0])
    assert found.features[9].before == pytest.approx(np.abs(maps[:, 9]).mean())
