"""A server of the small model that other tests have trained, behind a real port."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from cvtasks.serving.app import Service
from cvtasks.serving.limits import Limits, Setting, hosts_of
from cvtasks.serving.server import Server
from cvtasks.serving.shelf import Shelf

HOST = "127.0.0.1"


def png(height: int = 48, width: int = 80, seed: int = 0) -> bytes:
    """An image file of noise."""
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


@contextmanager
def service_of(folder: Path, **changes: object) -> Iterator[Service]:
    """What serves a model; `changes` are those of a `Setting`, or of its `Limits`."""
    limits = {name: value for name, value in changes.items() if hasattr(Limits(), name)}
    others = {name: value for name, value in changes.items() if name not in limits}
    setting = replace(Setting(Limits(**limits)), **others)
    said: list[str] = []
    service = Service(Shelf([str(folder)], {}, said.append), setting, said.append)
    service.said = said
    try:
        yield service
    finally:
        service.close()


@contextmanager
def server_of(folder: Path, **changes: object) -> Iterator[Server]:
    """A server behind a real port, in a thread; it ends with the context."""
    with service_of(folder, **changes) as service:
        server = Server(service, HOST, 0)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(20)
            assert not thread.is_alive(), "a server that was asked to must end"


@pytest.fixture(scope="session")
def client(trained: Path) -> Iterator[httpx.Client]:
    """Who asks a server that all tests share."""
    with (
        server_of(trained, images=4, megabytes=0.2, hosts=hosts_of(HOST, "")) as server,
        httpx.Client(base_url=server.address, timeout=20, trust_env=False) as made,
    ):
        yield made


@pytest.fixture
def running(trained: Path) -> Iterator[Callable[..., Server]]:
    """`running(**changes)`: a server of its own, which ends with the test."""
    with ExitStack() as leaving:

        def run(**changes: object) -> Server:
            folder = changes.pop("folder", trained)
            return leaving.enter_context(server_of(folder, **changes))

        yield run
