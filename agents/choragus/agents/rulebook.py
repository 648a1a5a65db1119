"""Standing rules: a person's approval of the same call, with the same arguments, from now on. One book for a file.

The book is a durable actor. A use is counted in the turn that gives the rule's word, and the one who asked gets that
word with that turn, so a rule that may be used three times is used three times, whenever the process dies.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import msgspec

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.message import Request
from choragus.mailbox.codec import stored
from choragus.mailbox.store import Store

from .sender import from_outside

RULEBOOK = "choragus.rulebook"
MAIN = "main"
"""The key of the one book."""


@stored("choragus.rule")
@attrs.frozen(kw_only=True)
class Rule:
    """Calls of the tool with exactly these arguments run without a question.

    Args:
        by: whose word that is; `identity` is how it was established.
        expires: seconds since the epoch; None: never, and then `uses` bounds it.
        uses: how often it may still be used; None: as often as it comes.
        agent: whose calls; empty: those of every agent.
    """

    id: str
    tool: str
    arguments: dict[str, object]
    by: str
    added: float
    expires: float | None = None
    uses: int | None = None
    agent: str = ""
    identity: dict[str, str] = attrs.field(factory=dict)

    def covers(self, asked: UseRule, now: float) -> bool:
        """Whether the rule's author may decide about that call, and has."""
        return (
            (self.tool, exact(self.arguments)) == (asked.tool, exact(asked.arguments))
            and self.agent in ("", asked.agent)
            and (self.expires is None or now < self.expires)
            and (not asked.approvers or self.by in asked.approvers)
        )


@stored("choragus.add_rule")
@attrs.frozen
class AddRule(Request[str]):
    """Add the rule; one of the same id is there already then. The reply is why not, or empty."""

    rule: Rule


@stored("choragus.revoke_rule")
@attrs.frozen
class RevokeRule(Request[str]):
    """Take a rule back. The reply is why not, or empty."""

    id: str
    by: str


@stored("choragus.use_rule")
@attrs.frozen(kw_only=True)
class UseRule(Request["RuleUsed"]):
    """Does a rule cover this call? Then it is used once."""

    run: str
    call: str
    agent: str
    tool: str
    arguments: dict[str, object]
    approvers: tuple[str, ...] = ()


@stored("choragus.rule_used")
@attrs.frozen
class RuleUsed:
    """The rule that covers the call and whose word that is, or nothing; `left` says how often it may still be used."""

    rule: str = ""
    by: str = ""
    left: int | None = None


@stored("choragus.rulebook_state")
@attrs.define
class RulebookState:
    """The rules that hold, by their ids."""

    rules: dict[str, Rule] = attrs.field(factory=dict)


class Rulebook(DurableActor[RulebookState, AddRule | RevokeRule | UseRule], name=RULEBOOK):
    """Keeps the standing rules. Only people write into it: through the runtime, or the command line."""

    @handle
    def add(self, message: AddRule) -> str:
        """A rule holds from now on."""
        rule = message.rule
        if not from_outside(self._turn.sender):
            self.log("rule.refused", rule=rule.id, by=rule.by, sender=self._turn.sender)
            return f"{self._turn.sender} is an actor, and only people make rules"
        if rule.id not in self.state.rules:
            self._put(rule)
            self.log("rule.added", rule=rule.id, **{k: v for k, v in attrs.asdict(rule).items() if k != "id"})
        return ""

    @handle
    def revoke(self, message: RevokeRule) -> str:
        """A rule holds no longer."""
        rule = self.state.rules.get(message.id)
        if rule is None or not from_outside(self._turn.sender):
            return f"there is no rule {message.id!r}: see `choragus rules`"
        self._drop(rule)
        self.log("rule.revoked", rule=rule.id, by=message.by)
        return ""

    @handle
    def use(self, message: UseRule) -> RuleUsed:
        """Count a use of the first rule that covers the call. What has run out is taken away."""
        for rule in [one for one in self.state.rules.values() if one.expires is not None and one.expires <= self.now]:
            self._drop(rule)
            self.log("rule.expired", rule=rule.id)
        found = next((one for one in self.state.rules.values() if one.covers(message, self.now)), None)
        if found is None:
            return RuleUsed()
        left = None if found.uses is None else found.uses - 1
        if left == 0:
            self._drop(found)
        elif left is not None:
            self._put(attrs.evolve(found, uses=left))
        self.log("rule.used", rule=found.id, run=message.run, call=message.call, left=left)
        return RuleUsed(found.id, found.by, left)

    def _put(self, rule: Rule) -> None:
        self.state.rules[rule.id] = rule
        self.view("rule", rule.id, attrs.asdict(rule), scope=rule.tool, sort=rule.added)

    def _drop(self, rule: Rule) -> None:
        del self.state.rules[rule.id]
        self.view("rule", rule.id, None)


def exact(arguments: Mapping[str, object]) -> bytes:
    """Arguments as canonical JSON."""
    return msgspec.json.encode(arguments, order="sorted")


async def rules(store: Store, tool: str | None = None) -> list[Rule]:
    """The rules that hold, oldest first; those that have expired too, until somebody asks for them."""
    return [msgspec.json.decode(view.body or b"", type=Rule) for view in await store.views("rule", tool)]
