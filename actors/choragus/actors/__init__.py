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
    DeathPact,
    HandlerFault,
    Ignore,
    LinkBroken,
    MailboxFull,
    MessageParked,
    NotCommitted,
    NotPicklable,
    ProcessDied,
    StashFull,
    SystemStopped,
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
from .reply import Reply
from .status import Exit, Failure, Reason
from .trace import Handled
from .watch import Terminated
from .watchdog import LoopBlocked, Watchdog

__all__ = [
    "Actor",
    "ActorFailed",
    "ActorStopped",
    "ActorSuspended",
    "AskCycle",
    "AskFailed",
    "AskInsideTurn",
    "AskTimeout",
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
    "LinkBroken",
    "LoopBlocked",
    "Mailbox",
    "MailboxFull",
    "MessageParked",
    "NotCommitted",
    "NotPicklable",
    "Overflow",
    "Parked",
    "ProcessDied",
    "Question",
    "Reason",
    "Ref",
    "Reply",
    "Request",
    "Restarted",
    "Runner",
    "SlowHandler",
    "StashFull",
    "Suspended",
    "SystemStopped",
    "Terminated",
    "TurnTimeout",
    "Unhandled",
    "Watchdog",
    "Zombie",
    "handle",
    "reply",
]
