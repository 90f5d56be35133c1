"""Who may ask: every request is refused that a page of the server's own, on this machine, would not make."""

from __future__ import annotations

import pytest
from served_studies import CELL, TOKEN, Listener, client, running

from xaiexp.server import access
from xaiexp.server.access import HEADER, hosts
from xaiexp.server.serving import listening

READ = ["/document", "/document/x", "/events", "/parameters?study=0&cell=x"]
CHANGE = ["/explain", "/command", "/stop", "/input", "/preset"]


@pytest.mark.parametrize("token", [None, "", "the-toke", "the-token ", "THE-TOKEN", "ü"])
@pytest.mark.parametrize("path", READ + CHANGE)
def test_without_the_token_nothing_is_told_or_changed(work, path, token):
    given = None if token is None else token.encode()
    asked = client(work, **{HEADER: given})
    answer = asked.get(path) if path in READ else asked.post(path, json={"cell": CELL})
    assert answer.status_code == 403
    assert TOKEN not in answer.text
    assert not work.jobs.known


def test_the_page_itself_needs_no_token_and_holds_no_study(work):
    answer = client(work, **{HEADER: None}).get("/")
    assert answer.status_code == 200
    assert "digits" not in answer.text.split("<script")[0]
    assert TOKEN not in answer.text
    assert 'id="xaiexp-document"' not in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1.evil.example:8000", ""]
)
@pytest.mark.parametrize("path", ["/", "/document"])
def test_a_name_that_leads_here_by_dns_is_refused(work, host, path):
    assert client(work, Host=host).get(path).status_code == 403


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "https://127.0.0.1:8000", "http://localhost:8000"]
)
@pytest.mark.parametrize("path", CHANGE)
def test_a_change_comes_from_the_page_alone(work, origin, path):
    assert client(work, Origin=origin).post(path, json={}).status_code == 403


def test_another_page_reads_nothing(work):
    answer = client(work, Origin="http://evil.example").get("/document")
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client(work).options("/document").status_code in (403, 405)


@pytest.mark.parametrize("path", CHANGE)
def test_a_body_beyond_the_limit_is_refused_before_it_is_read(work, path, monkeypatch):
    monkeypatch.setattr(access, "BODY", 1000)
    assert client(work).post(path, content=b"x" * 1001).status_code == 413

    def parts():
        yield b"x" * 600
        yield b"x" * 600

    assert client(work).post("/input", content=parts()).status_code == 413


@pytest.mark.parametrize("length", ["-1", "x", "9" * 5000])
def test_a_length_that_is_none_is_refused(work, length):
    assert client(work).post("/stop", content=b"{}", headers={"Content-Length": length}).status_code == 413


@pytest.mark.parametrize("path", ["/", "/document", "/nothing", "/document/../../etc/passwd"])
def test_every_answer_has_the_headers_that_browsers_obey(work, path):
    headers = client(work).get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


def test_the_policy_allows_the_scripts_of_the_page_and_its_own_server_alone(work):
    policy = dict(
        part.strip().split(" ", 1) for part in client(work).get("/").headers["content-security-policy"].split(";")
    )
    assert policy["connect-src"] == "'self'"
    assert all(part.startswith("'sha256-") for part in policy["script-src"].split())
    assert "unsafe-eval" not in str(policy)


@pytest.mark.parametrize(
    "path",
    [
        "/../record.json",
        "/%2e%2e/record.json",
        "/document/..%2f..%2fetc%2fpasswd",
        "/outputs",
        "/conf/",
        "/document/",
        "//etc/passwd",
    ],
)
def test_no_path_leads_to_a_file(work, path):
    answer = client(work).get(path)
    assert answer.status_code in (404, 405, 422)
    assert "root:" not in answer.text
    assert "versions" not in answer.text


def test_only_the_loopback_addresses_listen():
    sockets = listening(0)
    try:
        names = [each.getsockname() for each in sockets]
        assert {name[0] for name in names} <= {"127.0.0.1", "::1"}
        assert len({name[1] for name in names}) == 1
    finally:
        for each in sockets:
            each.close()


def test_the_hosts_are_those_of_the_port():
    assert hosts(81) == {"127.0.0.1:81", "localhost:81", "[::1]:81"}


def test_a_running_server_ends_although_a_page_listens(work):
    with running(work) as port:
        listener = Listener(port)
        assert listener.first == {"kind": "jobs", "jobs": []}
    with pytest.raises(StopIteration):
        next(listener)
    listener.close()
