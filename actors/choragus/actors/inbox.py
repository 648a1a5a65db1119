"""What a durable cell holds of its mailbox: the head in memory, the rest on disk.

A message comes early, before what wrote it is on disk, or when it is on disk. Likewise a message that was handled is
spent, but still on disk, until the turn that took it is.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Set

from choragus.mailbox.address import ActorId
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Envelope, Turn

WINDOW = 128
"""How many waiting messages are read at once, and held in memory."""


class Inbox:
    """The first messages of one durable mailbox, in order.

    `held` ones are the first of all. An early one behind which older ones may wait on disk stands `aside` until they
    have been read. Whatever came early ends by `arrive` or `withdraw`, a turn that was accepted by `settle` or `undo`.
    """

    def __init__(self, actor: ActorId, store: Store) -> None:
        self._actor = actor
        self._store = store
        self._held: deque[Envelope] = deque()
        self._aside: OrderedDict[str, Envelope] = OrderedDict()
        self._early: set[str] = set()  # held or spent, and not on disk yet
        self._barred: set[str] = set()  # aside, and not to be handled before they are on disk
        self._spent: dict[str, Envelope] = {}
        self._timers: set[str] = set()  # those of which it is known that they wait
        self._gone: dict[str, int] = {}  # those taken back by so many turns and answers that are not on disk yet
        self._answers: dict[str, str] = {}  # early ones, and the timers in whose place they are
        self._more = True
        self._fetching = False
        self._age = 0

    def __bool__(self) -> bool:
        """Whether something can be handled, or looked for on disk."""
        return bool(self._held) or self._can_fetch or self._can_move

    def __len__(self) -> int:
        return len(self._held) + len(self._aside)

    @property
    def is_settled(self) -> bool:
        """Whether all that is in memory is on disk as it stands here."""
        return not (self._early or self._aside or self._spent)

    @property
    def head(self) -> Envelope | None:
        """The message to handle next, if it is in memory."""
        return self._held[0] if self._held else None

    def holds_only(self, envelope: Envelope | None) -> bool:
        """Whether nothing waits but that one, here or on disk."""
        wanted = 0 if envelope is None else 1
        return len(self._held) == wanted and self.head is envelope and self._is_open

    def is_early(self, message: str) -> bool:
        """Whether the message is in hand, but not on disk yet."""
        return message in self._early

    # Messages come.

    def deliver(self, envelope: Envelope) -> None:
        """Take a message that is on disk and due; an answer takes the place of the timer that waited for it."""
        if envelope.answer:
            self._drop_timers({envelope.timer})
        if not self._is_open:
            self._more = True
        elif not (self._is_gone(envelope) or self._has(envelope.id)):
            self._held.append(envelope)

    def deliver_early(self, envelope: Envelope, *, barred: bool = False) -> None:
        """Take a message that is on its way to the disk.

        Args:
            barred: it keeps its place, but is not handled before it is on disk. So is an answer of which only the disk
                can tell whether it is waited for.
        """
        if envelope.answer:
            barred = barred or envelope.timer not in self._timers
            if not barred:
                self._answers[envelope.id] = envelope.timer
                self._take_back({envelope.timer})
        if barred:
            self._barred.add(envelope.id)
        if self._is_open and not barred:
            self._held.append(envelope)
            self._early.add(envelope.id)
        else:
            self._aside[envelope.id] = envelope

    def arrive(self, message: str) -> None:
        """What came early is on disk now; an answer also without the timer that waited for it."""
        self._answered(message)
        if message in self._early:
            self._early.discard(message)
        else:
            envelope = self._take_aside(message)
            if envelope is not None and envelope.answer:
                self._drop_timers({envelope.timer})
            self._more = True

    def withdraw(self, message: str) -> None:
        """What came early will never be on disk; a timer in whose place it was may have rung meanwhile."""
        self._more = self._more or message in self._answers
        self._answered(message)
        self._early.discard(message)
        if any(one.id == message for one in self._held):
            self._held = deque(one for one in self._held if one.id != message)
        self._take_aside(message)

    def hint(self) -> None:
        """There may be messages on disk that nobody delivered."""
        self._more = True

    def _has(self, message: str) -> bool:
        """Whether it was found on disk before the news of it came."""
        return message in self._spent or any(one.id == message for one in self._held)

    # Turns take them.

    def accept(self, turn: Turn, envelope: Envelope | None, *, spent: bool) -> None:
        """A turn is on its way to the disk: its timers replace others of their names; it took the message, if any."""
        if envelope is not None:
            if spent:
                self.take(envelope)
                self._spent[envelope.id] = envelope
            self._timers.discard(envelope.timer)
        names = _timers_of(turn)
        if names or turn.timers_cancelled:
            self._take_back({*names, *turn.timers_cancelled})
            self._timers.update(names)

    def settle(self, turn: Turn, envelope: Envelope | None) -> None:
        """The turn is on disk."""
        if envelope is not None:
            self._spent.pop(envelope.id, None)
        names = _timers_of(turn)
        if names or turn.timers_cancelled:
            self._release({*names, *turn.timers_cancelled})

    def undo(self, turn: Turn, envelope: Envelope | None) -> None:
        """The last turn will never be on disk: begin again from what is there."""
        waits = [] if envelope is None or envelope.id not in self._spent else [self._spent.pop(envelope.id)]
        self._release({*_timers_of(turn), *turn.timers_cancelled})
        self._forget(one for one in (*waits, *self._held) if one.id in self._early)

    def forget(self) -> None:
        """Begin again from what is on disk."""
        self._forget(one for one in self._held if one.id in self._early)

    def take(self, envelope: Envelope) -> None:
        """The message is not in the mailbox any more."""
        if self._held and self._held[0].id == envelope.id:
            self._held.popleft()

    def replace_head(self, envelope: Envelope) -> None:
        """The head has been tried: hold it as it stands on disk now."""
        if self._held and self._held[0].id == envelope.id:
            self._held[0] = envelope

    async def refill(self, now: float) -> None:
        """Read what is due, when nothing is held."""
        if self._held:
            return
        if self._can_fetch:
            await self._fetch(now)
        while self._can_move and len(self._held) < WINDOW:
            _, envelope = self._aside.popitem(last=False)
            self._early.add(envelope.id)
            self._held.append(envelope)

    async def _fetch(self, now: float) -> None:
        age, spent, gone = self._age, frozenset(self._spent), frozenset(self._gone)
        limit = WINDOW + len(spent)
        self._more, self._fetching = False, True
        try:
            found = await self._store.fetch(self._actor, limit, now)
        except BaseException:
            self._more = True
            raise
        finally:
            self._fetching = False
        if age != self._age:  # forgotten meanwhile: what was spent then may be there again
            self._more = True
            return
        self._more = self._more or len(found) == limit
        self._found(one for one in found if one.id not in spent and (one.answer or one.timer not in gone))

    def _found(self, found: Iterable[Envelope]) -> None:
        """Hold what was read; what came early and is among it has reached the disk, and its news is on the way."""
        self._held = deque(found)
        for one in self._held:
            if self._aside.pop(one.id, None) is not None:
                self._early.add(one.id)
                self._barred.discard(one.id)

    @property
    def _is_open(self) -> bool:
        """Whether a message that comes now is the next behind those that are held."""
        return not (self._more or self._fetching or self._aside or len(self._held) >= WINDOW)

    @property
    def _can_fetch(self) -> bool:
        return self._more and len(self._spent) < WINDOW

    @property
    def _can_move(self) -> bool:
        """Whether the first that stands aside is the next: nothing older waits on disk."""
        older = self._more or self._fetching
        return not older and bool(self._aside) and next(iter(self._aside)) not in self._barred

    def _forget(self, waits: Iterable[Envelope]) -> None:
        """Hold nothing; what is not on disk yet stands aside, in its order."""
        for one in reversed(tuple(waits)):
            self._aside[one.id] = one
            self._aside.move_to_end(one.id, last=False)
        self._early.intersection_update(self._spent)
        self._held.clear()
        self._timers.clear()
        self._more = True
        self._age += 1

    def _take_aside(self, message: str) -> Envelope | None:
        self._barred.discard(message)
        return self._aside.pop(message, None)

    # Timers: one that was taken back may still be on disk.

    def _take_back(self, names: Set[str]) -> None:
        for name in names:
            self._gone[name] = self._gone.get(name, 0) + 1
        self._timers -= names
        self._drop_timers(names)

    def _release(self, names: Set[str]) -> None:
        for name in names:
            self._gone[name] -= 1
            if not self._gone[name]:
                del self._gone[name]

    def _answered(self, message: str) -> None:
        if message in self._answers:
            self._release({self._answers.pop(message)})

    def _is_gone(self, envelope: Envelope) -> bool:
        return not envelope.answer and envelope.timer in self._gone

    def _drop_timers(self, names: Set[str]) -> None:
        if any(_is_timer(one, names) for one in self._held):
            self._held = deque(one for one in self._held if not _is_timer(one, names))
        for message in [id for id, one in self._aside.items() if _is_timer(one, names)]:
            del self._aside[message]


def _timers_of(turn: Turn) -> Collection[str]:
    """The names of the timers that the turn's actor sets for itself; most turns set none."""
    for send in turn.sends:
        if send.timer:
            break
    else:
        return ()
    return {send.timer for send in turn.sends if send.timer and send.receiver == turn.actor and not send.answer}


def _is_timer(envelope: Envelope, names: Set[str]) -> bool:
    """Whether it is a timer of one of these names, and no answer to what such a one waits for."""
    return envelope.timer in names and not envelope.answer
