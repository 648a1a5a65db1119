"""A reply that is cut off, wherever: a typed error or the whole reply, and never a call from half its arguments."""

from __future__ import annotations

import anyio
import pytest

from choragus.agents.errors import ModelError
from choragus.agents.model import ModelReply
from choragus.agents.provider.adapter import Adapter

from .loopback import Answer, Loopback, in_order, loopback
from .shape import CALLS, FORMATS, PLAIN, Said, answer, is_full, streamed
from .wired import ended, model, played

LINES = pytest.mark.parametrize("said", [PLAIN, CALLS], ids=["text", "calls"])
FORMAT = pytest.mark.parametrize("format", FORMATS)


def check(text: str, end: ModelReply | ModelError, said: Said, *, kinds: tuple[str, ...]) -> None:
    """That what came is whole, or a typed error with the beginning of the text before it."""
    assert said.text.startswith(text)
    if isinstance(end, ModelReply):
        assert is_full(end, said)
    else:
        assert (end.kind in kinds, end.retryable) == (True, True), end


@FORMAT
async def test_s44_a_stream_that_is_cut_anywhere_is_incomplete_and_calls_nothing(format: str) -> None:
    cut, sdk = played(format)
    said, whole = CALLS, streamed(format, CALLS)

    for at in range(len(whole)):
        sdk.pieces = (whole[:at],)
        text, end = await ended(cut, stream=True)

        check(text, end, said, kinds=("incomplete",))

    sdk.pieces = (whole,)
    assert is_full((await ended(cut, stream=True))[1], said)  # type: ignore[arg-type]  # an error has no text


@FORMAT
@LINES
async def test_a_stream_that_comes_in_other_pieces_is_the_same_reply(format: str, said: Said) -> None:
    split, sdk = played(format)
    whole = streamed(format, said)

    for at in range(1, len(whole), 7):
        sdk.pieces = (whole[:at], whole[at:])
        text, end = await ended(split, stream=True)

        assert isinstance(end, ModelReply)
        assert is_full(end, said)
        assert text == said.text


@FORMAT
async def test_s44_a_connection_that_is_lost_in_mid_stream_is_incomplete(format: str) -> None:
    lost, sdk = played(format)
    sdk.pieces, sdk.fails = (streamed(format, CALLS)[:600],), ConnectionError("reset")

    _, end = await ended(lost, stream=True)

    assert isinstance(end, ModelError)
    assert (end.kind, end.retryable) == ("incomplete", True)


@FORMAT
async def test_a_connection_that_is_lost_behind_the_last_event_takes_nothing_away(format: str) -> None:
    lost, sdk = played(format)
    sdk.pieces, sdk.fails = (streamed(format, CALLS),), ConnectionError("reset")

    _, end = await ended(lost, stream=True)

    assert isinstance(end, ModelReply)
    assert is_full(end, CALLS)


async def cut_at(provider: Loopback, used: Adapter, whole: Answer, at: int, stream: bool, sized: bool) -> None:
    """One answer of the real wire, cut there."""
    cut = Answer(body=whole.body, headers=whole.headers, cut=at, sized=sized)
    provider.answer = in_order([cut])

    text, end = await ended(used, stream=stream)

    kinds = ("incomplete",) if stream or sized else ("incomplete", "malformed")
    check(text, end, CALLS, kinds=kinds)


async def cut_everywhere(format: str, stream: bool, sized: bool, step: int) -> None:
    """Cut the real wire at every such position."""
    pytest.importorskip("anthropic" if format == "messages" else "openai")
    whole = answer(format, CALLS, stream=stream)
    async with loopback(whole) as provider:
        used = model(format, provider.url)
        with anyio.fail_after(550):
            for at in range(0, len(whole.body), step):
                await cut_at(provider, used, whole, at, stream, sized)
        await used.release()


@FORMAT
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("sized", [True, False], ids=["announced", "unannounced"])
async def test_s44_the_real_wire_cut_here_and_there(format: str, stream: bool, sized: bool) -> None:
    await cut_everywhere(format, stream, sized, step=601)


@pytest.mark.slow
@pytest.mark.timeout(600)
@FORMAT
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("sized", [True, False], ids=["announced", "unannounced"])
async def test_s44_the_real_wire_cut_everywhere(format: str, stream: bool, sized: bool) -> None:
    await cut_everywhere(format, stream, sized, step=1)


@pytest.mark.parametrize("format", ["responses", "messages"])
async def test_s44_a_stream_without_its_last_event_is_no_reply_however_much_came(format: str) -> None:
    cut, sdk = played(format)
    head, _, last = streamed(format, PLAIN).rpartition(b"event: ")
    sdk.pieces = (head,)

    text, end = await ended(cut, stream=True)

    assert last
    assert text == PLAIN.text
    assert isinstance(end, ModelError)
    assert end.kind == "incomplete"


async def test_a_last_event_that_says_something_else_than_its_pieces_is_malformed() -> None:
    other, sdk = played("responses")
    sdk.pieces = (streamed("responses", PLAIN).replace(b'delta": "Ja', b'delta": "Ne'),)

    _, end = await ended(other, stream=True)

    assert isinstance(end, ModelError)
    assert (end.kind, "the pieces of its text are not the text" in str(end)) == ("malformed", True)
