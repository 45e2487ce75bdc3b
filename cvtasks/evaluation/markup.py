"""Parts of a page of HTML that stands alone: text, tables, images within it. Everything that others
wrote is escaped here.
"""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import final

import cv2
import numpy as np

from cvtasks.text import visible

_COLOURS = 96  # of a plot; more would only make it larger
_QUALITY = 82  # of a photograph
_FRAME = Path(__file__).with_name("report.html")


@final
class Drawing(str):
    """HTML that was drawn here, and is taken as it is where text is escaped."""

    __slots__ = ()


def escaped(text: str) -> str:
    """Text within an element or an attribute."""
    return html.escape(visible(text), quote=True)


def page(title: str, body: Iterable[str]) -> str:
    """The whole page; `body` is HTML."""
    frame = _FRAME.read_text(encoding="utf-8")
    head, _, tail = frame.partition("<!-- body -->")
    return head.replace("<!-- title -->", escaped(title)) + "\n".join(body) + tail


def section(title: str, *parts: str, level: int = 2) -> str:
    """A heading and what stands below it; empty where that is nothing."""
    inside = "\n".join(part for part in parts if part)
    name = f"h{level}"
    return f"<section>\n<{name}>{escaped(title)}</{name}>\n{inside}\n</section>" if inside else ""


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph, of a kind that the page's styles know; nothing where there is no text."""
    start = f'<p class="{kind}">' if kind else "<p>"
    return f"{start}{escaped(text)}</p>" if text else ""


def folded(summary: str, inside: str) -> str:
    """What is seen when it is asked for."""
    return f"<details><summary>{escaped(summary)}</summary>\n{inside}\n</details>"


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of texts, or of drawings; the first of each is the row's name."""
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in columns)
    lines = []
    for first, *others in rows:
        cells = "".join(
            f"<td>{text if isinstance(text, Drawing) else escaped(text)}</td>" for text in others
        )
        lines.append(f'<tr><th scope="row">{escaped(first)}</th>{cells}</tr>')
    body = "\n".join(lines)
    return (
        f'<div class="wide"><table><caption>{escaped(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def facts(rows: Mapping[str, str]) -> str:
    """Names and values; without those that are empty."""
    lines = [
        f"<dt>{escaped(name)}</dt><dd>{escaped(text)}</dd>" for name, text in rows.items() if text
    ]
    return f"<dl>\n{chr(10).join(lines)}\n</dl>"


def figure(image: str, alternative: str, caption: str = "", plot: bool = False) -> str:
    """An image by its address; `plot` has letters, and is not made smaller than they can be read.

    Args:
        alternative: what stands for it where it is not seen.
    """
    below = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
    kind = ' class="plot"' if plot else ""
    return (
        f'<figure{kind}><div class="wide"><img src="{image}" alt="{escaped(alternative)}"></div>'
        f"{below}</figure>"
    )


def bar(value: float, interval: Sequence[float] | None = None) -> Drawing:
    """A number from 0 to 1 as a bar, with its interval as a line above it; the number itself stands
    beside it, so that who cannot see it misses nothing.
    """
    across = 160
    line = ""
    if interval:
        low, high = (across * end for end in interval)
        line = (
            f'<path d="M{low:.1f} 3V11M{low:.1f} 7H{high:.1f}M{high:.1f} 3V11" '
            'fill="none" stroke="#111" stroke-width="1.5"/>'
        )
    return Drawing(
        f'<svg viewBox="0 0 {across} 14" width="{across}" height="14" aria-hidden="true">'
        f'<rect width="{across}" height="14" fill="#e8ebf0"/>'
        f'<rect width="{across * value:.1f}" height="14" fill="#7aa6d8"/>{line}</svg>'
    )


def png(image: np.ndarray) -> str:
    """The address of a plot (h, w, 3) uint8 RGB, which is itself within it."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(image).quantize(_COLOURS).save(content, "PNG", optimize=True)
    return _address("png", content.getvalue())


def jpeg(image: np.ndarray) -> str:
    """The same of a photograph."""
    _, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return _address("jpeg", content.tobytes())


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
