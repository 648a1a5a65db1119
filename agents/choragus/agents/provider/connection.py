"""A provider's SDK and its client: imported off the event loop, one client for each loop, closed when nobody calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast
from urllib.parse import urlsplit

from attrs import define, field, frozen

from choragus.agents.errors import SecretFault

from .wire import Body


class Answer(Protocol):
    """What the SDK gives back before it has read the body."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the answer, found by names in any case."""

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """The body as it comes."""


@frozen(kw_only=True)
class SdkErrors:
    """What the SDK and the HTTP client below it raise."""

    status: type[Exception]
    timeout: tuple[type[Exception], ...]
    transport: tuple[type[Exception], ...]
    base: type[Exception]


class Client(Protocol):
    """A client of ours, or the user's."""

    async def close(self) -> None:
        """Give its connections back."""


class Sdk(Protocol):
    """Our module around an SDK: the only one that imports it."""

    ERRORS: SdkErrors

    def connect(self, api_key: str, base_url: str | None, timeout: float) -> Client:
        """A client that does not retry."""

    def tamed(self, client: object) -> Client:
        """The user's client, without retries.

        Raises:
            TypeError: it is none.
        """

    def open(self, interface: str, client: Client, body: Body, stream: bool) -> AbstractAsyncContextManager[Answer]:
        """Send a request."""

    def headers_of(self, error: Exception) -> Mapping[str, str]:
        """Those of the answer that a status error is about."""


@frozen(kw_only=True)
class Access:
    """Where the provider is and who asks; a key is never shown."""

    api_key: str = field(repr=False)
    base_url: str | None = field(repr=False)
    timeout: float

    @property
    def host(self) -> str:
        """The host of the base URL, if there is one."""
        return urlsplit(self.base_url).hostname or "" if self.base_url else ""

    @property
    def place(self) -> str:
        """The base URL without what may be secret in it."""
        if not self.base_url:
            return ""
        parts = urlsplit(self.base_url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def access(
    model: str, environ: Mapping[str, str], prefix: str, api_key: str | None, base_url: str | None, timeout: float
) -> Access:
    """Where the provider is and who asks: what was given, else PREFIX_API_KEY and PREFIX_BASE_URL.

    A base URL of the code's own gets no key of the environment, which is meant for another: there a missing key is
    none at all.

    Raises:
        SecretFault: there is no key.
        ValueError: the key cannot be sent, or the base URL is none.
    """
    variable = f"{prefix}_API_KEY"
    key = (api_key if api_key is not None else "" if base_url else environ.get(variable, "")).strip()
    base_url = base_url or environ.get(f"{prefix}_BASE_URL") or None
    if base_url is not None:
        _check_url(model, base_url)
    if not key.isascii() or not key.isprintable():
        raise ValueError(f"the API key of model {model!r} holds characters that no HTTP header carries")
    if not key and not base_url:
        raise SecretFault(variable, f"model {model!r} has no API key: set {variable}, or pass api_key= or client=")
    return Access(api_key=key, base_url=base_url, timeout=timeout)


def _check_url(model: str, base_url: str) -> None:
    """Refuse what is no address; what is told of it leaves out what may be secret."""
    try:
        parts = urlsplit(base_url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or not base_url.isprintable():
        shown = base_url.partition("?")[0].rpartition("@")[2]
        raise ValueError(
            f"base_url={shown!r:.200} of model {model!r} is no address: give one as https://llm.example/v1"
        )


def check_extra(module: str, extra: str) -> None:
    """Refuse to go on without an extra.

    Raises:
        ImportError: with what to install.
    """
    if find_spec(module) is None:
        raise ImportError(f"this model needs the package {module!r}: pip install 'choragus[{extra}]'", name=module)


def loop_runs() -> bool:
    """Whether this thread is in an event loop, which must not stand still for an import of seconds."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@define(eq=False)
class _Held:
    """A client of ours; after `release` the last call that is made with it closes it."""

    client: Client
    calls: int = 0
    leaves: bool = False

    async def close_if_idle(self) -> None:
        if self.leaves and not self.calls:
            await self.client.close()


class Connection:
    """The way to a provider.

    Args:
        module: our module around the SDK; it is imported here and now unless an event loop runs, else in a thread
            before the first call.
        where: for a client of ours.
        client: the user's own client, which is not closed here.
    """

    def __init__(self, module: str, where: Access | None, client: object = None) -> None:
        self._module = module
        self._where = where
        self._given = client
        self._sdk: Sdk | None = None
        self._held: dict[asyncio.AbstractEventLoop, _Held] = {}
        if not loop_runs():
            self._load()

    async def ready(self) -> Sdk:
        """The SDK, imported without holding up the event loop."""
        if self._sdk is not None:
            return self._sdk
        return await asyncio.to_thread(self._load)

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Client]:
        """A client for one call."""
        held = await self._client(await self.ready())
        held.calls += 1
        try:
            yield held.client
        finally:
            held.calls -= 1
            await held.close_if_idle()

    async def release(self) -> None:
        """Close this loop's client of ours, as soon as no call is under way; a later call makes another."""
        held = self._held.pop(asyncio.get_running_loop(), None)
        if held is not None and self._given is None:
            held.leaves = True
            await held.close_if_idle()

    def _load(self) -> Sdk:
        # By its name, so that importing choragus.agents does not import the SDK: up to 3 s.
        sdk = cast(Sdk, import_module(self._module))
        if self._given is not None:
            self._given = sdk.tamed(self._given)
        self._sdk = sdk
        return sdk

    async def _client(self, sdk: Sdk) -> _Held:
        loop = asyncio.get_running_loop()
        if loop not in self._held:
            self._held = {each: held for each, held in self._held.items() if not each.is_closed()}
            if self._where is None:
                made = cast(Client, self._given)
            else:
                # In a thread: it reads the certificates that it trusts.
                made = await asyncio.to_thread(
                    sdk.connect, self._where.api_key, self._where.base_url, self._where.timeout
                )
            if loop in self._held:  # another call was quicker
                if self._where is not None:
                    await made.close()
            else:
                self._held[loop] = _Held(made)
        return self._held[loop]
