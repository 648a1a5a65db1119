"""Answers that are none, or not whole: each is a ModelError, on bytes that are played and on the real SDKs."""

from __future__ import annotations

import json

import pytest

from choragus.agents.errors import ModelError
from choragus.agents.model import ModelReply

from .loopback import Answer, loopback
from .shape import CALLS, FORMATS, PLAIN, Said, answer, body, is_full, streamed
from .wired import KEY, ended, model, played

FORMAT = pytest.mark.parametrize("format", FORMATS)
WAYS = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


def needs(format: str) -> None:
    """Skip without the SDK."""
    pytest.importorskip("anthropic" if format == "messages" else "openai")


ERROR_EVENTS = {
    "chat": b'data: {"error": {"message": "Overloaded", "type": "overloaded_error"}}\n\n',
    "responses": b'event: error\ndata: {"type": "error", "code": "overloaded_error", "message": "Overloaded"}\n\n',
    "messages": b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n',
}


@FORMAT
async def test_an_error_event_ends_a_stream(format: str) -> None:
    failing, sdk = played(format)
    sdk.pieces = (streamed(format, CALLS)[:900].rpartition(b"\n\n")[0] + b"\n\n" + ERROR_EVENTS[format],)

    _, error = await ended(failing, stream=True)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("overloaded", True)


async def test_a_response_that_failed_is_a_failure() -> None:
    failing, sdk = played("responses")
    failed = {**body("responses", PLAIN), "status": "failed", "error": {"code": "server_error", "message": "Oh."}}
    sdk.pieces = (json.dumps(failed).encode(),)

    _, error = await ended(failing)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("server", True)


UNREADABLE = {
    "empty": b"",
    "html": b"<!doctype html><html><title>Sign in</title></html>",
    "half": b'{"id": "x", "choices": [{"mess',
    "list": b"[]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "other": b'{"detail": "fine"}',
    "bytes": b"\xff\xfe\x00",
    "surrogate": b'{"choices": [{"message": {"content": "\\ud800"}, "finish_reason": "stop"}]}',
}


@FORMAT
@WAYS
@pytest.mark.parametrize("what", UNREADABLE)
async def test_s45_a_body_that_is_no_answer_is_a_typed_error(format: str, stream: bool, what: str) -> None:
    broken, sdk = played(format)
    sdk.pieces = (UNREADABLE[what],)

    _, error = await ended(broken, stream=stream)

    assert isinstance(error, ModelError)
    assert error.retryable
    assert error.kind in (("malformed", "incomplete") if stream else ("malformed",))


@FORMAT
@pytest.mark.parametrize("line", [b"data: {broken\n\n", b"data: []\n\n", b'data: "x"\n\n', b"data: \xff\n\n"])
async def test_s45_an_event_that_cannot_be_read_is_a_typed_error(format: str, line: bytes) -> None:
    broken, sdk = played(format)
    sdk.pieces = (line + streamed(format, PLAIN),)

    _, error = await ended(broken, stream=True)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("malformed", True)


BROKEN_ARGUMENTS = ('{"city": "Ber', "[]", "null", '"Bergen"', '{"city": "x"} trailing', "{city: 1}")


def with_arguments(format: str, text: str) -> dict[str, object]:
    """A finished reply whose call has these arguments."""
    whole = json.dumps(body(format, Said(calls=CALLS.calls[:1])))
    was = CALLS.calls[0].arguments
    if format == "messages":  # there the arguments are no text; what is broken is no object
        return json.loads(whole.replace(json.dumps(was), json.dumps(text)))  # type: ignore[no-any-return]  # JSON
    return json.loads(whole.replace(json.dumps(json.dumps(was)), json.dumps(text)))  # type: ignore[no-any-return]  # JSON


@FORMAT
@pytest.mark.parametrize("text", BROKEN_ARGUMENTS)
async def test_s44_a_finished_call_with_broken_arguments_is_malformed(format: str, text: str) -> None:
    broken, sdk = played(format)
    sdk.pieces = (json.dumps(with_arguments(format, text)).encode(),)

    _, error = await ended(broken)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("malformed", True)
    assert "the arguments of the call of 'weather'" in str(error)


@FORMAT
@WAYS
async def test_s44_calls_that_the_output_limit_cut_off_are_not_made(format: str, stream: bool) -> None:
    cut, sdk = played(format)
    said = Said(text="I", calls=CALLS.calls, stop="length")
    sdk.pieces = (streamed(format, said) if stream else json.dumps(body(format, said)).encode(),)

    _, error = await ended(cut, stream=stream)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("incomplete", False)
    assert "raise max_output_tokens" in str(error)


@FORMAT
@WAYS
@pytest.mark.parametrize("text", ["", " \n "], ids=["nothing", "blank"])
async def test_a_reply_with_neither_text_nor_calls_is_malformed(format: str, stream: bool, text: str) -> None:
    empty, sdk = played(format)
    sdk.pieces = (streamed(format, Said(text=text)) if stream else json.dumps(body(format, Said(text=text))).encode(),)

    _, error = await ended(empty, stream=stream)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("malformed", True)


