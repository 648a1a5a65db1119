"""The files of the page: style, script, icon. They are read once, and belong to the package."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from .toolkit import Request, Response

KINDS = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


async def static(request: Request) -> Response:
    """One of the files; a browser keeps it, and asks whether it has changed."""
    name = request.path_params["name"]
    if name not in KINDS:
        return Response("there is no such file", 404, media_type="text/plain")
    body, tag = content(name)
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=KINDS[name], headers=headers)


@cache
def content(name: str) -> tuple[bytes, str]:
    """A file and its tag."""
    body = files(__package__).joinpath("static", name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'
