"""The OpenAPI document as a page to be read: without scripts, and without files from elsewhere."""

import html
from collections.abc import Iterator, Mapping
from typing import Any

_TOP = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cvtasks: the HTTP interface</title>
<link rel="icon" href="data:,">
<body>
<h1>cvtasks {version}: the HTTP interface</h1>
<p>The same for programs: <a href="/openapi.json">/openapi.json</a>.</p>
<p>The page that shows answers: <a href="/">/</a>.</p>
"""


def api_page(document: Mapping[str, Any]) -> str:
    """The page, in HTML."""
    lines = [_TOP.format(version=_said(document["info"]["version"]))]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            lines += _route(path, method, route)
    return "\n".join([*lines, "</body>", "</html>", ""])


def _route(path: str, method: str, route: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{_said(method.upper())} {_said(path)}</code></h2>"
    yield f"<p>{_said(route.get('description', ''))}</p>"
    if parameters := route.get("parameters"):
        yield "<h3>Parameters of the address</h3><dl>"
        for one in parameters:
            usual = one["schema"].get("default", "")
            end = f" Default: {_said(usual)}." if usual not in ("", None) else ""
            yield f"<dt><code>{_said(one['name'])}</code></dt>"
            yield f"<dd>{_said(one.get('description', ''))}{end}</dd>"
        yield "</dl>"
    if body := route.get("requestBody"):
        kinds = ", ".join(f"<code>{_said(kind)}</code>" for kind in body["content"])
        yield f"<h3>Body</h3><p>{kinds}</p>"
    yield "<h3>Responses</h3><dl>"
    for status, response in route["responses"].items():
        yield f"<dt>{_said(status)}</dt><dd>{_said(response.get('description', ''))}"
        for kind, content in response.get("content", {}).items():
            yield f"<br><code>{_said(kind)}</code>"
            if status == "200":
                yield from _schema(content.get("schema", {}))
        yield "</dd>"
    yield "</dl>"


def _schema(schema: Mapping[str, Any]) -> Iterator[str]:
    """The fields of an object, one in the other."""
    fields = schema.get("properties") or schema.get("items", {}).get("properties")
    if not fields:
        return
    yield "<ul>"
    for name, one in fields.items():
        text = f": {_said(one['description'])}" if "description" in one else ""
        yield f"<li><code>{_said(name)}</code> {_said(one.get('type', ''))}{text}"
        yield from _schema(one)
        yield "</li>"
    yield "</ul>"


def _said(text: object) -> str:
    return html.escape(str(text))
