"""The application: what is served at which path."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp

from cvtasks import __version__
from cvtasks.errors import CVTasksError, did_you_mean
from cvtasks.media.page_files import page_files
from cvtasks.serving import shapes
from cvtasks.serving.answering import Answering, Drawn, Told, Wish, from_data_url, wish_of
from cvtasks.serving.api_page import api_page
from cvtasks.serving.bodies import Bodies, Upload
from cvtasks.serving.explaining import MOST_PIXELS, Explaining
from cvtasks.serving.fetching import fetched
from cvtasks.serving.guard import Guard, State, brings, json_response, refusal
from cvtasks.serving.limits import Setting
from cvtasks.serving.metrics import KIND, Metrics
from cvtasks.serving.refusals import Refused, refusal_of
from cvtasks.serving.shelf import Served, Shelf
from cvtasks.text import agreeing, counted, dumps

ModelQuery = Annotated[str, Query(description="Name of a model of /models; the first by default.")]
ThresholdQuery = Annotated[
    float | None,
    Query(ge=0, le=1, description="Least score of what is answered; by default the model's own."),
]


class Service:
    """All that the routes need.

    Args:
        shelf: the models.
        setting: how the server is set up.
        tell: is told a line of each request, and of what went wrong.
    """

    def __init__(self, shelf: Shelf, setting: Setting, tell: Callable[[str], None]) -> None:
        self.shelf, self.setting, self.tell = shelf, setting, tell
        self.state, self.metrics = State(), Metrics()
        self.bodies = Bodies(setting.limits, setting.urls)
        self.answering = Answering(setting.limits)
        self.explaining = Explaining(setting.explain)
        for name, served in shelf.served.items():
            held = partial(getattr, served, "held")
            self.metrics.watch("queue", "Images that wait or are under way.", held, name)

    def close(self) -> None:
        """End the threads."""
        self.answering.close()
        self.explaining.close()
        self.shelf.close()

    async def predict(self, served: Served, request: Request, wish: Wish) -> list[Told]:
        """The record or the error of each image of a request, in their order."""
        async with self.bodies.uploads(request) as uploads:
            self._admit(served, len(uploads))
            try:
                async with self._in_time():
                    return list(
                        await asyncio.gather(
                            *(self._one(served, upload, wish) for upload in uploads)
                        )
                    )
            finally:
                served.held -= len(uploads)

    async def explain(
        self, served: Served, request: Request, method: str, target: str, threshold: float | None
    ) -> dict[str, Any]:
        """Where the reasons for the answer about the one image of a request lie."""
        async with self.bodies.uploads(request) as uploads:
            if len(uploads) != 1:
                raise Refused(
                    422, f"one image is explained at a time; got {len(uploads)}. Send one."
                )
            async with self._in_time(), self.explaining.turn():
                image, size = await self.answering.reduced(uploads[0], MOST_PIXELS)
                found = await self.explaining.explain(
                    served, image, size, method, target, threshold
                )
        return {"source": uploads[0].name, **found}

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Raise Refused where the context lasts longer than an answer may take."""
        try:
            async with asyncio.timeout(self.setting.limits.seconds):
                yield
        except TimeoutError:
            raise Refused(
                504,
                f"an answer must be ready within {self.setting.limits.seconds:g} s; this one "
                "is not. Ask for less at a time, or when there is less to do.",
            ) from None

    def _admit(self, served: Served, count: int) -> None:
        """Count the images as held; raise Refused where too many are."""
        most = self.setting.limits.queue
        if served.held + count > most and served.held:
            seconds = max(1, math.ceil(served.held * served.worker.pace))
            raise Refused(
                429,
                f"at most {most} images of a model may wait; {served.held} "
                f"{agreeing(served.held, 'does', 'do')}. Try again in {seconds} s.",
                {"retry-after": str(seconds)},
            )
        served.held += count

    async def _one(self, served: Served, upload: Upload, wish: Wish) -> Told:
        try:
            with self.bodies.holding() as hold:
                if upload.url:
                    upload = await fetched(upload, self.setting.limits.bytes)
                    hold(len(upload.content))
                found = await self.answering.answer(served, upload, wish)
        except Exception as error:  # of one image; the others have their answers
            refused = refusal_of(error)
            if refused.status >= 500:
                self.tell(f"{served.name}: {type(error).__name__}: {error}")
            outcome = "failed" if refused.status >= 500 else "refused"
            self.metrics.image(served.name, outcome)
            return Told.of({"source": upload.name, **refused.to_dict()})
        self.metrics.image(served.name, "answered")
        return found


