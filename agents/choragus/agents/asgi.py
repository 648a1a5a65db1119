"""Approvals over HTTP: an ASGI application that an application mounts behind its own authentication.

It trusts nobody by itself: who asks is what `identify` says, and without that there is no answer but 401.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Protocol, TypeAlias

import attrs

from .approval import Approval, as_fields
from .attention import Attention
from .errors import AgentError, DecisionRefused, Held
from .inspection import Unknown
from .run import Run

Scope: TypeAlias = MutableMapping[str, object]
Message: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Identify: TypeAlias = Callable[[Scope], "str | Awaitable[str | None] | None"]

LARGEST = 65_536
"""Bytes of a decision."""

DEEPEST = 32
"""How deep the values of a decision may be nested."""

SLOWEST = 10.0
"""Seconds in which a decision has to have come."""

_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)

FIELDS = {"decision", "hash", "arguments", "answer", "reason"}
DECISIONS = ("approve", "deny", "answer")
SETTLING = {"run", "call", "attempt", "outcome", "result"}


class Decisions(Protocol):
    """What is asked of the runtime."""

    async def pending(self) -> list[Approval]: ...

    async def attention(self) -> list[Attention]: ...

    async def unknown(self) -> list[Unknown]: ...

    async def run(self, id: str) -> Run: ...


class Problem(Exception):
    """Raised when a request gets no answer but this; `kind` is its type, stable for programs."""

    def __init__(self, status: int, kind: str, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers


@attrs.frozen
class ApprovalsApp:
    """The application; made by `approvals_app`."""

    runtime: Decisions
    identify: Identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Lifespan events are taken, anything else but HTTP is not."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']!r} is not served here: mount approvals_app for HTTP only")
        try:
            status, body = 200, await self._answer(scope, receive)
            headers: Mapping[str, str] = {}
            kind = "application/json"
        except Problem as problem:
            status, headers, kind = problem.status, problem.headers, "application/problem+json"
            told = f"urn:choragus:{problem.kind}"
            body = {"type": told, "title": problem.kind, "status": status, "detail": problem.detail}
        await _respond(send, status, kind, headers, body)

    async def _answer(self, scope: Scope, receive: Receive) -> object:
        by = await self._who(scope)
        method, place = str(scope["method"]), _place(scope)
        match method, place:
            case "GET", ["approvals"]:
                return {"approvals": [as_fields(one) for one in await self.runtime.pending()]}
            case "GET", ["approvals", id]:
                return as_fields(await self._find(id))
            case "POST", ["approvals", id]:
                asked = _decision(await _body(scope, receive))
                return await self._decide(await self._find(id), asked, by, scope)
            case "GET", ["attention"]:
                return {"attention": [attrs.asdict(one) for one in await self.runtime.attention()]}
            case "GET", ["unknown"]:
                return {"unknown": [attrs.asdict(one) for one in await self.runtime.unknown()]}
            case "POST", ["unknown"]:
                return await self._settle(_settlement(await _body(scope, receive)), by)
            case _, ["approvals"] | ["approvals", _] | ["attention"] | ["unknown"]:
                allowed = "GET, POST" if len(place) == 2 or place == ["unknown"] else "GET"
                raise Problem(405, "method", f"{method} is not for this: use {allowed}", allow=allowed)
            case _:
                raise Problem(404, "not-found", "there are /approvals, /approvals/{id}, /attention and /unknown")

    async def _who(self, scope: Scope) -> str:
        given = self.identify(scope)
        by = await given if isinstance(given, Awaitable) else given
        if by is None or not by.strip():
            raise Problem(401, "unidentified", "nobody is known to be asking: authenticate with the application")
        return by.strip()

    async def _find(self, id: str) -> Approval:
        found = next((one for one in await self.runtime.pending() if one.id == id), None)
        if found is None:
            raise Problem(
                404, "no-approval", f"no approval {id[:80]!r} waits: it was decided, has lapsed, or never was"
            )
        return found

    async def _decide(self, approval: Approval, asked: Mapping[str, object], by: str, scope: Scope) -> object:
        if approval.hash != asked["hash"]:
            raise Problem(409, "changed", f"approval {approval.id} is not what that hash is of: look at it again")
        if asked["decision"] == "answer" and asked.get("answer") is None:
            raise Problem(422, "unfit", "decision 'answer' comes without an answer: send its text in `answer`")
        identity = {"method": "asgi", "client": client_of(scope)}
        try:
            decision = approval.decision(
                asked["decision"] != "deny",
                by=by,
                reason=str(asked["reason"]),
                arguments=_arguments(asked),
                answer=_text(asked, "answer"),
                identity=identity,
                seen="json",
            )
            await approval.send(decision)
        except ValueError as error:
            raise Problem(422, "unfit", str(error)) from None
        except DecisionRefused as error:
            raise Problem(409, "refused", error.reason) from None
        except Held as error:
            raise Problem(409, "held", str(error)) from None
        return {"approval": approval.id, "decision": asked["decision"], "by": by}

    async def _settle(self, asked: Mapping[str, str], by: str) -> object:
        run, call = asked["run"], asked["call"]
        found = next((one for one in await self.runtime.unknown() if (one.run, one.call) == (run, call)), None)
        if found is None:
            raise Problem(404, "not-unknown", f"call {call[:80]!r} of run {run[:80]!r} is not of unknown outcome")
        if found.attempt != asked["attempt"]:
            raise Problem(409, "changed", f"call {found.call} of run {found.run} has run again: look at it again")
        try:
            settled = await self.runtime.run(run)
            await settled.settle(found, asked["outcome"], by=by, result=asked.get("result", ""))
        except ValueError as error:
            raise Problem(422, "unfit", str(error)) from None
        except AgentError as error:
            raise Problem(409, "refused", str(error)) from None
        return {"run": run, "call": call, "outcome": asked["outcome"], "by": by}


def approvals_app(runtime: Decisions, identify: Identify) -> ApprovalsApp:
    """An ASGI application for what waits for people in a runtime.

    `GET /approvals`, `GET /approvals/{id}`, `GET /attention`; and `POST /approvals/{id}` with the JSON object
    `{"decision": "approve" | "deny" | "answer", "hash": ...}`, where `hash` is that of the approval as it was shown,
    and beside it `arguments` (those to be changed), `answer`, `reason`. `GET /unknown` lists the calls of unknown
    outcome, and `POST /unknown` settles one: `{"run": ..., "call": ..., "attempt": ..., "outcome": "happened" | "not"
    | "give_up"}`, as they were shown, and beside it `result`. Errors are problem documents (RFC 9457).

    Mount it behind your own authentication, over TLS, and guard it against forged requests of a browser as you do all
    else: a decision has to be `application/json`, which a form cannot send.

    Args:
        identify: who asks, by the request's scope, plain or `async`; None is 401. What it says is who decides.
    """
    if not callable(identify):
        raise TypeError(f"identify={identify!r} must be a function of the scope that says who asks, or None")
    return ApprovalsApp(runtime, identify)


async def _body(scope: Scope, receive: Receive) -> bytes:
    headers = headers_of(scope)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "content-type", f"the body is {kind[:80]!r}: send application/json")
    return await received(receive)


async def received(receive: Receive) -> bytes:
    """The body of a request; raises Problem when it is too large, too slow, or cut off."""
    try:
        async with asyncio.timeout(SLOWEST):
            return await _received(receive)
    except TimeoutError:
        raise Problem(408, "slow", f"the body did not come within {SLOWEST:g} s") from None


async def _received(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "cut-off", "the body ended too early")
        part = message.get("body", b"")
        assert isinstance(part, bytes)
        body += part
        if len(body) > LARGEST:
            raise Problem(413, "too-large", f"the body is larger than {LARGEST} bytes")
        more = bool(message.get("more_body"))
    return bytes(body)


def _object(body: bytes, fields: set[str]) -> dict[str, object]:
    """The object that a body holds, with none but these fields."""
    if _depth(body) > DEEPEST:
        raise Problem(422, "too-deep", f"the body is nested deeper than {DEEPEST}")
    try:
        asked: object = json.loads(body)
    except ValueError:
        raise Problem(400, "no-json", "the body is no JSON") from None
    if not isinstance(asked, dict) or not all(isinstance(name, str) for name in asked):
        raise Problem(422, "unfit", f"the body is no object: send one with {', '.join(sorted(fields))}")
    if unknown := set(asked) - fields:
        raise Problem(422, "unfit", f"{min(unknown)[:80]!r} is unknown: there are {', '.join(sorted(fields))}")
    return asked


def _settlement(body: bytes) -> dict[str, str]:
    """What a body says of a call of unknown outcome, as far as its form goes."""
    asked = _object(body, SETTLING)
    if missing := SETTLING - {"result"} - set(asked):
        raise Problem(422, "unfit", f"{min(missing)} is missing: send run, call and attempt as shown, and the outcome")
    return {name: _text(asked, name) or "" for name in asked}


def _decision(body: bytes) -> dict[str, object]:
    """The decision that a body holds, as far as its form goes."""
    asked = _object(body, FIELDS)
    if asked.get("decision") not in DECISIONS:
        raise Problem(422, "unfit", f"decision must be one of {', '.join(DECISIONS)}")
    if not isinstance(asked.get("hash"), str):
        raise Problem(422, "unfit", "hash must be that of the approval as it was shown")
    if not isinstance(asked.setdefault("reason", ""), str):
        raise Problem(422, "unfit", "reason must be text")
    return asked


def _arguments(asked: Mapping[str, object]) -> dict[str, object] | None:
    given = asked.get("arguments")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise Problem(422, "unfit", "arguments must be an object of those to be changed")
    return given


def _text(asked: Mapping[str, object], name: str) -> str | None:
    given = asked.get(name)
    if given is not None and not isinstance(given, str):
        raise Problem(422, "unfit", f"{name} must be text")
    return given


def _depth(body: bytes) -> int:
    """How deep JSON is nested at most, without parsing it."""
    deepest = depth = 0
    for one in _TEXTS.sub(b"", body):
        if one in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif one in b"]}":
            depth -= 1
    return deepest


def _place(scope: Scope) -> list[str]:
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return [part for part in path.removeprefix(root).split("/") if part]


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of a request, by their names in lower case."""
    given = scope.get("headers", ())
    assert isinstance(given, list | tuple)
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in given}


def client_of(scope: Scope) -> str:
    """From which address a request comes, as far as that is known."""
    client = scope.get("client")
    return str(client[0]) if isinstance(client, list | tuple) and client else ""


async def _respond(send: Send, status: int, kind: str, headers: Mapping[str, str], body: object) -> None:
    data = json.dumps(body).encode("ascii")
    told = {
        "content-type": kind,
        "content-length": str(len(data)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **headers,
    }
    lines = [(name.encode("ascii"), value.encode("ascii")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": data})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
