"""Standing rules in the hands of the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import uuid4

import msgspec

from choragus.actors.ref import Ref
from choragus.mailbox.store import Store

from .errors import AgentError
from .rulebook import AddRule, RevokeRule, Rule, rules

FEWEST = "give expires= (seconds since the epoch), uses= (1 or more), or both: a rule has an end"


class Rules:
    """The standing rules of a runtime: calls that a person has approved beforehand, with their exact arguments.

    A rule takes the place of a question that would be asked about the call. What a policy denies or escalates, it does
    not touch; where a policy names approvers, its author has to be one of them.
    """

    def __init__(
        self,
        store: Store,
        book: Callable[[], Ref[AddRule | RevokeRule]],
        now: Callable[[], float],
        fault: Callable[[str, str, Mapping[str, object]], str],
    ) -> None:
        self._store = store
        self._book = book
        self._now = now
        self._fault = fault

    async def add(
        self,
        tool: str,
        arguments: Mapping[str, object],
        *,
        by: str,
        expires: float | None = None,
        uses: int | None = None,
        agent: str = "",
        identity: Mapping[str, str] | None = None,
    ) -> Rule:
        """Let calls of the tool with exactly these arguments run without a question.

        Args:
            arguments: all of them, as the model gives them: one more, one less or another is another call.
            by: whose word that is.
            expires: until when, in seconds since the epoch.
            uses: how often.
            agent: only that agent's calls.

        Raises:
            ValueError: when the rule has no end, or nobody's name, or the tool could never take such arguments.
        """
        if not by.strip():
            raise ValueError(f"by={by!r} names nobody: say whose rule it is")
        if (expires is None and uses is None) or (uses is not None and (type(uses) is not int or uses < 1)):
            raise ValueError(f"expires={expires!r}, uses={uses!r}: {FEWEST}")
        if expires is not None and not expires > self._now():
            raise ValueError(f"expires={expires!r} has passed already: give seconds since the epoch, above now")
        if fault := self._fault(tool, agent, arguments):
            raise ValueError(fault)
        rule = Rule(
            id=uuid4().hex[:8],
            tool=tool,
            arguments=msgspec.json.decode(msgspec.json.encode(dict(arguments))),
            by=by.strip(),
            added=self._now(),
            expires=expires,
            uses=uses,
            agent=agent,
            identity=dict(identity or {"method": "host"}),
        )
        refusal = await self._book().ask(AddRule(rule))
        if refusal:
            raise AgentError(refusal)
        return rule

    async def all(self) -> list[Rule]:
        """The rules that hold, oldest first; `uses` is what is left."""
        return [one for one in await rules(self._store) if one.expires is None or one.expires > self._now()]

    async def revoke(self, id: str, *, by: str) -> None:
        """Take a rule back; a call that it has let through already runs.

        Raises:
            ValueError: when `by` is empty.
            AgentError: when there is no such rule.
        """
        if not by.strip():
            raise ValueError(f"by={by!r} names nobody: say who takes it back")
        refusal = await self._book().ask(RevokeRule(id, by.strip()))
        if refusal:
            raise AgentError(refusal)
