"""`cvtasks serve`: models behind a port, with a page for whoever has no shell."""

import queue
import threading
from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated

import typer

from cvtasks.cli import completion
from cvtasks.cli.options import (
    BatchOption,
    DeviceOption,
    EngineOption,
    MostPixelsOption,
    PrecisionOption,
    starts_keras,
)
from cvtasks.cli.output import say, start_keras
from cvtasks.engines.table import AUTO
from cvtasks.errors import ModelError, UsageError
from cvtasks.media.image_headers import MAX_PIXELS
from cvtasks.training.stopping import Interrupted, stop_asked

_PACKAGES = ("fastapi", "multipart", "prometheus_client", "uvicorn")


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="Names of `cvtasks models` or folders; by default each task's own.",
            autocompletion=completion.models,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Where it listens; 0.0.0.0 for every network, with a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it listens; 0: any that is free.")
    ] = 8000,
    token: Annotated[
        str,
        typer.Option(
            envvar="CVTASKS_TOKEN",
            show_envvar=True,
            show_default="made and printed where other machines can ask",
            help="What requests must bring.",
        ),
    ] = "",
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A page whose scripts may ask, as https://example.org."),
    ] = None,
    allow_urls: Annotated[
        bool, typer.Option("--allow-urls", help="Fetch images from addresses on the internet.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Explain answers too; loads Keras when asked first.")
    ] = False,
    most_megabytes: Annotated[
        float, typer.Option(metavar="N", min=0.01, help="Of the body of a request.")
    ] = 20.0,
    most_pixels: MostPixelsOption = MAX_PIXELS,
    most_images: Annotated[int, typer.Option(metavar="N", min=1, help="Of a request.")] = 16,
    queue_length: Annotated[
        int,
        typer.Option(
            "--queue", metavar="N", min=1, help="Images of a model that may wait; then 429."
        ),
    ] = 128,
    timeout: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="Seconds that an answer may take.")
    ] = 30.0,
    connections: Annotated[int, typer.Option(metavar="N", min=1, help="Open at a time.")] = 512,
    engine: EngineOption = AUTO,
    precision: PrecisionOption = AUTO,
    device: DeviceOption = AUTO,
    batch: BatchOption = 0,
) -> None:
    """Serve models over HTTP, and a page to drop images on.

    Ctrl-C and SIGTERM end it when what was accepted is answered; SIGHUP loads the models again.

    \b
    cvtasks serve
    cvtasks serve detect-yolox-nano-voc segment-efficientnet-lite0-voc --port 8080
    cvtasks serve runs/mine --host 0.0.0.0 --token "$(openssl rand -hex 16)"
    curl -F image=@photo.jpg http://127.0.0.1:8000/predict
    """
    _check_installed()
    from cvtasks.serving.limits import Limits

    how = {"engine": engine, "precision": precision, "device": device, "batch": batch}
    limits = Limits(
        megabytes=most_megabytes,
        pixels=most_pixels,
        images=most_images,
        queue=queue_length,
        seconds=timeout,
        connections=connections,
    )
    if starts_keras(engine, device):
        start_keras()
    from cvtasks.serving.app import Service
    from cvtasks.serving.limits import Setting, checked_origins, hosts_of, token_of
    from cvtasks.serving.server import Server
    from cvtasks.serving.shelf import Shelf

    secret = token_of(host, token)
    setting = Setting(
        limits,
        secret,
        checked_origins(origin or ()),
        hosts_of(host, secret),
        allow_urls,
        explain,
        how,
    )
    lines = _Lines()
    shelf = Shelf(models or _defaults(), how, lines.tell)
    server = Server(Service(shelf, setting, lines.tell), host, port)
    with stop_asked(server.stop) as asked, server.reloading_on_hangup():
        say(f"serving {', '.join(shelf.served)} at {server.address}")
        if secret and not token:
            say(f"token: {secret}")
        server.run()
    lines.close()
    if asked.is_set():
        raise Interrupted


def _check_installed() -> None:
    missing = [name for name in _PACKAGES if not find_spec(name)]
    if missing:
        raise UsageError(
            f"the server needs {', '.join(missing)}, which is not installed. Install it: "
            'pip install "cvtasks[serve]"'
        )


def _defaults() -> list[str]:
    """Each task's model of the zoo, as far as there is one."""
    from cvtasks.tasks import TASKS
    from cvtasks.zoo import default_model

    found = []
    for task in TASKS:
        with suppress(ModelError):
            found.append(default_model(task))
    return found


class _Lines:
    """Lines for stderr, said by a thread: a terminal that takes nothing keeps no request waiting.
    Where too many wait, new ones are dropped.
    """

    def __init__(self) -> None:
        self._waiting: queue.Queue[str | None] = queue.Queue(1000)
        self._thread = threading.Thread(target=self._say, name="lines", daemon=True)
        self._thread.start()

    def tell(self, line: str) -> None:
        """Have a line said."""
        with suppress(queue.Full):
            self._waiting.put_nowait(line)

    def close(self) -> None:
        """Say what waits, for a while."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=1)
        self._thread.join(2)

    def _say(self) -> None:
        while (line := self._waiting.get()) is not None:
            say(line)
