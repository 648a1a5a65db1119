"""What a request gets that gets nothing else: a short page, without any of what the file holds."""

from __future__ import annotations

from http import HTTPStatus

from choragus.agents.asgi import Problem, Scope

from .html import Html, h, joined
from .toolkit import HTMLResponse, Response


def error_page(scope: Scope, problem: Problem) -> Response:
    """The page of a problem."""
    answer = HTMLResponse(document(str(scope.get("root_path") or ""), problem), problem.status)
    answer.headers["cache-control"] = "no-store"
    for name, value in problem.headers.items():
        answer.headers[name] = value
    return answer


def document(root: str, problem: Problem) -> Html:
    """The page by itself, for it may stand where nobody is let in."""
    title = HTTPStatus(problem.status).phrase
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("title", f"{title} · choragus"),
        h("link", rel="stylesheet", href=f"{root}/static/page.css"),
        h("link", rel="icon", href=f"{root}/static/icon.svg"),
    )
    body = h(
        "body",
        h(
            "main",
            h("h1", title),
            h("p", problem.detail, role="alert", class_="fault"),
            _token_form(problem),
            id="main",
        ),
    )
    return joined(Html("<!doctype html>"), h("html", head, body, lang="en"))


def _token_form(problem: Problem) -> Html | None:
    if problem.kind != "token":
        return None
    field = h("input", id="token", name="token", type="password", required=True, autocomplete="off")
    return h("form", h("label", "Token", for_="token"), field, h("button", "Open"), class_="inline")
