"""What an actor is: messages, handlers, refs, durable actors, their effects and their events."""

from .actor import Actor
from .dispatch import handle, reply
from .durable import DurableActor
from .effect import EffectContext, Runner
from .errors import (
    ActorFailed,
    ActorStopped,
    ActorSuspended,
    AskInsideTurn,
    AskTimeout,
    HandlerFault,
    Ignore,
    MailboxFull,
    MessageParked,
    NotCommitted,
    NotPicklable,
    ProcessDied,
    SystemStopped,
    TurnTimeout,
    Unhandled,
)
from .event import DeadLetter, Event, Events, Failed, Parked, Restarted, Suspended, Zombie
from .message import AskFailed, EffectFailed, EffectUnknown, Question, Request
from .ref import Ref
from .status import Failure
from .watchdog import LoopBlocked, Watchdog

__all__ = [
    "Actor",
    "ActorFailed",
    "ActorStopped",
    "ActorSuspended",
    "AskFailed",
    "AskInsideTurn",
    "AskTimeout",
    "DeadLetter",
    "DurableActor",
    "EffectContext",
    "EffectFailed",
    "EffectUnknown",
    "Event",
    "Events",
    "Failed",
    "Failure",
    "HandlerFault",
    "Ignore",
    "LoopBlocked",
    "MailboxFull",
    "MessageParked",
    "NotCommitted",
    "NotPicklable",
    "Parked",
    "ProcessDied",
    "Question",
    "Ref",
    "Request",
    "Restarted",
    "Runner",
    "Suspended",
    "SystemStopped",
    "TurnTimeout",
    "Unhandled",
    "Watchdog",
    "Zombie",
    "handle",
    "reply",
]
