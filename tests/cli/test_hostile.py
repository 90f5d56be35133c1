"""What comes from strangers (files of configuration, weights, data, plugins, names) does nothing, and is named."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from parsed_page import Page
from PIL import Image
from small_studies import SMALL

from xaiexp.cli import app as cli

MARKER = "pwned"
PRESET = "conf/experiment/theirs.yaml"
ESCAPES = "\x1b[2J\x1b]0;mine\x07\nDONE\r\x9b31m\u202e"


class Payload:
    """Creates a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, (MARKER,)


def preset(text):
    Path(PRESET).parent.mkdir(parents=True)
    Path(PRESET).write_text(f"# @package _global_\n{text}\n")


def pickled(path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(pickle.dumps(Payload()))


def pickled_by_torch(path):
    torch.save({"weight": Payload()}, path)


def checkpoint(folder):
    Path(folder).mkdir()
    Path(folder, "config.json").write_text('{"model_type": "vit", "auto_map": {"AutoModel": "evil.Model"}}')
    Path(folder, "evil.py").write_text(f"import os; os.mkdir({MARKER!r})")
    Path(folder, "preprocessor_config.json").write_text('{"image_processor_type": "ViTImageProcessor"}')
    pickled(f"{folder}/pytorch_model.bin")


def objects(path, name="x"):
    np.savez(path, **{name: np.array([Payload()], dtype=object), "y": np.zeros(1)})


def linked_store():
    Path("victim").mkdir()
    Path("outputs/link").symlink_to(Path("victim").absolute())
    preset("store: outputs/link")


def module():
    Path("theirs.py").write_text(f"import os\nos.mkdir({MARKER!r})\n")


IMAGES = ["dataset=digits", "model=torchvision", "model.arch=squeezenet1_1"]
TABLE = ["dataset=breast_cancer", "model=sklearn", "features=column"]
TEXTS = ["dataset=text", "dataset.path=texts.tsv"]

# What strangers wrote, the words of the one who runs it, and the begin of the message.
CASES = {
    "a target": (lambda: preset("model: {_target_: os.system}"), ["experiment=theirs"], f"{PRESET}: model._target_: "),
    "a target of Hydra": (
        lambda: preset("hydra: {callbacks: {a: {_target_: os.mkdir, path: pwned}}}"),
        ["experiment=theirs"],
        f"{PRESET}: hydra.callbacks.a._target_: ",
    ),
    "an environment for Hydra": (
        lambda: preset("hydra: {job: {env_set: {PYTHONPATH: theirs}}}"),
        ["experiment=theirs"],
        f"{PRESET}: hydra.job.env_set.PYTHONPATH: ",
    ),
    "the environment": (lambda: preset("device: ${oc.env:HOME}"), ["experiment=theirs"], f"{PRESET}: device: "),
    "an absolute folder": (
        lambda: preset("hydra: {run: {dir: /tmp/theirs}}"),
        ["experiment=theirs"],
        f"{PRESET}: hydra.run.dir: ",
    ),
    "a folder above": (lambda: preset("store: outputs/../theirs"), ["experiment=theirs"], f"{PRESET}: store: "),
    "a store behind a link": (linked_store, ["experiment=theirs"], f"{PRESET}: store: may only be below outputs/"),
    "a module to import": (
        lambda: (module(), preset("defaults:\n  - override /model: factory\nmodel: {target: 'theirs:make'}")),
        ["experiment=theirs", "model.mean=[0]", "model.std=[1]"],
        "model.target: module theirs is not trusted, and its code is not run",
    ),
    "a file that trusts itself": (
        lambda: (
            module(),
            preset("defaults:\n  - override /model: factory\ntrust: [theirs]\nmodel: {target: 'theirs:m'}"),
        ),
        ["experiment=theirs"],
        "trust: may only be given on the command line",
    ),
    "a tag of YAML": (
        lambda: preset("seed: !!python/object/apply:os.mkdir [pwned]"),
        ["experiment=theirs"],
        f"{PRESET}: ",
    ),
    "a pickle as weights": (
        lambda: pickled("w.pth"),
        [*IMAGES, "model.weights=w.pth"],
        "model.weights: w.pth cannot be read as weights",
    ),
    "a pickle of torch as weights": (
        lambda: pickled_by_torch("w.pth"),
        [*IMAGES, "model.weights=w.pth"],
        "model.weights: w.pth cannot be read as weights: it contains Python objects (posix.mkdir)",
    ),
    "a checkpoint with code and a pickle": (
        lambda: checkpoint("vit"),
        ["model=transformers", "model.path=vit", "model.inputs=image"],
        "model.path: vit ",
    ),
    "a pickled estimator": (
        lambda: pickled("forest.joblib"),
        [*TABLE, "model.path=forest.joblib"],
        "model.path: ",
    ),
    "objects in an array of series": (
        lambda: objects("series.npz"),
        ["dataset=time_series", "dataset.path=series.npz", "model=series_cnn"],
        "dataset.path: series.npz",
    ),
    "objects in maps": (
        lambda: objects("maps.npz", "maps"),
        ["method=[precomputed]", "method.precomputed.path=maps.npz"],
        "method.precomputed.path: ",
    ),
    "a name with commands for the terminal": (lambda: None, [f"model='{ESCAPES}'"], ""),
    "a file with commands in its name": (
        lambda: None,
        ["model=torchvision", f"model.weights='{ESCAPES}'"],
        "model.weights: ",
    ),
}


def everything():
    return sorted(str(path) for path in Path().rglob("*") if "outputs" not in path.parts)


@pytest.mark.parametrize("case", CASES)
def test_it_does_nothing_and_is_named_in_two_lines(case, workplace, capfd):
    write, words, begin = CASES[case]
    write()
    before, victims = everything(), [*Path("victim").rglob("*")]
    given = {word.partition("=")[0] for word in words} | ({"model"} if "experiment=theirs" in words else set())
    usual = [word for word in SMALL if word.partition("=")[0] not in given]
    usual = [word for word in usual if not (word.startswith("baseline") and "precomputed" in "".join(words))]
    assert cli.main([*usual, *words]) in (cli.WRONG, cli.FAILED)
    out, err = capfd.readouterr()
    told = [line for line in err.strip().splitlines() if " drawn with example_seed=" not in line]
    assert told[0].startswith(begin)
    assert 1 <= len(told) <= 3
    assert "Traceback" not in out + err
    assert not set("\x1b\x07\x9b\u202e\r") & set(out + err)
    assert not Path(MARKER).exists()
    assert everything() == before
    assert [*Path("victim").rglob("*")] == victims
    assert not list(Path("outputs").rglob("error.log"))


PLUGIN = {
    "raises": "raise RuntimeError('\\x1b[2J no\\nmore')",
    "ends the program": "import sys; sys.exit(0)",
    "prints as if it were us": "raise BaseException('DONE')",
}


@pytest.mark.parametrize("source", PLUGIN)
def test_a_plugin_that_fails_at_its_import_is_named_and_the_rest_works(source, tmp_path):
    info = tmp_path / "xaiexp_theirs-1.0.dist-info"
    info.mkdir()
    (tmp_path / "xaiexp_theirs.py").write_text(PLUGIN[source])
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xaiexp-theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[xaiexp]\ntheirs = xaiexp_theirs\n")
    done = subprocess.run(
        [sys.executable, "-m", "xaiexp", "plugins"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "could not be imported" in line]
    assert "xaiexp-theirs 1.0" in line
    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "integrated_gradients" in done.stdout


MINE = """
import torch

def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(3600, 2))
"""
CLASSES = ('<script>alert(1)<script>"><img src=x onerror=alert(1)>', "b\x1b[31m\nDONE")


def test_classes_and_files_with_hostile_names_stay_names(workplace, capfd):
    for folder in CLASSES:
        for number in range(12):
            path = Path("images", folder, f"{number}<u>\x1b[2J.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((32, 32, 3), 20 * number, dtype=np.uint8)).save(path)
    path.write_bytes(b"no image")
    Path("their_images.py").write_text(MINE)
    words = [
        "dataset=image_folder",
        "dataset.root=images",
        "model=factory",
        "model.target=their_images:make",
        "trust=[their_images]",
    ]
    words += ["model.mean=[0]", "model.std=[1]", "method=[saliency,random]", "metric=[sparseness]", "agreement=[]"]
    words += ["tracking.uri=off", "hydra.run.dir=outputs/mine"]
    assert cli.main(words) == cli.DONE
    out, err = capfd.readouterr()
    assert "\x1b" not in out + err
    assert "\nDONE" not in out + err
    assert r"11<u>\x1b[2J.png" in out + err
    page = Page(Path("outputs/mine/report.html").read_text())
    assert not {tag for tag, _ in page.tags} & {"img", "u"}
    assert [a.get("type") for tag, a in page.tags if tag == "script"] == ["application/octet-stream", None, "module"]
    assert len(pd.read_parquet("outputs/mine/scores.parquet"))
