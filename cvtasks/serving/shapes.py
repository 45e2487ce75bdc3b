"""What requests and responses look like, for the OpenAPI document."""

from typing import Any

_STRING = {"type": "string"}
_NUMBER = {"type": "number"}
_RLE = {
    "type": "object",
    "description": "COCO's compressed run lengths.",
    "properties": {
        "size": {"type": "array", "items": {"type": "integer"}, "description": "Height, width."},
        "counts": _STRING,
    },
}
_XYXY = {
    "type": "array",
    "items": _NUMBER,
    "minItems": 4,
    "maxItems": 4,
    "description": "Left, top, right, bottom, in pixels of the image.",
}
ERROR = {
    "type": "object",
    "required": ["error", "status"],
    "properties": {
        "error": {"type": "string", "description": "The rule, what was received, the way out."},
        "status": {"type": "integer"},
    },
}
_BOX = {
    "type": "object",
    "required": ["name", "score", "xyxy"],
    "properties": {"name": _STRING, "score": _NUMBER, "xyxy": _XYXY, "mask": _RLE},
}
_LABEL = {"type": "object", "properties": {"name": _STRING, "score": _NUMBER}}
_MASK = {
    "type": "object",
    "properties": {
        "size": {"type": "array", "items": {"type": "integer"}},
        "shares": {"type": "object", "additionalProperties": _NUMBER},
        "rle": {"type": "object", "additionalProperties": _RLE},
    },
}
RECORD = {
    "type": "object",
    "description": "The record of an image, or the error that stands in its place.",
    "properties": {
        "source": {"type": "string", "description": "The file's name, or `image`."},
        "width": {"type": "integer"},
        "height": {"type": "integer"},
        "task": _STRING,
        "model": _STRING,
        "engine": _STRING,
        "labels": {"type": "array", "items": _LABEL, "description": "Of classification."},
        "boxes": {"type": "array", "items": _BOX, "description": "Of objects; with masks, too."},
        "mask": {**_MASK, "description": "Of segmentation."},
        "remarks": {"type": "array", "items": _STRING, "description": "What was passed over."},
        "image": {"type": "string", "description": "The drawn image, as a data: address."},
        "mask_png": {"type": "string", "description": "The ids, as a data: address of a PNG."},
        "error": _STRING,
        "status": {"type": "integer"},
    },
}


def _json(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_ERRORS: dict[int | str, dict[str, Any]] = {
    status: _json(text, ERROR)
    for status, text in {
        400: "No image, or one that is damaged.",
        401: "The token is missing or wrong.",
        404: "No such model.",
        408: "The body came too slowly.",
        413: "Too many bytes, pixels or images.",
        415: "Another kind of body.",
        422: "A parameter that cannot be used.",
        429: "The queue is full; see Retry-After.",
        503: "The server is stopping, or its memory is full.",
        504: "The answer took too long.",
    }.items()
}
_PICTURE = {"schema": {"type": "string", "format": "binary"}}
PREDICT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What was found. Where an image is accepted and one was sent: it, drawn.",
        "content": {
            "application/json": {
                "schema": _object(
                    model=_STRING, task=_STRING, results={"type": "array", "items": RECORD}
                )
            },
            "image/jpeg": _PICTURE,
            "image/png": _PICTURE,
        },
    },
    **_ERRORS,
}
EXPLAIN: dict[int | str, dict[str, Any]] = {
    200: _json(
        "Where the reasons lie. With `Accept: image/png`, the map over the image alone.",
        _object(
            source=_STRING,
            width={"type": "integer"},
            height={"type": "integer"},
            task=_STRING,
            model=_STRING,
            target=_STRING,
            score=_NUMBER,
            probability=_NUMBER,
            method=_STRING,
            layer=_STRING,
            xyxy=_XYXY,
            inside=_NUMBER,
            image={"type": "string", "description": "The map over the image, a data: address."},
            heat={"type": "string", "description": "The map alone, a grey PNG, 255 for the most."},
        ),
    ),
    403: _json("This server does not explain.", ERROR),
    **_ERRORS,
}
_MODEL = _object(
    name=_STRING,
    task=_STRING,
    classes={"type": "array", "items": _STRING},
    colours={"type": "array", "items": _STRING, "description": "#rrggbb of each class."},
    size={"type": "array", "items": {"type": "integer"}, "description": "Height, width."},
    threshold=_NUMBER,
    engine=_STRING,
    precision=_STRING,
    tiles={"type": "boolean", "description": "Whether it takes `tiles`."},
    augment={"type": "array", "items": _STRING},
    default={"type": "boolean"},
)
MODELS: dict[int | str, dict[str, Any]] = {
    200: _json(
        "The models.",
        _object(
            version=_STRING,
            models={"type": "array", "items": _MODEL},
            limits=_object(
                megabytes=_NUMBER,
                pixels={"type": "integer"},
                images={"type": "integer"},
                seconds=_NUMBER,
                queue={"type": "integer"},
            ),
            urls={"type": "boolean"},
            explain={"type": "array", "items": _STRING, "description": "Methods; none if off."},
        ),
    )
}
HEALTH: dict[int | str, dict[str, Any]] = {
    status: _json(
        text,
        _object(
            live={"type": "boolean"},
            ready={"type": "boolean"},
            stopping={"type": "boolean"},
            models={
                "type": "object",
                "description": "What became of each that was changed; for who brings the token.",
            },
        ),
    )
    for status, text in {200: "It is ready.", 503: "It is stopping."}.items()
}


def body(urls: bool) -> dict[str, Any]:
    """What the OpenAPI document says of a request's body."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    parts = _object(image={"type": "array", "items": {"type": "string", "format": "binary"}})
    content: dict[str, Any] = {
        "image/*": binary,
        "application/octet-stream": binary,
        "multipart/form-data": {"schema": parts},
    }
    if urls:
        content["application/json"] = {
            "schema": _object(url=_STRING, urls={"type": "array", "items": _STRING})
        }
    return {"requestBody": {"required": True, "content": content}}
