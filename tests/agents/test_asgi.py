"""Approvals over HTTP: who is let in, what is shown, what is taken, and what a hostile request gets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import attrs
import pytest

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents import asgi
from choragus.agents.agent import Agent
from choragus.agents.approval import Approval
from choragus.agents.asgi import ApprovalsApp, Identify, Message, Scope, approvals_app
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime

from .people_play import Paid, asker, payer, question
from .play import data, once, sleeper, soon

JSON = "application/json"


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: dict[str, object]


async def ask(
    app: ApprovalsApp,
    method: str,
    path: str,
    body: object = b"",
    *,
    user: str = "mia",
    kind: str = JSON,
    root: str = "",
    piece: int = 16_384,
) -> Answer:
    """One request, its body in pieces."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pieces = [raw[n : n + piece] for n in range(0, len(raw), piece)] or [b""]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", kind.encode()), (b"x-user", user.encode())]
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": root + path,
        "root_path": root,
        "headers": headers,
        "client": ("10.0.0.7", 4711),
    }
    await app(scope, receive, send)
    start, end = sent
    got = dict(start["headers"])  # type: ignore[call-overload]  # pairs of bytes
    told = {name.decode(): value.decode() for name, value in got.items()}
    return Answer(start["status"], told, json.loads(end["body"]))  # type: ignore[arg-type]  # as ASGI says


def by_header(scope: Scope) -> str | None:
    """The application's authentication: a header that a proxy sets."""
    headers = dict(scope["headers"])  # type: ignore[call-overload]  # pairs of bytes
    return headers[b"x-user"].decode() or None


@asynccontextmanager
async def waiting(agent: Agent, identify: Identify = by_header) -> AsyncIterator[tuple[ApprovalsApp, Run, Approval]]:
    """A run that waits, behind the endpoint."""
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)
        yield approvals_app(runtime, identify), run, approval


@simulated(seeds=range(1))
async def test_approvals_are_listed_and_shown() -> None:
    async with waiting(payer([])) as (app, run, approval):
        listed = await ask(app, "GET", "/approvals")
        shown = await ask(app, "GET", f"/approvals/{approval.id}", root="/inner")
        attention = await ask(app, "GET", "/attention")

    assert listed.body == {"approvals": [shown.body]}
    assert (shown.status, shown.headers["cache-control"]) == (200, "no-store")
    assert (shown.body["arguments"], shown.body["hash"]) == (approval.arguments, approval.hash)
    assert set(shown.body["answers"]) == {"approve", "deny"}  # type: ignore[call-overload]  # a dictionary
    assert [one["run"] for one in attention.body["attention"]] == [run.id]  # type: ignore[attr-defined]  # a list


@simulated(seeds=range(1))
async def test_an_approval_with_other_arguments_by_who_the_application_says() -> None:
    paid: Paid = []
    async with waiting(payer(paid)) as (app, run, approval):
        edit = {"decision": "approve", "hash": approval.hash, "arguments": {"amount": "120.00"}, "reason": "agreed"}

        answer = await ask(app, "POST", f"/approvals/{approval.id}", edit, piece=7)

        await run.result(5)
        (decided,) = await data(run, "approval.decided")
    assert answer.body == {"approval": approval.id, "decision": "approve", "by": "mia"}
    assert (decided["by"], decided["seen"], decided["reason"]) == ("mia", "json-1", "agreed")
    assert decided["identity"] == {"method": "asgi", "client": "10.0.0.7"}
    assert paid == [("A-17", Decimal("120.00"))]


@simulated(seeds=range(1))
async def test_a_question_is_answered_and_a_call_denied() -> None:
    async with waiting(asker("W1", "W2")) as (app, run, approval):
        decision = {"decision": "answer", "answer": "W2", "hash": approval.hash}
        await ask(app, "POST", f"/approvals/{approval.id}", decision)
        assert await run.result(5) == '"W2"'
    async with waiting(payer([])) as (app, run, approval):
        no = {"decision": "deny", "reason": "not now", "hash": approval.hash}
        await ask(app, "POST", f"/approvals/{approval.id}", no)
        assert await run.result(5) == "denied by mia: not now"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/approvals"), ("GET", "/attention"), ("POST", "/approvals/{id}"), ("GET", "/")]
)
@simulated(seeds=range(1))
async def test_nobody_is_let_in_without_an_identity(method: str, path: str) -> None:
    async with waiting(payer([])) as (app, run, approval):
        yes = {"decision": "approve", "hash": approval.hash}

        answer = await ask(app, method, path.format(id=approval.id), yes, user="")

        assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")
        assert (answer.body["type"], len(await run.pending())) == ("urn:choragus:unidentified", 1)


