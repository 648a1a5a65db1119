"""The one module that imports the Anthropic SDK: it is loaded by its name, when a model of that provider is made."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import cast

import anthropic
from anthropic.resources.messages import AsyncMessages

from .connection import Answer, Client, SdkErrors
from .http_client import TIMEOUTS, TRANSPORT, client_options, patience
from .wire import Body

NO_KEY = "none"
"""Sent where an endpoint wants no key: the SDK does not do without."""

ERRORS = SdkErrors(
    status=anthropic.APIStatusError,
    timeout=(anthropic.APITimeoutError, *TIMEOUTS),
    transport=(anthropic.APIConnectionError, *TRANSPORT),
    base=anthropic.AnthropicError,
)

# This is what the client finds at its attribute; the SDK imports it when it is first asked for.
INTERFACES = (AsyncMessages,)


def connect(api_key: str, base_url: str | None, timeout: float) -> Client:
    """See `Sdk.connect`."""
    http_client = anthropic.DefaultAsyncHttpxClient(**client_options())
    return anthropic.AsyncAnthropic(
        api_key=api_key or NO_KEY,
        base_url=base_url,
        timeout=patience(timeout),
        max_retries=0,
        http_client=http_client,
    )


def tamed(client: object) -> Client:
    """See `Sdk.tamed`. Also the provider's clients for other clouds, which have the same messages."""
    messages = getattr(client, "messages", None)
    if not isinstance(messages, AsyncMessages):
        raise TypeError(f"client={type(client).__name__} is no anthropic.AsyncAnthropic: pass an asynchronous client")
    return cast(anthropic.AsyncAnthropic, client).with_options(max_retries=0)


def open(interface: str, client: Client, body: Body, stream: bool) -> AbstractAsyncContextManager[Answer]:
    """See `Sdk.open`. The timeout is named, for without one the SDK refuses long answers that are not streamed."""
    rest = dict(body)
    known = cast(anthropic.AsyncAnthropic, client)
    return cast(
        "AbstractAsyncContextManager[Answer]",
        known.messages.with_streaming_response.create(  # type: ignore[call-overload]  # JSON, not the SDK's types
            model=rest.pop("model"),
            max_tokens=rest.pop("max_tokens"),
            messages=rest.pop("messages"),
            stream=stream,
            timeout=known.timeout,
            extra_body=rest,
        ),
    )


def headers_of(error: Exception) -> Mapping[str, str]:
    """See `Sdk.headers_of`."""
    return dict(error.response.headers) if isinstance(error, anthropic.APIStatusError) else {}
