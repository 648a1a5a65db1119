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
    BroadcastAsked,
    HandlerFault,
    Ignore,
    MailboxFull,
    MessageParked,
    NotActivated,
    NotCommitted,
    NotPicklable,
    NotRegistered,
    ProcessDied,
    StartTimeout,
    SystemStopped,
    TooManyActive,
    TurnTimeout,
    Unhandled,
)
from .event import DeadLetter, Event, Events, Failed, Parked, Restarted, Suspended, Zombie
from .message import AskFailed, EffectFailed, EffectUnknown, Question, Request
from .ref import Ref
from .registry import AlreadyRegistered
from .router import Router
from .routing import Broadcast, ConsistentHash, LeastLoaded, RoundRobin
from .status import Failure
from .topic import Topic
from .watchdog import LoopBlocked, Watchdog

__all__ = [
    "Actor",
    "ActorFailed",
    "ActorStopped",
    "ActorSuspended",
    "AlreadyRegistered",
    "AskFailed",
    "AskInsideTurn",
    "AskTimeout",
    "Broadcast",
    "BroadcastAsked",
    "ConsistentHash",
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
    "LeastLoaded",
    "LoopBlocked",
    "MailboxFull",
    "MessageParked",
    "NotActivated",
    "NotCommitted",
    "NotPicklable",
    "NotRegistered",
    "Parked",
    "ProcessDied",
    "Question",
    "Ref",
    "Request",
    "Restarted",
    "RoundRobin",
    "Router",
    "Runner",
    "StartTimeout",
    "Suspended",
    "SystemStopped",
    "TooManyActive",
    "Topic",
    "TurnTimeout",
    "Unhandled",
    "Watchdog",
    "Zombie",
    "handle",
    "reply",
]