@FORMAT
@WAYS
async def test_a_reply_above_the_most_bytes_is_given_up(format: str, stream: bool) -> None:
    large, sdk = played(format, max_reply_bytes=5_000)
    sdk.pieces = [b"data: " + b"x" * 1_000] * 100

    _, error = await ended(large, stream=stream)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("malformed", False)
    assert "max_reply_bytes=5,000" in str(error)


async def test_a_stream_in_a_form_of_another_cloud_is_refused_and_not_tried_again() -> None:
    other, sdk = played("messages")
    sdk.headers, sdk.pieces = {"content-type": "application/vnd.amazon.eventstream"}, (b"\x00\x01",)

    _, error = await ended(other, stream=True)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("request", False)


async def test_a_bug_is_not_taken_for_a_failure_of_the_provider() -> None:
    buggy, sdk = played("chat")
    sdk.fails = KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await ended(buggy)


@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_the_real_sdk_brings_status_wait_and_reason_and_asks_once(format: str) -> None:
    needs(format)
    said = json.dumps({"error": {"message": f"Slow down, {KEY}!", "type": "rate_limit_error"}}).encode()
    async with loopback(Answer(status=429, body=said, headers={"retry-after": "12"})) as provider:
        used = model(format, provider.url)

        _, error = await ended(used)
        _, streamed_error = await ended(used, stream=True)
        await used.release()

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable, error.retry_after) == ("rate_limit", True, 12.0)
    assert "Slow down, ***!" in str(error)
    assert error.__cause__ is None
    assert isinstance(streamed_error, ModelError)
    assert streamed_error.retry_after == 12.0
    assert len(provider.asked) == 2


@pytest.mark.parametrize("before", [470, 480, 490])
@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_s41_a_key_that_an_error_was_cut_off_in_is_not_shown(format: str, before: int) -> None:
    needs(format)
    said = json.dumps({"error": {"message": f"{'x' * before} {KEY}", "type": "invalid_request_error"}}).encode()
    async with loopback(Answer(status=400, body=said)) as provider:
        used = model(format, provider.url)

        _, error = await ended(used)
        await used.release()

    assert KEY[:9] not in str(error)


@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_s45_the_real_sdk_at_what_is_no_provider(format: str) -> None:
    needs(format)
    page = Answer(body=UNREADABLE["html"], headers={"content-type": "text/html"})
    answers = (page, Answer(), Answer(body=b"{broken"), Answer(status=500, body=UNREADABLE["html"]), Answer(status=502))
    async with loopback(*answers) as provider:
        used = model(format, provider.url)

        errors = [(await ended(used))[1] for _ in answers]
        await used.release()

    assert [error.kind for error in errors if isinstance(error, ModelError) and error.retryable] == [
        *("malformed", "malformed", "malformed"),
        *("server", "server"),
    ]


@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_timeouts_and_a_provider_that_is_not_there(format: str) -> None:
    needs(format)
    async with loopback(answer(format, PLAIN, cut=20, hangs=True)) as provider:
        slow = model(format, provider.url, timeout=0.05)

        _, late = await ended(slow)
        _, late_stream = await ended(slow, stream=True)
        await slow.release()
    nobody = model(format, provider.url)
    _, unreachable = await ended(nobody)
    await nobody.release()

    kinds = [
        (error.kind, error.retryable) for error in (late, late_stream, unreachable) if isinstance(error, ModelError)
    ]
    assert kinds == [("timeout", True), ("timeout", True), ("connection", True)]


@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_a_redirect_is_not_followed_for_the_key_would_go_with_it(format: str) -> None:
    needs(format)
    async with loopback(answer(format, PLAIN)) as other:
        away = Answer(status=307, headers={"location": f"{other.url}/v1/stolen"})
        async with loopback(away) as provider:
            used = model(format, provider.url)

            _, error = await ended(used)
            await used.release()

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable, other.asked) == ("request", False, [])


@pytest.mark.slow
@FORMAT
@WAYS
async def test_thirty_megabytes_are_given_up_at_the_limit_and_read_below_it(format: str, stream: bool) -> None:
    needs(format)
    said = Said(text="x" * 30_000_000)
    async with loopback(answer(format, said, stream=stream)) as provider:
        used, patient = model(format, provider.url), model(format, provider.url, max_reply_bytes=200_000_000)

        _, error = await ended(used, stream=stream)
        _, reply = await ended(patient, stream=stream)
        await used.release()
        await patient.release()

    assert isinstance(error, ModelError)
    assert "max_reply_bytes=16,000,000" in str(error)
    assert isinstance(reply, ModelReply)
    assert is_full(reply, said)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_of_an_endless_error_page_only_the_beginning_is_read(format: str) -> None:
    needs(format)
    page = Answer(status=500, body=b"<html><title>Oh</title>" + b"x" * 30_000_000)
    async with loopback(page) as provider:
        used = model(format, provider.url)

        _, error = await ended(used)
        await used.release()

    assert isinstance(error, ModelError)
    assert "an HTML page ('Oh')" in str(error)
    assert provider.hung_up == 1
