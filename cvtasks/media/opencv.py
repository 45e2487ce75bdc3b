"""Which OpenCV is imported. Several packages bring one, all into the same folder `cv2`, so that of
two the one that was installed last is there, whatever pip lists.
"""

from importlib.metadata import PackageNotFoundError, version

import cv2

PACKAGES = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)
"""Names of the packages on PyPI; those that end in "headless" open no windows."""


def opencv_packages() -> dict[str, str]:
    """The installed packages that bring an OpenCV: name → version."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def opens_windows() -> bool:
    """Whether the OpenCV that is imported can open windows, where there is a desktop."""
    for line in cv2.getBuildInformation().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "GUI":
            return hasattr(cv2, "imshow") and value.strip() not in ("", "NONE")
    return False


def why_without_windows() -> str:
    """Why this OpenCV opens no windows, and the way out; empty if it can open them.

    Names the package that brings windows, where one is installed, so that pip lays it over the
    other without changing its version.
    """
    if opens_windows():
        return ""
    there = opencv_packages()
    with_windows = next((name for name in there if not name.endswith("headless")), "")
    headless = next((name for name in there if name.endswith("headless")), "")
    if not with_windows:
        install = headless.removesuffix("-headless") or PACKAGES[0]
        pinned = f"{install}=={there[headless]}" if headless else install
        return (
            f"this OpenCV ({headless or 'of no package that pip knows'}) opens none. Install one "
            f"that does: pip install {pinned}"
        )
    lies_over = f"{headless} lies over {with_windows}" if headless else f"{with_windows} is damaged"
    return (
        f"this OpenCV opens none ({lies_over}). Lay the other on top: pip install "
        f"--force-reinstall --no-deps {with_windows}=={there[with_windows]}"
    )
