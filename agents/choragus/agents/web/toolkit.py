"""What is used of starlette; the one module that imports it."""

from __future__ import annotations

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
    from starlette.routing import Route
except ImportError as error:
    raise ImportError("the page needs starlette: pip install 'choragus[web]'") from error

__all__ = [
    "HTMLResponse",
    "HTTPException",
    "RedirectResponse",
    "Request",
    "Response",
    "Route",
    "Starlette",
    "StreamingResponse",
]
