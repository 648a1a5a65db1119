"""Cases without secrets and personal data, by the same detectors as the guardrail's `RedactionPolicy`."""

from __future__ import annotations

from collections.abc import Iterable

from choragus.agents.policy.redacted import KINDS, SECRETS, known, redact

OPEN = ("inputs", "expected_output", "metadata")
"""The fields of a case in which there is foreign text."""

PLAIN = frozenset({"agent", "status", "manifest", "parent", "call", "tool"})
"""What of the metadata the runtime wrote: ids and hashes that a detector might take for something else."""


class Redaction:
    """Takes out of a case what must not be shown; each kind is replaced by a placeholder that names it.

    >>> Redaction(["email"]).case({"inputs": "Write to ada@example.org."})
    {'inputs': 'Write to [redacted:email].'}

    Args:
        kinds: what to look for, as in `choragus.agents.redact`; all of it by default.

    Raises:
        AgentFault: when a kind is unknown.
    """

    def __init__(self, kinds: Iterable[str] = KINDS) -> None:
        self._kinds = known(kinds)

    def case(self, case: dict[str, object]) -> dict[str, object]:
        """The case without it."""
        return {name: self._clean(value) if name in OPEN else value for name, value in case.items()}

    def _clean(self, value: object) -> object:
        if isinstance(value, str):
            return redact(value, self._kinds).text
        if isinstance(value, dict):
            return {self._text(name): self._named(str(name), each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._clean(each) for each in value]
        return value

    def _text(self, name: object) -> str:
        return redact(str(name), self._kinds).text

    def _named(self, name: str, value: object) -> object:
        if name in PLAIN:
            return value
        cleaned = self._clean(value)
        if isinstance(value, str) and cleaned == value:
            # As a pair: a password says nothing by its looks, and all by its name.
            kinds = redact(f"{name}={value}", self._kinds & SECRETS).kinds
            return f"[redacted:{kinds[0]}]" if kinds else value
        return cleaned
