"""Whether the code beside exported files runs, and says the same in every language: the blocks of
their README as they are read, on one image.

    python benchmarks/export_samples.py FOLDER… --image IMAGE [--javascript FOLDER] [--opencv]
        [--installed PREFIX]

FOLDER is what `cvtasks export` wrote. Python runs in this environment. C++ is compiled by g++
against the OpenCV that is installed for it, at `--installed` where that is said (the
CMAKE_INSTALL_PREFIX of one that was built), and runs where that reads the file. JavaScript runs in
a headless Chromium; `--javascript` is a folder in which `npm install onnxruntime-web` was called.
`--opencv` asks this environment's OpenCV about each ONNX file too, and compares all its outputs
with ONNX Runtime's. What a machine lacks is said and left out.
"""

import argparse
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"```(python|cpp|js)\n(.*?)```", re.DOTALL)
_PREFIXES = (Path("/usr/local"), Path("/usr"))
_VERSION = "opencv2/core/version.hpp"
_PAGE = """<script type="importmap">
{"imports": {"onnxruntime-web": "/ort/ort.wasm.bundle.min.mjs"}}
</script>
<script type="module">
const tell = (found) => fetch("/found", { method: "POST", body: JSON.stringify(found) });
try {
  const { predict } = await import("/sample.mjs");
  const image = new Image();
  image.src = "/image";
  await image.decode();
  await tell(await predict(image, image.naturalWidth, image.naturalHeight));
} catch (error) {
  await tell({ error: String(error) });
}
</script>"""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="what `cvtasks export` wrote")
    parser.add_argument("--image", required=True, type=Path, help="what the code is asked about")
    parser.add_argument("--javascript", type=Path, help="where onnxruntime-web is installed")
    parser.add_argument("--installed", type=Path, help="where OpenCV is installed for C++")
    parser.add_argument("--opencv", action="store_true", help="ask OpenCV about each ONNX file")
    options = parser.parse_args()
    image = options.image.resolve()
    for folder in options.folders:
        page = (folder / "README.md").read_text(encoding="utf-8")
        blocks = dict(_BLOCK.findall(page))
        print(f"{folder.name}:", *(blocks or ["no code"]))
        if "python" in blocks:
            tell("python", python(folder.resolve(), blocks["python"], image))
        if "cpp" in blocks:
            prefixes = (options.installed,) if options.installed else _PREFIXES
            tell("cpp", cpp(folder.resolve(), blocks["cpp"], image, prefixes))
        if "js" in blocks and options.javascript:
            tell("js", javascript(folder, blocks["js"], image, options.javascript))
        if options.opencv and (folder / "model.onnx").exists():
            tell("opencv", opencv(folder / "model.onnx", image))


def tell(language: str, said: str) -> None:
    """Print what a sample said."""
    for line in said.strip().splitlines() or ["(nothing)"]:
        print(f"  {language:<8} {line[:150]}")


def python(folder: Path, code: str, image: Path) -> str:
    """What the Python sample prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, image], cwd=folder, capture_output=True, text=True, timeout=300
    )
    return done.stdout if not done.returncode else f"fails: {done.stderr.splitlines()[-1]}"


def cpp(folder: Path, code: str, image: Path, prefixes: Sequence[Path]) -> str:
    """What the C++ sample prints, once compiled against the first OpenCV of the prefixes."""
    places = [one.resolve() / "include" for one in prefixes]
    found = (file for one in places for file in sorted(one.glob(f"opencv[0-9]/{_VERSION}")))
    header = next(found, None)
    if header is None or not shutil.which("g++"):
        return "left out: g++ or OpenCV's headers are not here"
    include, library = header.parents[2], header.parents[4] / "lib"
    text = header.read_text(encoding="utf-8")
    version = ".".join(re.findall(r"#define CV_VERSION_(?:MAJOR|MINOR|REVISION)\s+(\d+)", text))
    names = ("dnn", "imgcodecs", "imgproc", "core")
    with tempfile.TemporaryDirectory() as place:
        source, program = Path(place) / "sample.cpp", Path(place) / "sample"
        source.write_text(code, encoding="utf-8")
        libraries = [f"-lopencv_{name}" for name in names]
        command = ["g++", "-Wall", "-O1", source, f"-I{include}", "-o", program]
        command += [f"-L{library}", f"-Wl,-rpath,{library}", *libraries]
        made = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if made.returncode or made.stderr:
            return f"does not compile cleanly: {made.stderr.splitlines()[0]}"
        done = subprocess.run(
            [program, image], cwd=folder, capture_output=True, text=True, timeout=300
        )
    if done.returncode:
        why = next((line for line in done.stderr.splitlines() if "Node [" in line), done.stderr)
        return f"compiled; OpenCV {version} does not read the file: {why[:90]}"
    return f"compiled, OpenCV {version}\n{done.stdout}"


def opencv(path: Path, image: Path) -> str:
    """How far the outputs of this environment's OpenCV are from ONNX Runtime's."""
    import cv2
    import numpy as np

    from cvtasks.engines.onnx_runtime import onnx_runtime

    session = onnx_runtime().InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]
    height, width = session.get_inputs()[0].shape[1:3]
    pixels = cv2.resize(cv2.imread(str(image)), (width, height))[None, ..., ::-1]
    pixels = np.ascontiguousarray(pixels, np.float32)
    wanted = session.run(names, {"image": pixels})
    network = cv2.dnn.readNetFromONNX(str(path))
    network.setInput(pixels, "image")
    lines = [f"OpenCV {cv2.__version__}"]
    for name, ours, its in zip(names, wanted, network.forward(names), strict=True):
        its = np.zeros((0,)) if its is None else np.asarray(its)  # so it gives what is empty
        if ours.size != its.size or (ours.size and ours.shape != its.shape):
            lines.append(f"{name}: {its.shape} instead of {ours.shape}")
            continue
        off = np.abs(ours.astype(float) - its.astype(float)).max(initial=0)
        lines.append(f"{name} {ours.shape}: at most {off:.2g} apart")
    return "; ".join(lines)


def javascript(folder: Path, code: str, image: Path, packages: Path) -> str:
    """What the JavaScript sample answers in a headless Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        return "left out: Chromium is not here"
    heard: dict[str, Any] = {}
    ended = threading.Event()
    files = {
        "/": ("text/html", _PAGE.encode()),
        "/sample.mjs": ("text/javascript", code.replace('"model.onnx"', '"/model.onnx"').encode()),
        "/model.onnx": ("application/octet-stream", (folder / "model.onnx").read_bytes()),
        "/image": ("image/*", image.read_bytes()),
    }
    runtime = packages / "node_modules/onnxruntime-web/dist"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, content = files.get(self.path, ("", b""))
            if self.path.startswith("/ort/"):
                name = self.path.removeprefix("/ort/")
                kind = "application/wasm" if name.endswith("wasm") else "text/javascript"
                content = (runtime / Path(name).name).read_bytes()
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            heard["found"] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()
            ended.set()

        def log_message(self, *arguments: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        address = f"http://127.0.0.1:{server.server_port}/"
        browser = subprocess.Popen(
            [
                *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *(f"--user-data-dir={profile}", address),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ended.wait(180)
        browser.terminate()
        browser.wait(30)
        server.shutdown()
    found = heard.get("found", {"error": "no answer within three minutes"})
    if isinstance(found, list):
        return "\n".join(json.dumps(one) for one in found)
    return json.dumps(found)


if __name__ == "__main__":
    main()
