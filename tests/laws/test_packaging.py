"""What is installed is what is here: the wheel, the sdist, the editable install and the launcher of
a checkout.
"""

import configparser
import importlib.util
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import cvtasks
from cvtasks.zoo import RECIPE

ROOT = Path(__file__).parents[2]
ZOO_NAMES = sorted(
    folder.name for folder in (ROOT / "models").iterdir() if (folder / RECIPE).is_file()
)
STEM = f"cvtasks-{cvtasks.__version__}"

WHERE_AND_WHAT = "import cvtasks, cvtasks.zoo; print(cvtasks.__file__); print(*cvtasks.zoo.names())"


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a command in `cwd`; returns what it prints on stdout, fails with what it prints on
    stderr.
    """
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=outside | env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        pytest.fail(
            f"{' '.join(map(str, command))} left with "
            f"{done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def build(source: Path, target: Path, *kinds: str) -> list[Path]:
    """Build `source` as pip would, with the tools that are installed; returns the files."""
    for tool in ("build", "hatchling", "editables"):
        if importlib.util.find_spec(tool) is None:
            pytest.fail(
                f"packaging is tested with {tool}, which is not installed. Install it: pip install "
                '-e ".[test]"'
            )
    target.mkdir()
    run(
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        *kinds,
        "--outdir",
        target,
        source,
        cwd=target,
    )
    return sorted(target.iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The wheel and the sdist of the checkout."""
    wheel, sdist = build(ROOT, tmp_path_factory.mktemp("built") / "dist", "--wheel", "--sdist")
    assert (wheel.name, sdist.name) == (f"{STEM}-py3-none-any.whl", f"{STEM}.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def wheel_names(built) -> set[str]:
    """Every name in the wheel."""
    with zipfile.ZipFile(built[0]) as archive:
        return set(archive.namelist())


def test_wheel_holds_one_package(wheel_names):
    assert {name.split("/")[0] for name in wheel_names} == {"cvtasks", f"{STEM}.dist-info"}


def test_wheel_holds_every_module_and_the_zoo(wheel_names):
    modules = {str(file.relative_to(ROOT)) for file in (ROOT / "cvtasks").rglob("*.py")}
    recipes = {f"cvtasks/models/{name}/{RECIPE}" for name in ZOO_NAMES}
    wanted = modules | recipes | {"cvtasks/py.typed", f"{STEM}.dist-info/licenses/LICENSE"}
    assert ZOO_NAMES
    assert not wanted - wheel_names


def test_wheel_holds_a_zoo_model_as_it_is(built):
    with zipfile.ZipFile(built[0]) as archive:
        shipped = {
            name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("cvtasks/models/")
        }
    for name, content in shipped.items():
        assert content == (ROOT / name.removeprefix("cvtasks/")).read_bytes(), (
            f"{name} is not the file of the checkout"
        )


def test_wheel_holds_nothing_else(wheel_names):
    known = (".py", "py.typed", "evaluation/report.html", "web/index.html", "web/style.css", ".js")
    known += ("published/apache-2.0.txt", "published/coffee.jpg")
    package = [
        name
        for name in wheel_names
        if name.startswith("cvtasks/") and not name.startswith("cvtasks/models/")
    ]
    foreign = [name for name in package if not name.endswith(known)]
    assert not foreign
    assert not [
        name
        for name in wheel_names
        if "test" in name or "__pycache__" in name or Path(name).name.startswith(".")
    ]


def test_wheel_declares_the_console_script(built):
    with zipfile.ZipFile(built[0]) as archive:
        text = archive.read(f"{STEM}.dist-info/entry_points.txt").decode()
    points = configparser.ConfigParser()
    points.read_string(text)
    assert dict(points["console_scripts"]) == {"cvtasks": "cvtasks.cli:main"}
    module, function = points["console_scripts"]["cvtasks"].split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_wheel_works_where_there_is_no_checkout(built, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(built[0]) as archive:
        archive.extractall(site)
    file, names = run(
        sys.executable, "-c", WHERE_AND_WHAT, cwd=elsewhere, PYTHONPATH=str(site)
    ).splitlines()
    assert Path(file) == site / "cvtasks" / "__init__.py"
    assert names.split() == ZOO_NAMES
    version = run(sys.executable, "-m", "cvtasks", "--version", cwd=elsewhere, PYTHONPATH=str(site))
    assert version == f"cvtasks {cvtasks.__version__}\n"


def test_sdist_builds_the_same_wheel(built, wheel_names, tmp_path):
    with tarfile.open(built[1]) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path, filter="data")
    assert {name.split("/")[0] for name in names} == {STEM}
    top = {name.split("/")[1] for name in names if "/" in name}
    assert {"cvtasks", "models", "tests", "cli.py", "README.md", "LICENSE", "pyproject.toml"} <= top
    assert not [name for name in names if "__pycache__" in name]
    (again,) = build(tmp_path / STEM, tmp_path / "dist", "--wheel")
    with zipfile.ZipFile(again) as archive:
        assert set(archive.namelist()) == wheel_names


@pytest.fixture(scope="module")
def editable(tmp_path_factory) -> Path:
    """A virtual environment with the checkout installed as editable; it sees the packages of this
    one behind its own.
    """
    place = tmp_path_factory.mktemp("editable") / "venv"
    venv.create(place, with_pip=False)
    scripts = place / ("Scripts" if sys.platform == "win32" else "bin")
    purelib = run(
        scripts / "python",
        "-c",
        "import sysconfig; print(sysconfig.get_path('purelib'))",
        cwd=place,
    ).strip()
    ours = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (Path(purelib) / "packages_of_the_tests.pth").write_text(
        "\n".join(ours) + "\n", encoding="utf-8"
    )
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        scripts / "python",
        "install",
        *options,
        "--editable",
        ROOT,
        cwd=place,
    )
    return scripts


def test_editable_install_runs(editable, tmp_path):
    assert (
        run(editable / "cvtasks", "--version", cwd=tmp_path) == f"cvtasks {cvtasks.__version__}\n"
    )
    file, names = run(editable / "python", "-c", WHERE_AND_WHAT, cwd=tmp_path).splitlines()
    assert Path(file) == ROOT / "cvtasks" / "__init__.py"
    assert names.split() == ZOO_NAMES


@pytest.mark.parametrize("name", ["models", "cli", "tests", "benchmarks"])
def test_editable_install_shows_nothing_but_the_package(name, editable, tmp_path):
    # a package of that name may come with others: tf2onnx has `tests`
    code = (
        f"import importlib.util; spec = importlib.util.find_spec({name!r}); "
        "print(spec and [spec.origin, *(spec.submodule_search_locations or ())])"
    )
    places = run(editable / "python", "-c", code, cwd=tmp_path)
    assert f"{ROOT}/" not in places, f"`import {name}` must not mean the checkout's elsewhere"


def test_launcher_runs_in_a_checkout(tmp_path):
    for place, launcher in ((ROOT, "cli.py"), (tmp_path, ROOT / "cli.py")):
        assert (
            run(sys.executable, launcher, "--version", cwd=place)
            == f"cvtasks {cvtasks.__version__}\n"
        )
