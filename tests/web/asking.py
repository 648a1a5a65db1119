"""A browser as far as a test of the server needs one: cookies, an Origin, and the fields of a form as they stand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser

import httpx2

TOKEN = "the token of the tests"
HERE = "http://127.0.0.1:8765"


class _Forms(HTMLParser):
    """The fields of each form, by the form's id: hidden ones, texts and areas."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.text: list[str] = []
        self._form: dict[str, str] = {}
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = self.forms.setdefault(told.get("id", ""), {})
        elif tag == "input" and told.get("type") != "radio" and "name" in told:
            self._form[told["name"]] = told.get("value", "")
        elif tag == "textarea":
            self._area = told["name"]
            self._form[self._area] = ""

    def handle_endtag(self, tag: str) -> None:
        """See HTMLParser."""
        if tag == "textarea":
            self._form[self._area] = self._form[self._area].removeprefix("\n")
            self._area = ""

    def handle_data(self, data: str) -> None:
        """See HTMLParser."""
        self.text.append(data)
        if self._area:
            self._form[self._area] += data


class Asking:
    """A visitor of the page."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """A page."""
        return await self.client.get(path, headers=headers)

    async def form(self, path: str, id: str) -> dict[str, str]:
        """The fields of a form on a page, as they stand there."""
        return forms((await self.get(path)).text)[id]

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx2.Response:
        """Send a form."""
        return await self.client.post(path, data=fields, headers={"origin": HERE, **headers})


def forms(page: str) -> dict[str, dict[str, str]]:
    """The forms of a page."""
    found = _Forms()
    found.feed(page)
    return found.forms


def text(page: str) -> str:
    """What is read on a page, without its tags."""
    found = _Forms()
    found.feed(page)
    return " ".join(" ".join(found.text).split())


@asynccontextmanager
async def asking(app: object, token: str = TOKEN, base: str = HERE) -> AsyncIterator[Asking]:
    """Somebody who has opened the page with its token."""
    transport = httpx2.ASGITransport(app=app, client=("10.0.0.7", 4711))  # type: ignore[arg-type]  # an ASGI application
    async with httpx2.AsyncClient(transport=transport, base_url=base, follow_redirects=True) as client:
        if token:
            await client.get("/", params={"token": token})
        yield Asking(client)


def by_header(scope: object) -> str | None:
    """The application's authentication: a header that a proxy sets."""
    assert isinstance(scope, dict)
    return dict(scope["headers"]).get(b"x-user", b"").decode() or None
