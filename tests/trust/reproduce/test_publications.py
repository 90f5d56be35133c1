"""The published results: they reproduce, their reasons hold, and a wrong formula fails them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import xaiexp.builtin.methods.path.integrated_gradients as integrated
from xaiexp.cli import app as cli
from xaiexp.contract.registry import installed
from xaiexp.trust.reproduce.comparison import reproduced
from xaiexp.trust.reproduce.files import found_files

NAMES = sorted(installed().publications())


WITHOUT_FILES = [name for name in NAMES if not installed().publications()[name].files]


def place_of(request, name):
    """The folder of published files; a result without files needs none."""
    return Path() if name in WITHOUT_FILES else request.getfixturevalue("kit")


@pytest.fixture(scope="module")
def compared(request, tmp_path_factory):
    """Each published result that needs files, reproduced once."""
    known: dict[str, list] = {}

    def of(name):
        if name not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(tmp_path_factory.mktemp("published"))
                publication = installed().publications()[name]
                kit = place_of(request, name)
                folders = [] if name in WITHOUT_FILES else [kit / "published", kit / "tabular"]
                files = found_files(publication, folders, kit / "none")
                known[name] = reproduced(publication, files, quiet=True)
        return {each.numbers.quantity: each for each in known[name]}

    return of


@pytest.mark.parametrize("name", NAMES)
def test_every_number_agrees_or_differs_for_a_reason_that_holds(name, compared):
    for quantity, each in compared(name).items():
        assert each.verdict in ("agrees", "explained"), (quantity, each.findings)
        for finding in each.findings:
            assert finding.holds, finding


def test_integrated_gradients_of_titanic_agree_in_all_numbers(compared):
    found = compared("captum/titanic")
    assert found["integrated gradients"].agreeing == 12
    assert found["accuracy"].agreeing == 1
    assert sum(len(each.rows) for each in found.values()) == 49
    sums = [sum(getattr(row, key) for row in found["layer conductance"].rows) for key in ("ours", "theirs", "truth")]
    assert sums == pytest.approx([-0.731, -0.696, -0.731], abs=5e-4)


@pytest.mark.heavy
def test_a_wrong_formula_of_integrated_gradients_fails_titanic(kit, workplace, monkeypatch, capsys):
    right = integrated.quadrature
    monkeypatch.setattr(
        integrated, "quadrature", lambda *given: (right(*given)[0], [1.02 * w for w in right(*given)[1]])
    )
    call = ["reproduce", "captum/titanic", "--data", str(kit / "published"), "--data", str(kit / "tabular")]
    assert cli.main(call) == 1
    assert "ours are not the truth: integrated gradients" in capsys.readouterr().out.splitlines()[-1]


def test_a_wrong_formula_of_a_measure_fails_compas(kit, workplace, monkeypatch, capsys):
    import xaiexp.builtin.agreements.top_k_formulas as formulas

    right = formulas.rank_agreement
    monkeypatch.setattr(formulas, "rank_agreement", lambda *given, **more: 0.97 * right(*given, **more))
    assert cli.main(["reproduce", "openxai/compas_lr", "--data", str(kit / "published")]) == 1
    told = capsys.readouterr().out
    assert "0 of 4 agree; ours are not the truth" in told
    assert re.search(r"ours are not the truth: area over k", told.splitlines()[-1])


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_complete_and_of_one_number_a_name(name):
    publication = installed().publications()[name]
    assert "/" in publication.name
    for numbers in publication.published:
        assert len(numbers.names) == len(numbers.values) == len(set(numbers.names))
        assert numbers.tolerance > 0
    for file in publication.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.address.startswith("https://") or file.about
