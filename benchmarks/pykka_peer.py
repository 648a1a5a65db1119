"""Pykka at the same work: an operating-system thread per actor."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc"
from __future__ import annotations

import threading
from time import perf_counter

import attrs
import pykka
from benchmarks.peer import Peer, Trial
from benchmarks.target import at_least
from benchmarks.workload import CROWD, Add, Get, Hop, Passing


@attrs.define(eq=False)
class Meet:
    """Whom to pass a hop to, and what to set when it ends."""

    peer: Passing
    done: threading.Event


class Clerk(pykka.ThreadingActor):
    """Dispatches by the message's type."""

    use_daemon_thread = True

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.peer: Passing | None = None
        self.done: threading.Event | None = None

    def on_receive(self, message: object) -> object:
        match message:
            case Add():
                self.count += message.value
            case Get():
                return self.count
            case Hop():
                if message.left:
                    self.peer.tell(Hop(message.left - 1))  # type: ignore[union-attr]  # it has met somebody
                else:
                    self.done.set()  # type: ignore[union-attr]  # as above
            case Meet():
                self.peer, self.done = message.peer, message.done
        return None


def tell(amount: int) -> float:
    clerk = Clerk.start()
    begin = perf_counter()
    for _ in range(amount):
        clerk.tell(Add(1))
    assert clerk.ask(Get()) == amount
    took = perf_counter() - begin
    clerk.stop()
    return took / amount


def ask(amount: int) -> float:
    clerk = Clerk.start()
    begin = perf_counter()
    for _ in range(amount):
        clerk.ask(Get())
    took = perf_counter() - begin
    clerk.stop()
    return took / amount


def ring(amount: int) -> float:
    clerks = [Clerk.start() for _ in range(CROWD)]
    done = threading.Event()
    for one, peer in zip(clerks, [*clerks[1:], clerks[0]], strict=True):
        one.ask(Meet(peer, done))
    begin = perf_counter()
    clerks[0].tell(Hop(amount))
    done.wait()
    took = perf_counter() - begin
    pykka.ActorRegistry.stop_all()
    return took / amount


def spawn(amount: int) -> float:
    begin = perf_counter()
    clerks = [Clerk.start() for _ in range(amount)]
    for clerk in clerks:
        clerk.tell(Add(1))
    pykka.ActorRegistry.stop_all()
    return (perf_counter() - begin) / amount


PEER = Peer(
    "pykka",
    (
        Trial("tell", tell, 50_000, at_least(2.5)),
        Trial("ask", ask, 5_000),
        Trial("ring", ring, 20_000, at_least(12.0)),
        Trial("spawn", spawn, 1_000),
    ),
    ("pykka: ThreadingActor with on_receive, a thread per actor and no supervisor; 1,000 of them in ring and spawn",),
)
