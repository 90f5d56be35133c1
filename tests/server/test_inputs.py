"""Inputs of the reader's own: only pixels, words and cells get in, and they are explained as those of the study."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from served_studies import TOKEN, client, end, explained

import xaiexp
from xaiexp.errors import ResourceError
from xaiexp.report.document.binary import unpack
from xaiexp.server import inputs
from xaiexp.server.workplace import Workplace

BYTES = {"Content-Type": "application/octet-stream"}


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def bomb(width, height):
    """A PNG of a few bytes that says to have many pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_an_image_of_ones_own_is_explained_as_one_of_the_study(work):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    answer = client(work).post("/input", content=png(Image.fromarray(pixels)), headers=BYTES)
    assert answer.status_code == 201
    job = explained(work, {"input": answer.json()["input"], "method": {"n_steps": 8}})
    assert job["state"] == "done", job["message"]
    result = xaiexp.load(job["folder"])
    own = torch.from_numpy(pixels.astype(np.float32))[None, None] / 255
    assert torch.equal(result.inputs, own)
    about, _ = unpack(work.result(job["id"]))
    assert len(about["studies"][0]["examples"]) == 1
    assert about["studies"][0]["examples"][0]["maps"][0] is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        png(Image.new("RGB", (20, 20)))[:-20],
        bomb(20_000, 20_000),
        bomb(2**31 - 1, 2**31 - 1),
    ],
)
def test_what_is_no_image_is_refused_and_leaves_nothing(work, content):
    before = set(Path("outputs/view").rglob("*"))
    answer = client(work).post("/input", content=content, headers=BYTES)
    assert answer.status_code == 422
    assert answer.json()["where"] == "image"
    assert "Traceback" not in answer.text
    assert set(Path("outputs/view").rglob("*")) <= before | {Path("outputs/view/inputs")}
    assert not work.inputs


def test_the_limit_of_pixels_is_told():
    with pytest.raises(ResourceError, match="more than 64,000,000 pixels"):
        inputs._pixels(bomb(8_001, 8_000))


def test_nothing_but_pixels_is_kept_of_an_image():
    file = io.BytesIO()
    info = Image.Exif()
    info[0x010E] = "a secret"
    Image.new("RGB", (4, 4), "red").save(file, "JPEG", exif=info, comment=b"a secret")
    kept = inputs._pixels(file.getvalue())
    again = png(kept)
    assert b"secret" not in again


def test_a_text_is_written_as_it_was_typed(work, tmp_path):
    words = 'He said: "no",\n<img src=x onerror=alert(1)> \u202e fin'
    answer = client(work).post("/input", json={"text": words})
    assert answer.status_code == 201
    dataset = work.inputs[answer.json()["input"]].dataset
    assert json.loads(Path(dataset["path"]).read_text()) == [{"text": words}]
    values = {key: value for key, value in dataset.items() if key != "name"}
    [sample] = work.registry.build("dataset", "text", values).open().read(0, 1)
    assert sample.data == words
    assert sample.label is None


@pytest.mark.parametrize(
    "body",
    [{}, [], {"text": ""}, {"text": " \n"}, {"text": 3}, {"text": "x" * 100_001}, {"row": 3}, {"row": {"a": "1"}}],
)
def test_what_is_no_text_and_no_row_is_refused(work, body):
    answer = client(work).post("/input", json=body)
    assert answer.status_code == 422
    assert not work.inputs


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A study of a table whose network is trained on a part of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("table"))
        random = np.random.default_rng(0)
        rows = random.normal(size=(120, 3)).round(3)
        lines = [f"{a},{b},{c},{'yes' if a + b > 0 else 'no'}" for a, b, c in rows.tolist()]
        Path("table.csv").write_text("\n".join(["a,b,<b>c</b>,label", *lines]))
        asked = [
            "model=tabular_mlp",
            "dataset=csv",
            "dataset.path=table.csv",
            "dataset.label_column=label",
            "examples=8",
        ]
        lists = [
            "method=[integrated_gradients]",
            "baseline=[mean]",
            "metric=[]",
            "agreement=[]",
            "tracker=[]",
            "report=false",
        ]
        yield xaiexp.run([*asked, *lists], quiet=True)


def test_a_row_of_ones_own_has_the_model_of_the_study(table):
    work = Workplace([table.path], token=TOKEN)
    cell = "integrated_gradients / mean"
    form = client(work).get("/parameters", params={"cell": cell}).json()
    assert form["own"] == "row"
    line = dict(zip(["a", "b", "<b>c</b>"], Path("table.csv").read_text().splitlines()[1].split(",")[:3], strict=True))
    answer = client(work).post("/input", params={"study": 0}, json={"row": line})
    assert answer.status_code == 201, answer.text
    job = explained(work, {"cell": cell, "example": "", "input": answer.json()["input"]})
    assert job["state"] == "done", job["message"]
    own = xaiexp.load(job["folder"])
    assert own.record["weights"]["fingerprint"] == table.record["weights"]["fingerprint"]  # trained on the same rows
    assert own.attributions("integrated_gradients", "mean").shape == (1, 3)
    unknown = client(work).post("/input", json={"row": {"d": "1"}})
    assert unknown.status_code == 422
    assert "no such column" in unknown.json()["error"]
    end(work)
