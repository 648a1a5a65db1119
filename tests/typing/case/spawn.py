"""What a spec, a spawn and a look-up know of the messages."""

from __future__ import annotations

from typing import assert_type

from choragus.actors import Mailbox, Ref
from choragus.supervision import Child, Supervisor, System

from .counter import Account, Add, Adder, Clear, Counter, Names, Note


async def spawns(system: System) -> None:
    assert_type(await system.spawn(Adder), Ref[Add])
    assert_type(await system.spawn(Counter, 3, name="counter"), Ref[Add | Names | Clear | Note])
    assert_type(system.find(Adder, "adder"), Ref[Add])
    assert_type(system.ref(Account, "anna"), Ref[Add])
    wrong: Ref[Note] = await system.spawn(Adder)  # error: arg-type
    await system.spawn(Note)  # error: arg-type
    await system.spawn(Adder())  # error: arg-type
    system.find(Note, "note")  # error: arg-type
    del wrong


def built(start: int) -> Counter:
    return Counter(start)


async def specs(system: System) -> None:
    assert_type(Child(Adder, name="adder"), Child[Add])
    assert_type(Child(built, name="counter", args=(3,)), Child[Add | Names | Clear | Note])
    started = await system.supervisor().start_child(Child(Adder, name="adder"))
    assert_type(started, Ref[Add])
    started.tell(Note("one"))  # error: arg-type
    assert_type(await system.supervisor().restart_child(started), Ref[Add])
    Supervisor(name="all", children=[Child(Adder, name="adder"), Child(Counter, name="counter")])
    Child(Adder, name="adder", mailbox=100)
    Child(Adder, name="adder", mailbox=Mailbox(limit=100))
    Mailbox(100)  # error: call-arg
    Child(Note, name="note")  # error: arg-type
    Child(Adder)  # error: call-arg
    Supervisor(name="all", children=[Adder])  # error: list-item
