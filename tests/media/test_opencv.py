"""Which OpenCV is there, of one package or of two that share a folder."""

import cv2
import pytest

from cvtasks.media import opencv

HEADLESS = {"opencv-python-headless": "5.0.1"}
FULL = {"opencv-python": "4.12.0"}


@pytest.fixture
def there(monkeypatch):
    """`there(packages, gui)`: pip knows these packages, and the OpenCV that is imported was built
    with that for windows.
    """

    def change(packages: dict[str, str], gui: str) -> None:
        def version(name: str) -> str:
            if name not in packages:
                raise opencv.PackageNotFoundError(name)
            return packages[name]

        build = f"General configuration\n  GUI:                           {gui}\n    VTK: NO\n"
        monkeypatch.setattr(opencv, "version", version)
        monkeypatch.setattr(cv2, "getBuildInformation", lambda: build)
        monkeypatch.setattr(cv2, "imshow", lambda *_: None, raising=False)

    return change


@pytest.mark.parametrize("gui", ["QT5", "GTK3", "WIN32UI", "COCOA"])
@pytest.mark.parametrize("packages", [{}, FULL, FULL | HEADLESS], ids=["none", "one", "two"])
def test_what_opens_windows_needs_no_reason(packages, gui, there) -> None:
    there(packages, gui)
    assert opencv.opens_windows()
    assert opencv.why_without_windows() == ""
    assert opencv.opencv_packages() == packages


@pytest.mark.parametrize(
    ("packages", "command"),
    [
        ({}, "pip install opencv-python"),
        (HEADLESS, "pip install opencv-python==5.0.1"),
        (
            {"opencv-contrib-python-headless": "4.9"},
            "pip install opencv-contrib-python==4.9",
        ),
        (
            HEADLESS | FULL,
            "pip install --force-reinstall --no-deps opencv-python==4.12.0",
        ),
        (FULL, "pip install --force-reinstall --no-deps opencv-python==4.12.0"),
    ],
    ids=["none", "headless", "contrib", "two", "damaged"],
)
def test_without_windows_the_way_to_them_is_said(packages, command, there) -> None:
    there(packages, "NONE")
    assert not opencv.opens_windows()
    assert opencv.why_without_windows().endswith(command)


def test_of_two_it_is_said_which_lies_over_which(there) -> None:
    there(HEADLESS | FULL, "NONE")
    assert "opencv-python-headless lies over opencv-python" in opencv.why_without_windows()


def test_no_word_of_windows_is_none(monkeypatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "")
    assert not opencv.opens_windows()


def test_the_one_that_is_installed_here_is_found() -> None:
    assert opencv.opencv_packages()
