"""Bodies of requests: read within their limits, and taken apart into images."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from cvtasks.serving.limits import Limits
from cvtasks.serving.refusals import Refused
from cvtasks.serving.room import Room
from cvtasks.text import visible

_FREE = 1_000_000  # bytes of a body that do not count as held
_NAME = 200  # letters of a file's name that are kept
KINDS = "image/*, application/octet-stream, multipart/form-data"


@dataclass(frozen=True)
class Upload:
    """An image as it came.

    Attributes:
        name: the file's, where the client says it, else "image".
        content: of an image file; or, with `url`, nothing.
        url: where it is to be fetched.
    """

    name: str
    content: bytes = b""
    url: str = ""


class Bodies:
    """What reads the bodies of all requests."""

    def __init__(self, limits: Limits, urls: bool) -> None:
        self.limits, self.urls = limits, urls
        self._room = Room(int(max(limits.held_megabytes, limits.megabytes) * 1_000_000))

    @asynccontextmanager
    async def uploads(self, request: Request) -> AsyncIterator[list[Upload]]:
        """The images of a request; what they weigh is held as long as the context lasts.

        Raises:
            Refused: it has none or too many, is too large, too slow, or of another kind.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._check_kind(kind)
        with self.holding() as hold:
            # the body has no name here: what is made of it is all that is held
            found = await self._taken_apart(kind, request.headers, await self._body(request, hold))
            if not 1 <= len(found) <= self.limits.images:
                raise Refused(
                    413 if found else 422,
                    f"a request has 1 to {self.limits.images} images; this one has {len(found)}. "
                    + ("Send several requests." if found else "Send a file."),
                )
            yield found

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """What counts the bytes of a body, or of an image that was fetched, as held, as long as
        the context lasts. It is called with all that there are so far, and raises Refused where
        there is no room for them.
        """
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            more = max(0, size - _FREE) - held
            if more > 0 and not self._room.take_now(more):
                raise Refused(
                    503,
                    "the bodies of all requests together must fit into the server's memory; it is "
                    "full. Try again soon, or with less at a time.",
                    {"retry-after": "1"},
                    close=True,
                )
            held += max(0, more)

        try:
            yield hold
        finally:
            self._room.give(held)

    def _check_kind(self, kind: str) -> None:
        urls = ", application/json" if self.urls else ""
        known = ("application/octet-stream", "multipart/form-data", "application/json")
        if not kind.startswith("image/") and kind not in known:
            raise Refused(
                415,
                f"a body is one of {KINDS}{urls}; its Content-Type is {visible(kind)[:100]!r}. "
                "Set it.",
                close=True,
            )
        if kind == "application/json" and not self.urls:
            raise Refused(
                415,
                f"a body is one of {KINDS}; this server fetches nothing by its address. Send the "
                "image itself.",
                close=True,
            )

    async def _body(self, request: Request, hold: Callable[[int], None]) -> bytearray:
        most = self.limits.bytes
        too_large = Refused(
            413,
            f"a body may have at most {most:,} bytes; this one has more. Send a smaller image, or "
            "fewer.",
            close=True,
        )
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.body_s):
                async for chunk in _chunks(request):
                    body += chunk
                    if len(body) > most:
                        raise too_large
                    hold(len(body))
        except TimeoutError:
            raise Refused(
                408,
                f"a body must come within {self.limits.body_s:g} s; {len(body):,} bytes of it did. "
                "Send less, or faster.",
                close=True,
            ) from None
        return body

    async def _taken_apart(self, kind: str, headers: Headers, body: bytearray) -> list[Upload]:
        if kind == "multipart/form-data":
            return await self._parts(headers, body)
        if kind == "application/json":
            return _addresses(body)
        return [Upload("image", bytes(body))] if body else []

    async def _parts(self, headers: Headers, body: bytearray) -> list[Upload]:
        async def stream() -> AsyncGenerator[bytes, None]:
            for start in range(0, len(body), 1 << 18):
                yield bytes(body[start : start + (1 << 18)])
                await asyncio.sleep(0)  # others have their turn
            yield b""

        parser = _InMemory(headers, stream(), max_files=self.limits.images, max_fields=16)
        parser.spool_max_size = self.limits.bytes + 1
        try:
            form = await parser.parse()
        except MultiPartException as error:
            too_many = "Too many files" in error.message
            raise Refused(
                413 if too_many else 400,
                f"a multipart body must be one of at most {self.limits.images} files; this one "
                f"cannot be read: {visible(error.message)[:200].rstrip('.')}. Send each image as a "
                "part with a file name.",
            ) from error
        try:
            return [_file(name, part) for name, part in form.multi_items()]
        finally:
            await form.close()


class _InMemory(MultiPartParser):
    """A parser that writes nothing to the disk."""


def _file(name: str, part: UploadFile | str) -> Upload:
    """The image of a part of a form; raises Refused for a part without a file name."""
    if isinstance(part, UploadFile):
        return Upload(_named(part.filename), part.file.read())
    raise Refused(
        422,
        "each part of a multipart body is an image with a file name; "
        f"{visible(name)[:80]!r} has none. Give parameters behind the address, as in "
        "/predict?threshold=0.5, and images as files.",
    )


def _named(name: str | None) -> str:
    """The last part of a file's name, as it may be shown."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return visible(last)[:_NAME] or "image"


def _addresses(body: bytearray) -> list[Upload]:
    """The addresses of a JSON body, {"url": …} or {"urls": […]}."""
    rule = 'a JSON body is {"url": "https://…"} or {"urls": ["https://…", …]}'

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Refused(422, f"{rule}; this one has a key twice. Leave one out.")
        return found

    try:
        document = json.loads(body, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"{rule}; this one is no JSON. Correct it.") from error
    keys = list(document) if isinstance(document, dict) else []
    if others := [key for key in keys if key not in ("url", "urls")] or keys[1:]:
        raise Refused(
            422,
            f"{rule}, and has no other key; this one has {visible(others[0])[:80]!r} too. Give "
            "parameters behind the address, as in /predict?threshold=0.5.",
        )
    urls = document.get("urls", [document.get("url")]) if keys else None
    if not isinstance(urls, list) or not all(isinstance(one, str) for one in urls):
        raise Refused(422, f"{rule}; this one is something else. Correct it.")
    return [Upload("image", url=one) for one in urls]


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """What comes of a body; raises ClientDisconnect where it breaks off."""
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk
