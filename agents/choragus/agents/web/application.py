"""The application: what is asked for, which page that is, and the parts that pages are made of."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from os.path import basename
from typing import Protocol, TypeAlias
from urllib.parse import urlencode

import attrs

from choragus.agents.asgi import Decisions, Identify, Problem, Receive, Scope, Send
from choragus.mailbox.reader import Reader, ViewRow
from choragus.supervision.tree import TreeNode

from . import deciding
from .asset import static
from .cards import Cards, Typed, approvals, unknowns
from .entries import Window, fields_of
from .error_page import error_page
from .evaluations import evaluation, evaluations, figures_of
from .fallback import broken, no_page, to_what_waits
from .gate import Application, Gate, gate
from .html import Html, h, spelled
from .layout import Page
from .listing import link, listing
from .live import Bell, last_seq
from .production import production_page
from .run_page import run_page
from .search import Search
from .source import Source
from .supervision import supervision
from .toolkit import (
    HTMLResponse,
    HTTPException,
    RedirectResponse,
    Request,
    Response,
    Route,
    Starlette,
    StreamingResponse,
)
from .visitor import PLACE, Visitor

Figures: TypeAlias = Callable[[Reader], Mapping[str, object]]

LONGEST = 15
"""Digits of a position."""

_SUBJECT = re.compile(r"[0-9a-f]{8}|[0-9.]{1,12}(/undo)?")
"""What a decision may be about: an approval's id, or a call's number."""

_RUN = re.compile(r"/run/[A-Za-z0-9._~%-]{1,200}")


class Owning(Decisions, Protocol):
    """What is asked of a runtime in this process."""

    place: str

    def tree(self) -> TreeNode: ...


@attrs.frozen
class RunsApp:
    """The application; made by `runs_app`. Mount it, or serve it alone."""

    _gate: Gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await self._gate(scope, receive, send)


def runs_app(
    source: str | os.PathLike[str] | Owning,
    *,
    identify: Identify | None = None,
    token: str = "",
    read_only: bool = False,
    hosts: Iterable[str] | None = None,
    figures: Figures | None = None,
) -> RunsApp:
    """An ASGI application that shows the runs of a file, and takes decisions about what waits for people.

    Mount it with `app.mount("/runs", runs_app(runtime, identify=...))` beside the service that owns the file, or serve
    it alone. It reads the file in threads of its own, while anybody else works on it.

    Args:
        source: the file; or the Runtime of this process, which then takes the decisions itself and shows its tree.
        identify: who asks, by the request's scope, plain or `async`; None is 401. What it says is who decides.
        token: opens a session for whoever brings it as `?token=...`; at least 16 characters. Who decides is then asked.
        read_only: show everything, and take nothing from anybody.
        hosts: the names, without port, by which it may be called; None: any. `choragus ui` gives those of loopback.
        figures: gives figures of your own from a Reader, as JSON types, in the place of the page of production figures.

    Raises:
        ValueError: when nothing says who may decide, the token is too short, or the runtime has no file.
    """
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else source.place
    if path == "memory" and not isinstance(source, str | os.PathLike):
        raise ValueError("this runtime keeps everything in memory, and the page reads a file: give Runtime a path")
    owner = None if isinstance(source, str | os.PathLike) else source
    site = Site(path=path, owner=owner, figures=figures)
    inner = Application(Starlette(routes=site.routes(), exception_handlers={HTTPException: no_page, Exception: broken}))
    return RunsApp(gate(inner, identify=identify, token=token, read_only=read_only, hosts=hosts))


class Site:
    """The pages of one file."""

    def __init__(self, *, path: str, owner: Owning | None, figures: Figures | None) -> None:
        self.bell = Bell(path)
        self._source = Source(path)
        self._owner = owner
        self._figures = figures
        self._name = basename(path)
        self._desk: deciding.Desk = deciding.Leaving(path) if owner is None else deciding.Owner(owner)

    def routes(self) -> list[Route]:
        """What is where."""
        pages = {
            "/": self.runs,
            "/run/{run}": self.run,
            "/run/{run}/entry/{position}": self.entry,
            "/waiting": self.waiting,
            "/supervision": self.supervision,
            "/evaluations": self.evaluations,
            "/evaluation/{id}": self.evaluation,
            "/figures": self.figures,
            "/events": self.events,
        }
        return [
            *(Route(path, _answering(page), methods=["GET"]) for path, page in pages.items()),
            Route("/waiting/{id}", _answering(self.decide), methods=["POST"]),
            Route("/unknown", _answering(self.settle), methods=["POST"]),
            *(Route(path, to_what_waits, methods=["GET"]) for path in ("/waiting/{id}", "/unknown")),
            Route("/static/{name}", static, methods=["GET"]),
        ]

    async def runs(self, request: Request) -> Response:
        """All runs."""
        search = Search.of(dict(request.query_params))
        return await self._page(request, "/", "Runs", lambda reader: listing(reader, _root(request), search))

    async def run(self, request: Request) -> Response:
        """One run."""
        return await self._run(request, request.path_params["run"], None)

    async def _run(self, request: Request, id: str, typed: Typed | None) -> Response:
        root, query = _root(request), request.query_params
        window = Window(after=_position(query.get("after")), every=query.get("all") == "1")
        cards = Cards(root=root, visitor=_visitor(request), back=link("", id), typed=typed)

        def content(reader: Reader) -> Html:
            return run_page(reader, root, _row(reader, "run", id), window, _position(query.get("said")), cards)

        return await self._page(request, "/", f"Run {id[:12]}", content, run=id)

    async def entry(self, request: Request) -> Response:
        """One entry of a run, whole."""
        id, root = request.path_params["run"], _root(request)
        position = _position(request.path_params["position"]) or 0

        def content(reader: Reader) -> Html:
            found = list(reader.read(f"run/{id}", position - 1, 1)) if position else []
            if not found or found[0].position != position:
                raise Problem(404, "no-entry", f"run {id[:80]!r} has no entry {position}")
            back = h("a", f"run {id}", href=link(root, id, f"?all=1&after={position - 1}#e{position}"))
            head = h("h1", f"Entry {position}: {found[0].kind}")
            return h("div", h("p", back), head, h("pre", spelled(fields_of(found[0])), tabindex="0"), class_="page")

        return await self._page(request, "/", f"Entry {position}", content)

    async def waiting(self, request: Request) -> Response:
        """What waits for people."""
        return await self._waiting(request, None, 200)

    async def _waiting(self, request: Request, typed: Typed | None, status: int) -> Response:
        cards = Cards(root=_root(request), visitor=_visitor(request), back="/waiting", typed=typed)

        def content(reader: Reader) -> Html:
            there = typed is None or any(one.id == typed.subject for one in approvals(reader))
            fault = None if there or typed is None else h("p", typed.fault, role="alert", class_="fault")
            return h("div", h("h1", "Waiting for a person"), fault, cards.everything(reader), class_="page")

        return await self._page(request, "/waiting", "Waiting", content, status=status)

    async def decide(self, request: Request) -> Response:
        """A decision about an approval."""
        id, visitor = request.path_params["id"], _visitor(request)
        try:
            told = await deciding.decide(self._desk, id, visitor)
        except Problem as problem:
            typed = Typed(subject=id, fault=problem.detail, form=visitor.form)
            return await self._waiting(request, typed, problem.status)
        return _back(request, told, id)

    async def settle(self, request: Request) -> Response:
        """A word on a call of unknown outcome."""
        visitor = _visitor(request)
        subject = f"{visitor.form.get('run', '')}-{visitor.form.get('call', '')}"
        try:
            told = await deciding.settle(self._desk, visitor)
        except Problem as problem:
            typed = Typed(subject=subject, fault=problem.detail, form=visitor.form)
            return await self._waiting(request, typed, problem.status)
        return _back(request, told, visitor.form.get("call", ""))

    async def supervision(self, request: Request) -> Response:
        """Who restarts whom."""
        tree = None if self._owner is None else self._owner.tree()
        root = _root(request)
        return await self._page(request, "/supervision", "Supervision", lambda reader: supervision(reader, root, tree))

    async def evaluations(self, request: Request) -> Response:
        """All evaluations."""
        root = _root(request)
        return await self._page(request, "/evaluations", "Evaluations", lambda reader: evaluations(reader, root))

    async def evaluation(self, request: Request) -> Response:
        """One evaluation."""
        id, root = request.path_params["id"], _root(request)

        def content(reader: Reader) -> Html:
            return evaluation(reader, root, _row(reader, "evaluation", id))

        return await self._page(request, "/evaluations", "Evaluation", content)

    async def figures(self, request: Request) -> Response:
        """What production runs come to."""
        root, query, compute = _root(request), dict(request.query_params), self._figures

        def content(reader: Reader) -> Html:
            if compute is None:
                return production_page(reader, root, query)
            return h("div", h("h1", "Figures"), figures_of(compute(reader)), class_="page")

        return await self._page(request, "/figures", "Figures", content)

    async def events(self, request: Request) -> Response:
        """News, as server-sent events."""
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        if request.method == "HEAD":
            return Response(headers=headers, media_type="text/event-stream")
        self.bell.check_room()
        given = request.headers.get("last-event-id") or request.query_params.get("after")
        last = await self._source.read(last_seq)
        stream = self.bell.stream(last, _position(given))
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def _page(
        self,
        request: Request,
        place: str,
        title: str,
        content: Callable[[Reader], Html],
        *,
        run: str = "",
        status: int = 200,
    ) -> Response:
        """A page whose content is read from the file, with what all pages have around it."""

        def whole(reader: Reader) -> str:
            page = Page(
                root=_root(request),
                place=place,
                title=title,
                file=self._name,
                seq=last_seq(reader),
                waiting=len(approvals(reader)) + len(unknowns(reader)),
                visitor=_visitor(request),
                run=run,
            )
            return page.document(_told(request), content(reader))

        answer = HTMLResponse(await self._source.read(whole), status)
        answer.headers["cache-control"] = "no-store"
        return answer


def _answering(page: Callable[[Request], object]) -> Callable[[Request], object]:
    """A page that answers a problem with a page of its own."""

    async def answer(request: Request) -> Response:
        try:
            given: Response = await page(request)  # type: ignore[misc]  # every page is a coroutine function
        except Problem as problem:
            return error_page(request.scope, problem)
        return given

    return answer


def _root(request: Request) -> str:
    return str(request.scope.get("root_path") or "").rstrip("/")


def _visitor(request: Request) -> Visitor:
    visitor = request.scope[PLACE]
    assert isinstance(visitor, Visitor)
    return visitor


def _row(reader: Reader, kind: str, id: str) -> ViewRow:
    row = reader.view(kind, id)
    if row is None:
        raise Problem(404, f"no-{kind}", f"there is no {kind} {id[:80]!r} in this file")
    return row


def _position(given: str | None) -> int | None:
    is_one = given and given.isascii() and given.isdigit() and len(given) <= LONGEST
    return int(given) if given and is_one else None


def _back(request: Request, told: str, about: str) -> Response:
    """Back to where the form stood; only to a page of ours."""
    place = _visitor(request).form.get("back", "")
    place = place if _RUN.fullmatch(place) else "/waiting"
    query = urlencode({"told": told, "about": about[:40]})
    return RedirectResponse(f"{_root(request)}{place}?{query}", 303)


def _told(request: Request) -> Html | None:
    """What became of what was sent last."""
    word, about = request.query_params.get("told"), request.query_params.get("about", "")
    about = about if _SUBJECT.fullmatch(about) else "It"
    words = {
        deciding.DONE: f"{about}: decided, and taken up.",
        deciding.LEFT: f"{about}: recorded. It takes effect when the file is next opened by its runtime.",
    }
    return h("p", words[word], role="status", class_="told") if word in words else None
