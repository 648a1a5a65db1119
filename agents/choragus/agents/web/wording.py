"""How states, times and amounts are told on the page."""

from __future__ import annotations

import time
from datetime import datetime

from choragus.agents.cli.text import duration, moment, money

from .html import Html, h

FINAL = frozenset({"completed", "failed", "cancelled", "limit", "denied"})

STATUSES = ("running", "waiting", "paused", "completed", "failed", "limit", "denied", "cancelled")

_SIGNS = {
    "running": "▸",
    "waiting": "◷",
    "paused": "‖",
    "completed": "✓",
    "failed": "✕",
    "limit": "▲",
    "denied": "⊘",
    "cancelled": "\N{EN DASH}",
    "open": "○",
    "succeeded": "✓",
    "skipped": "\N{EN DASH}",
}


def status(state: str) -> Html:
    """A state as a sign, a colour and a word."""
    known = state if state in _SIGNS else "other"
    sign = h("span", _SIGNS.get(state, "·"), aria_hidden="true", class_="sign")
    return h("span", sign, state, class_=f"status is-{known}")


def when(at: float, *, short: bool = False) -> Html:
    """A moment; the exact one is its title."""
    if not at:
        return h("span", "never")
    try:
        then, exact = datetime.fromtimestamp(at), moment(at)
    except (ValueError, OverflowError, OSError):  # nothing that a clock has shown
        return h("span", repr(at))
    told = exact
    if short:
        told = f"{then:%H:%M:%S}" if then.date() == datetime.now().date() else f"{then:%d %b %H:%M}"
    return h("time", told, datetime=then.astimezone().isoformat(timespec="seconds"), title=exact)


def counted(number: int, one: str, several: str = "") -> str:
    """So many of something."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def took(started: float, ended: float) -> str:
    """How long, or how long so far."""
    return duration((ended or time.time()) - started) if started else ""


def dollars(amount: float) -> str:
    """Money, as briefly as it can be told."""
    return "\N{EN DASH}" if not amount else f"${amount:,.2f}" if amount >= 1 else money(amount)


def thousands(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"
