"""What every request passes before anything is read of it: who may ask, by which name, from which
page, and whether anything is answered any more.
"""

import asyncio
import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cvtasks.media.page_files import SECURITY
from cvtasks.serving.limits import Setting
from cvtasks.serving.metrics import Metrics
from cvtasks.serving.refusals import Refused
from cvtasks.text import dumps, visible

OPEN = ("/", "/health", "/favicon.ico")
"""Paths that need no token; so do those below `/page/`, the page's own files."""

_LINGER_S = 2.0  # that a client may go on sending to a connection that is to be closed

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-site",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": SECURITY,
}


@dataclass(eq=False)
class State:
    """What becomes of the server.

    Attributes:
        stopping: no request is begun any more; those under way are answered.
        under_way: requests that were accepted and are not answered yet.
    """

    stopping: bool = False
    under_way: int = 0

    @contextmanager
    def accepted(self) -> Iterator[None]:
        """A request is under way as long as the context lasts."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


class _Coming:
    """The body of a request, and whether some of it is still to come.

    A connection that is closed while its client sends is reset, and the client does not read why.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._headers, self._receive = Headers(scope=scope), receive
        self._old = scope["http_version"] == "1.0"
        self._more = True
        # who expects to be told to send does not send before the first of it is asked for
        self._sends = "expect" not in self._headers

    async def receive(self) -> Message:
        """The next message of the request."""
        self._sends = True
        message = await self._receive()
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    def closed_by(self, headers: Headers) -> bool:
        """Whether a response of such headers ends a connection on which the client still sends."""
        either = headers.get("connection", ""), self._headers.get("connection", "")
        return self._more and self._sends and (self._old or "close" in map(str.lower, either))

    async def swallow(self, most: int) -> None:
        """Let the client send on for a while, up to so many bytes, what nobody keeps."""
        received = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while self._more and received <= most:
                    received += len((await self.receive()).get("body", b""))


class Guard:
    """The outermost part of the application: refuses, counts, and says a line of each request."""

    def __init__(
        self,
        app: ASGIApp,
        setting: Setting,
        state: State,
        metrics: Metrics,
        tell: Callable[[str], None],
    ) -> None:
        self._app, self._setting, self._state = app, setting, state
        self._metrics, self._tell = metrics, tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500
        coming = _Coming(scope, receive)

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._state.stopping:
                    headers["connection"] = "close"
                if coming.closed_by(headers):
                    await coming.swallow(2 * self._setting.limits.bytes)
            await send(message)

        try:
            try:
                self._check(scope)
            except Refused as refused:
                await refusal(refused)(scope, coming.receive, sent)
            else:
                with self._state.accepted():
                    await self._app(scope, coming.receive, sent)
        finally:
            seconds = time.perf_counter() - begun
            self._metrics.request(scope, status, seconds)
            self._tell(_line(scope, status, seconds))

    def _check(self, scope: Scope) -> None:
        """Raise Refused unless the request may be served."""
        path, headers = scope["path"], Headers(scope=scope)
        if self._state.stopping and path != "/health":
            raise Refused(
                503, "The server is stopping. Ask again soon.", {"retry-after": "5"}, True
            )
        self._check_host(headers)
        self._check_origin(headers)
        preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if path in OPEN or path.startswith("/page/") or preflight:
            return
        self._check_token(headers)

    def _check_host(self, headers: Headers) -> None:
        """A name under which no one is known here may be one that leads another's page to this
        machine (DNS rebinding).
        """
        hosts = self._setting.hosts
        if hosts and _host(headers.get("host", "")) not in hosts:
            raise Refused(
                421,
                f"this server is called {' or '.join(hosts)}; the request was for "
                f"{visible(headers.get('host', ''))[:100]!r}. Use one of its names.",
                close=True,
            )

    def _check_origin(self, headers: Headers) -> None:
        """Another's page may send some requests without asking, though it cannot read the
        answers.
        """
        origin = headers.get("origin", "")
        if not origin or origin in self._setting.origins:
            return
        place = None
        with suppress(ValueError):  # no address at all, such as "http://["
            place = urlsplit(origin).netloc
        if place != headers.get("host", ""):
            raise Refused(
                403,
                "pages from elsewhere may not ask this server unless it was told so; this request "
                f"is from {visible(origin)[:100]!r}. Start it with that origin.",
                close=True,
            )

    def _check_token(self, headers: Headers) -> None:
        if not brings(headers, self._setting.token):
            raise Refused(
                401,
                "requests must bring the server's token as `Authorization: Bearer TOKEN`; this one "
                "brings none, or another. It was given or printed when the server was started.",
                {"www-authenticate": "Bearer"},
                close=True,
            )


def brings(headers: Headers, token: str) -> bool:
    """Whether a request brings the token, or need not, as there is none."""
    if not token:
        return True
    kind, _, given = headers.get("authorization", "").partition(" ")
    sent = given.strip().encode("utf-8", "surrogateescape")
    return kind.lower() == "bearer" and hmac.compare_digest(sent, token.encode())


def refusal(refused: Refused) -> Response:
    """The response that says why."""
    return json_response(refused.to_dict(), refused.status, refused.headers)


def json_response(
    document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response of JSON."""
    return Response(dumps(document), status, dict(headers or {}), "application/json")


def _host(value: str) -> str:
    """A Host header without its port."""
    if value.startswith("["):
        return value[1:].partition("]")[0].lower()
    return value.rpartition(":")[0].lower() if ":" in value else value.lower()


def _line(scope: Scope, status: int, seconds: float) -> str:
    client = scope.get("client") or ("?", 0)
    where = visible(scope["path"])[:100]
    return f"{client[0]} {scope['method']} {where} {status} {1000 * seconds:.0f} ms"
