"""Whether the list for prediction suffices: a fresh environment with nothing else, tried.

    python docker/check.py [--wheel FILE] [--keep FOLDER]

Does what docker/Dockerfile does: docker/requirements-predict.txt with --no-deps and the wheel, in
an environment without pip. Then every task runs there on a photograph, and the server answers.
Fails if anything does, if a library of the system is wanted that a slim Debian lacks, if packages
are missing that nobody left out, or if it is too large. Takes about a minute, without downloads.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIST = ROOT / "docker" / "requirements-predict.txt"
LEFT_OUT = {"albumentations", "h5py", "keras", "matplotlib", "openvino-telemetry", "tensorflow"}
LEFT_OUT |= {"opencv-python"}  # opencv-python-headless stands in for it
OF_THE_SYSTEM = {"libc", "libdl", "libgcc_s", "libm", "libpthread", "librt", "libstdc++", "libz"}
OF_THE_SYSTEM |= {"linux-vdso", "ld-linux-x86-64", "ld-linux-aarch64"}
UNUSED = {"libOpenCL"}  # of OpenVINO's plugin for graphics cards, which a CPU leaves alone
MOST_MEGABYTES = 800  # the base image has about 130 more, and all is to stay below 1,000
RUNS = {
    "classify": [],
    "localize": [],
    "segment": ["--save", "image,mask,json"],
    "detect": ["--save", "image,json,csv,voc,crops"],
    "instances": ["-m", "instances-cspdarknet-nano-nuclei", "--save", "image,masks"],
}
UNMET = """
import importlib.metadata as metadata, json, re
def plain(name): return re.sub("[-_.]+", "-", name).lower()
there = {plain(one.metadata["Name"]) for one in metadata.distributions()}
wanted = {
    plain(re.match(r"[\\w.-]+", line)[0])
    for one in metadata.distributions() for line in one.requires or () if ";" not in line
}
print(json.dumps(sorted(wanted - there)))
"""


def main() -> None:
    """Install, try, weigh."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help="of cvtasks (default: built here)")
    parser.add_argument("--keep", type=Path, help="a new folder, which is left there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as thrown_away:
        place = (options.keep or Path(thrown_away)).absolute()
        place.mkdir(exist_ok=True)
        wheel = (options.wheel or built(place / "dist")).absolute()
        began = time.monotonic()
        python = installed(place / "venv", wheel)
        print(f"installed in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        check_packages(python)
        check_libraries(place / "venv")
        check_commands(python, place)
        check_server(python, place)
        print(f"tried in {time.monotonic() - began:.0f} s")
        weigh(place / "venv")


def built(target: Path) -> Path:
    """The wheel of this checkout."""
    ran(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", target, ROOT)
    return next(target.glob("cvtasks-*.whl"))


def installed(venv: Path, wheel: Path) -> Path:
    """The Python of a new environment with the list and the wheel, and without pip."""
    ran(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps"]
    ran(*pip, "-r", LIST)
    ran(*pip, wheel)
    return python


def check_packages(python: Path) -> None:
    """Nothing is missing but what was left out."""
    unmet = set(json.loads(ran(python, "-c", UNMET)))
    if unmet != LEFT_OUT:
        raise SystemExit(
            f"{LIST.name} must lack {sorted(LEFT_OUT)} of what pip would install, and nothing "
            f"else; it lacks {sorted(unmet)}."
        )


def check_libraries(venv: Path) -> None:
    """No compiled file wants a library that neither the environment nor a slim system has."""
    if sys.platform != "linux":
        return
    files = [file for file in venv.rglob("*.so*") if file.is_file() and not file.is_symlink()]
    told = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    for line in told.splitlines():
        if not (found := re.match(r"\t(\S+?)\.so\S* (?:=> (.*) \(|=> not found)", line)):
            continue
        name, where = found[1].rsplit("/", 1)[-1], found[2] or ""
        if str(venv) in where or re.search(r"-[0-9a-f]{8}", name):  # of a wheel's own
            continue
        if name not in OF_THE_SYSTEM | UNUSED:
            raise SystemExit(f"a library of the system is needed that a slim one lacks: {line}")


def check_commands(python: Path, place: Path) -> None:
    """What a user of the image asks for first."""
    for arguments in (["--version"], ["--help"], ["info", "--json"], ["models"]):
        cvtasks(python, place, *arguments)
    for task, options in RUNS.items():
        cvtasks(python, place, task, photograph(python), "-o", place / task, *options)
        if not list((place / task).iterdir()):
            raise SystemExit(f"{task} has written nothing.")
    done = subprocess.run(
        [python, "-m", "cvtasks", "inspect", "lenet5"], capture_output=True, text=True, check=False
    )
    if done.returncode != 2 or "needs the package keras" not in done.stderr:
        raise SystemExit(f"what trains must say what it lacks; it said:\n{done.stderr}")


def check_server(python: Path, place: Path) -> None:
    """The server answers, and ends when it is told to."""
    command = [python, "-m", "cvtasks", "serve", "detect-yolox-nano-voc", "--port", "0"]
    server = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment(place), cwd=place
    )
    if server.stderr is None:
        raise SystemExit("the server has no stderr.")
    try:
        first = server.stderr.readline()
        if not (address := re.search(r"http://[\d.:]+", first)):
            raise SystemExit(f"the server must say where it is; it said {first!r}.")
        with urllib.request.urlopen(f"{address[0]}/health", timeout=20) as answer:
            answer.read()
        request = urllib.request.Request(
            f"{address[0]}/predict",
            photograph(python).read_bytes(),
            {"Content-Type": "image/jpeg"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            print("serve:", answer.read(300).decode())
        server.send_signal(signal.SIGTERM)
        if (code := server.wait(30)) not in (0, 143):
            raise SystemExit(f"the server must end in peace; it left with {code}.")
    finally:
        server.kill()
        server.wait()


def weigh(venv: Path) -> None:
    """Print what is large; fail if all of it is too large."""
    packages = next(venv.glob("lib/python*/site-packages"))
    sizes = {one.name: megabytes(one) for one in packages.iterdir()}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:8]:
        print(f"{size:7.1f} MB  {name}")
    total = sum(sizes.values())
    print(f"{total:7.1f} MB  site-packages ({MOST_MEGABYTES} at most)")
    if total > MOST_MEGABYTES:
        raise SystemExit("too large.")


def megabytes(place: Path) -> float:
    """What a file, or the files of a folder, hold, in millions of bytes."""
    files = [place] if place.is_file() else place.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def photograph(python: Path) -> Path:
    """The photograph that the wheel brings."""
    packages = next(python.parents[1].glob("lib/python*/site-packages"))
    return packages / "cvtasks" / "published" / "coffee.jpg"


def cvtasks(python: Path, place: Path, *arguments: object) -> str:
    """What `cvtasks` prints there."""
    return ran(python, "-m", "cvtasks", *arguments, cwd=place, env=environment(place))


def environment(place: Path) -> dict[str, str]:
    """The environment of the commands: no other packages, a cache of its own."""
    left = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return left | {"CVTASKS_CACHE": str(place / "cache"), "CVTASKS_MODELS": str(place / "models")}


def ran(*command: object, **how: object) -> str:
    """Run to the end; returns stdout, and leaves with both outputs where it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **how
    )
    if done.returncode:
        words = " ".join(map(str, command))
        raise SystemExit(f"{words} left with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
