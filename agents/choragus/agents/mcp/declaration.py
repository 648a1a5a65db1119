"""A server as it is declared: how it is reached, which of its tools are offered, and what they may do."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urlsplit

from attrs import field, frozen

from choragus.agents.errors import ServerFault
from choragus.agents.flow.declaration import Labels
from choragus.agents.storable import storable
from choragus.agents.toolbelt.definition import Risk
from choragus.agents.toolbelt.options import LARGEST_RESULT, Retry
from choragus.supervision.backoff import Backoff
from choragus.supervision.strategy import OneForOne

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NAME = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")
LONGEST_NAME = 32

RESTARTS = OneForOne(max_restarts=20, within=60.0, backoff=Backoff(first=0.5, most=60.0))
"""How a server is supervised by default: tried again after 0.5, 1, 2, 4 and at last every 60 s, for ever."""

LARGEST_MESSAGE = 4_000_000
"""Bytes of one message of a server, unless it is declared otherwise."""

GUARDED = Labels(guarded=True)
"""What comes back is untrusted, and the arguments leave the house."""


@frozen
class FromVault:
    """A secret by its name, in the environment or the headers of a server; `form` says what stands around it.

    >>> FromVault("github", form="Bearer {}").filled("s3cret-token")
    'Bearer s3cret-token'

    Raises:
        ServerFault: there is no name, or `form` has no place for the value.
    """

    name: str
    form: str = field(default="{}", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ServerFault(f"FromVault({self.name!r}) names no secret: give one of Runtime(secrets={{...}})")
        if not isinstance(self.form, str) or self.form.count("{}") != 1:
            raise ServerFault(f"form={self.form!r} of FromVault({self.name!r}): give a text with one '{{}}' in it")

    def filled(self, value: str) -> str:
        """The form with the value in its place."""
        return self.form.replace("{}", value)


def _as_texts(given: Iterable[str]) -> tuple[str, ...]:
    is_list = isinstance(given, Iterable) and not isinstance(given, str)
    return tuple(given) if is_list else given  # type: ignore[return-value]  # what is no list is refused below


@frozen
class McpServer:
    """A server of the Model Context Protocol whose tools an agent may call, for `Agent(servers=[...])`.

    It is reached in one of three ways: as a process over its standard input and output (`command=`), by streamable
    HTTP (`url=`), or as an object in this process (`server=`, an `MCPServer` of the SDK).

    >>> git = McpServer("git", command=["mcp-server-git"], risks={"git_diff*": "read", "git_status": "read"})
    >>> git.risk("git_diff_staged", {}).value, git.risk("git_commit", {}).value
    ('read', 'irreversible')

    Args:
        name: the tools are called `name__tool`. Letters and digits, single `_` and `-` between them, at most 32.
        command: the program and its arguments.
        env: the variables that the process has beside PATH, HOME, TMPDIR and those of the locale; nothing else is
            inherited. A value is a text, or a secret as FromVault("name").
        cwd: the folder that it starts in.
        url: where a server listens.
        headers: what is sent with each request; values as in `env`.
        auth: an `httpx2.Auth` for each request, for OAuth one of the SDK's providers. Its tokens are not taken out of
            what the server says.
        server: an `MCPServer` or `Server` of the SDK.
        risks: globs of the server's own names for its tools, to "read", "reversible" or "irreversible"; the first that
            matches counts. What none matches is irreversible, so a person is asked before each call.
        trust_annotations: whether what no glob matches goes by the server's own word: its `readOnlyHint` and
            `destructiveHint`.
        allow: globs of the tools that are used at all; others are as if they were not there.
        pin: "first" accepts what the server offers when it is seen for the first time; "strict" accepts nothing before
            `choragus accept`. Either way what is new or has changed later is refused until it is accepted.
        timeout: seconds for one call.
        start_timeout: seconds for a start: until it has said what it offers.
        max_result: bytes of a result that the model is shown; all of it is kept.
        max_message: bytes of one message from the server; a longer one ends its process or connection.
        retries: a Retry: run again what failed and is harmless.
        restarts: how it is supervised. One that ends too often is given up until the file is opened again.
        questions: what it hears when it asks a person something in the middle of a call: "none", that nobody can be
            asked; or "defaults", the defaults of its own form, where each answer that it needs has one.
        labels: what of the results can be trusted; by default nothing, and the arguments are guarded.

    Raises:
        ServerFault: when any of this does not hold.
    """

    name: str
    command: tuple[str, ...] = field(kw_only=True, default=(), converter=_as_texts)
    env: Mapping[str, str | FromVault] = field(kw_only=True, factory=dict)
    cwd: str | None = field(kw_only=True, default=None)
    url: str = field(kw_only=True, default="")
    headers: Mapping[str, str | FromVault] = field(kw_only=True, factory=dict)
    auth: object = field(kw_only=True, default=None, repr=False)
    server: object = field(kw_only=True, default=None, repr=False)
    risks: Mapping[str, Literal["read", "reversible", "irreversible"]] = field(kw_only=True, factory=dict)
    trust_annotations: bool = field(kw_only=True, default=False)
    allow: tuple[str, ...] = field(kw_only=True, default=("*",), converter=_as_texts)
    pin: Literal["first", "strict"] = field(kw_only=True, default="first")
    timeout: float = field(kw_only=True, default=30.0)
    start_timeout: float = field(kw_only=True, default=30.0)
    max_result: int = field(kw_only=True, default=LARGEST_RESULT)
    max_message: int = field(kw_only=True, default=LARGEST_MESSAGE)
    retries: Retry | None = field(kw_only=True, default=None)
    restarts: OneForOne = field(kw_only=True, default=RESTARTS)
    labels: Labels = field(kw_only=True, default=GUARDED)
    questions: Literal["none", "defaults"] = field(kw_only=True, default="none")

    def __attrs_post_init__(self) -> None:
        name = self.name
        if not isinstance(name, str) or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
            raise ServerFault(
                f"{name!r} is no name for a server: give letters and digits with single '_' or '-' between them, at "
                f"most {LONGEST_NAME}"
            )
        self._check_way()
        self._check_texts()
        self._check_numbers()
        self._check_kinds()

    @property
    def is_always_reversible(self) -> bool:
        """Whether none of its tools can be irreversible."""
        return (
            Risk.IRREVERSIBLE.value not in self.risks.values()
            and not self.trust_annotations
            and all(glob in self.risks or "*" in self.risks for glob in self.allow)
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that it needs."""
        values = (*self.env.values(), *self.headers.values())
        return tuple(dict.fromkeys(one.name for one in values if isinstance(one, FromVault)))

    @property
    def way(self) -> str:
        """How it is reached, for people: its program, the host of its address, or nothing of both."""
        return self.command[0] if self.command else self.url.partition("?")[0] if self.url else "in this process"

    def allows(self, tool: str) -> bool:
        """Whether that tool of the server's is used at all."""
        return any(fnmatchcase(tool, glob) for glob in self.allow)

    def risk(self, tool: str, annotations: Mapping[str, object]) -> Risk:
        """The risk class of that tool of the server's."""
        for glob, risk in self.risks.items():
            if fnmatchcase(tool, glob):
                return Risk(risk)
        if self.trust_annotations and annotations.get("readOnlyHint") is True:
            return Risk.READ
        if self.trust_annotations and annotations.get("destructiveHint") is False:
            return Risk.REVERSIBLE
        return Risk.IRREVERSIBLE

    def is_idempotent(self, annotations: Mapping[str, object]) -> bool:
        """Whether a second call of the same arguments does nothing, by the server's word where that is trusted."""
        return self.trust_annotations and annotations.get("idempotentHint") is True

    def _check_way(self) -> None:
        ways = [self.command != (), self.url != "", self.server is not None]
        if sum(ways) != 1:
            raise self._fault("is reached in one way: give one of command=[...], url= and server=")
        if not isinstance(self.command, tuple) or not all(map(_is_argument, self.command)):
            raise self._fault(f"has command={self.command!r}: give a list of texts, as ['mcp-server-git', '-v']")
        if self.url and not _is_url(self.url):
            raise self._fault(f"has url={self.url!r}: give one that begins with http:// or https://, and has a host")
        if (self.env or self.cwd is not None) and not self.command:
            raise self._fault("has env= or cwd=, which only a process has: give command= with them")
        if self.cwd is not None and not (isinstance(self.cwd, str | os.PathLike) and _is_argument(os.fspath(self.cwd))):
            raise self._fault(f"has cwd={self.cwd!r}: give the path of a folder")
        if (self.headers or self.auth is not None) and not self.url:
            raise self._fault("has headers= or auth=, which only go with url=")

    def _check_texts(self) -> None:
        for which in ("env", "headers"):
            given = getattr(self, which)
            if not isinstance(given, Mapping):
                raise self._fault(f"has {which}={given!r}: give a mapping of names to texts")
            for name, value in given.items():
                if not isinstance(name, str) or not isinstance(value, str | FromVault):
                    raise self._fault(f"has {which}[{name!r}] of a wrong type: give a text, or FromVault('name')")
                if not _can_be_given(which, name, value.form if isinstance(value, FromVault) else value):
                    raise self._fault(f"has {which}[{name!r}] with characters that cannot be given: leave them out")
        if not isinstance(self.allow, tuple) or not all(isinstance(one, str) for one in self.allow):
            raise self._fault(f"has allow={self.allow!r}: give a list of globs, as ['read_*']")
        known = [each.value for each in Risk]
        if not isinstance(self.risks, Mapping) or not all(isinstance(glob, str) for glob in self.risks):
            raise self._fault(f"has risks={self.risks!r}: give a mapping of globs to one of {', '.join(known)}")
        for glob, risk in self.risks.items():
            if risk not in known:
                raise self._fault(f"has risks[{glob!r}] = {risk!r}: choose from {', '.join(known)}")

    def _check_numbers(self) -> None:
        for which in ("timeout", "start_timeout"):
            value = getattr(self, which)
            if isinstance(value, bool) or not (isinstance(value, int | float) and 0 < value < math.inf):
                raise self._fault(f"has {which}={value!r}: give seconds, above 0 and finite")
        for which in ("max_result", "max_message"):
            value = getattr(self, which)
            if type(value) is not int or value < 1:
                raise self._fault(f"has {which}={value!r}: give a whole number of bytes above 0")

    def _check_kinds(self) -> None:
        if not isinstance(self.trust_annotations, bool):  # "no" would be taken as a yes
            raise self._fault(f"has trust_annotations={self.trust_annotations!r}: give True or False")
        if self.pin not in ("first", "strict"):
            raise self._fault(f"has pin={self.pin!r}: give 'first' or 'strict'")
        if self.questions not in ("none", "defaults"):
            raise self._fault(f"has questions={self.questions!r}: give 'none' or 'defaults'")
        for which, kind in (("retries", Retry | None), ("restarts", OneForOne), ("labels", Labels)):
            if not isinstance(getattr(self, which), kind):
                raise self._fault(f"has {which}={getattr(self, which)!r}: give {which.capitalize()}, see McpServer")

    def _fault(self, text: str) -> ServerFault:
        return ServerFault(f"server {self.name!r} {text}")


def _is_argument(value: object) -> bool:
    """Whether a process can be given it."""
    return isinstance(value, str) and value != "" and "\0" not in value and storable(value) == value


def _is_url(value: object) -> bool:
    try:
        parts = urlsplit(str(value))
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return isinstance(value, str) and value.isprintable() and parts.scheme in ("http", "https") and has_place


def _can_be_given(which: str, name: str, value: str) -> bool:
    if which == "env":
        return _is_argument(name) and "=" not in name and "\0" not in value and storable(value) == value
    return _HEADER.fullmatch(name) is not None and value.isascii() and (value.isprintable() or not value)
