"""What a server costs beside a bare loop of decoding and engine, and whom it keeps out.

    python benchmarks/serving.py [MODEL] [--requests 1000] [--clients 32] [--rounds 4] [--json FILE]

Images are drawn with a seed. Clients have one core of their own, and the server all the others; the
bare loop runs on the server's cores, with nothing beside it. Rounds of both alternate. Then 300
clients that are idle, slow or hostile are there, and one more asks. Then SIGTERM comes while all
clients ask. Linux alone.
"""

import argparse
import io
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (375, 500)
BARE = """
import json, os, sys, time
os.sched_setaffinity(0, json.loads(sys.argv[1]))
from pathlib import Path
from cvtasks import load
from cvtasks.media.images import read_image
from cvtasks.media.prefetch import prefetched
from functools import partial
model = load(sys.argv[2], many=True)
contents = [path.read_bytes() for path in sorted(Path(sys.argv[3]).iterdir())]
def images(count):
    calls = (partial(read_image, contents[i % len(contents)]) for i in range(count))
    return prefetched(calls, threads=2, ahead=8)
for _ in model.predict_many(images(32)):
    pass
begun = time.perf_counter()
for _ in model.predict_many(images(int(sys.argv[4]))):
    pass
print(int(sys.argv[4]) / (time.perf_counter() - begun))
"""


def draw_images(folder: Path, count: int, seed: int) -> None:
    """Write JPEGs that are as smooth, and as large, as photographs are."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = np.zeros((*SIZE, 3), np.float32)
        for cells in (4, 16, 64, 128):
            coarse = Image.fromarray(rng.integers(0, 255, (cells, cells, 3), dtype=np.uint8))
            pixels += np.asarray(coarse.resize(SIZE[::-1], Image.Resampling.BICUBIC)) / cells**0.7
        pixels *= 255 / pixels.max()
        content = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(content, "JPEG", quality=88)
        (folder / f"{number:03d}.jpg").write_bytes(content.getvalue())


class Served:
    """A server in a process of its own, on given cores."""

    def __init__(self, model: str, cores: list[int], *options: str) -> None:
        command = [sys.executable, "-m", "cvtasks", "serve", model, "--port", "0", *options]
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        line = self.process.stderr.readline()
        self.port = int(line.rsplit(":", 1)[1].strip(" /\n"))
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self.lines.extend(self.process.stderr)

    def megabytes(self) -> float:
        """What it holds in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def ask(self, connection: HTTPConnection, content: bytes) -> int:
        """The status of an answer; 0 where nobody listens, -1 where one was cut off."""
        try:
            if connection.sock is None:
                connection.connect()
        except OSError:
            return 0
        try:
            connection.request("POST", "/predict", content, {"Content-Type": "image/jpeg"})
            response = connection.getresponse()
            body = json.loads(response.read())
            return response.status if "results" in body or response.status != 200 else 1
        except (OSError, HTTPException, ValueError):
            connection.close()
            return -1

    @contextmanager
    def asked_by(
        self, clients: int, contents: list[bytes], more: Callable[[], bool]
    ) -> Iterator[list[tuple[int, float]]]:
        """Clients that ask, one request after the other, as long as `more` says so; (status,
        seconds) of each request.
        """
        found: list[tuple[int, float]] = []

        def ask(number: int) -> None:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
            turn = number
            while more():
                begun = time.perf_counter()
                status = self.ask(connection, contents[turn % len(contents)])
                found.append((status, time.perf_counter() - begun))
                turn += clients
                if status < 1:
                    break
            connection.close()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        yield found
        for thread in threads:
            thread.join()


def counted(count: int) -> Callable[[], bool]:
    """What says yes so many times, whoever asks."""
    left, lock = count, threading.Lock()

    def more() -> bool:
        nonlocal left
        with lock:
            left -= 1
            return left >= 0

    return more


def speed(server: Served, clients: int, contents: list[bytes], count: int) -> tuple:
    """Images a second, and (status, seconds) of each request."""
    begun = time.perf_counter()
    with server.asked_by(clients, contents, counted(count)) as found:
        pass
    return count / (time.perf_counter() - begun), found


