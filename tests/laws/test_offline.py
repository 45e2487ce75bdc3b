"""Nothing goes out: without a network every command works that was not asked to fetch something."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cvtasks import zoo

ALL = """
import os, socket, sys
from pathlib import Path

tried = []

def refuse(*arguments, **_):
    tried.append(repr(arguments[-1:])[:200])
    raise OSError("the network is closed")

if sys.argv[1] == "patched":
    socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
    socket.getaddrinfo = socket.create_connection = refuse

from cvtasks.cli import main

photo, data = sys.argv[2], sys.argv[3]
model = "detect-yolox-nano-voc"
wishes = "train.epochs=1", "train.batch=4", "train.precision=f32", "data.workers=0"
small = [word for wish in wishes for word in ("--set", wish)]
commands = [
    ["--version"], ["--help"], ["info"], ["models"],
    *(
        [task, photo, "--json", "--save", "json", "-o", f"out-{task}"]
        for task in ("classify", "localize", "detect", "segment")
    ),
    ["detect", photo, "--engine", "keras", "-o", "out-keras"],
    ["data", "check", "--task", "segment", f"{data}:train"],
    ["data", "stats", "--task", "segment", f"{data}:val"],
    ["data", "show", "--task", "segment", f"{data}:val", "-o", "out-show"],
    ["train", "segment", "--data", data, "--backbone", "tiny", "--size", "64", "-o", "run", *small],
    ["evaluate", "run", "--data", f"{data}:val", "-o", "out-report"],
]
for command in commands:
    sys.argv = ["cvtasks", *command]
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code or 0
    print("ended", code, " ".join(command), file=sys.stderr)
print("tried", tried, file=sys.stderr)
"""


@pytest.mark.parametrize("how", ["patched", "unshared"])
def test_every_command_works_without_a_network(
    how: str, shapes: Path, tmp_path: Path, run_python: Callable
) -> None:
    skimage = pytest.importorskip("skimage", reason="scikit-image ships the photograph")
    if not zoo.names():
        pytest.skip("the zoo is empty")
    photo = Path(skimage.__file__).parent / "data" / "chelsea.png"
    script = tmp_path / "all.py"
    script.write_text(ALL)
    if how == "patched":
        done = run_python(script, how, photo, shapes, cwd=tmp_path)
    else:  # a name space of its own without any device: closes the door to native code too
        if (
            not shutil.which("unshare")
            or subprocess.run(
                ["unshare", "-n", "true"], capture_output=True, check=False
            ).returncode
        ):
            pytest.skip("this system does not let us close the network")
        inner = ["unshare", "-n", sys.executable, str(script), how, str(photo), str(shapes)]
        done = run_python("-c", f"import os; os.execvp('unshare', {inner!r})", cwd=tmp_path)
    ended = [
        line.split(maxsplit=2)[1:] for line in done.stderr.splitlines() if line.startswith("ended ")
    ]
    assert len(ended) == 14, done.stderr[-2000:]
    assert [what for code, what in ended if code != "0"] == [], done.stderr[-4000:]
    if how == "patched":
        assert done.stderr.splitlines()[-1] == "tried []"
