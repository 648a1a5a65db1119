"""What an error of a provider means: its kind, whether to try again, and when."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from choragus.agents.errors import ModelError
from choragus.agents.provider.fault import in_stream, of_status, retry_after

NOW = 1_800_000_000.0


def status(code: int, message: str = "", type: str = "", **headers: str) -> ModelError:
    """What an answer with that status means."""
    return of_status("test", code, headers, {"error": {"message": message, "type": type}}, NOW)


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        (400, "request", False),
        (401, "authentication", False),
        (403, "authentication", False),
        (404, "request", False),
        (408, "timeout", True),
        (409, "server", True),
        (413, "context_length", False),
        (422, "request", False),
        (429, "rate_limit", True),
        (500, "server", True),
        (501, "server", False),
        (502, "server", True),
        (503, "overloaded", True),
        (504, "timeout", True),
        (529, "overloaded", True),
    ],
)
def test_a_status_has_its_kind(code: int, kind: str, retryable: bool) -> None:
    error = status(code)

    assert (error.kind, error.retryable) == (kind, retryable)
    assert str(code) in str(error)


@pytest.mark.parametrize(
    ("code", "body", "kind", "retryable"),
    [
        (429, {"error": {"code": "insufficient_quota", "message": "Pay."}}, "rate_limit", False),
        (400, {"error": {"code": "context_length_exceeded", "type": "invalid_request_error"}}, "context_length", False),
        (400, {"type": "error", "error": {"message": "prompt is too long: 9 > 8"}}, "context_length", False),
        (400, {"message": "This model's maximum context length is 8 tokens"}, "context_length", False),
        (400, {"error": "no such thing"}, "request", False),
        (400, {"error": {"type": "authentication_error"}}, "authentication", False),
        (400, {"error": {"type": "invalid_request_error", "code": "tool_use_failed"}}, "malformed", True),
        (500, {"error": {"type": "invalid_request_error"}}, "server", True),
        (500, "<!DOCTYPE html><html><head><title>502 Bad Gateway</title>", "server", True),
        (500, b"\xff\xfe", "server", True),
        (500, None, "server", True),
        (500, [1, 2], "server", True),
        (529, {"type": "error", "error": {"type": "overloaded_error"}}, "overloaded", True),
    ],
)
def test_the_body_says_more_than_the_status(code: int, body: object, kind: str, retryable: bool) -> None:
    error = of_status("test", code, {}, body, NOW)

    assert (error.kind, error.retryable) == (kind, retryable)


def test_an_html_page_is_named_and_not_repeated() -> None:
    error = of_status("test", 502, {}, "<html><head><title>Bad Gateway</title></head><body>cloud</body>", NOW)

    assert str(error) == "test answered with status 502: the body is an HTML page ('Bad Gateway')"


def test_a_provider_may_say_itself_whether_to_try_again() -> None:
    assert not status(500, **{"x-should-retry": "false"}).retryable
    assert status(400, **{"X-Should-Retry": "true"}).retryable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": formatdate(NOW + 90, usegmt=True)}, 90.0),
        ({"retry-after": formatdate(NOW - 90, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": f"Thu, 01 Jan {'9' * 20} 00:00:00 GMT"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
    ],
)
def test_the_wait_that_a_provider_asks_for_is_read_in_each_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


def test_an_error_within_a_stream_has_the_kind_of_its_word() -> None:
    error = in_stream("test", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})

    assert (error.kind, error.retryable) == ("overloaded", True)
    assert in_stream("test", {"error": {"code": "rate_limit_exceeded"}}).kind == "rate_limit"
    assert in_stream("test", {"message": "?"}).kind == "server"
