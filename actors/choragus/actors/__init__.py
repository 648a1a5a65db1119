"""What an actor is: messages, handlers, refs, durable actors, their effects and their events.

What is behind this door is imported when it is first asked for.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from choragus.mailbox.tags import declare_tags

if TYPE_CHECKING:
    from .actor import Actor
    from .dispatch import handle, reply
    from .durable import DurableActor
    from .effect import EffectContext, Runner
    from .errors import (
        ActorFailed,
        ActorStopped,
        ActorSuspended,
        AskCycle,
        AskInsideTurn,
        AskTimeout,
        BroadcastAsked,
        DeathPact,
        HandlerFault,
        Ignore,
        LinkBroken,
        MailboxFull,
        MessageParked,
        NotActivated,
        NotPicklable,
        NotRegistered,
        ProcessDied,
        SendTimeout,
        StartTimeout,
        StashFull,
        StepUnknown,
        SystemStopped,
        TooManyActive,
        TurnTimeout,
        Unhandled,
    )
    from .event import (
        DeadLetter,
        DeepMailbox,
        Degraded,
        Dropped,
        Event,
        Events,
        EventStream,
        Failed,
        Parked,
        Recovered,
        Restarted,
        SlowHandler,
        Suspended,
        Zombie,
    )
    from .mailbox import Mailbox, Overflow
    from .message import AskFailed, EffectFailed, EffectUnknown, Question, Request
    from .ref import Ref
    from .registry import AlreadyRegistered
    from .reply import Reply
    from .router import Router
    from .routing import Broadcast, ConsistentHash, LeastLoaded, RoundRobin
    from .status import Exit, Failure, Reason
    from .topic import Topic
    from .trace import Handled
    from .watch import Terminated
    from .watchdog import LoopBlocked, Watchdog

__all__ = [
    "Actor",
    "ActorFailed",
    "ActorStopped",
    "ActorSuspended",
    "AlreadyRegistered",
    "AskCycle",
    "AskFailed",
    "AskInsideTurn",
    "AskTimeout",
    "Broadcast",
    "BroadcastAsked",
    "ConsistentHash",
    "DeadLetter",
    "DeathPact",
    "DeepMailbox",
    "Degraded",
    "Dropped",
    "DurableActor",
    "EffectContext",
    "EffectFailed",
    "EffectUnknown",
    "Event",
    "EventStream",
    "Events",
    "Exit",
    "Failed",
    "Failure",
    "Handled",
    "HandlerFault",
    "Ignore",
    "LeastLoaded",
    "LinkBroken",
    "LoopBlocked",
    "Mailbox",
    "MailboxFull",
    "MessageParked",
    "NotActivated",
    "NotPicklable",
    "NotRegistered",
    "Overflow",
    "Parked",
    "ProcessDied",
    "Question",
    "Reason",
    "Recovered",
    "Ref",
    "Reply",
    "Request",
    "Restarted",
    "RoundRobin",
    "Router",
    "Runner",
    "SendTimeout",
    "SlowHandler",
    "StartTimeout",
    "StashFull",
    "StepUnknown",
    "Suspended",
    "SystemStopped",
    "Terminated",
    "TooManyActive",
    "Topic",
    "TurnTimeout",
    "Unhandled",
    "Watchdog",
    "Zombie",
    "handle",
    "reply",
]

_MODULES = {
    "actor": ("Actor",),
    "dispatch": (
        "handle",
        "reply",
    ),
    "durable": ("DurableActor",),
    "effect": (
        "EffectContext",
        "Runner",
    ),
    "errors": (
        "ActorFailed",
        "ActorStopped",
        "ActorSuspended",
        "AskCycle",
        "AskInsideTurn",
        "AskTimeout",
        "BroadcastAsked",
        "DeathPact",
        "HandlerFault",
        "Ignore",
        "LinkBroken",
        "MailboxFull",
        "MessageParked",
        "NotActivated",
        "NotPicklable",
        "NotRegistered",
        "ProcessDied",
        "SendTimeout",
        "StartTimeout",
        "StashFull",
        "StepUnknown",
        "SystemStopped",
        "TooManyActive",
        "TurnTimeout",
        "Unhandled",
    ),
    "event": (
        "DeadLetter",
        "DeepMailbox",
        "Degraded",
        "Dropped",
        "Event",
        "Events",
        "EventStream",
        "Failed",
        "Parked",
        "Recovered",
        "Restarted",
        "SlowHandler",
        "Suspended",
        "Zombie",
    ),
    "mailbox": (
        "Mailbox",
        "Overflow",
    ),
    "message": (
        "AskFailed",
        "EffectFailed",
        "EffectUnknown",
        "Question",
        "Request",
    ),
    "ref": ("Ref",),
    "registry": ("AlreadyRegistered",),
    "reply": ("Reply",),
    "router": ("Router",),
    "routing": (
        "Broadcast",
        "ConsistentHash",
        "LeastLoaded",
        "RoundRobin",
    ),
    "status": (
        "Exit",
        "Failure",
        "Reason",
    ),
    "topic": ("Topic",),
    "trace": ("Handled",),
    "watch": ("Terminated",),
    "watchdog": (
        "LoopBlocked",
        "Watchdog",
    ),
}
"""Where the names are defined, as the imports above say it too."""

_PLACES = {name: module for module, names in _MODULES.items() for name in names}


class _Door(ModuleType):
    """A module among whose names are some that its own modules have: importing these changes nothing here."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Door
declare_tags("choragus.actors.tags")


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
