"""What can go wrong with actors, as one tree.

    ChoragusError
    ├─ HandlerFault (TypeError)        an actor class is declared wrongly
    ├─ Unhandled (TypeError)           a message of a type that the actor has no handler for
    ├─ MailboxFull                     a bounded mailbox has no room
    ├─ StashFull                       an actor has set aside as many messages as it may
    ├─ AskCycle (RuntimeError)         an actor asked one that waits for it
    ├─ DeathPact                       a watched actor ended, and the watcher does not handle it
    ├─ LinkBroken                      a linked actor failed
    ├─ CutOff (RuntimeError)           a handler sends although its actor has gone on without it
    ├─ StepUnknown (RuntimeError)      the process died in the middle of a handler's step
    ├─ AskInsideTurn (RuntimeError)    an ask was awaited inside a durable handler
    ├─ AskTimeout (TimeoutError)       no reply came in time
    ├─ SendTimeout (TimeoutError)      a message was not taken in time
    ├─ StartTimeout (TimeoutError)     an on_start took longer than its limit
    ├─ TurnTimeout (TimeoutError)      a durable handler ran longer than its limit
    ├─ ActorFailed                     the actor failed on the message that was asked
    ├─ ActorStopped (LookupError)      the actor has stopped, or stopped with the message waiting
    │  └─ ActorSuspended               the durable actor cannot be loaded
    ├─ AlreadyRegistered               a name in the registry is taken (in registry.py: it holds a ref)
    ├─ NotRegistered (LookupError)     no actor has that name in the registry
    ├─ BroadcastAsked (TypeError)      an ask of a router that gives each message to all
    ├─ NotActivated                    a keyed actor could not be started for the message
    ├─ TooManyActive                   as many keyed actors as are allowed have something to do
    ├─ MessageParked                   the message failed too often and was set aside
    ├─ NotPicklable (TypeError)        a handler in a process got or gave what no process can be handed
    ├─ ProcessDied                     the process of a handler ended in the middle of it
    ├─ Ignore                          an actor does not want to run now
    └─ SystemStopped                   the system ended before there was a reply

Names are those of the outcome and carry no suffix.
"""

from __future__ import annotations

from choragus.mailbox.errors import ChoragusError

from .reason import reason


class HandlerFault(ChoragusError, TypeError):
    """Raised when an actor class is declared wrongly: an unannotated handler, two for one message, or a missing one."""


class Unhandled(ChoragusError, TypeError):
    """Raised at the call when the target has no handler for the message's type."""


class MailboxFull(ChoragusError):
    """Raised when a mailbox, or the writer before it, has no room; `send` waits instead."""


class StashFull(ChoragusError):
    """Raised by `stash` when as many messages are set aside as may be.

    That is `Mailbox(stash=...)` of a volatile actor, and `stash_limit` of a durable one.
    """


class AskCycle(ChoragusError, RuntimeError):
    """Raised at once when an actor asks, while it handles a message, one that waits for it itself.

    `chain` are the paths from the asker back to the asker.
    """

    def __init__(self, chain: tuple[str, ...]) -> None:
        super().__init__(
            f"{' asks '.join(chain)}: none of them can answer while it waits; tell instead and take the reply as a "
            "message, or mark the handler @handle(reentrant=True)"
        )
        self.chain = chain


class DeathPact(ChoragusError):
    """Raised inside an actor when one that it watches has ended and it has no handler for Terminated."""

    def __init__(self, actor: str, ended: str, how: str) -> None:
        super().__init__(f"{ended}, which {actor} watches, has ended ({how}): add a @handle method for Terminated")
        self.actor = actor
        self.ended = ended


class LinkBroken(ChoragusError):
    """Raised inside an actor when one that it is linked to has failed; that failure is the cause."""

    def __init__(self, actor: str, failed: str) -> None:
        super().__init__(f"{failed}, which {actor} is linked to, has failed")
        self.actor = actor
        self.failed = failed