@pytest.mark.parametrize("nobody", [None, "", " "])
@simulated(seeds=range(1))
async def test_an_identity_without_a_name_is_none(nobody: str | None) -> None:
    async with waiting(payer([]), lambda scope: nobody) as (app, _, _):
        assert (await ask(app, "GET", "/approvals")).status == 401


@simulated(seeds=range(1))
async def test_an_identity_may_take_its_time_and_a_body_names_nobody() -> None:
    async def identify(scope: Scope) -> str | None:
        await asyncio.sleep(0.1)
        return "ann"

    async with waiting(payer([]), identify) as (app, _, approval):
        forged = {"decision": "deny", "hash": approval.hash, "by": "boss"}
        refused = await ask(app, "POST", f"/approvals/{approval.id}", forged)
        answer = await ask(app, "POST", f"/approvals/{approval.id}", {"decision": "deny", "hash": approval.hash})

    assert (refused.status, refused.body["detail"]) == (
        422,
        "'by' is unknown: there are answer, arguments, decision, hash, reason",
    )
    assert answer.body["by"] == "ann"


def _nested(depth: int) -> bytes:
    return b'{"decision":"approve","hash":"x","arguments":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


YES = {"decision": "approve", "hash": "{hash}"}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        pytest.param(b"x" * 70_000, 413, "too-large", id="larger than allowed"),
        pytest.param(_nested(10_000), 422, "too-deep", id="nested 10,000 levels"),
        pytest.param(b"[" * 60_000, 422, "too-deep", id="never closed"),
        pytest.param(b"{", 400, "no-json", id="no JSON"),
        pytest.param(b"\xff\xfe", 400, "no-json", id="no text"),
        pytest.param(b"9" * 60_000, 400, "no-json", id="a number of 60,000 digits"),
        pytest.param(b"[]", 422, "unfit", id="no object"),
        pytest.param({"decision": "approve"}, 422, "unfit", id="no hash"),
        pytest.param({**YES, "decision": "maybe"}, 422, "unfit", id="no decision"),
        pytest.param({**YES, "hash": "0" * 64}, 409, "changed", id="another hash"),
        pytest.param({**YES, "arguments": [1]}, 422, "unfit", id="no arguments"),
        pytest.param({**YES, "arguments": {"amount": "much"}}, 409, "refused", id="arguments that do not fit"),
        pytest.param({**YES, "reason": "x" * 10_001}, 422, "unfit", id="a reason too long"),
        pytest.param({**YES, "reason": "\ud800"}, 422, "unfit", id="half a letter"),
        pytest.param({**YES, "answer": "yes"}, 409, "refused", id="an answer to no question"),
        pytest.param({**YES, "decision": "answer"}, 422, "unfit", id="an answer without its text"),
        pytest.param({**YES, "answer": 5}, 422, "unfit", id="an answer that is no text"),
    ],
)
@simulated(seeds=range(1))
async def test_s28_what_is_no_decision_is_refused_in_bounded_time_and_decides_nothing(
    body: object, status: int, kind: str
) -> None:
    paid: Paid = []
    async with waiting(payer(paid)) as (app, run, approval):
        if isinstance(body, dict) and "hash" in body:
            body = {**body, "hash": str(body["hash"]).replace("{hash}", approval.hash)}
        began = time.perf_counter()

        answer = await ask(app, "POST", f"/approvals/{approval.id}", body)

        assert time.perf_counter() - began < 0.5
        assert (answer.status, answer.body["type"]) == (status, f"urn:choragus:{kind}")
        assert (await run.pending(), paid) == ([approval], [])


@simulated(seeds=range(1))
async def test_s28_a_body_that_does_not_come_is_not_waited_for() -> None:
    async with waiting(payer([])) as (app, _, approval):

        async def never() -> Message:
            await asyncio.sleep(10_000)
            raise AssertionError

        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"content-type", JSON.encode()), (b"x-user", b"mia")]
        scope: Scope = {"type": "http", "method": "POST", "path": f"/approvals/{approval.id}", "headers": headers}
        await app(scope, never, send)

    assert sent[0]["status"] == 408


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("POST", "/approvals/{id}", "text/plain", 415),
        ("POST", "/approvals/{id}", "application/x-www-form-urlencoded", 415),
        ("DELETE", "/approvals/{id}", JSON, 405),
        ("POST", "/approvals", JSON, 405),
        ("GET", "/approvals/0000", JSON, 404),
        ("GET", "/approvals/{id}/more", JSON, 404),
        ("GET", "/", JSON, 404),
    ],
)
@simulated(seeds=range(1))
async def test_what_is_not_there_gets_a_problem(method: str, path: str, kind: str, status: int) -> None:
    async with waiting(payer([])) as (app, run, approval):
        yes = {"decision": "approve", "hash": approval.hash}

        answer = await ask(app, method, path.format(id=approval.id), yes, kind=kind)

        assert (answer.status, answer.body["status"], len(await run.pending())) == (status, status, 1)


