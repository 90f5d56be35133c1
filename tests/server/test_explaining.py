"""What is changed in the page gives what the command line gives, and the store keeps it."""

from __future__ import annotations

import shlex
import shutil
import threading

import pytest
import torch
from served_studies import CELL, TOKEN, Listener, client, end, explained, running, small_study
from small_studies import passes

import xaiexp
from xaiexp.report.document.binary import unpack
from xaiexp.server.jobs import Job, Jobs
from xaiexp.server.workplace import Workplace


def maps(job):
    return xaiexp.load(job["folder"]).attributions(*job["result"].split(" / "))


@pytest.mark.parametrize(
    ("body", "label"),
    [
        ({"method": {"n_steps": 7}}, CELL),
        ({"method": {"n_steps": 7}, "baseline": {"name": "constant", "parameters": {"value": 0.25}}}, None),
        ({"features": {"name": "grid", "parameters": {"rows": 4, "columns": 2}}}, CELL),
        ({"target": 3, "examples": "all"}, CELL),
    ],
)
def test_a_change_gives_the_maps_of_its_command_line_bit_for_bit(work, body, label):
    job = explained(work, body)
    assert job["state"] == "done", job["message"]
    assert label in (None, job["result"])
    overrides = shlex.split(job["command"])[1:]
    fresh = xaiexp.run([*overrides, "store=outputs/other", "report=false"], quiet=True)
    assert torch.equal(maps(job), fresh.attributions(*job["result"].split(" / ")))
    config = xaiexp.load(job["folder"]).record["config"]
    assert config == xaiexp.load(xaiexp.run(overrides, quiet=True).path).record["config"]  # the same configuration


def test_the_store_has_what_was_explained(work):
    first, second = (explained(work, {"method": {"n_steps": 9}}) for _ in range(2))
    assert passes(xaiexp.load(first["folder"])) > 0
    assert passes(xaiexp.load(second["folder"])) == 0
    assert torch.equal(maps(first), maps(second))


def test_the_network_that_is_kept_gives_what_a_fresh_one_gives(work):
    once = maps(explained(work, {"method": {"n_steps": 5}}))
    explained(work, {"method": {"n_steps": 6}})
    fresh = xaiexp.run([*shlex.split(next(iter(work.jobs.known.values())).command)[1:], "force=true"], quiet=True)
    assert torch.equal(once, fresh.attributions("integrated_gradients", "zero"))


def test_the_document_of_a_result_holds_the_map_of_the_example(work):
    job = explained(work, {"method": {"n_steps": 4}})
    about, _ = unpack(client(work).get(f"/document/{job['id']}").content)
    [study] = about["studies"]
    assert [cell["label"] for cell in study["cells"]] == [CELL]
    assert work.studies[0].examples[0] in [example["id"] for example in study["examples"]]
    assert all(example["maps"][0] is not None for example in study["examples"])


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        ({"method": {"n_stepz": 3}}, "method.integrated_gradients.n_stepz", "nearest: n_steps"),
        ({"method": {"n_steps": 0}}, "method.integrated_gradients.n_steps", "must be at least 1 (got 0)"),
        ({"method": {"n_steps": 2.5}}, "method.integrated_gradients.n_steps", "must be int"),
        ({"method": {"n_steps": "many"}}, "method.integrated_gradients.n_steps", "must be int"),
        ({"method": {"method": "gauslegendre"}}, "method.integrated_gradients.method", "nearest: gausslegendre"),
        ({"method": {"name": "occlusion"}}, "method.name", "cannot be changed"),
        ({"method": {"_target_": "os.system"}}, "method.integrated_gradients._target_", "names code"),
        ({"method": {"n_steps": "${oc.env:HOME}"}}, "method.n_steps", "no interpolation"),
        ({"baseline": {"name": "zerro"}}, "baseline.zerro", "nearest: zero"),
        ({"baseline": {"name": "blur", "parameters": {"sigma": -1}}}, "baseline.blur.sigma", "more than 0"),
        ({"baseline": ["zero"]}, "baseline", "an object with a name"),
        ({"features": {"name": "pixxel"}}, "features", "nearest: pixel"),
        ({"target": -1}, "target", "must be"),
        ({"cell": "integrated_gradient / zero"}, "cell", "nearest: integrated_gradients / zero"),
        ({"cell": "saliency", "baseline": {"name": "zero"}}, "baseline", "reads no baseline"),
        ({"example": "nothing"}, "example", "no such example"),
        ({"study": 5}, "study", "the page has 1 studies"),
        ({"study": True}, "request.study", "whole number"),
        ({"input": "0123"}, "input", "no such input"),
        ({"trust": ["os"]}, "request.trust", "no such key"),
        ({"store": "/tmp"}, "request.store", "no such key"),
        ({"method": {"n_steps": "x" * 5000}}, "method.n_steps", "longer than"),
        ({"method": {"n_steps": [[[[[[1]]]]]]}}, "method", "nested"),
        ({"examples": "some"}, "request.examples", "shown or all"),
    ],
)
def test_a_wrong_change_is_refused_in_the_words_of_the_command_line(work, body, where, words):
    whole = {"cell": CELL, "example": work.studies[0].examples[0]} | body
    for path in ("/explain", "/command"):
        answer = client(work).post(path, json=whole)
        assert answer.status_code == 422
        assert answer.json()["where"].startswith(where)
        assert words in answer.json()["error"]
        assert "Traceback" not in answer.text
    assert not work.jobs.known