class CutOff(ChoragusError, RuntimeError):
    """Raised in a handler that ignored its cancellation, was cut off, and now sends: its incarnation is over."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message} is not sent: this handler ignored its cancellation and was cut off, and its actor has gone on "
            "without it; let CancelledError pass"
        )


class StepUnknown(ChoragusError, RuntimeError):
    """Raised by `step` when the process died in the middle of that step, and nobody knows what it did."""

    def __init__(self, actor: str, name: str) -> None:
        self.actor = actor
        self.name = name
        super().__init__(
            f"step {name!r} of {actor} was interrupted, and what it did is unknown: find out in the handler, or let "
            "the message be parked; OnInterrupt.RERUN is for steps that may be taken twice"
        )


class AskInsideTurn(ChoragusError, RuntimeError):
    """Raised when a durable handler awaits an ask: the reply could only come after the turn that waits for it."""


class AskTimeout(ChoragusError, TimeoutError):
    """Raised when no reply came within the timeout. The message may still be handled."""


class SendTimeout(ChoragusError, TimeoutError):
    """Raised when a message was not taken in time. To a durable actor it may still get to the disk."""

    def __init__(self, actor: str, message: str, seconds: float) -> None:
        super().__init__(
            f"{actor} did not take {message} within {seconds:g} s: send less, give its mailbox more room, or wait "
            "longer by timeout="
        )
        self.actor = actor


class StartTimeout(ChoragusError, TimeoutError):
    """Raised to whoever starts an actor whose `on_start` takes longer than its `startup` seconds: a failed start."""

    def __init__(self, actor: str, seconds: float) -> None:
        super().__init__(
            f"on_start of {actor} took longer than {seconds:g} s: give it more by startup=, or do the work in a handler"
        )
        self.actor = actor


class TurnTimeout(ChoragusError, TimeoutError):
    """Raised inside the runtime when a durable handler exceeds its `turn_timeout`; it counts as a failed attempt."""


class ActorFailed(ChoragusError):
    """Raised to the asker when the actor failed on its message; the failure is the cause."""

    def __init__(self, actor: str, message: str) -> None:
        super().__init__(f"{actor} failed on {message}")
        self.actor = actor


class ActorStopped(ChoragusError, LookupError):
    """Raised to the asker when the actor is stopped, or stopped with the message still waiting."""

    def __init__(self, actor: str) -> None:
        super().__init__(f"{actor} has stopped: spawn it again, or look whether its supervisor gave it up")
        self.actor = actor


class ActorSuspended(ActorStopped):
    """Raised to the asker when the durable actor cannot be loaded; its messages wait for the next opening."""

    def __init__(self, actor: str, error: BaseException) -> None:
        super().__init__(actor)
        why = reason(error)
        self.args = (f"{actor} cannot be loaded ({why}): mend that and open the file again; the message is kept",)
        self.reason = why
        self.__cause__ = error


class NotRegistered(ChoragusError, LookupError):
    """Raised when no actor of that kind has the name in the registry."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(f"no {kind} is registered as {name!r}: it never was, has ended, or takes other messages")
        self.name = name


class BroadcastAsked(ChoragusError, TypeError):
    """Raised when a router that gives each message to all is asked: an ask has one reply."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} gives each message to all, and an ask has one reply: gather the replies of its members, as in "
            "asyncio.gather(*(member.ask(message) for member in router.members))"
        )
        self.path = path


class NotActivated(ChoragusError):
    """Raised to the asker when a keyed actor could not be started for its message; the failure is the cause.

    The next message tries anew.
    """

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} could not be started: {why}; the next message tries anew")
        self.path = path


class TooManyActive(ChoragusError):
    """Raised when a keyed actor is to be started, and as many as are allowed have something to do."""

    def __init__(self, path: str, most: int) -> None:
        super().__init__(f"{path} cannot be started: {most} are active and busy (most={most}): raise it, or try later")
        self.path = path
        self.most = most


class MessageParked(ChoragusError):
    """Raised to the asker when the message was set aside; it waits in the parked list and can be requeued."""

    def __init__(self, actor: str, message: str, reason: str, cause: BaseException | None = None) -> None:
        super().__init__(f"{actor} could not handle message {message}: {reason}; it is parked and can be requeued")
        self.actor = actor
        self.message = message
        self.reason = reason
        self.__cause__ = cause


class NotPicklable(ChoragusError, TypeError):
    """Raised when the message, result or exception of a `blocking="process"` handler cannot go between processes."""


class ProcessDied(ChoragusError):
    """Raised when the process that ran a `blocking="process"` handler ended: killed from outside, or crashed."""


class Ignore(ChoragusError):
    """Raised by an `on_start` that does not want to run now: no failure, as OTP's `ignore` from an init.

    It counts as started, without a process: its spec is kept, except for temporary and dynamic children.
    """


class SystemStopped(ChoragusError):
    """Raised when the system ended first; says whether the message is durable and will be handled after a reopening."""
