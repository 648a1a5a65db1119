"""The webhook: signed, bounded in time, deaf to redirects, and told again by the herald."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import attrs
import pytest

from choragus.agents.attention import Attention
from choragus.agents.runtime import Runtime
from choragus.agents.webhook import NotDelivered, Webhook, verify_signature

from .people_play import payer, question

SECRET = "sixteen letters and more"
ITEM = Attention(id="1.0", kind="call", what="pay waits", at=5.0)


@attrs.define
class Receiver:
    """A server that answers with these heads, one after the other, and keeps what it was sent."""

    heads: list[str]
    url: str = ""
    bodies: list[tuple[dict[str, str], bytes]] = attrs.field(factory=list)
    enough: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        self.bodies.append((headers, await reader.readexactly(int(headers["content-length"]))))
        head = self.heads.pop(0) if len(self.heads) > 1 else self.heads[0]
        writer.write(f"{head}\r\n".encode() if head else b"")
        if head.startswith("HTTP/1.1 204"):
            self.enough.set()
        with suppress(OSError):
            await reader.read()  # until the other side is gone
        writer.close()


@asynccontextmanager
async def receiver(*heads: str) -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    one = Receiver(list(heads))
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in?team=pay"
    try:
        yield one
    finally:
        server.close()
        await asyncio.sleep(0)  # its connections notice that they are closed


async def test_what_needs_a_person_is_posted_and_signed() -> None:
    async with receiver("HTTP/1.1 204 No Content") as server:
        await Webhook(server.url, secret=SECRET, clock=lambda: 1000.0)(ITEM)

    ((headers, body),) = server.bodies
    at, given = headers["x-choragus-timestamp"], headers["x-choragus-signature"]
    assert json.loads(body) == attrs.asdict(ITEM)
    assert verify_signature(SECRET, at, given, body, now=1010.0)
    assert not verify_signature(SECRET, at, given, body + b" ", now=1010.0), "another body"
    assert not verify_signature("another secret, long", at, given, body, now=1010.0)
    assert not verify_signature(SECRET, "1001", given, body, now=1010.0), "another time"
    assert not verify_signature(SECRET, at, given, body, now=1301.0), "too old"


@pytest.mark.parametrize("bad", ["", "x", "1e3", "-5", "\u0663", "9" * 400])
def test_a_timestamp_that_is_none_is_no_signature(bad: str) -> None:
    assert not verify_signature(SECRET, bad, "sha256=é", b"", now=0.0)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/elsewhere", "answered with 302, which is no success"),
        ("HTTP/1.1 500 Oops", "answered with 500"),
        ("SSH-2.0-OpenSSH", "does not speak HTTP"),
        ("HTTP/1.1 2000 OK", "does not speak HTTP"),
        ("x" * 100_000, "does not speak HTTP"),
    ],
    ids=["a redirect", "an error", "no HTTP", "no status", "no end"],
)
async def test_anything_but_success_is_a_failure(head: str, why: str) -> None:
    async with receiver(head) as server:
        with pytest.raises(NotDelivered, match=why):
            await Webhook(server.url, secret=SECRET)(ITEM)

    assert len(server.bodies) == 1, "a redirect is not followed"


async def test_a_receiver_that_hangs_is_given_up() -> None:
    async with receiver("") as server:
        with pytest.raises(TimeoutError):
            await Webhook(server.url, secret=SECRET, timeout=0.05)(ITEM)


async def test_a_receiver_that_fails_first_is_told_again() -> None:
    agent = payer([])
    async with receiver("HTTP/1.1 503 Later", "HTTP/1.1 204 No Content") as server:
        hook = Webhook(server.url, secret=SECRET)
        async with Runtime(agents=[agent], attention=hook) as runtime:
            await question(await runtime.start(agent, "Pay."))

            await asyncio.wait_for(server.enough.wait(), 5)

    first, second = (json.loads(body) for _, body in server.bodies)
    assert first == second


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("ftp://x/", SECRET, 1.0), "is none: give http:// or https://"),
        (("http:///x", SECRET, 1.0), "is none"),
        (("http://me:pw@x/", SECRET, 1.0), "holds a password"),
        (("http://x/a b", SECRET, 1.0), "percent-encode"),
        (("http://x/a\r\nX: y", SECRET, 1.0), "percent-encode"),
        (("http://x/", "short", 1.0), "the secret has 5 characters"),
        (("http://x/", SECRET, 60.0), "at most 25 seconds"),
    ],
)
def test_a_webhook_that_makes_no_sense_is_refused(given: Sequence[object], why: str) -> None:
    url, secret, timeout = given

    with pytest.raises(ValueError, match=why):
        Webhook(url, secret=secret, timeout=timeout)  # type: ignore[arg-type]  # as the table says


def test_its_secret_is_not_shown() -> None:
    assert SECRET not in repr(Webhook("http://127.0.0.1:5/in?token=x", secret=SECRET))
