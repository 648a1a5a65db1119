"""What befalls actors and supervisors outside of any turn is entered in the system's stream."""

from __future__ import annotations

import json

from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.chronicle import MOST, Chronicle
from choragus.actors.dispatch import handle
from choragus.actors.event import Events, Failed, Restarted, Suspended, Zombie
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM, Committed, Entry
from choragus.supervision.shutdown import AutoShutdown
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne, Restart
from choragus.supervision.system import System


@frozen
class Break:
    pass


class Fragile(Actor[Break]):
    @handle
    def broken(self, message: Break) -> None:
        raise ValueError("no")


class Notebook:
    """A writer that takes entries, and says that they are on disk when it is told to."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.landed: list[object] = []

    def submit(self, entry: Entry, done: object) -> None:
        self.entries.append(entry)
        self.landed.append(done)


async def told(store: Store) -> list[tuple[str, str]]:
    return [(one.kind, json.loads(one.body).get("actor", "")) for one in await store.read(SYSTEM_STREAM)]


@simulated(seeds=range(3))
async def test_a_restart_and_a_supervisor_that_gives_up_are_entries() -> None:
    store = MemoryStore()
    once = OneForOne(max_restarts=1, within=60)
    inner = Supervisor(name="inner", strategy=once, children=[Child(Fragile, name="glass")])
    async with System(store=store, tree=[inner]) as system:
        for _ in range(2):
            system.find(Fragile, "inner/glass").tell(Break())
            await settled()

        kinds = await told(store)

    assert kinds == [
        ("system.opened", ""),
        ("actor.failed", "inner/glass"),
        ("actor.restarted", "inner/glass"),
        ("actor.failed", "inner/glass"),
        ("supervisor.gave_up", "inner"),
        ("supervisor.restarted", "inner"),
    ]


def chronicle() -> tuple[Notebook, Events, Chronicle]:
    notebook, events = Notebook(), Events()
    return notebook, events, Chronicle(notebook, lambda: 5.0, events)  # type: ignore[arg-type]  # what it calls


def test_each_kind_says_what_happened_and_a_turns_failure_is_not_said_twice() -> None:
    notebook, events, one = chronicle()

    events.publish(Failed("a", ValueError("no"), "test.message"))
    events.publish(Failed("a", ValueError("no"), "test.message", by_turn=True))
    events.publish(Restarted("a", 2, by_turn=True))
    events.publish(Suspended("a", ValueError("bad")))
    events.publish(Zombie("a", "test.message"))
    one.close()
    events.publish(Restarted("a", 3))

    assert [(entry.kind, json.loads(entry.body)) for entry in notebook.entries] == [
        ("actor.failed", {"actor": "a", "type": "test.message", "reason": "ValueError: no"}),
        ("actor.suspended", {"actor": "a", "reason": "ValueError: bad"}),
        ("actor.cut_off", {"actor": "a", "type": "test.message"}),
    ]


def test_a_storm_of_failures_does_not_fill_the_memory_and_is_counted() -> None:
    notebook, events, _ = chronicle()

    for number in range(MOST + 3):
        events.publish(Restarted("a", number))
    for done in notebook.landed[:2]:
        done(Committed(batch=1))  # type: ignore[operator]  # as a writer calls it
    events.publish(Restarted("a", 9))
    events.publish(Restarted("a", 10))

    assert len(notebook.entries) == MOST + 2
    assert [json.loads(entry.body).get("lost") for entry in notebook.entries[-2:]] == [3, None]


@simulated(seeds=range(3))
async def test_a_supervisor_that_shuts_itself_down_is_an_entry() -> None:
    store = MemoryStore()
    glass = Child(Fragile, name="glass", restart=Restart.TEMPORARY, significant=True)
    inner = Supervisor(
        name="inner", restart=Restart.TRANSIENT, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT, children=[glass]
    )
    async with System(store=store, tree=[inner]) as system:
        system.find(Fragile, "inner/glass").tell(Break())
        await settled()

        kinds = await told(store)

    assert kinds[-1] == ("supervisor.ended", "inner")
