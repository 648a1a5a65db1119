"""News: one thread for everybody, nothing missed over a gap, and a bound on who listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("httpx2", reason="the client of these tests")

from choragus.agents.agent import Agent
from choragus.agents.asgi import Message, Problem, Scope
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.web import runs_app
from choragus.agents.web.live import Bell, last_seq, message
from choragus.mailbox.reader import Reader

from .asking import TOKEN, asking

EVERY = 0.01


def quick(path: Path, keep_alive: float = 60.0, most: int = 4) -> Bell:
    """One that looks often."""
    return Bell(str(path), every=EVERY, keep_alive=keep_alive, most=most)


def end(path: Path) -> int:
    """Up to where the file goes."""
    with Reader(path) as reader:
        return last_seq(reader)


async def heard(stream: AsyncIterator[str]) -> dict[str, object]:
    """The next event."""
    async with asyncio.timeout(5):
        async for one in stream:
            data = [line[6:] for line in one.splitlines() if line.startswith("data: ")]
            if data:
                told: dict[str, object] = json.loads(data[0])
                return told
    raise AssertionError("the stream has ended")


def agent() -> Agent:
    """One that answers at once."""
    return Agent("clerk", model=FunctionModel(lambda request: "done"))


async def test_what_is_entered_is_told_with_its_run_and_where_it_stands(tmp_path: Path) -> None:
    path, clerk = tmp_path / "runs.db", agent()
    async with Runtime(path, agents=[clerk]) as runtime:
        bell = quick(path)
        async with aclosing(bell.stream(end(path), None)) as stream:
            begun = await anext(stream)
            run = await runtime.start(clerk, "Do it.")
            await run.result()

            seen: set[object] = set()
            seq = 0
            while seq < end(path):
                told = await heard(stream)
                seq = int(str(told["seq"]))
                seen |= set(told["runs"])  # type: ignore[call-overload]  # a list

    assert begun.startswith("retry: 1000\nid: ")
    assert seen == {run.id}


async def test_who_was_away_is_told_to_load_everything_again(done: Path) -> None:
    bell, last = quick(done), end(done)
    async with aclosing(bell.stream(last, 3)) as stream:
        assert await heard(stream) == {"seq": last, "all": True}


async def test_who_missed_nothing_hears_nothing_but_that_somebody_is_there(done: Path) -> None:
    bell, last = quick(done, keep_alive=0.02), end(done)
    async with asyncio.timeout(5), aclosing(bell.stream(last, last)) as stream:
        await anext(stream)

        assert await anext(stream) == ": still here\n\n"


async def test_one_thread_looks_for_all_and_ends_with_the_last(done: Path) -> None:
    bell, last = quick(done), end(done)
    first, second = bell.stream(last, None), bell.stream(last, None)
    await anext(first)
    await anext(second)
    assert (bell.listeners, bell.threads) == (2, 1)

    await first.aclose()
    await second.aclose()

    assert bell.listeners == 0
    assert bell._stop.is_set()


async def test_there_is_room_for_so_many_and_no_more(done: Path) -> None:
    bell, last = quick(done, most=2), end(done)
    streams = [bell.stream(last, None) for _ in range(2)]
    for one in streams:
        bell.check_room()
        await anext(one)

    with pytest.raises(Problem, match=r"^2 clients listen already, which is the limit: close a page$"):
        bell.check_room()

    for one in streams:
        await one.aclose()
    bell.check_room()


def test_an_event_names_runs_and_nothing_that_somebody_wrote() -> None:
    assert message(7, ["run/b", "run/a", "system", "conversation/a"]) == (
        'id: 7\ndata: {"seq": 7, "all": false, "runs": ["a", "b"]}\n\n'
    )
    assert message(8, None) == 'id: 8\ndata: {"seq": 8, "all": true}\n\n'
    assert "\n\n" not in message(9, ["run/a\n\ndata: x"])[:-2]


async def test_the_stream_of_the_page_goes_on_behind_the_last_event_and_ends_with_its_client(done: Path) -> None:
    app, last = runs_app(done, token=TOKEN), end(done)
    async with asking(app) as page:
        cookie = "; ".join(f"{name}={value}" for name, value in page.client.cookies.items())
    sent: asyncio.Queue[Message] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    headers = [(b"host", b"127.0.0.1"), (b"cookie", cookie.encode()), (b"last-event-id", b"3")]
    scope: Scope = {"type": "http", "method": "GET", "path": "/events", "headers": headers, "query_string": b"after=5"}
    async with asyncio.timeout(5):
        asking_for = asyncio.ensure_future(app(scope, receive, sent.put))
        start, *parts = [await sent.get() for _ in range(3)]
        gone.set()
        await asking_for

    told = dict(start["headers"])  # type: ignore[call-overload]  # pairs of bytes
    assert (told[b"content-type"], told[b"cache-control"]) == (b"text/event-stream; charset=utf-8", b"no-store")
    body = b"".join(bytes(part["body"]) for part in parts)  # type: ignore[call-overload]  # bytes
    assert body.startswith(b"retry: 1000\nid: 3\n")
    assert body.endswith(b'id: %d\ndata: {"seq": %d, "all": true}\n\n' % (last, last))
