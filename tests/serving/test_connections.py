"""Connections that do wrong, behind a real port: slow, idle, endless, too many; and the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

import cvtasks
from cvtasks.errors import ModelError, UsageError
from cvtasks.serving import answering, app
from cvtasks.serving.bodies import Upload
from cvtasks.serving.connections import Connection
from cvtasks.serving.limits import checked_origins
from tests.serving.conftest import HOST, png

HEAD = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"


def connected(server) -> socket.socket:
    """A connection to it."""
    made = socket.create_connection((HOST, server.port), timeout=10)
    return made


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    content = b""
    while True:
        try:
            some = connection.recv(65536)
        except ConnectionResetError:
            return content
        if not some:
            return content
        content += some


def status_of(server, path: str = "predict") -> int:
    """Of the answer that a new client gets about an image."""
    response = httpx.post(
        f"{server.address}{path}",
        content=png(),
        headers={"content-type": "image/png"},
        timeout=20,
        trust_env=False,
    )
    return response.status_code


def is_answered(server) -> bool:
    """Whether a new client gets an answer."""
    return status_of(server) == 200


def test_slow_and_silent_clients_are_let_go(running):
    server = running(header_s=0.4, body_s=0.4, idle_s=0.4)
    with (
        closing(connected(server)) as silent,
        closing(connected(server)) as half,
        closing(connected(server)) as slow,
    ):
        half.sendall(HEAD)
        slow.sendall(HEAD + b"Content-Length: 1000\r\n\r\n123")
        assert rest(silent) == b""
        assert rest(half) == b""
        assert b" 408 " in rest(slow).partition(b"\r\n")[0]


def test_answers_on_a_kept_connection_leave_at_once(running, monkeypatch):
    delays = []
    made = Connection.connection_made

    def connection_made(self, transport) -> None:
        made(self, transport)
        accepted = transport.get_extra_info("socket")
        delays.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(Connection, "connection_made", connection_made)
    assert is_answered(running())
    assert delays and all(delays), "else they wait 40 ms for the client's acknowledgement"


def test_what_is_no_http_is_refused(running):
    server = running()
    for content in (b"\0" * 99, b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"):
        with closing(connected(server)) as one:
            one.sendall(content)
            assert b" 400 " in rest(one).partition(b"\r\n")[0]
    with closing(connected(server)) as one:
        one.sendall(HEAD + b"X: " + b"y" * 100_000)
        assert b" 400 " in rest(one).partition(b"\r\n")[0]
    assert is_answered(server)


def test_endless_bodies_are_refused_in_words(running):
    server = running(megabytes=0.05)
    for head in (b"Content-Length: 999999999999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
        with closing(connected(server)) as one:
            one.sendall(HEAD + head)
            sending = threading.Thread(target=send_for_ever, args=(one,), daemon=True)
            sending.start()
            answer = rest(one)
            assert b" 413 " in answer.partition(b"\r\n")[0]
            assert b"at most 50,000 bytes" in answer
    assert is_answered(server)


def test_a_body_that_may_be_sent_is_taken_however_little_all_may_hold(running):
    server = running(megabytes=3, held_megabytes=0.5)
    response = httpx.post(
        f"{server.address}predict",
        content=bytes(2_500_000),
        headers={"content-type": "image/png"},
        trust_env=False,
    )
    assert response.status_code == 400, "it is no image, but there is room for it"


def test_images_that_are_fetched_are_held_as_bodies_are_and_given_back(running, monkeypatch):
    async def fetched(upload, most):
        return Upload("fetched", png() + bytes(2_200_000))

    monkeypatch.setattr(app, "fetched", fetched)
    server = running(urls=True, megabytes=1, held_megabytes=1.5)
    for count, statuses in ((2, [None, 503]), (1, [None])):
        response = httpx.post(
            f"{server.address}predict",
            json={"urls": ["https://example.org/a.png"] * count},
            timeout=20,
            trust_env=False,
        )
        assert [one.get("status") for one in response.json()["results"]] == statuses


@pytest.mark.parametrize(
    ("status", "changed"),
    [
        (401, {"authorization": "Bearer another"}),
        (403, {"origin": "https://evil.example"}),
        (421, {"host": "evil.example"}),
        (415, {"content-type": "text/plain"}),
        (413, {"content-type": "image/png"}),
        (404, {"connection": "close"}),
    ],
)
def test_who_is_refused_before_its_body_has_come_reads_why(running, status, changed):
    server = running(megabytes=9.9 if status == 413 else 20, token="secret", hosts=(HOST,))
    body = bytes(10_000_000)
    headers = {"authorization": "Bearer secret", "content-type": "image/png", **changed}
    with closing(HTTPConnection(HOST, server.port, timeout=20)) as connection:
        path = "/predict?model=none" if status == 404 else "/predict"
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        assert response.status == status == json.loads(response.read())["status"]


def test_who_is_refused_before_it_sends_need_not_send(running):
    server = running(megabytes=0.05, token="secret")
    head = HEAD + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n"
    for status, more in ((401, b"\r\n"), (413, b"Authorization: Bearer secret\r\n\r\n")):
        begun = time.monotonic()
        with closing(connected(server)) as one:
            one.sendall(head + more)
            assert rest(one).startswith(b"HTTP/1.1 %d " % status)
        assert time.monotonic() - begun < 1.5, "nobody waits for what will not come"


def send_for_ever(connection: socket.socket) -> None:
    """Send chunks until the other side has enough."""
    try:
        while True:
            connection.sendall(b"1000\r\n" + b"\0" * 4096 + b"\r\n")
    except OSError:
        return


def test_idle_clients_make_room_for_one_more(running):
    server = running(connections=8, header_s=60, idle_s=60)
    idle = [connected(server) for _ in range(20)]
    assert is_answered(server)
    for one in idle:
        one.close()


def test_a_full_queue_says_when_to_come_again(running, monkeypatch):
    server = running(queue=1)
    served = server.service.shelf.get("")
    gate = threading.Event()
    engine = served.model.engine
    stream = engine.stream

    def slow(images):
        gate.wait(20)
        yield from stream(images)

    monkeypatch.setattr(engine, "stream", slow)
    found = []
    first = threading.Thread(target=lambda: found.append(is_answered(server)))
    first.start()
    while not served.held:
        time.sleep(0.01)
    response = httpx.post(
        f"{server.address}predict",
        content=png(),
        headers={"content-type": "image/png"},
        trust_env=False,
    )
    gate.set()
    first.join()
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) >= 1
    assert found == [True]


def test_an_answer_that_takes_too_long_is_given_up(running, monkeypatch):
    server = running(seconds=0.3)
    engine = server.service.shelf.get("").model.engine
    stream = engine.stream

    def slow(images):
        time.sleep(0.8)
        yield from stream(images)

    monkeypatch.setattr(engine, "stream", slow)
    response = httpx.post(
        f"{server.address}predict",
        content=png(),
        headers={"content-type": "image/png"},
        trust_env=False,
    )
    assert response.status_code == 504
    assert "0.3 s" in response.json()["error"]


def explained(server, found: list[int]) -> None:
    """Ask for an explanation, and note the status."""
    found.append(status_of(server, "explain"))


def test_images_that_wait_to_be_explained_keep_no_other_out(running, monkeypatch):
    monkeypatch.setattr(answering, "_DECODED_PIXELS", 48 * 80)
    server = running(explain=True, pixels=48 * 80, seconds=5)
    begun, gate, found = threading.Event(), threading.Event(), []

    def slow(*given):
        begun.set()
        gate.wait(20)
        return {}

    monkeypatch.setattr(server.service.explaining, "_explained", slow)
    first = threading.Thread(target=explained, args=(server, found))
    first.start()
    begun.wait(20)
    answered = is_answered(server)
    gate.set()
    first.join()
    assert answered
    assert found == [200]


def test_an_explanation_that_takes_too_long_is_given_up(running, monkeypatch):
    server = running(explain=True, seconds=0.3)
    gate, found = threading.Event(), []

    def slow(*given):
        gate.wait(5)
        return {}

    monkeypatch.setattr(server.service.explaining, "_explained", slow)
    explained(server, found)  # it is under way
    explained(server, found)  # it waits
    gate.set()
    explained(server, found)
    assert found == [504, 504, 200]


def test_a_model_that_fails_says_nothing_of_this_machine(running, monkeypatch):
    server = running()
    engine = server.service.shelf.get("").model.engine

    def broken(images):
        next(iter(images))
        raise ModelError("the graph '/home/somebody/graph.xml' cannot be run.")

    monkeypatch.setattr(engine, "stream", broken)
    response = httpx.post(
        f"{server.address}predict",
        content=png(),
        headers={"content-type": "image/png"},
        trust_env=False,
    )
    assert response.status_code == 500
    assert "somebody" not in response.text
    assert any("somebody" in line for line in server.service.said)


def test_a_token_is_asked_for(running):
    server = running(token="secret")
    with httpx.Client(base_url=server.address, trust_env=False) as client:
        assert client.get("/models").status_code == 401
        for wrong in ("Bearer secre", "Bearer secret2", "Basic secret", "secret", "Bearer é"):
            headers = {"authorization": wrong.encode("utf-8")}
            assert client.get("/models", headers=headers).status_code == 401
        right = {"authorization": "Bearer secret"}
        assert client.get("/models", headers=right).status_code == 200
        known = {"live": True, "ready": True, "stopping": False}
        for stranger in ({}, {"authorization": "Bearer secre"}):
            assert client.get("/health", headers=stranger).json() == known
        (served,) = server.service.shelf.served.values()
        served.error = "its folder has changed, and cannot be used"
        told = {served.name: {"ready": True, "reloads": 0, "error": served.error}}
        assert client.get("/health", headers=right).json() == {**known, "models": told}


def test_the_page_of_an_origin_that_is_named_may_ask(running):
    server = running(origins=("https://friend.example",), token="secret")
    asked = {"origin": "https://friend.example", "access-control-request-method": "POST"}
    response = httpx.options(f"{server.address}predict", headers=asked, trust_env=False)
    assert response.headers["access-control-allow-origin"] == "https://friend.example"


@pytest.mark.parametrize("given", ["http://[", "example.org", "https://example.org/page", "null"])
def test_what_is_no_origin_is_refused_in_words(given):
    with pytest.raises(UsageError, match="the beginning of a page's address"):
        checked_origins([given])


# === the end ===


def test_what_was_accepted_is_answered_before_the_end(running, monkeypatch):
    server = running()
    engine = server.service.shelf.get("").model.engine
    begun, gate, stream = threading.Event(), threading.Event(), engine.stream

    def slow(images):
        begun.set()
        gate.wait(20)
        yield from stream(images)

    monkeypatch.setattr(engine, "stream", slow)
    found = []
    first = threading.Thread(target=lambda: found.append(is_answered(server)))
    first.start()
    begun.wait(20)
    late = HTTPConnection(HOST, server.port, timeout=20)
    server.stop()
    while not server.service.state.stopping:
        time.sleep(0.01)
    late.request("GET", "/models")
    response = late.getresponse()
    told = response.status, response.headers["connection"], json.loads(response.read())["status"]
    gate.set()
    first.join()
    assert told == (503, "close", 503)
    assert found == [True]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")
def test_signals_end_the_command_and_load_models_again(trained):
    environment = {**os.environ, "PYTHONPATH": str(Path(cvtasks.__file__).parents[1])}
    command = [sys.executable, "-m", "cvtasks", "serve", str(trained), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        line = process.stderr.readline()
        assert trained.name in line
        address = line.split(" at ")[1].strip()
        process.send_signal(signal.SIGHUP)
        while "loaded again" not in (line := process.stderr.readline()):
            assert line, "it ends before it has loaded the model again"
        assert httpx.get(f"{address}health", trust_env=False).json()["ready"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
