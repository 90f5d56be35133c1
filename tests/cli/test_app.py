"""The program as a person meets it: wrong requests, the tools, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from xaiexp.cli import app as cli
from xaiexp.cli.exit_codes import WRONG as WRONG_REQUEST
from xaiexp.config.messages import root_keys

KEYS = f"keys: {', '.join(root_keys())}"
PHOTOS = ["model=torchvision", "model.weights=none", "dataset=image_folder"]

# Each request with the whole message: where - what - got - nearest - what to do.
WRONG = [
    (
        ["method=[integrated_gradient]"],
        "method.integrated_gradient: no method has this name\n"
        "  nearest: integrated_gradients, layer_integrated_gradients, neuron_integrated_gradients   "
        "all: xaiexp plugins",
    ),
    (
        ["+method@method.b=salency"],
        "method.salency: no method has this name\n  nearest: saliency",
    ),
    (["model=resnet"], "model.resnet: no model has this name\n  all: xaiexp plugins"),
    (
        ["method.integrated_gradients.n_step=3"],
        "method.integrated_gradients.n_step: no such parameter\n  nearest: n_steps   parameters: n_steps, method",
    ),
    (
        ["+method.integrated_gradients.n_step=3"],
        "method.integrated_gradients.n_step: no such parameter\n  nearest: n_steps   parameters: n_steps, method",
    ),
    (
        ["method.integrated_gradients.n_steps=abc"],
        "method.integrated_gradients.n_steps: must be a whole number (got 'abc')",
    ),
    (["method.integrated_gradients.n_steps=0"], "method.integrated_gradients.n_steps: must be at least 1 (got 0)"),
    (
        ["method.integrated_gradients.method=riemann"],
        "method.integrated_gradients.method: must be one of gausslegendre, riemann_left, riemann_right, "
        "riemann_middle, riemann_trapezoid (got 'riemann')\n  nearest: riemann_left, riemann_right, riemann_middle",
    ),
    (
        ["method.kernel_shap.n_samples=9"],
        "method.kernel_shap: is not in the list of this study\n  add it: 'method=[...,kernel_shap]'",
    ),
    (["sed=1"], f"sed: no such key\n  nearest: seed, speed   {KEYS}"),
    (["+x=1"], f"x: no such key\n  {KEYS}"),
    (["seed=-1"], "seed: must be between 0 and 2147483647 (got -1)"),
    (["seed=0,1"], "seed=0,1: several values for one study\n  a sweep: -m seed=0,1   a list: 'seed=[0,1]'"),
    (["examples=0"], "examples: must be at least 1 (got 0)"),
    (["examples=ten"], "examples: must be a whole number (got 'ten')"),
    (
        ["target=lable"],
        "target: no class has this name (got 'lable')\n  nearest: label",
    ),
    (["target=99"], "target: the model has 10 classes, 0 to 9 (got 99)"),
    (["device=gpu"], "device: must be auto, cpu, cuda or cuda:INDEX (got 'gpu')"),
    (["precision=fp8"], "precision: must be one of fp32, bf16, fp16 (got 'fp8')"),
    (
        ["model=tabular_mlp"],
        "dataset.digits: contains images; model 'tabular_mlp' expects tables\n"
        "  choose a model and a dataset of one modality: xaiexp plugins lists them",
    ),
    (
        ["dataset=shapes"],
        "dataset.shapes: has 4 classes; the model has 10",
    ),
    (
        ["features=token"],
        "features.token: is for texts; the data are images\n  leave it out for the default (pixel)",
    ),
    (["method=[]"], "method: lists no method\n  for example method=[saliency,occlusion]"),
    (["method=[a"], "method=[a: cannot be read\n  write KEY=VALUE, with quotes around [ ] and spaces"),
    (
        ["baseline=[pad_token]", "method=[occlusion]"],
        "method: nothing to run, every cell is skipped\n"
        "  note: occlusion / pad_token: baseline 'pad_token' is for texts; the data are images",
    ),
    (PHOTOS, "dataset.root: must be given\n  as dataset.root=... (str)"),
    ([*PHOTOS, "dataset.root=nowhere", "dataset.labels=l.csv"], "dataset.root: no such folder (got 'nowhere')"),
    ([*PHOTOS, "dataset.root=pics", "dataset.labels=empty.csv"], "dataset.labels: empty.csv has no rows"),
    (
        ["model=torchvision", "model.arch=mobilenet_v2", "model.weights=bad.pth", "dataset=shapes"],
        "model.weights: bad.pth cannot be read as weights: it contains Python objects, and unpickling can run any code",
    ),
    (
        ["experiment=fotos"],
        "experiment=fotos: no such preset\n"
        "  nearest: photos   all: image_classifier, llm_candidates, llm_prompt, photos, tabular_decision, "
        "text_sentiment, time_series",
    ),
    (["hydra.run.dir=file/below"], "hydra.run.dir: cannot be written (Not a directory)"),
    (["store=file/below"], "store: cannot be written (Not a directory) (got 'file/below')"),
    (
        ["tracking.uri=nonsense://server"],
        "tracking.uri: cannot be reached or used (UnsupportedModelRegistryStoreURIException: ",
    ),
    (
        ["+hydra.callbacks.x._target_=os.system"],
        "hydra.callbacks.x._target_: names code to run, which no configuration may (got 'os.system')\n"
        "  only installed plugins run",
    ),
    (
        ["+method.saliency._target_=os.system"],
        "method.saliency._target_: names code to run, which no configuration may (got 'os.system')\n"
        "  only installed plugins run",
    ),
    (["-m", "seed=0,-1"], "seed: must be between 0 and 2147483647 (got -1)"),
    (
        ["-m", "method=[saliency],[salency]"],
        "method.salency: no method has this name\n  nearest: saliency",
    ),
    (["plna"], "plna: is neither KEY=VALUE nor a tool\n  nearest: plan   tools:"),
    (["plan", "sed=1"], f"sed: no such key\n  nearest: seed, speed   {KEYS}"),
    (
        ["report"],
        "report: the following arguments are required: DIR\n  xaiexp report [-h] [--out FILE] [--all] DIR [DIR ...]",
    ),
    (["report", "nowhere"], "report: no such folder (got 'nowhere')"),
    (["report", "pics"], "report: contains no study (a folder with record.json) (got 'pics')"),
    (["ui"], "ui: there are no runs here yet (got 'outputs/mlflow.db')\n  run a study: xaiexp"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_a_wrong_request_is_told_in_a_few_lines_and_ends_with_2(words, message, workplace, capfd):
    (workplace / "pics").mkdir()
    (workplace / "empty.csv").write_text("")
    (workplace / "bad.pth").write_bytes(b"no weights")
    (workplace / "file").write_text("")
    code = cli.main(words)
    told = capfd.readouterr().err
    assert told.startswith(message)
    assert "Traceback" not in told
    assert len(told.strip().splitlines()) <= 3
    assert code == WRONG_REQUEST


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said(workplace, capfd):
    assert cli.main(["device=cuda"]) == WRONG_REQUEST
    assert capfd.readouterr().err == (
        "device: there is no CUDA device here (got 'cuda')\n  device=cpu or device=auto\n"
    )


def program(*words, cwd, **more):
    done = subprocess.run(
        [sys.executable, "-m", "xaiexp", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **more,
    )
    return done.returncode, done.stdout, done.stderr


def test_python_dash_m_is_the_same_program(tmp_path):
    code, _, err = program("sed=1", cwd=tmp_path)
    assert (code, err.splitlines()[0]) == (2, "sed: no such key")


@pytest.mark.parametrize("words", [["--help"], ["plugins"], ["plugins", "--json"]], ids=" ".join)
def test_help_and_plugins_import_nothing_heavy_and_name_every_component(words, tmp_path):
    probe = (
        "import sys, atexit; atexit.register(lambda: print([m for m in ('torch', 'numpy', 'pandas', 'mlflow', 'scipy') "
        "if m in sys.modules], file=sys.stderr)); from xaiexp.cli.app import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    for name in (
        "integrated_gradients",
        "digits_cnn",
        "infidelity",
        "pad_token",
        "kendall_tau",
        "image_folder",
        "grid",
    ):
        assert name in done.stdout
    if "--json" in words:
        told = json.loads(done.stdout)
        assert {p["name"] for p in told["plugins"]} >= {"builtin"}
        found = {c["name"]: c for c in told["components"] if c["kind"] == "method"}
        assert found["integrated_gradients"]["parameters"]["n_steps"] == "int at least 1"


def test_completion_offers_components_and_parameters(tmp_path):
    for line, wanted in (("xaiexp model=dig", "model=digits_cnn"), ("xaiexp method.occ", "method.occlusion.")):
        env = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
        _, out, _ = program("-sc", "query=bash", cwd=tmp_path, env=env)
        assert wanted in out.split()


def test_a_plan_runs_nothing_and_tells_cells_skips_and_passes(workplace, capsys):
    started = time.monotonic()
    words = ["plan", "model=digits_mlp", "method=[integrated_gradients,grad_cam,saliency]", "examples=16"]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert time.monotonic() - started < 60
    assert "digits_mlp on digits, seed 0: 16 examples, features pixel" in out
    assert "needs maps, which model 'digits_mlp' does not offer" in " ".join(out.split())
    assert out.count("1,600") == 2  # 50 steps, forward and backward, of 16 examples, for each of two baselines
    assert "3 of 4 cells run, 0 expected in the store" in out
    assert not (workplace / "outputs" / "mlflow.db").exists()
    assert not list(Path("outputs").glob("20*"))
