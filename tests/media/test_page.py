"""The page in a real browser: images, camera, threshold, and what is said where it goes wrong."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cvtasks.geometry.rle import encode_rle
from cvtasks.media.page import Page
from tests.media.chromium import Tab, chromium, tab
from tests.media.page_server import Asked, Given, page_server

NO_BROWSER = "the page needs Chromium to be tested; there is none here. Install chromium."
pytestmark = [
    pytest.mark.skipif(not chromium(), reason=NO_BROWSER),
    pytest.mark.xdist_group("browser"),
]

HEIGHT, WIDTH = 48, 64
MODELS: list[dict[str, Any]] = [
    {
        "name": name,
        "task": task,
        "classes": list(classes),
        "colours": ["#ff0000", "#00ff00", "#0000ff"][: len(classes)],
        "size": [64, 64],
        "threshold": threshold,
        "engine": "openvino",
        "precision": "f32",
    }
    for name, task, classes, threshold in (
        ("find <b>", "detect", ("cat", "dog", "<img src=x onerror=alert(1)>"), 0.5),
        ("name", "classify", ("cat", "dog"), 0.1),
        ("parts", "segment", ("background", "cat", "dog"), 0.0),
        ("cells", "instances", ("cell",), 0.5),
    )
]


def found(task: str) -> dict[str, Any]:
    """The answer's part of a record: the left half of the image is a cat, the right a dog."""
    left, right = [0.0, 0.0, 32.0, 48.0], [32.0, 8.0, 64.0, 48.0]
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, :32] = True
    if task == "classify":
        return {"labels": [{"name": "cat", "score": 0.9}, {"name": "dog", "score": 0.05}]}
    if task == "segment":
        rle = {"cat": encode_rle(mask)}
        return {
            "mask": {
                "size": [HEIGHT, WIDTH],
                "shares": {"background": 0.5, "cat": 0.5},
                "rle": rle,
            }
        }
    boxes: list[dict[str, Any]] = [
        {"name": "cat", "score": 0.9, "xyxy": left},
        {"name": "dog", "score": 0.3, "xyxy": right},
        {"name": "<img src=x onerror=alert(1)>", "score": 0.6, "xyxy": right},
    ]
    if task == "instances":
        boxes = [{"name": "cell", "score": 0.9, "xyxy": left, "mask": encode_rle(mask)}]
    return {"boxes": boxes}


