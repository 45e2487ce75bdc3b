"""What requests get: answers as the command line gives them, and errors in words."""

import base64
import io
import json

import httpx
import numpy as np
import pytest
from PIL import Image

from cvtasks import load
from cvtasks.geometry.tiles import Tiles
from cvtasks.media.page_files import page_files
from tests.serving.conftest import png

PNG = {"content-type": "image/png"}


def black(height: int, width: int) -> bytes:
    """A small file of many pixels."""
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """A small file of 64 million pixels."""
    return black(8000, 8000)


def ask(client: httpx.Client, content: bytes = b"", address: str = "/predict", **headers: str):
    """The response to an image."""
    return client.post(address, content=content, headers={"content-type": "image/png", **headers})


def test_an_image_gets_the_record_that_the_model_gives(client, trained):
    content = png()
    answer = load(trained).predict(content)
    (found,) = ask(client, content).json()["results"]
    assert found["mask"] == json.loads(json.dumps(answer.to_dict()["mask"]))
    assert (found["width"], found["height"], found["task"]) == (80, 48, "segment")
    assert found["source"] == "image"


def test_several_images_keep_their_order_and_names_and_one_bad_stops_no_other(client):
    files = [
        ("a", ("one.png", png(20, 30))),
        ("b", ("../../etc/two.png", b"no image")),
        ("c", ("three.png", png(40, 10))),
    ]
    response = client.post("/predict", files=files)
    results = response.json()["results"]
    assert response.status_code == 200
    assert [one["source"] for one in results] == ["one.png", "two.png", "three.png"]
    assert [one.get("status") for one in results] == [None, 400, None]
    assert (results[2]["width"], results[2]["height"]) == (10, 40)


def test_drawing_and_mask_are_given_where_they_are_asked_for(client, trained):
    content = png()
    answer = load(trained).predict(content)
    (found,) = ask(client, content, "/predict?draw=1&mask=1").json()["results"]
    kind, _, mask = found["mask_png"].partition(",")
    ids = np.asarray(Image.open(io.BytesIO(base64.b64decode(mask))))
    assert kind == "data:image/png;base64"
    assert np.array_equal(ids, answer.ids)
    assert Image.open(io.BytesIO(base64.b64decode(found["image"].partition(",")[2]))).size
    drawn = ask(client, content, accept="image/png")
    assert drawn.headers["content-type"] == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(drawn.content))), answer.draw(content))


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/predict?model=segment-tiny-shape", 404, 'Did you mean "segment-tiny-shapes"?'),
        ("/predict?classes=disk", 422, 'Did you mean "disc"?'),
        ("/predict?threshold=2", 422, "`threshold`"),
        ("/predict?threshold=nan", 422, "threshold"),
        ("/predict?tiles=8x8", 422, "at least 32 pixels"),
        ("/predict?augment=flop", 422, "flip"),
        ("/predict?draw=perhaps", 422, "`draw`"),
        ("/predict?treshold=0.1", 422, 'Did you mean "threshold"?'),
        ("/predict?threshold=0.1&modell=x", 422, "'modell' is none of the parameters of /predict"),
        ("/predict?threshold=0.9&threshold=0.1", 422, "`threshold` is given 2 times"),
        ("/predict?classes=disc&classes=square", 422, "`classes=A,B`"),
        ("/../../etc/passwd", 404, "nothing at this path"),
        ("/page/..%2f..%2fapp.py", 404, "nothing at this path"),
        ("/explain", 403, "explained"),
    ],
)
def test_what_cannot_be_had_is_refused_in_words(client, address, status, said):
    response = ask(client, png(), address)
    assert response.status_code == status == response.json()["status"]
    assert said in response.json()["error"]


def test_too_many_tiles_are_refused_before_any_is_made(client, monkeypatch):
    monkeypatch.setattr(Tiles, "of", lambda *given: pytest.fail("of 194,481 tiles each is made"))
    response = ask(client, black(7071, 7071), "/predict?tiles=32x32:0.5")
    assert response.status_code == 422, response.text
    assert "194,481" in response.json()["error"]


def test_other_methods_are_refused_in_words(client):
    assert client.get("/predict").status_code == 405
    assert "/api" in client.delete("/models").json()["error"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"\0", 400),
        (b"GIF89a", 400),
        (png()[:200], 400),
        (png()[:-40] + b"\0" * 40, 400),
        (bomb(), 413),
        (bytes(200_001), 413),
    ],
    ids=["nothing", "a byte", "a head", "cut", "damaged", "a bomb", "too many bytes"],
)
def test_hostile_images_are_refused_in_words(client, content, status):
    response = ask(client, content)
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error", "status"}
    assert "/" not in response.json()["error"].replace("image/", "").replace("application/", "")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_other_kinds_of_bodies_are_refused(client, kind):
    assert ask(client, png(), **{"content-type": kind}).status_code == 415