def bare(model: str, cores: list[int], folder: Path, count: int) -> float:
    """Images a second of a loop without a server."""
    command = [sys.executable, "-c", BARE, json.dumps(cores), model, str(folder), str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def crowd(port: int, count: int, contents: list[bytes]) -> tuple[list[socket.socket], list]:
    """Connections that keep a server busy with nothing, and the threads that go on with them."""
    made, stop = [], threading.Event()
    for number in range(count):
        one = socket.create_connection(("127.0.0.1", port))
        one.setblocking(False)
        made.append(one)
        with suppress(OSError):
            match number % 5:
                case 1:
                    one.send(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n")
                case 2:
                    one.send(
                        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
                        b"Content-Length: 1000000\r\n\r\n" + contents[0][:999]
                    )
                case 3:
                    one.send(random.Random(number).randbytes(3000))
                case 4:
                    one.send(
                        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n"
                    )

    def drip() -> None:
        while not stop.wait(1):
            for number, one in enumerate(made):
                with suppress(OSError):
                    if number % 5 == 1:
                        one.send(b"X: y\r\n")
                    elif number % 5 == 2:
                        one.send(b"\0")
                    elif number % 5 == 4:
                        one.send(b"1000\r\n" + bytes(4096) + b"\r\n")

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    return made, [stop.set, thread.join]


def beside_a_crowd(server: Served, contents: list[bytes], seconds: float) -> dict:
    """How one client fares beside 300 others; the server throws most out after 10 s, and they
    do not come again.
    """
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    alone = [timed(server, connection, contents[i % len(contents)]) for i in range(20)]
    connection.close()
    made, ends = crowd(server.port, 300, contents)
    found, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        fresh = HTTPConnection("127.0.0.1", server.port, timeout=60)
        found.append(timed(server, fresh, contents[len(found) % len(contents)]))
        fresh.close()
    for end in ends:
        end()
    for one in made:
        one.close()
    good = [taken for status, taken in found if status == 200]
    return {
        "alone_ms": 1000 * statistics.median(taken for _, taken in alone),
        "beside_300_ms": 1000 * statistics.median(good),
        "beside_300_worst_ms": 1000 * max(good),
        "asked": len(found),
        "answered": len(good),
    }


def timed(server: Served, connection: HTTPConnection, content: bytes) -> tuple[int, float]:
    """(status, seconds) of a request."""
    begun = time.perf_counter()
    return server.ask(connection, content), time.perf_counter() - begun


def ended(server: Served, clients: int, contents: list[bytes]) -> dict:
    """What becomes of requests when SIGTERM comes while all clients ask."""
    with server.asked_by(clients, contents, lambda: server.process.poll() is None) as found:
        time.sleep(3)
        before = len(found)
        server.process.send_signal(signal.SIGTERM)
        sent = time.perf_counter()
        code = server.process.wait(120)
        took = time.perf_counter() - sent
    return {
        "exit_code": code,
        "seconds": took,
        "answered_after": sum(status == 200 for status, _ in found[before:]),
        "told_that_it_stops": sum(status == 503 for status, _ in found),
        "found_nobody": sum(status == 0 for status, _ in found),
        "cut_off": sum(status == -1 for status, _ in found),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?", default="detect-yolox-nano-voc")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--crowd-seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    own, rest = cores[:1], cores[1:]
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        draw_images(folder, 64, options.seed)
        contents = [path.read_bytes() for path in sorted(folder.iterdir())]
        server = Served(options.model, rest, "--queue", "256")
        os.sched_setaffinity(0, own)
        speed(server, options.clients, contents, 64)  # warm
        result: dict = {"cores": len(rest), "kB": statistics.mean(map(len, contents)) / 1000}
        result["megabytes"] = [round(server.megabytes())]
        served, loop, found = [], [], []
        each = -(-options.requests // options.rounds)
        for _ in range(options.rounds):
            loop.append(bare(options.model, rest, folder, max(64, each // 2)))
            pace, some = speed(server, options.clients, contents, each)
            served.append(pace)
            found += some
            result["megabytes"].append(round(server.megabytes()))
        times = sorted(taken for _, taken in found)
        result |= {
            "requests": len(found),
            "lost": sum(status != 200 for status, _ in found),
            "p50_ms": 1000 * times[len(times) // 2],
            "p99_ms": 1000 * times[int(len(times) * 0.99)],
            "served": [round(one, 2) for one in served],
            "bare": [round(one, 2) for one in loop],
            "share": statistics.median(served) / statistics.median(loop),
        }
        result["crowd"] = beside_a_crowd(server, contents, options.crowd_seconds)
        result["megabytes"].append(round(server.megabytes()))
        result["end"] = ended(server, options.clients, contents)
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
