"""What an actor is: messages, handlers, refs, durable actors, their effects and their events."""

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
    NotCommitted,
    NotPicklable,
    NotRegistered,
    ProcessDied,
    SendTimeout,
    StartTimeout,
    StashFull,
    SystemStopped,
    TooManyActive,
    TurnTimeout,
    Unhandled,
)
from .event import (
    DeadLetter,
    DeepMailbox,
    Dropped,
    Event,
    Events,
    EventStream,
    Failed,
    Parked,
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
    "NotCommitted",
    "NotPicklable",
    "NotRegistered",
    "Overflow",
    "Parked",
    "ProcessDied",
    "Question",
    "Reason",
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