def test_addresses_are_fetched_only_by_a_server_that_may(client):
    response = client.post("/predict", json={"url": "http://example.org/a.jpg"})
    assert response.status_code == 415
    assert "fetches nothing" in response.json()["error"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "10.0.0.1", "2130706433"]
)
def test_addresses_within_a_network_are_fetched_by_none(running, monkeypatch, host):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = running(urls=True)
    for document in ({"url": f"http://{host}:{server.port}/health"}, {"url": "file:///etc/hosts"}):
        response = httpx.post(f"{server.address}predict", json=document, trust_env=False)
        assert response.status_code == 400
        assert "cannot" in response.json()["error"]
    one = f"http://{host}:{server.port}/health"
    for document, said in (
        ({"url": 3}, "something else"),
        ([], "something else"),
        ({}, "something else"),
        ({"urls": []}, "has 0"),
        ({"url": one, "urls": [one]}, "'urls'"),
        ({"url": one, "threshold": 0.5}, "'threshold'"),
        ({"url": one, "\0" * 999: 1}, "no other key"),
    ):
        response = httpx.post(f"{server.address}predict", json=document, trust_env=False)
        assert response.status_code == 422
        assert said in response.json()["error"]
    twice = f'{{"url": "http://example.org/a.png", "url": "{one}"}}'
    kind = {"content-type": "application/json"}
    response = httpx.post(f"{server.address}predict", content=twice, headers=kind, trust_env=False)
    assert response.status_code == 422 and "a key twice" in response.json()["error"]
    assert not any("GET /health" in line for line in server.service.said)


def test_a_request_has_only_so_many_images(client):
    files = [("a", (f"{number}.png", png(8, 8))) for number in range(5)]
    response = client.post("/predict", files=files)
    assert response.status_code == 413
    assert "4" in response.json()["error"]


def test_fields_of_a_form_that_are_no_files_are_refused_in_words(client):
    response = client.post("/predict", data={"threshold": "0.9"}, files={"a": ("a.png", png())})
    assert response.status_code == 422
    assert "'threshold'" in response.json()["error"]
    assert "/predict?threshold=" in response.json()["error"]


@pytest.mark.parametrize(
    "body",
    [b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\nb\r\n--x--", b"\0" * 99],
)
def test_broken_forms_are_refused(client, body):
    response = ask(client, body, **{"content-type": "multipart/form-data; boundary=x"})
    assert response.status_code in (400, 422)
    response = ask(client, body, **{"content-type": "multipart/form-data"})
    assert response.status_code == 400


def test_models_say_what_the_page_must_know(client, trained):
    found = client.get("/models").json()
    (model,) = found["models"]
    assert model["classes"] == ["background", "square", "disc"]
    assert len(model["colours"]) == 3
    assert model["colours"][0] == "#000000"
    assert (model["name"], model["size"]) == (trained.name, [64, 64])
    assert found["explain"] == []


def test_health_metrics_and_the_page_of_the_interface(client):
    assert client.get("/health").json()["ready"]
    text = client.get("/metrics").text
    assert "cvtasks_requests_total" in text
    assert "cvtasks_queue" in text
    page = client.get("/api")
    assert "POST /predict" in page.text
    assert "http" not in page.text.replace("HTTP", "").lower()
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "/predict" in client.get("/openapi.json").json()["paths"]


def test_the_page_and_its_files_are_served_and_nothing_beside_them(client):
    for path, (content, kind) in page_files("serve").items():
        response = client.get(f"/{path}")
        assert (response.content, response.headers["content-type"]) == (content, kind)
    for path in ("page/", "page/index.html", "page/nothing.js", "page/..%2fpage.py", "page/%2e%2e"):
        assert client.get(f"/{path}").status_code == 404, path


def test_a_name_that_leads_here_from_elsewhere_is_refused(client):
    assert client.get("/models", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/models", headers={"host": "localhost:8000"}).status_code == 200


def test_pages_from_elsewhere_are_refused(client):
    for origin in ("https://evil.example", "http://[", "null"):
        response = ask(client, png(), origin=origin)
        assert response.status_code == 403, origin
        assert origin in response.json()["error"]
    assert ask(client, png(), origin=str(client.base_url)).status_code == 200


def test_reasons_are_given_by_a_server_that_may(running, trained):
    server = running(explain=True)
    with httpx.Client(base_url=server.address, timeout=60, trust_env=False) as client:
        assert "grad-cam" in client.get("/models").json()["explain"]
        found = ask(client, png(), "/explain?target=disc&method=eigencam").json()
        heat = Image.open(io.BytesIO(base64.b64decode(found["heat"].partition(",")[2])))
        assert (found["target"], found["method"]) == ("disc", "eigencam")
        assert (heat.size, heat.mode) == ((80, 48), "L")
        assert ask(client, png(), "/explain?target=disk").status_code == 422
        drawn = ask(client, png(), "/explain?target=disc&method=eigencam", accept="image/png")
        assert drawn.headers["content-type"] == "image/png"
