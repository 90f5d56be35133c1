from __future__ import annotations

import pandas as pd
import written_studies

from xaiexp.cli import app as cli


def test_all_formats_are_written_where_none_is_named(tmp_path, capsys):
    study = written_studies.write_study(tmp_path / "study")
    assert cli.main(["export", str(study)]) == cli.DONE
    files = [study / "paper" / name for name in ("scores.tex", "scores.md", "scores.csv", "references.bib")]
    assert capsys.readouterr().out.split() == [str(file) for file in files]
    assert all(file.stat().st_size for file in files)


def test_named_formats_are_written_where_the_user_says(tmp_path, capsys):
    study = written_studies.write_study(tmp_path / "study")
    assert cli.main(["export", str(study), "--csv", "--bibtex", "--out", str(tmp_path / "a" / "b")]) == cli.DONE
    assert sorted(file.name for file in (tmp_path / "a" / "b").iterdir()) == ["references.bib", "scores.csv"]


def test_several_folders_are_one_table(tmp_path):
    studies = [str(written_studies.write_study(tmp_path / name, model=name)) for name in ("one", "two")]
    assert cli.main(["export", *studies, "--csv", "--out", str(tmp_path)]) == cli.DONE
    frame = pd.read_csv(tmp_path / "scores.csv", keep_default_na=False, na_values=[""])
    assert frame["model"].unique().tolist() == ["one", "two"]
    assert len(frame) == 2 * len(written_studies.CELLS) * len(written_studies.METRICS)


def test_a_study_without_scores_is_refused(tmp_path, capsys):
    (tmp_path / "record.json").write_text('{"status": "failed"}')
    assert cli.main(["export", str(tmp_path)]) == cli.WRONG
    assert "has scores" in capsys.readouterr().err


def test_figures_are_written_alone_where_only_they_are_asked_for(tmp_path, capsys):
    study = written_studies.write_study(tmp_path / "study")
    assert cli.main(["export", str(study), "--figures", "svg"]) == cli.DONE
    files = sorted((study / "paper").rglob("*.*"))
    assert {file.suffix for file in files} == {".svg"}
    assert sorted(capsys.readouterr().out.split()) == [str(file) for file in files]
    names = {file.stem for file in files}
    assert {"intervals", "insertion_differences", "insertion_letters", "agreement_rank_correlation"} <= names
    assert all(file.read_bytes().startswith(b"<svg") for file in files)


def test_several_studies_have_a_folder_each_and_figures_across(tmp_path):
    studies = [str(written_studies.write_study(tmp_path / name, model=name)) for name in ("one", "two")]
    assert cli.main(["export", *studies, "--figures", "png", "--csv", "--out", str(tmp_path / "out")]) == cli.DONE
    figures = tmp_path / "out" / "figures"
    assert (tmp_path / "out" / "scores.csv").is_file()
    assert sorted(path.name for path in figures.iterdir() if path.is_dir()) == [
        "one_on_digits_seed_0",
        "two_on_digits_seed_0",
    ]
    assert (figures / "insertion_across.png").read_bytes().startswith(b"\x89PNG")