def answer(asked: Asked) -> tuple[int, dict[str, Any]]:
    """As a server answers: nothing about what is no image."""
    if asked.path == "/explain":
        heat = np.zeros((12, 16), np.uint8)
        heat[:, 8:] = 255
        png = cv2.imencode(".png", heat)[1].tobytes()
        return 200, {"heat": f"data:image/png;base64,{base64.b64encode(png).decode()}"}
    if cv2.imdecode(np.frombuffer(asked.content, np.uint8), cv2.IMREAD_COLOR) is None:
        return 400, {"error": "this is no image that can be read; send a PNG.", "status": 400}
    task = next(one["task"] for one in MODELS if one["name"] == asked.query["model"])
    height, width = cv2.imdecode(np.frombuffer(asked.content, np.uint8), 1).shape[:2]
    return 200, {
        "results": [{"source": asked.name, "width": width, "height": height, **found(task)}]
    }


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with tab(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey image."""
    path = tmp_path_factory.mktemp("images") / "grey one.png"
    cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    return path


@pytest.fixture
def given(browser: Tab) -> Iterator[Given]:
    """The page is open; at the end nothing was loaded from elsewhere, and nothing went wrong."""
    with page_server(Given(MODELS, answer, explain=("grad-cam",))) as server:
        browser.open("about:blank")  # what the test before has begun is over
        browser.requests.clear()
        browser.errors.clear()
        browser.resize(1200, 800)
        browser.open(server.address)
        browser.until("document.querySelector('#about').textContent")
        yield server
        assert not browser.errors
        elsewhere = [url for url in browser.requests if not url.startswith(server.address)]
        assert not [url for url in elsewhere if not url.startswith(("data:", "blob:", "about:"))]


def summary(browser: Tab) -> str:
    return browser.value("document.querySelector('#summary').textContent")


def pixel(browser: Tab, across: float, down: float) -> list[int]:
    """RGB of the canvas at shares of its width and height."""
    return browser.value(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => { "
        "const c = document.querySelector('#canvas'); done([...c.getContext('2d').getImageData("
        f"{across} * c.width, {down} * c.height, 1, 1).data].slice(0, 3)) }})))"
    )


def use_model(browser: Tab, name: str) -> None:
    browser.value(
        "(() => { const m = document.querySelector('#model'); "
        f"m.value = {json.dumps(name)}; m.dispatchEvent(new Event('change')); }})()"
    )


def test_an_image_is_answered_and_the_threshold_asks_nobody(browser, given, image):
    browser.choose_files(image)
    browser.until("document.querySelector('#summary').textContent")
    assert summary(browser) == "1 × cat, 1 × <img src=x onerror=alert(1)>"
    assert browser.value("document.querySelectorAll('img').length") == 0, "names are no markup"
    assert [(one.path, one.name) for one in given.asked] == [("/predict", "grey one.png")]
    assert given.asked[0].query == {"model": "find <b>", "threshold": "0.01"}
    asked = len(browser.requests)
    browser.value("document.querySelector('#threshold').focus()")
    for _ in range(25):
        browser.press("ArrowLeft", 37)
    assert summary(browser) == "1 × cat, 1 × dog, 1 × <img src=x onerror=alert(1)>"
    assert browser.value("document.querySelector('#threshold-value').textContent") == "0.25"
    assert (len(browser.requests), len(given.asked)) == (asked, 1)
    browser.value("document.querySelector('#classes input').click()")
    assert summary(browser) == "1 × dog, 1 × <img src=x onerror=alert(1)>"
    browser.value("document.querySelector('#none').click()")
    assert summary(browser) == "Nothing is sure enough."
    browser.value("document.querySelector('#all').click()")
    assert browser.value("document.querySelector('#canvas').getAttribute('aria-label')").count("×")
    browser.value("document.querySelector('#objects').open = true")
    browser.until("document.querySelectorAll('#object-list li').length === 3")


def test_what_is_shown_is_copied_and_saved(browser, given, image):
    browser.ask(
        "Browser.grantPermissions",
        permissions=["clipboardReadWrite", "clipboardSanitizedWrite"],
        origin=given.address,
    )
    browser.choose_files(image)
    browser.until("!document.querySelector('#copy').disabled")
    browser.value("document.querySelector('#copy').click()")
    browser.until("document.querySelector('#time').textContent === 'copied'")
    record = json.loads(browser.value("navigator.clipboard.readText()"))
    assert [box["name"] for box in record["boxes"]] == ["cat", MODELS[0]["classes"][2]]
    browser.value(
        "URL.createObjectURL = blob => { window.saved = blob; return 'blob:x' };"
        " HTMLAnchorElement.prototype.click = function () { window.named = this.download };"
        " document.querySelector('#save').click()"
    )
    browser.until("window.saved && window.named")
    assert browser.value("window.named") == "grey one-boxes.png"
    content = browser.value("saved.arrayBuffer().then(b => [...new Uint8Array(b)])")
    saved = cv2.imdecode(np.array(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert saved.shape == (HEIGHT, WIDTH, 3)
    assert saved[24, 0].tolist() == pytest.approx([255, 0, 0], abs=20), "the cat's frame"


def test_every_task_is_drawn(browser, given, image):
    browser.choose_files(image)
    use_model(browser, "name")
    browser.until("document.querySelector('#summary').textContent.startsWith('cat 90')")
    assert browser.value("document.querySelectorAll('#classes li').length") == 1
    use_model(browser, "parts")
    browser.until("document.querySelector('#summary').textContent.startsWith('cat 50')")
    assert pixel(browser, 0.25, 0.5) == pytest.approx([64, 191, 64], abs=3)
    assert pixel(browser, 0.75, 0.5) == pytest.approx([128] * 3, abs=2)
    use_model(browser, "cells")
    browser.until("document.querySelector('#summary').textContent.startsWith('cell')")
    assert pixel(browser, 0.25, 0.5) == pytest.approx([191, 64, 64], abs=3)
    browser.value("document.querySelector('#show-masks').click()")
    assert pixel(browser, 0.25, 0.5) == pytest.approx([128] * 3, abs=2)
    browser.value("document.querySelector('#show-heat').click()")
    browser.until("document.querySelector('#word').textContent === ''")
    assert pixel(browser, 0.9, 0.5) == pytest.approx([191] * 3, abs=3), "hot is white"
    assert pixel(browser, 0.2, 0.5) == pytest.approx([128] * 3, abs=3)
    assert [one.path for one in given.asked].count("/explain") == 1


def test_images_are_pasted_dropped_and_kept_in_a_row(browser, given, image):
    for event in ("paste", "drop"):
        browser.value(
            "new Promise(done => { const c = document.createElement('canvas'); c.width = 64; "
            "c.height = 48; c.toBlob(blob => { const data = new DataTransfer(); "
            f"data.items.add(new File([blob], '{event}.png', {{type: 'image/png'}})); "
            "const given = { bubbles: true, cancelable: true }; "
            f"document.body.dispatchEvent('{event}' === 'paste' "
            "? new ClipboardEvent('paste', { ...given, clipboardData: data }) "
            ": new DragEvent('drop', { ...given, dataTransfer: data })); done() }) })"
        )
        browser.until("document.querySelector('#summary').textContent")
    browser.choose_files(image, image)
    browser.until("document.querySelectorAll('#strip li.done').length === 4")
    assert sorted(one.name for one in given.asked) == [
        "drop.png",
        *["grey one.png"] * 2,
        "paste.png",
    ]
    browser.value("document.querySelector('#strip [aria-current=true]').focus()")
    for _ in range(2):
        browser.press("ArrowLeft", 37)
    label = "document.activeElement.getAttribute('aria-label')"
    assert browser.value(label) == "Image 1: paste.png"
    browser.press("Delete", 46)
    browser.until("document.querySelectorAll('#strip li').length === 3")
    assert len(given.asked) == 4


def test_what_goes_wrong_is_said_in_words(browser, given, image, tmp_path):
    words = "document.querySelector('#alert-text').textContent"
    (tmp_path / "none.png").write_bytes(b"no image")
    browser.choose_files(tmp_path / "none.png")
    browser.until(f"{words}.includes('no image that can be read')")
    browser.errors.clear()  # the browser's own word for the status 400
    (tmp_path / "large.png").write_bytes(bytes(21_000_000))
    asked = len(given.asked)
    browser.choose_files(tmp_path / "large.png")
    browser.until(f"{words}.includes('20 MB at most')")
    assert len(given.asked) == asked, "it is not even sent"
    busy = iter([True, False])
    given.answer = lambda asked: (
        (429, {"error": "128 images wait.", "status": 429}) if next(busy) else answer(asked)
    )
    browser.choose_files(image)
    browser.until("document.querySelector('#word').textContent.includes('busy')")
    browser.until("document.querySelector('#summary').textContent")
    browser.errors.clear()
    browser.ask(
        "Network.emulateNetworkConditions",
        offline=True,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )
    browser.choose_files(image)
    browser.until(f"{words}.includes('does not answer')")
    browser.ask(
        "Network.emulateNetworkConditions",
        offline=False,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )
    given.answer = answer
    browser.value("document.querySelector('#again').click()")
    browser.until(f"document.querySelector('#summary').textContent && !{words}")
    browser.errors.clear()


def test_the_token_is_asked_for_and_taken_out_of_the_address(browser, given, image):
    given.token = "secret one"
    browser.open(given.address + "?token=secret%20one")
    browser.until("document.querySelector('#about').textContent")
    assert browser.value("location.href") == given.address
    browser.value("sessionStorage.clear()")
    browser.open(given.address)
    browser.until("document.querySelector('#token-dialog').open")
    browser.value("document.querySelector('#token').value = 'secret one'")
    browser.value("document.querySelector('#token-dialog button').click()")
    browser.until("document.querySelector('#about').textContent")
    browser.value("sessionStorage.clear()")
    browser.errors.clear()  # of the status 401


def test_the_camera(browser, given):
    open_at_a_time, most = 0, 0

    def slow(asked: Asked) -> tuple[int, dict[str, Any]]:
        nonlocal open_at_a_time, most
        open_at_a_time += 1
        most = max(most, open_at_a_time)
        time.sleep(0.02)
        open_at_a_time -= 1
        return answer(asked)

    given.answer = slow
    browser.value("document.querySelector('#camera').click()")
    browser.until("document.querySelector('#rate').textContent.endsWith('fps')")
    browser.until("document.querySelector('#summary').textContent")
    assert most == 1
    assert given.asked[-1].content[:2] == b"\xff\xd8"
    assert given.asked[-1].query["threshold"] == "0.5", "frames need no more than is shown"
    browser.value("document.querySelector('#camera').click()")
    browser.until("document.querySelectorAll('#strip li.done').length === 1")
    assert browser.value("document.querySelector('#camera').textContent") == "Use camera"
    assert "camera-1.jpg" in [one.name for one in given.asked], "its last frame stays"
    time.sleep(0.1)  # one may have been under way
    count = len(given.asked)
    time.sleep(0.2)
    assert len(given.asked) == count


@pytest.mark.parametrize("width", [320, 360, 768, 1600])
def test_nothing_stands_out_at_any_width(browser, given, image, width):
    browser.resize(width, 740, phone=width < 500)
    browser.choose_files(image, image, image)
    browser.until("document.querySelectorAll('#strip li.done').length === 3")
    assert browser.value("document.documentElement.scrollWidth") <= width
    small = "[...document.querySelectorAll('button, select, #choose')].filter(one => "
    assert not browser.value(
        f"{small} one.offsetParent && one.getBoundingClientRect().right > {width} + 1).length"
    )
    assert not browser.value(
        "[...document.querySelectorAll('input, select, button')].filter(one => one.offsetParent && "
        "!(one.getAttribute('aria-label') || one.labels?.length || one.textContent.trim())).length"
    ), "everything has a name that can be read aloud"


def test_the_live_view_is_the_same_page(browser):
    browser.open("about:blank")
    browser.errors.clear()
    browser.requests.clear()
    page = Page("cvtasks <detect>")
    try:
        browser.open(page.address)
        browser.until("document.querySelector('#word').textContent.startsWith('waiting')")
        for level in (10, 200, 90):
            page.show(np.full((HEIGHT, WIDTH, 3), level, np.uint8), {"latency": "<12 ms>"})
            shown = "document.querySelector('#stream').getContext('2d').getImageData(9, 9, 1, 1)"
            browser.until(f"Math.abs({shown}.data[0] - {level}) < 3", 5)
        browser.until("document.querySelector('#facts dd')?.textContent === '<12 ms>'")
        assert browser.value("document.querySelector('#stream').width") == WIDTH
        assert browser.value("document.title") == "cvtasks <detect>"
        assert browser.value("document.body.className") == "live"
        assert not browser.value("document.querySelector('#panel').offsetParent")
        browser.until("document.querySelector('#word').textContent.startsWith('no new frame')")
        assert browser.value("document.body.className") == ""
        browser.value("document.querySelector('#stop').click()")
        browser.until("document.querySelector('#word').textContent === 'ended'")
        assert page.closed
    finally:
        page.close()
    assert all(url.startswith((page.address, "data:")) for url in browser.requests)
    assert not browser.errors
