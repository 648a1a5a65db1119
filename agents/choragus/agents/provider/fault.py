"""What a provider's failure means: which kind it is, whether to try again, and when. Pure: nothing here waits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from attrs import frozen

from choragus.agents.errors import ModelError

from .wire import Json, object_of, shown, text_of

_ACCESS = "authentication"
_LENGTH = re.compile(
    r"maximum context length|context window|context[_ ]length|prompt is too long|input is too long|"
    r"too many (input )?tokens|exceeds? the (model's )?context",
    flags=re.IGNORECASE,
)

_WORDS: Mapping[str, tuple[str, bool]] = {
    "rate_limit_error": ("rate_limit", True),
    "rate_limit_exceeded": ("rate_limit", True),
    "insufficient_quota": ("rate_limit", False),
    "contract_spend_limit_reached": ("rate_limit", False),
    "enforced_spend_limit_reached": ("rate_limit", False),
    "billing_error": ("request", False),
    "overloaded_error": ("overloaded", True),
    "api_error": ("server", True),
    "server_error": ("server", True),
    "timeout_error": ("timeout", True),
    "authentication_error": (_ACCESS, False),
    "permission_error": (_ACCESS, False),
    "invalid_api_key": (_ACCESS, False),
    "not_found_error": ("request", False),
    "request_too_large": ("context_length", False),
    "context_length_exceeded": ("context_length", False),
    "tool_use_failed": ("malformed", True),
    "string_above_max_length": ("context_length", False),
    "invalid_request_error": ("request", False),
}
"""What providers call their errors, in `code` or `type`."""

_STATUSES: Mapping[int, tuple[str, bool]] = {
    401: (_ACCESS, False),
    403: (_ACCESS, False),
    408: ("timeout", True),
    409: ("server", True),
    413: ("context_length", False),
    425: ("server", True),
    429: ("rate_limit", True),
    501: ("server", False),
    503: ("overloaded", True),
    504: ("timeout", True),
    505: ("server", False),
    524: ("timeout", True),
    529: ("overloaded", True),
}

_REMEDIES = {
    _ACCESS: "check the key and what it may use",
    "request": "the request is wrong, so do not repeat it",
    "context_length": "send less",
    "rate_limit": "wait, or ask for a higher limit",
}


@frozen
class Said:
    """What the body of an error says."""

    words: tuple[str, ...] = ()
    message: str = ""


def of_status(who: str, status: int, headers: Mapping[str, str], body: object, now: float) -> ModelError:
    """What an answer with an error status means; `now` is seconds since the epoch, `headers` have any case."""
    lower = {name.lower(): value for name, value in headers.items()}
    said = _said(body)
    kind, retryable = _STATUSES.get(status, ("server", True) if status >= 500 else ("request", False))
    if status < 500 or status == 529:
        kind, retryable = _meant(said, kind, retryable)
    if lower.get("x-should-retry") in ("true", "false"):
        retryable = lower["x-should-retry"] == "true"
    return _error(f"{who} answered with status {status}", said, kind, retryable, retry_after(lower, now))


def in_stream(who: str, body: Json) -> ModelError:
    """What an error in the middle of a stream, or in a reply that says it failed, means."""
    said = _said(body)
    kind, retryable = _meant(said, "server", True)
    return _error(f"{who} failed while it answered", said, kind, retryable, None)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that the provider asks to wait; `headers` in lower case.

    >>> retry_after({"retry-after-ms": "1500"}, 0.0), retry_after({"retry-after": "2"}, 0.0), retry_after({}, 0.0)
    (1.5, 2.0, None)
    >>> retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 50.0)
    10.0
    """
    exact = _seconds(headers.get("retry-after-ms", ""))
    if exact is not None:
        return exact / 1000
    given = headers.get("retry-after", "").strip()
    seconds = _seconds(given)
    if seconds is not None or not given:
        return seconds
    try:
        date = parsedate_to_datetime(given)
    except (ValueError, TypeError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.fromtimestamp(now, UTC)).total_seconds())


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", text) else None


def _meant(said: Said, kind: str, retryable: bool) -> tuple[str, bool]:
    for word in said.words:
        if word in _WORDS:
            kind, retryable = _WORDS[word]
            break
    if kind == "request" and _LENGTH.search(said.message):
        return "context_length", False
    return kind, retryable


def _error(what: str, said: Said, kind: str, retryable: bool, wait: float | None) -> ModelError:
    named = f" ({', '.join(said.words)})" if said.words else ""
    remedy = _REMEDIES.get(kind, "")
    told = f": {said.message}" if said.message else ""
    tail = f"; {remedy}" if remedy and not retryable else ""
    return ModelError(f"{what}{named}{told}{tail}", retryable=retryable, kind=kind, retry_after=wait)


def _said(body: object) -> Said:
    if isinstance(body, str | bytes):
        body = _decoded(body)
    if isinstance(body, str):
        return Said((), f"the body is {shown(body)}")
    outer = object_of(body)
    inner = outer.get("error", outer)
    if isinstance(inner, str):
        return Said((), shown(inner))
    error = object_of(inner)
    details = object_of(error.get("details"))
    words = (text_of(details.get("error_code")), text_of(error.get("code")), text_of(error.get("type")))
    message = text_of(error.get("message")) or text_of(outer.get("message")) or text_of(outer.get("detail"))
    return Said(tuple(dict.fromkeys(word[:64] for word in words if word)), " ".join(message.split())[:500])


def _decoded(body: str | bytes) -> object:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value
