"""Who is let in: the Host header, the token, the session, and where a form comes from. Nothing here knows a page.

A page that decides is worth attacking from other sites in the same browser, so a form is taken only with the session's
cookie, the token that the page put into it, and this page's own Origin. On loopback the name in Host has to be one of
loopback too: else a site could point its own name here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Iterable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs

from choragus.agents.asgi import Identify, Message, Problem, Receive, Scope, Send, client_of, headers_of, received

from .error_page import error_page
from .toolkit import RedirectResponse, Response
from .visitor import PLACE, Form, Visitor

SHORTEST = 16
"""Characters of a token."""

MOST_FIELDS = 300

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""On every answer. The first forbids scripts, styles and pictures that are not files of this page."""


@attrs.frozen
class Application:
    """What stands behind the gate."""

    call: object

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await self.call(scope, receive, send)  # type: ignore[operator]  # an ASGI application, whose types differ


@attrs.frozen(kw_only=True)
class Gate:
    """An ASGI application that lets requests through to another.

    Args:
        identify: who asks, by the host's word; None: whoever has the token, or anybody where there is none.
        token: what opens a session; empty: none is needed.
        read_only: no form is taken from anybody.
        hosts: what a Host header may name, in lower case and without port; None: anything.
    """

    inner: Application
    identify: Identify | None
    token: str
    read_only: bool
    hosts: frozenset[str] | None
    secret: bytes = attrs.field(repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        sending = _with_headers(send)
        try:
            answer = await self._checked(scope, receive)
        except Problem as problem:
            answer = error_page(scope, problem)
        if answer is not None:
            await answer(scope, receive, sending)
            return
        await self.inner(scope, receive, sending)

    async def _checked(self, scope: Scope, receive: Receive) -> Response | None:
        """Put the visitor into the scope, or give the answer that there is instead."""
        headers = headers_of(scope)
        self._check_host(headers)
        if _is_file(scope):
            return None
        by = await self._who(scope)
        nonce, opened = self._session(headers)
        if self.token and (answer := self._opening(scope, opened)) is not None:
            return answer
        form: Form = {}
        if scope["method"] == "POST":
            self._check_origin(headers)
            form = _form(headers, await received(receive))
            self._check_csrf(form, nonce, by)
        csrf = "" if self.read_only else self._signed("csrf", nonce, by)
        scope[PLACE] = Visitor(by=by, csrf=csrf, form=form, client=client_of(scope))
        return None

    def _check_host(self, headers: Mapping[str, str]) -> None:
        name = _name(headers.get("host", ""))
        if self.hosts is not None and name not in self.hosts:
            told = f"this page does not answer to the name {name[:80]!r}: open it by {', '.join(sorted(self.hosts))}"
            raise Problem(403, "host", told)

    async def _who(self, scope: Scope) -> str:
        if self.identify is None:
            return ""
        given = self.identify(scope)
        by = await given if isinstance(given, Awaitable) else given
        if by is None or not by.strip():
            raise Problem(401, "unidentified", "nobody is known to be asking: authenticate with the application")
        return by.strip()

    def _session(self, headers: Mapping[str, str]) -> tuple[str, bool]:
        """The session's number, and whether it is open. Without a token there are none, and forms go by who asks."""
        if not self.token:
            return "", True
        nonce, _, signature = _cookie(headers.get("cookie", ""), self._cookie_name).partition(".")
        if nonce and _same(signature, self._signed("session", nonce)):
            return nonce, True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        return secrets.token_urlsafe(12), scheme.lower() == "bearer" and _same(bearer.strip(), self.token)

    def _opening(self, scope: Scope, is_open: bool) -> Response | None:
        """Open a session for whoever brings the token in the address, where the token does not stay."""
        asked = scope.get("query_string", b"")
        assert isinstance(asked, bytes)
        query = parse_qsl(asked.decode("latin-1"))
        given = dict(query).get("token") if scope["method"] in ("GET", "HEAD") else None
        if given is None and is_open:
            return None
        if given is None:
            raise Problem(403, "token", "this page wants its token: open the address that was printed with it")
        if not is_open and not _same(given, self.token):
            raise Problem(403, "token", "that is not the token of this page: open the address that was printed with it")
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        answer = RedirectResponse(_path(scope) + (f"?{rest}" if rest else ""), 303)
        answer.headers["cache-control"] = "no-store"
        if not is_open:
            answer.headers["set-cookie"] = self._cookie(scope, secrets.token_urlsafe(12))
        return answer

    def _check_origin(self, headers: Mapping[str, str]) -> None:
        if self.read_only:
            raise Problem(403, "read-only", "this page only shows: nothing is decided here")
        origin, site = headers.get("origin", ""), headers.get("sec-fetch-site", "same-origin")
        own = bool(origin) and _place(origin) == headers.get("host", "").lower()
        if not own or site != "same-origin":
            raise Problem(403, "origin", "the form was sent from another page: decide on this page itself")

    def _check_csrf(self, form: Form, nonce: str, by: str) -> None:
        if not _same(form.get("csrf", ""), self._signed("csrf", nonce, by)):
            raise Problem(403, "csrf", "the form is not one that this page gave you, or it is too old: load it again")

    @property
    def _cookie_name(self) -> str:
        return f"choragus_{self._signed('cookie')[:8]}"

    def _cookie(self, scope: Scope, nonce: str) -> str:
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        value = f"{nonce}.{self._signed('session', nonce)}"
        path = str(scope.get("root_path") or "/")
        return f"{self._cookie_name}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}"

    def _signed(self, *words: str) -> str:
        return hmac.new(self.secret, "\n".join(words).encode(), hashlib.sha256).hexdigest()


def gate(
    inner: Application, *, identify: Identify | None, token: str, read_only: bool, hosts: Iterable[str] | None
) -> Gate:
    """A gate before an application; the token's sessions outlive the process, others do not.

    Raises:
        ValueError: when nothing says who may decide, or the token is too short.
    """
    if token and len(token) < SHORTEST:
        raise ValueError(f"the token has {len(token)} characters and needs {SHORTEST}: give a longer one")
    if identify is not None and not callable(identify):
        raise TypeError(f"identify={identify!r} must be a function of the scope that says who asks, or None")
    if identify is None and not token and not read_only:
        raise ValueError("nothing says who may decide here: give identify=, token= or read_only=True")
    if isinstance(hosts, str):
        raise TypeError(f"hosts={hosts!r} is one text: give a list of names, as hosts=[{hosts!r}]")
    secret = hashlib.sha256(b"choragus page\n" + token.encode()).digest() if token else secrets.token_bytes(32)
    named = None if hosts is None else frozenset(one.lower() if one.count(":") > 1 else _name(one) for one in hosts)
    return Gate(inner=inner, identify=identify, token=token, read_only=read_only, hosts=named, secret=secret)


def _form(headers: Mapping[str, str], body: bytes) -> Form:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Problem(415, "content-type", f"the body is {kind[:80]!r}: send the form of the page")
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Problem(400, "form", f"the body is no form of at most {MOST_FIELDS} fields in UTF-8") from None
    named = {name: value.replace("\r\n", "\n") for name, value in fields}
    if len(named) != len(fields):
        raise Problem(400, "form", "the form has a field twice: send the form of the page")
    return named


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message.get("headers", [])
            assert isinstance(given, list | tuple)
            there = {name.lower() for name, _ in given}
            own = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
            message = {**message, "headers": [*given, *own]}
        await send(message)

    return sending


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def _cookie(header: str, name: str) -> str:
    """A cookie by its name. Others on the same host, as those of another port, may have any form."""
    pairs = (one.strip().partition("=") for one in header.split(";"))
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def _place(origin: str) -> str:
    """The host and port of an Origin header; empty when it has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    host = host.strip().lower()
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _is_file(scope: Scope) -> bool:
    """Whether it is the page's style or script, which hold nothing of the file and look the same to everybody."""
    path = str(scope["path"]).removeprefix(str(scope.get("root_path") or ""))
    return scope["method"] == "GET" and path.startswith("/static/")


def _path(scope: Scope) -> str:
    """The path as it was asked for; never another host's."""
    raw = scope.get("raw_path") or str(scope["path"]).encode()
    assert isinstance(raw, bytes)
    return "/" + raw.decode("latin-1").partition("?")[0].lstrip("/\\")
