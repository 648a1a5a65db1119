"""The one module that imports the OpenAI SDK: it is loaded by its name, when a model of that provider is made."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import cast

import openai
from openai.resources.chat.completions import AsyncCompletions
from openai.resources.responses import AsyncResponses

from .connection import Answer, Client, SdkErrors
from .http_client import TIMEOUTS, TRANSPORT, client_options, patience
from .wire import Body

NO_KEY = "none"
"""Sent where an endpoint wants no key: the SDK does not do without."""

ERRORS = SdkErrors(
    status=openai.APIStatusError,
    timeout=(openai.APITimeoutError, *TIMEOUTS),
    transport=(openai.APIConnectionError, *TRANSPORT),
    base=openai.OpenAIError,
)

# These are what the client finds at its attributes; the SDK imports them when they are first asked for.
INTERFACES = (AsyncCompletions, AsyncResponses)


def connect(api_key: str, base_url: str | None, timeout: float) -> Client:
    """See `Sdk.connect`."""
    http_client = openai.DefaultAsyncHttpxClient(**client_options())
    return openai.AsyncOpenAI(
        api_key=api_key or NO_KEY,
        base_url=base_url,
        timeout=patience(timeout),
        max_retries=0,
        http_client=http_client,
    )


def tamed(client: object) -> Client:
    """See `Sdk.tamed`."""
    if not isinstance(client, openai.AsyncOpenAI):
        raise TypeError(f"client={type(client).__name__} is no openai.AsyncOpenAI: pass an asynchronous client")
    return client.with_options(max_retries=0)


def open(interface: str, client: Client, body: Body, stream: bool) -> AbstractAsyncContextManager[Answer]:
    """See `Sdk.open`. All of the body goes through as it is: which fields there are is our format's matter."""
    assert isinstance(client, openai.AsyncOpenAI)
    rest = dict(body)
    if interface == "chat":
        chat = client.chat.completions.with_streaming_response
        return cast(
            "AbstractAsyncContextManager[Answer]",
            chat.create(  # type: ignore[call-overload]  # JSON, not the SDK's types
                model=rest.pop("model"), messages=rest.pop("messages"), stream=stream, extra_body=rest
            ),
        )
    responses = client.responses.with_streaming_response
    return cast(
        "AbstractAsyncContextManager[Answer]",
        responses.create(  # type: ignore[call-overload]  # the same
            model=rest.pop("model"), input=rest.pop("input"), stream=stream, extra_body=rest
        ),
    )


def headers_of(error: Exception) -> Mapping[str, str]:
    """See `Sdk.headers_of`."""
    return dict(error.response.headers) if isinstance(error, openai.APIStatusError) else {}
