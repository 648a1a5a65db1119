"""What needs a person, as one kind of thing: approvals, questions, unknown outcomes, poisoned messages, held runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import attrs

from choragus.mailbox.address import key_of
from choragus.mailbox.codec import stored
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Parked

from .approval import Approval
from .holding import HeldRun
from .inspection import approvals, unknowns
from .mcp.standing import Standing, standings

HERALD = "choragus.herald"
MAIN = "main"
"""The key of the one herald."""


@stored("choragus.attention")
@attrs.frozen(kw_only=True)
class Attention:
    """Something that goes on only when a person does something about it.

    It says that there is something and where, and never what stands in it: arguments and texts are for those who look
    at the approval itself. `id` is the same each time it is told of.

    Args:
        kind: that of the approval ("call", "checkpoint", "question", "escalation", ...), "unknown" (the outcome of a
            call), "tools" (an MCP server offers what nobody has accepted), "parked" (a message that its receiver fails
            on for good), "suspended" (an actor that cannot be loaded), "held" (a run whose agent is missing or has
            changed).
        what: what is to be done, in a line.
        at: since when, in seconds since the epoch; `due` is by when (0.0: no end).
        approval: the id of the approval, if it is one.
    """

    id: str
    kind: str
    what: str
    at: float
    run: str = ""
    agent: str = ""
    call: str = ""
    tool: str = ""
    approval: str = ""
    due: float = 0.0


@stored("choragus.raise_attention")
@attrs.frozen
class Raise:
    """Tell people of these, each once if it goes well; those that were told of are not told again.

    `is_all`: nothing else needs anybody now.
    """

    items: tuple[Attention, ...]
    is_all: bool = False


@stored("choragus.attention_over")
@attrs.frozen
class Over:
    """That needs nobody any longer; if it comes again, it is told again."""

    id: str


def of_approval(one: Approval) -> Attention:
    """That of something that waits for a decision; another when it is escalated."""
    return Attention(
        id=f"{one.run}/{one.call}.{one.level}",
        kind=one.kind,
        what=f"{one.tool or one.call} waits for {_whom(one)}: decide with `choragus approve` or `deny`",
        at=one.asked,
        run=one.run,
        agent=one.agent,
        call=one.call,
        tool=one.tool,
        approval=one.id,
        due=one.due,
    )


def of_unknown(run: str, call: str, tool: str, at: float) -> Attention:
    """That of a call whose outcome nobody knows."""
    what = f"{tool} was cut off: find out what it did, and say so with `choragus settle`"
    return Attention(id=unknown_id(run, call), kind="unknown", what=what, at=at, run=run, call=call, tool=tool)


def unknown_id(run: str, call: str) -> str:
    """The id of what `of_unknown` gives."""
    return f"{run}/{call}.unknown"


async def waiting(store: Store, held: Iterable[HeldRun] = (), at: float = 0.0) -> list[Attention]:
    """All that needs a person, as far as it stands in the file; `at` is since when runs are held."""
    found = [of_approval(one) for one in await approvals(store)]
    found += [of_unknown(one.run, one.call, one.tool, at) for one in await unknowns(store)]
    found += [_of_parked(one) for one in await store.parked()]
    found += [of_server(one) for one in (await standings(store)).values() if one.waiting]
    return found + [_of_held(one, at) for one in held]


def of_server(one: Standing) -> Attention:
    """That of a server whose tools are not what was accepted; another whenever it offers something else."""
    named = ", ".join(one.waiting[:5]) + (", ..." if len(one.waiting) > 5 else "")
    what = f"server {one.server} offers what nobody has accepted ({named}): look at it with `choragus accept`"
    return Attention(id=f"mcp/{one.server}.{one.mark}", kind="tools", what=what, at=one.at)


def of_suspended(actor: str, reason: str, at: float) -> Attention:
    """That of an actor that cannot be loaded; another each time the file is opened."""
    what = f"{actor} cannot be loaded and waits for the next opening: {reason}"
    return Attention(id=f"{actor}.suspended.{at:.0f}", kind="suspended", what=what, at=at, run=actor.rpartition("/")[2])


def _whom(one: Approval) -> str:
    who = ", ".join(one.approvers) or "a person"
    return f"{one.quorum} of {who}" if one.quorum > 1 else who


def _of_parked(one: Parked) -> Attention:
    named = f"{one.envelope.receiver}\n{one.envelope.id}".encode(errors="surrogatepass")
    return Attention(
        id=f"{hashlib.sha256(named).hexdigest()[:16]}.parked.{one.at:.3f}",
        kind="parked",
        what=f"{one.envelope.receiver} fails on {one.envelope.record.tag}: mend the cause, then `choragus requeue`",
        at=one.at,
        run=key_of(one.envelope.receiver),
    )


def held_id(run: str) -> str:
    """The id of what is told of a held run."""
    return f"{run}.held"


def _of_held(one: HeldRun, at: float) -> Attention:
    return Attention(id=held_id(one.run), kind="held", what=one.reason, at=at, run=one.run, agent=one.agent)
