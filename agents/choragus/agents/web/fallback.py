"""What is answered where no page is: an address that is none, a form's own address, and a fault of ours."""

from __future__ import annotations

from choragus.agents.asgi import Problem

from .error_page import error_page
from .toolkit import HTTPException, RedirectResponse, Request, Response


async def no_page(request: Request, error: Exception) -> Response:
    """An address or a method that is none of the page's."""
    assert isinstance(error, HTTPException)
    told = "there is no such page here" if error.status_code == 404 else f"{request.method} is not for this address"
    return error_page(request.scope, Problem(error.status_code, "address", told, **dict(error.headers or {})))


async def broken(request: Request, error: Exception) -> Response:
    """A fault of ours: it goes on to the log of the server, and nothing of it to the browser."""
    told = f"this page could not be made, by a {type(error).__name__}: the log of the server has it in full"
    return error_page(request.scope, Problem(500, "fault", told))


async def to_what_waits(request: Request) -> Response:
    """A form's own address, as it is after a refusal: what it is about is among what waits."""
    root = str(request.scope.get("root_path") or "").rstrip("/")
    return RedirectResponse(f"{root}/waiting", 303)
