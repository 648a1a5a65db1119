"""Shared ledgers: what all runs of a tenant may spend together, in a day or for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

import attrs
import msgspec

from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.store import Store

from .errors import AgentFault, LimitFault
from .limits import Limits

LEDGER = "choragus.ledger"

Per = Literal["day", "month", "ever"]

_SPAN: dict[Per, str] = {"day": "%Y-%m-%d", "month": "%Y-%m", "ever": "ever"}


def _check_name(ledger: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value or "/" in value:
        raise LimitFault(f"Ledger({value!r}) has no name: give text without a slash, such as the tenant's")


def _check_per(ledger: object, attribute: attrs.Attribute[Per], value: object) -> None:
    if value not in _SPAN:
        raise LimitFault(f"Ledger(per={value!r}) is no time: give one of {', '.join(map(repr, _SPAN))}")


@attrs.frozen
class Ledger:
    """An account that many runs draw on: `Runtime(ledgers=[Ledger("acme", cost_usd=100, per="day")])`.

    It is kept in the file, by day or month in UTC. A reservation counts on the day on which it was made.

    Args:
        name: by which `Runtime.start(..., ledgers=("acme",))` draws on it; text without a slash.
        cost_usd: what may be spent in the time; None is no limit.
        tokens: the same for input and output tokens together.
        per: "day" (the default), "month" or "ever".

    Raises:
        LimitFault: for a name, a limit or a time that is none, or without any limit.
    """

    name: str = attrs.field(validator=_check_name)
    cost_usd: float | None = attrs.field(default=None, kw_only=True)
    tokens: int | None = attrs.field(default=None, kw_only=True)
    per: Per = attrs.field(default="day", kw_only=True, validator=_check_per)

    def __attrs_post_init__(self) -> None:
        if self.cost_usd is None and self.tokens is None:
            raise LimitFault(f"Ledger({self.name!r}) limits nothing: give cost_usd= or tokens=")
        _ = self.limits

    @property
    def limits(self) -> Limits:
        """The two ceilings, and no other."""
        return Limits(
            cost_usd=self.cost_usd,
            tokens=self.tokens,
            steps=None,
            active_seconds=None,
            tool_calls=None,
            bad_calls=None,
            depth=None,
            parallel=None,
        )


@attrs.frozen(kw_only=True)
class LedgerSummary:
    """What is spent and set aside in a ledger; `period` is the day or month in UTC, or "ever"."""

    name: str
    period: str
    cost_usd: float
    tokens: int
    reserved_usd: float
    reserved_tokens: int
    limit_usd: float | None = None
    limit_tokens: int | None = None
    waiting: int = 0


def account(name: str, ledger: Ledger | None, now: float) -> ActorId:
    """The address of a ledger's account for the time in which `now` is."""
    span = _SPAN[ledger.per] if ledger is not None else "ever"
    return actor_id(LEDGER, f"{name}/{datetime.fromtimestamp(now, UTC).strftime(span)}")


def ledgers_by_name(given: Iterable[Ledger]) -> dict[str, Ledger]:
    """The runtime's ledgers.

    Raises:
        AgentFault: when one is none, or two share a name.
    """
    found: dict[str, Ledger] = {}
    for one in given:
        if not isinstance(one, Ledger):
            raise AgentFault(f"{one!r} is no Ledger: pass Runtime(ledgers=[Ledger('acme', cost_usd=100)])")
        if one.name in found:
            raise AgentFault(f"two ledgers are named {one.name!r}: rename one")
        found[one.name] = one
    return found


def check_ledgers(names: Iterable[str], known: Mapping[str, Ledger], parent: object) -> tuple[str, ...]:
    """The names of those that a run draws on, each once.

    Raises:
        AgentFault: when one is not there, or the run is a sub-run, which draws on its parent's.
    """
    if isinstance(names, str):
        raise AgentFault(f"ledgers={names!r} is a text: give a list of names, such as [{names!r}]")
    asked = tuple(dict.fromkeys(names))
    if asked and parent is not None:
        raise AgentFault(f"ledgers={asked!r} of a sub-run: it draws on those of the run above it, leave them out")
    for name in asked:
        if name not in known:
            there = ", ".join(known) or "none"
            raise AgentFault(
                f"no ledger {name!r} in this runtime (there are: {there}): pass it in Runtime(ledgers=[...])"
            )
    return asked


async def ledgers(store: Store) -> list[LedgerSummary]:
    """Every account of the file, by name and time."""
    rows: list[Mapping[str, object]] = [msgspec.json.decode(view.body or b"{}") for view in await store.views("ledger")]
    found = [msgspec.convert(row, LedgerSummary) for row in rows]
    return sorted(found, key=lambda one: (one.name, one.period))
