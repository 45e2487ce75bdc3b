"""Live view: a window where OpenCV can open one, otherwise a page for the browser."""

import os
import subprocess
import sys
from typing import Literal, Protocol

import cv2
import numpy as np

from cvtasks.errors import OutputError, UsageError
from cvtasks.media.opencv import why_without_windows
from cvtasks.media.page import Page

Kind = Literal["auto", "window", "browser"]

_ATTEMPT = "import cv2; cv2.namedWindow('cvtasks'); cv2.destroyAllWindows()"


class Viewer(Protocol):
    """Shows images as they come, and never makes whoever brings them wait."""

    @property
    def where(self) -> str:
        """How to look at it, as words for the user."""

    @property
    def closed(self) -> bool:
        """Whether the user has had enough."""

    def show(self, image: np.ndarray, facts: dict[str, str]) -> None:
        """Show an image, (h, w, 3) uint8 RGB, and what is to be said about it."""

    def wait_for_somebody(self, seconds: float) -> None:
        """Give the user that long to come and look; returns as soon as somebody does."""

    def rest(self, seconds: float) -> None:
        """Do nothing but stay open for that long."""

    def close(self) -> None:
        """End it."""


def open_viewer(kind: Kind, title: str, port: int = 0) -> Viewer:
    """Open a live view.

    Args:
        kind: "auto" is a window if there can be one.
        port: of the page, on 127.0.0.1; 0 for any that is free.

    Raises:
        UsageError: a window was asked for and there can be none, or the port is taken.
    """
    if kind == "browser":
        return Page(title, port)
    missing = why_no_window()
    if not missing:
        return Window(title)
    if kind == "window":
        raise UsageError(
            f"a window needs a desktop and an OpenCV that opens windows; {missing}. Or use the "
            "browser.",
            ways={"show": "browser"},
        )
    return Page(title, port)


def why_no_window() -> str:
    """Why there can be no window on this machine; empty if there can be.

    Asked at run time: which OpenCV is there depends on what was installed last.
    """
    if missing := why_without_windows():
        return missing
    if sys.platform in ("darwin", "win32"):
        return ""
    if not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        return "there is no desktop (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    try:  # a display that cannot be reached ends the whole process, so another one tries it first
        done = subprocess.run(
            [sys.executable, "-c", _ATTEMPT], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "the attempt to open one did not end"
    return "" if done.returncode == 0 else "the desktop cannot be reached"


class Window:
    """A window of OpenCV's. To be used by the main thread alone, as some desktops demand. Esc, q or
    its button close it.
    """

    where = "a window (Esc or q ends)"

    def __init__(self, title: str) -> None:
        self._title, self._closed = title, False
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        self._sized = False

    @property
    def closed(self) -> bool:
        """Whether the user has closed it."""
        return self._closed

    def show(self, image: np.ndarray, facts: dict[str, str]) -> None:
        """Show an image; the facts stand in the title."""
        if not self._sized:
            scale = min(1.0, 1280 / image.shape[1], 800 / image.shape[0])
            cv2.resizeWindow(
                self._title, round(image.shape[1] * scale), round(image.shape[0] * scale)
            )
            self._sized = True
        try:
            cv2.setWindowTitle(
                self._title,
                " · ".join([self._title, *(f"{name} {value}" for name, value in facts.items())]),
            )
            cv2.imshow(self._title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        except cv2.error as error:
            raise OutputError(
                f"the window could not be drawn: {error.err or error}. Use the browser.",
                ways={"show": "browser"},
            ) from error
        self.rest(0.001)

    def wait_for_somebody(self, seconds: float) -> None:
        """Whoever sits before the desktop is there."""

    def rest(self, seconds: float) -> None:
        """Let the desktop draw, and listen to the keys, for that long."""
        pressed = cv2.waitKey(max(1, round(1000 * seconds))) & 0xFF
        visible = not self._sized or cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        self._closed = self._closed or pressed in (27, ord("q")) or not visible

    def close(self) -> None:
        """Take it away."""
        cv2.destroyAllWindows()