@pytest.mark.parametrize(
    "text", ['{"method": {"n_steps": NaN}}', '{"target": Infinity}', "{", "[" * 100_000, "\xff", "[]", "3"]
)
def test_what_is_no_json_of_finite_numbers_is_refused(work, text):
    for path in ("/explain", "/command", "/preset"):
        answer = client(work).post(path, content=text.encode("latin-1"), headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
    answer = client(work).post(
        "/explain", content='{"method": {"n_steps": 1e999}}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert "finite" in answer.json()["error"]


def test_a_form_says_type_range_default_meaning_and_value(work):
    answer = client(work).get("/parameters", params={"study": 0, "cell": CELL}).json()
    [steps] = [field for field in answer["method"]["fields"] if field["name"] == "n_steps"]
    assert (steps["kind"], steps["low"], steps["high"], steps["value"]) == ("number", 1, None, 50)
    assert steps["type"] == "int at least 1"
    assert "number of" in steps["meaning"]
    assert answer["baseline"]["name"] == "zero"
    names = [option["name"] for option in answer["baseline"]["options"]]
    assert "blur" in names
    assert "pad_token" not in names  # of texts
    assert client(work).get("/parameters", params={"cell": "saliency"}).json()["baseline"] is None
    for wrong in ({"study": "9"}, {"study": "x"}, {"cell": "nothing"}):
        assert client(work).get("/parameters", params={"cell": CELL} | wrong).status_code == 422


def test_stop_ends_a_job_between_passes_and_leaves_a_sound_network(work):
    whole = maps(explained(work, {"method": {"n_steps": 11}}))
    moving = threading.Event()
    tell = work.jobs._tell
    work.jobs._tell = lambda job: (tell(job), job.done > 100 and moving.set())
    body = {"cell": CELL, "example": work.studies[0].examples[0]}
    slow = client(work).post("/explain", json=body | {"method": {"n_steps": 500_000, "method": "riemann_middle"}})
    name = slow.json()["job"]["id"]
    assert moving.wait(60)
    assert client(work).post("/stop", json={"job": name}).json() == {"stopped": True}
    job = work.jobs.known[name]
    assert job.ended.wait(60)
    assert job.state == "stopped"
    assert job.done < job.total
    again = explained(work, {"method": {"n_steps": 11}})
    assert torch.equal(maps(again), whole)
    assert client(work).post("/stop", json={"job": name}).json() == {"stopped": False}
    assert client(work).post("/stop", json={"job": ["x"]}).json() == {"stopped": False}
    assert client(work).get(f"/document/{name}").status_code == 422


def test_two_pages_hear_of_the_same_result_and_a_later_one_too(work):
    with running(work) as port:
        listeners = [Listener(port) for _ in range(2)]
        name = explained(work, {"method": {"n_steps": 3}})["id"]
        assert [listener.until("done")["id"] for listener in listeners] == [name, name]
        later = Listener(port)
        assert [job["id"] for job in later.first["jobs"]] == [name]
        for listener in (*listeners, later):
            listener.close()


def test_a_job_that_waits_can_be_stopped_and_a_failing_one_ends_nothing():
    told = []
    jobs = Jobs(lambda job: told.append((job.id, job.state)))
    hold, first, second, third = threading.Event(), *(Job(name, 0, "cell", [], "") for name in "abc")
    jobs.add(first, lambda meter: hold.wait(60))
    jobs.add(second, lambda meter: pytest.fail("it was stopped"))
    jobs.add(third, lambda meter: 1 / 0)
    assert jobs.stop("b")
    hold.set()
    assert third.ended.wait(60)
    assert (first.state, second.state, third.state) == ("done", "stopped", "failed")
    assert "division by zero" in third.message
    assert not jobs.stop("a")
    jobs.close()
    jobs.wait(60)


def test_the_folder_of_a_study_decides_neither_whom_to_trust_nor_where_to_write(place, tmp_path):
    folder = tmp_path / "theirs"
    shutil.copytree(place[1], folder)
    config = (folder / "config.yaml").read_text()
    assert "trust: []" in config
    config = config.replace("trust: []", "trust: [os]").replace("store: outputs/store", f"store: {tmp_path}/elsewhere")
    (folder / "config.yaml").write_text(config)
    work = Workplace([folder], token=TOKEN)
    assert work.studies[0].values["trust"] == []
    job = explained(work, {"method": {"n_steps": 13}})
    assert job["state"] == "done", job["message"]
    assert "trust" not in job["command"]
    assert not (tmp_path / "elsewhere").exists()
    end(work)
    work = Workplace([folder], trust=["mine"], token=TOKEN)
    assert work.studies[0].values["trust"] == ["mine"]
    end(work)


@pytest.mark.parametrize(
    "text", ["", "a: [", "- 1\n", "method: {}\n", "own_tensors: true\nmethod: {a: {name: saliency}}\n"]
)
def test_a_study_that_cannot_be_explained_again_is_shown_and_says_why(place, tmp_path, text):
    folder = tmp_path / "theirs"
    shutil.copytree(place[1], folder)
    (folder / "config.yaml").write_text(text)
    work = Workplace([folder], token=TOKEN)
    assert client(work).get("/document").status_code == 200
    answer = client(work).get("/parameters", params={"cell": CELL})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("view: the ")
    end(work)


def test_a_study_that_keeps_no_inputs_keeps_none_of_what_is_explained_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    work = Workplace([small_study("report.inputs=false")], token=TOKEN)
    job = explained(work, {"method": {"n_steps": 3}})
    about, _ = unpack(work.result(job["id"]))
    assert [example["picture"] for example in about["studies"][0]["examples"]] == [None] * 12
    end(work)
