"""The files in docker/, as far as they can be held to the checkout without building an image.

`docker/check.py`, which CI runs, installs the list for prediction into a fresh environment and
tries it.
"""

import fnmatch
import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("Dockerfile*"))
PIN = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*)==([\w.]+)")


def instructions(file: Path) -> list[tuple[str, str]]:
    """A Dockerfile as pairs of instruction and what follows it; continued lines are joined."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.split(None, 1)[1]) for line in joined.splitlines() if line]


def copied(file: Path) -> list[str]:
    """What it copies out of the checkout."""
    words = [rest.split() for name, rest in instructions(file) if name == "COPY"]
    return [source for row in words if not row[0].startswith("--from") for source in row[:-1]]


def pins(file: Path) -> dict[str, str]:
    """Package → version; every line is one pin or a comment."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    found = [PIN.fullmatch(line) for line in lines]
    assert all(found), f"{file.name}: no pin: {lines[found.index(None)]}"
    return dict(match.groups() for match in found if match)


def test_there_is_one_to_predict_with_and_one_to_train_with() -> None:
    assert [file.name for file in DOCKERFILES] == ["Dockerfile", "Dockerfile.train"]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_what_is_copied_is_there_and_reaches_the_builder(file) -> None:
    first, *rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert first == "*"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    assert copied(file)
    for source in copied(file):
        assert (ROOT / source).exists(), f"{file.name} copies {source}, which is not there"
        assert any(fnmatch.fnmatch(source, rule) for rule in let_in), f"{source} is ignored"


def test_nothing_is_let_in_that_no_image_wants() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    wanted = {source for file in DOCKERFILES for source in copied(file)}
    assert {rule[1:] for rule in rules if rule.startswith("!")} == wanted


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_what_the_wheel_is_built_of_is_copied(file) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    project = settings["project"]
    assert {*wheel, project["readme"], *project["license-files"]} <= {*copied(file)}


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_it_runs_as_nobody_special_and_hears_signals(file) -> None:
    told = instructions(file)
    names = [name for name, _ in told]
    last = dict(told)
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert last["USER"] not in ("root", "0")
    assert json.loads(last["ENTRYPOINT"]) == ["cvtasks"], "a shell would swallow SIGTERM"
    assert isinstance(json.loads(last["CMD"]), list)
    bases = {rest.split()[0] for name, rest in told if name == "FROM"}
    assert len(bases) == 1, "an environment is only at home on the Python that made it"
    assert not re.search(r"CVTASKS_TOKEN\s*=", " ".join(rest for _, rest in told)), "a secret"


def test_the_server_is_where_its_health_is_asked() -> None:
    last = dict(instructions(DOCKER / "Dockerfile"))
    command = json.loads(last["CMD"])
    port = command[command.index("--port") + 1]
    assert last["EXPOSE"] == port
    assert f"127.0.0.1:{port}/health" in last["HEALTHCHECK"]


def test_the_list_for_prediction_is_what_ci_tests() -> None:
    listed, tested = pins(DOCKER / "requirements-predict.txt"), pins(ROOT / "constraints.txt")
    assert listed.items() <= tested.items()
    assert list(listed) == sorted(listed)
    assert list(tested) == sorted(tested)


def test_the_list_and_what_is_left_out_are_what_the_package_asks_for() -> None:
    spec = importlib.util.spec_from_file_location("docker_check", DOCKER / "check.py")
    assert spec
    assert spec.loader
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {re.match(r"[\w.-]+", line)[0] for line in project["dependencies"]}
    listed = pins(DOCKER / "requirements-predict.txt")
    assert asked - {*listed} == check.LEFT_OUT - {"openvino-telemetry"}
    assert not check.LEFT_OUT & {*listed}
