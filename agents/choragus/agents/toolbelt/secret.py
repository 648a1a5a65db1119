"""Secrets by name: given to the tools that declare them, and taken out of all that tools give back."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import quote, quote_plus

from choragus.agents.errors import SecretFault

Secrets: TypeAlias = "Mapping[str, str | Callable[[], str]] | Callable[[str], str]"
"""Names to values, or to functions that give them; or one function from name to value."""

SHORTEST = 6
"""Characters of a secret; a shorter one could not be told from ordinary text."""


class Vault:
    """The secrets of one runtime. A value is asked for when a tool needs it, and known from then on to be taken out.

    Args:
        source: what `Runtime(secrets=...)` was given.
    """

    def __init__(self, source: Secrets | None = None) -> None:
        if source is not None and not isinstance(source, Mapping) and not callable(source):
            raise SecretFault("*", f"secrets is a {type(source).__name__}: give a mapping of names, or a function")
        self._source = source
        self._known: dict[str, str] = {}
        self._longest_first: list[str] = []

    def __repr__(self) -> str:
        return f"<Vault of {len(set(self._known.values()))} secrets>"

    def check(self, names: Iterable[str]) -> None:
        """Find the secrets that tools have declared, so that they are taken out from the beginning.

        Raises:
            SecretFault: when one is missing or too short, or cannot be had.
        """
        for name in names:
            self.value(name)

    def value(self, name: str) -> str:
        """The secret's value now.

        Raises:
            SecretFault: when there is none of that name, it is no text, or it is too short.
        """
        value = self._found(name)
        if not isinstance(value, str):
            raise SecretFault(name, f"it is a {type(value).__name__}: give text")
        if len(value) < SHORTEST:
            raise SecretFault(name, f"it has {len(value)} characters, and {SHORTEST} are the least: give a longer one")
        if value not in self._known:
            self._known |= dict.fromkeys(_forms(value), name)
            self._longest_first = sorted(self._known, key=len, reverse=True)
        return value

    @property
    def forms(self) -> Sequence[str]:
        """All that is taken out, the longest first."""
        return self._longest_first

    def scrubbed(self, text: str) -> str:
        """The text without the secrets that were asked for so far, plain, quoted, or in base64, URL or hexadecimal."""
        for form in self._longest_first:
            text = text.replace(form, f"[secret {self._known[form]}]")
        return text

    def without(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The variables of an environment that hold none of these secrets."""
        return {name: value for name, value in environment.items() if self.scrubbed(value) == value}

    def _found(self, name: str) -> object:
        source = self._source
        try:
            if source is None:
                raise LookupError
            given = source[name] if isinstance(source, Mapping) else source(name)
            return given() if callable(given) else given
        except Exception:  # its text, or what it came from, may hold the value
            raise SecretFault(name, "it cannot be had: give it in Runtime(secrets={...})") from None


def _forms(value: str) -> set[str]:
    """How a value may be written in a text, itself among them."""
    raw = value.encode("utf-8", "surrogatepass")
    quoted = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    quoted |= {json.dumps(one)[1:-1] for one in quoted}
    for escaped in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        quoted |= {escaped, _lower(escaped)}
    coded = {raw.hex(), raw.hex().upper()}
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            coded.add(_core(encode, raw, offset))
    return {value, *quoted, *(one for one in coded if len(one) >= SHORTEST)}


def _core(encode: Callable[[bytes], bytes], raw: bytes, offset: int) -> str:
    """What of the base64 does not depend on what stands before and behind, when `offset` bytes stand before."""
    text = encode(b"\0" * offset + raw).decode().rstrip("=")
    whole = (offset + len(raw)) * 8 // 6
    return text[-(-offset * 8 // 6) : whole]


def _lower(escaped: str) -> str:
    parts = escaped.split("%")
    return "%".join([parts[0], *(one[:2].lower() + one[2:] for one in parts[1:])])