@simulated(seeds=range(1))
async def test_what_was_decided_is_gone() -> None:
    async with waiting(payer([])) as (app, run, approval):
        await approval.deny(by="ann")
        await run.result(5)

        answer = await ask(app, "POST", f"/approvals/{approval.id}", {"decision": "approve", "hash": approval.hash})

    assert answer.status == 404


@simulated(seeds=range(1))
async def test_lifespan_is_taken_and_a_websocket_is_not() -> None:
    async with waiting(payer([])) as (app, _, _):
        events: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent: list[Message] = []

        async def receive() -> Message:
            return events.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        await app({"type": "lifespan"}, receive, send)
        with pytest.raises(RuntimeError, match=r"^'websocket' is not served here"):
            await app({"type": "websocket"}, receive, send)

    assert [one["type"] for one in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_an_endpoint_without_authentication_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a function of the scope that says who asks"):
        approvals_app(Runtime(agents=[]), None)  # type: ignore[arg-type]  # that is the point


@pytest.mark.slow
async def test_the_endpoint_works_behind_a_real_server() -> None:
    uvicorn = pytest.importorskip("uvicorn")
    agent = payer([])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)
        config = uvicorn.Config(approvals_app(runtime, by_header), port=0, log_level="error")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        body = json.dumps({"decision": "deny", "hash": approval.hash})
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /approvals/{approval.id} HTTP/1.1\r\nHost: x\r\nx-user: mia\r\nContent-Type: {JSON}\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())

        assert b" 200 " in await reader.readline()

        writer.close()
        server.should_exit = True
        await serving


def test_the_limits_are_small() -> None:
    assert asgi.LARGEST <= 65_536
    assert asgi.DEEPEST <= 32


@asynccontextmanager
async def lost() -> AsyncIterator[tuple[ApprovalsApp, Run, dict[str, object]]]:
    """A payment of unknown outcome, as the endpoint shows it."""
    async with Runtime(agents=[once(sleeper("irreversible"))], clock=clock) as runtime:
        run = await runtime.start(once_of(runtime), "Go.")
        await (await question(run)).approve(by="mia")
        await soon(run.unknown)
        app = approvals_app(runtime, by_header)
        listed = (await ask(app, "GET", "/unknown")).body["unknown"]
        assert isinstance(listed, list)
        yield app, run, listed[0]


def once_of(runtime: Runtime) -> Agent:
    """Its only agent."""
    (agent,) = runtime._agents.values()
    return agent  # type: ignore[return-value]  # it answers with text


def word(shown: dict[str, object], **other: object) -> dict[str, object]:
    """That it happened, of what was shown."""
    return {**{name: shown[name] for name in ("run", "call", "attempt")}, "outcome": "happened", **other}


@simulated(seeds=range(3))
async def test_a_call_of_unknown_outcome_is_settled_by_who_is_known() -> None:
    async with lost() as (app, run, shown):
        nobody = await ask(app, "POST", "/unknown", word(shown), user="")
        settled = await ask(app, "POST", "/unknown", word(shown, result='"paid"'))

        assert await run.result(5) == "done"
        (entry,) = await data(run, "call.settled")
        again = await ask(app, "POST", "/unknown", word(shown))
    assert [one.status for one in (nobody, settled, again)] == [401, 200, 404]
    assert (entry["by"], entry["outcome"], entry["result"]) == ("mia", "happened", '"paid"')
    assert again.body["type"] == "urn:choragus:not-unknown"


@pytest.mark.parametrize(
    ("other", "status", "kind"),
    [
        ({"attempt": "another"}, 409, "changed"),
        ({"outcome": "perhaps"}, 422, "unfit"),
        ({"outcome": 5}, 422, "unfit"),
        ({"call": "9.9"}, 404, "not-unknown"),
        ({"run": "nobody"}, 404, "not-unknown"),
        ({"by": "boss"}, 422, "unfit"),
    ],
)
@simulated(seeds=range(1))
async def test_what_is_said_of_something_else_settles_nothing(other: dict[str, object], status: int, kind: str) -> None:
    async with lost() as (app, run, shown):
        refused = await ask(app, "POST", "/unknown", word(shown, **other))

        assert (refused.status, refused.body["type"]) == (status, f"urn:choragus:{kind}")
        assert len(await run.unknown()) == 1


@simulated(seeds=range(1))
async def test_a_word_without_what_was_shown_settles_nothing() -> None:
    async with lost() as (app, run, shown):
        refused = await ask(app, "POST", "/unknown", {"run": shown["run"], "call": shown["call"], "outcome": "not"})

        assert (refused.status, refused.body["detail"]) == (
            422,
            "attempt is missing: send run, call and attempt as shown, and the outcome",
        )
        assert len(await run.unknown()) == 1
