"""The page in the browser, of the server as of the live view: its files lie in `web/`, and load
nothing from elsewhere.
"""

from importlib.resources import files
from pathlib import PurePosixPath
from typing import Literal

Mode = Literal["serve", "live"]

SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page's Content-Security-Policy."""

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_INDEX = "index.html"


def page_files(mode: Mode) -> dict[str, tuple[bytes, str]]:
    """Path below the page's address → (content, media type). The page itself is at "", its files
    are below "page/".

    Args:
        mode: whether it asks a server, or shows a live view.
    """
    found: dict[str, tuple[bytes, str]] = {}
    for one in files("cvtasks.media").joinpath("web").iterdir():
        kind = _KINDS.get(PurePosixPath(one.name).suffix)
        if kind and one.is_file():
            content = one.read_bytes()
            if one.name == _INDEX:
                found[""] = (
                    content.replace(b'data-mode="serve"', f'data-mode="{mode}"'.encode()),
                    kind,
                )
            else:
                found[f"page/{one.name}"] = content, kind
    return found