def application(service: Service) -> ASGIApp:
    """The application, within its guard."""
    app = FastAPI(
        title="cvtasks",
        version=__version__,
        summary="Computer vision models that answer about images.",
        docs_url=None,
        redoc_url=None,
    )
    _add_answers(app, service)
    _add_facts(app, service)
    _add_page(app)
    _add_errors(app, service)
    service.metrics.paths |= {str(getattr(route, "path", "")) for route in app.routes}
    inner: ASGIApp = app
    if service.setting.origins:
        inner = CORSMiddleware(
            app,
            allow_origins=list(service.setting.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
        )
    return Guard(inner, service.setting, service.state, service.metrics, service.tell)


async def _check_query(request: Request) -> None:
    """Raise Refused where an address has a parameter that its path does not know, or one twice; no
    thread is asked for that.
    """
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name in known and given.count(name) > 1:
            raise Refused(
                422,
                f"a parameter is given once; `{name}` is given {counted(given.count(name), 'time')}"
                ". Leave the others out; several classes are one parameter, `classes=A,B`.",
            )
        if name not in known:
            raise Refused(
                422,
                f"{name[:80]!r} is none of the parameters of {request.url.path}. "
                f"{did_you_mean(name[:80], known)}",
            )


def _add_answers(app: FastAPI, service: Service) -> None:
    @app.post(
        "/predict",
        openapi_extra=shapes.body(service.setting.urls),
        responses=shapes.PREDICT,
        dependencies=[Depends(_check_query)],
    )
    async def predict(
        request: Request,
        model: ModelQuery = "",
        threshold: ThresholdQuery = None,
        classes: Annotated[str, Query(description="Keep only these: A,B.")] = "",
        tiles: Annotated[
            str, Query(description="Large images piece by piece: auto, or HxW in pixels.")
        ] = "",
        augment: Annotated[
            str, Query(description="Averages over looks: flip, scales, or flip,scales.")
        ] = "",
        draw: Annotated[bool, Query(description="Also give the image with its answer.")] = False,
        mask: Annotated[bool, Query(description="Also give the ids as an indexed PNG.")] = False,
    ) -> Response:
        """Answers about one image or several."""
        served = service.shelf.get(model)
        wanted = _drawing(request.headers.get("accept", ""))
        drawn: Drawn = wanted or ("jpeg" if draw else "")
        wish = wish_of(served.model, threshold, classes, tiles, augment, drawn, mask)
        results = await service.predict(served, request, wish)
        first = results[0].record
        if len(results) == 1 and "error" in first:
            return json_response(
                {"error": first["error"], "status": first["status"]}, first["status"]
            )
        if wanted and len(results) == 1:
            return Response(from_data_url(first["image"]), media_type=f"image/{wanted}")
        about = dumps({"model": served.name, "task": served.model.recipe.task.name})[:-1]
        content = f'{about}, "results": [{", ".join(one.text for one in results)}]}}'
        return Response(content, media_type="application/json")

    @app.post(
        "/explain",
        openapi_extra=shapes.body(False),
        responses=shapes.EXPLAIN,
        dependencies=[Depends(_check_query)],
    )
    async def explain(
        request: Request,
        model: ModelQuery = "",
        method: Annotated[str, Query(description="Of `methods` in /models.")] = "",
        target: Annotated[str, Query(description="A class, box:N or region:N.")] = "",
        threshold: ThresholdQuery = None,
    ) -> Response:
        """Where the reasons for an answer lie."""
        served = service.shelf.get(model)
        found = await service.explain(served, request, method, target, threshold)
        if _drawing(request.headers.get("accept", "")) == "png":
            return Response(from_data_url(found["image"]), media_type="image/png")
        return json_response(found)


def _add_facts(app: FastAPI, service: Service) -> None:
    shelf, setting = service.shelf, service.setting

    @app.get("/models", responses=shapes.MODELS)
    async def models() -> Response:
        """The models that are served, and the limits of requests."""
        listed = [
            one.to_dict() | {"default": not number}
            for number, one in enumerate(shelf.served.values())
        ]
        return json_response(
            {
                "version": __version__,
                "models": listed,
                "limits": setting.limits.to_dict(),
                "urls": setting.urls,
                "explain": service.explaining.methods,
            }
        )

    @app.get("/health", responses=shapes.HEALTH)
    async def health(request: Request) -> Response:
        """Whether it is there, and ready for requests; the models are for who may ask them."""
        ready = not service.state.stopping
        states = {
            name: {"ready": True, "reloads": one.reloads, "error": one.error}
            for name, one in shelf.served.items()
        }
        shown = {"models": states} if brings(request.headers, setting.token) else {}
        document = {"live": True, "ready": ready, "stopping": not ready, **shown}
        return json_response(document, 200 if ready else 503)

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Numbers for Prometheus."""
        return Response(service.metrics.text(), headers={"content-type": KIND})

    @app.get("/api", include_in_schema=False)
    async def api() -> Response:
        """What is documented at /openapi.json, to be read."""
        return Response(api_page(app.openapi()), media_type="text/html; charset=utf-8")


def _add_page(app: FastAPI) -> None:
    """The page and its files, which are read once: no path is made of what a client says."""
    known = page_files("serve")

    def file(path: str) -> Response:
        if path not in known:
            raise Refused(404, "there is nothing at this path. See /api.")
        content, kind = known[path]
        return Response(content, headers={"content-type": kind, "cache-control": "no-cache"})

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        """The page."""
        return file("")

    @app.get("/page/{name}", include_in_schema=False)
    async def page_file(name: str) -> Response:
        """A file of the page."""
        return file(f"page/{name}")


def _add_errors(app: FastAPI, service: Service) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        return refusal(refusal_of(error))

    async def of_http(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        text = {404: "there is nothing at this path", 405: "this path knows other methods"}
        said = f"{text.get(status, 'the request cannot be served')}. See /api."
        return refusal(Refused(status, said, getattr(error, "headers", None) or {}))

    async def invalid(request: Request, error: Exception) -> Response:
        first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
        name = str((first.get("loc") or ("?",))[-1])
        said = str(first.get("msg", "")).removeprefix("Input ").rstrip(".")
        received = repr(first.get("input"))[:60]
        return refusal(Refused(422, f"`{name}` {said}; got {received}. See /api."))

    async def left(request: Request, error: Exception) -> Response:
        return Response(status_code=499)  # nobody reads it

    async def fault(request: Request, error: Exception) -> Response:
        return refusal(refusal_of(error))

    handlers: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
        Refused: refused,
        CVTasksError: refused,
        HTTPException: of_http,
        RequestValidationError: invalid,
        ClientDisconnect: left,
        Exception: fault,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _drawing(accept: str) -> Drawn:
    """The kind of image that a client would rather have than JSON; "" for none."""
    for one in accept.split(","):
        kind = one.partition(";")[0].strip().lower()
        if kind == "image/png":
            return "png"
        if kind in ("image/jpeg", "image/*"):
            return "jpeg"
        if kind in ("application/json", "*/*", "text/html"):
            return ""
    return ""
