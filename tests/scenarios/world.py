"""A system that runs a program in as many lives as it takes, compared with its model whenever it rests."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar, TypeVarTuple
from unittest.mock import patch

import aiosqlite
import attrs

from choragus.actors.errors import AskTimeout, MessageParked, SystemStopped
from choragus.actors.testing import Crashed, clock, crash, faults, settled, simulate
from choragus.mailbox import ActorId, MemoryStore, OnInterrupt, Store, actor_id, key_of
from choragus.mailbox.file import open_file, translated
from choragus.mailbox.sqlite import Handle, SqliteStore
from choragus.mailbox.turn import Batch, Committed, Envelope, Rejected, Snapshot, Verification
from choragus.mailbox.verification import verify
from choragus.supervision import Backoff, Region, System, SystemFailed

from .player import Do, Outside, Player, dumps
from .player_model import ATTEMPTS, Mail, Model
from .program import IN_EFFECT, AskFor, CrashAt, Kill, Pass, Requeue, Send, Step, Stop, Tell, told

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

REGION = Region(Player, attempts=ATTEMPTS, backoff=Backoff(first=1.0, most=4.0))


class Hops:
    """One thing after another, each some turns of the loop away: as in a file's thread."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def hop(self) -> None:
        async with self._lock:
            for _ in range(3):
                await asyncio.sleep(0)


class DistantMemory(MemoryStore):
    """The memory store, as far away as a file's thread."""

    def __init__(self) -> None:
        super().__init__()
        self._hops = Hops()

    async def commit(self, batch: Batch) -> Committed | Rejected:
        await self._hops.hop()
        return await super().commit(batch)

    async def load(self, actor: ActorId) -> Snapshot:
        await self._hops.hop()
        return await super().load(actor)

    async def fetch(self, actor: ActorId, limit: int, now: float) -> list[Envelope]:
        await self._hops.hop()
        return await super().fetch(actor, limit, now)


class InlineStore(SqliteStore):
    """The SQLite store on the loop's own thread; its end leaves the files as they are at that moment."""

    @classmethod
    def at(cls, path: Path) -> InlineStore:
        connection = open_file(path, visitor=False, synchronous="NORMAL")
        connection.execute("PRAGMA synchronous = OFF")  # a killed process takes nothing from the page cache with it
        handle = Handle(connection, "NORMAL")
        store = cls(path, handle, aiosqlite.Connection(lambda: connection, iter_chunk_size=1))
        store._hops = Hops()
        return store

    _hops: Hops

    async def _queued(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        await self._hops.hop()
        with translated(self.path):
            return function(*args)

    async def verify(self) -> Verification:
        """On its own connection: no thread may run beside the loop."""
        return await self._hop(verify)

    async def close(self) -> None:
        """Copy the files before SQLite tidies them up: that is what `kill -9` leaves."""
        for name in (self.path.name, f"{self.path.name}-wal"):
            if self.path.with_name(name).exists():
                shutil.copyfile(self.path.with_name(name), self.path.with_name(f"killed-{name}"))
        self._handle.close()
        self._lock.release()
        for name in (self.path.name, f"{self.path.name}-wal"):
            self.path.with_name(name).unlink(missing_ok=True)
            if self.path.with_name(f"killed-{name}").exists():
                self.path.with_name(f"killed-{name}").rename(self.path.with_name(name))


@attrs.define
class Life:
    """One life of the process: how it ended, and after how many seconds the next begins."""

    happened: list[str] = attrs.field(factory=list)
    goes_on: bool = False
    is_clean: bool = False
    pause: float = 0.0


class World:
    """A system that is started again and again on one store, with its host, its outside and its model."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self.model = Model()
        self.outside = Outside()
        self._open_store = store
        self._store: Store
        self._seen = 0
        self._was_clean = True
        self._names: dict[tuple[str, str], tuple[str, int]] = {}
        self._sent: list[Mail] = []
        self._asked: list[tuple[asyncio.Task[int], Mail]] = []
        self._armed: CrashAt | None = None
        self._is_last = False

    async def play(self, program: list[Step]) -> None:
        """Run the program to its end, in as many lives as it takes, and then until all has come to rest."""
        steps: Iterator[Step] = iter([*program, Pass(0.5), Stop()])
        while await self._live(steps):
            pass
        self._armed = None
        self.outside.is_mended = True
        self._is_last = True
        await self._live(iter([Pass(20.0)]))

    async def _live(self, steps: Iterator[Step]) -> bool:
        """One life of the process; False when the program is over."""
        life = Life()
        with ExitStack() as armed:
            life.happened = self._arm(armed)
            try:
                async with self._system() as system:
                    await self._spend(system, life, steps, armed)
            except SystemFailed as failed:
                if not all(isinstance(error.__cause__, Crashed) for error in failed.exceptions):
                    raise
                life.is_clean = False
            if life.happened:
                life.goes_on, life.is_clean, self._armed = True, False, None
        await self._hang_up(life.is_clean)
        await asyncio.sleep(life.pause)
        return life.goes_on

    async def _spend(self, system: System, life: Life, steps: Iterator[Step], armed: ExitStack) -> None:
        def die() -> None:
            life.happened.append(IN_EFFECT)
            system.kernel.fail(Crashed(IN_EFFECT))

        self.outside.die = die
        self.model.reopened(clock(), clean=self._was_clean)
        await self._rest()
        for step in steps:
            match step:
                case CrashAt():
                    self._armed = step
                    life.happened = self._arm(armed)
                case Kill(turns):
                    life.goes_on, life.pause = True, step.seconds
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    system.kernel.fail(Crashed("killed"))
                    await asyncio.sleep(1)
                case Stop():
                    life.goes_on, life.is_clean, life.pause = True, True, step.seconds
                    return
                case _:
                    await self._do(system, step)
        life.is_clean = True
        if self._is_last:
            await self._check_end()

    def _arm(self, armed: ExitStack) -> list[str]:
        armed.close()
        self.outside.kills_in = None
        match self._armed:
            case CrashAt("before commit" | "after commit" as point, skip):
                return armed.enter_context(faults(crash(point, skip=skip)))
            case CrashAt(_, skip):
                self.outside.kills_in = skip
        return []

    def _system(self) -> System:
        self._store = self._open_store()
        self.outside.life += 1
        return System(
            store=self._store,
            actors=[REGION],
            runners={"work": self.outside.work},
            resources=self.outside,
            clock=clock,
            watchdog=None,
        )

    async def _do(self, system: System, step: Tell | Send | AskFor | Pass | Requeue) -> None:
        match step:
            case Tell(to, script, rests):
                message = Do(script.number, dumps(script))
                system.ref(Player, to).tell(message)
                self._sent.append(self.model.offer(to, script))
            case Send(to, script, rests):
                mail = self.model.offer(to, script)
                self._sent.append(mail)
                await system.ref(Player, to).send(Do(script.number, dumps(script)))
                self.model.heard([mail])
            case AskFor(to, script, key, timeout, rests):
                mail = self.model.offer(to, script, key)
                self._sent.append(mail)
                posted = asyncio.Event()

                async def asking() -> int:
                    posted.set()
                    message = Do(script.number, dumps(script))
                    return await system.ref(Player, to).ask(message, key=key, timeout=timeout)

                self._asked.append((asyncio.create_task(asking()), mail))
                await posted.wait()
            case Pass(seconds):
                rests = True
                await asyncio.sleep(seconds)
            case Requeue():
                rests = True
                await self._rest()
                await self._requeue()
                await asyncio.sleep(0.1)
        if rests:
            await self._rest()

    async def _requeue(self) -> None:
        self.outside.is_mended = True
        for parked in (await self._store.parked())[:1]:
            _, number = self._name(parked.envelope)
            self.model.requeue(key_of(parked.envelope.receiver), number)
            assert await self._store.requeue(parked.envelope.receiver, parked.envelope.id)

    async def _rest(self) -> None:
        """Let everything happen that can, and compare."""
        await settled()
        await self._read()
        self.model.heard(self._sent)
        self._sent.clear()
        self.model.rests(clock())
        await self._compare()

    async def _read(self) -> None:
        """Take the lines of the logbook to the model."""
        for parked in await self._store.parked():
            self._names[parked.envelope.receiver, parked.envelope.id] = self._name(parked.envelope)
        for entry in await self._store.log(after=self._seen, limit=10_000):
            self._seen = entry.seq
            key = entry.stream.removeprefix("play/")
            body = json.loads(entry.body)
            match entry.kind:
                case "system.opened":
                    self.model.life += 1
                case "actor.failed":
                    number = int(body["reason"].rpartition(" ")[2])
                    self.model.fail(key, number, body["attempts"], entry.at)
                case "message.parked":
                    kind, number = self._names[actor_id("play.player", key), body["message"]]
                    self.model.park(key, kind, number, body["reason"], entry.at)
                case "did" | "stashed" | "answered" | "finished":
                    self.model.take(key, entry.kind, int(body["number"]), body.get("what", ""), entry.at)
                    self.model.hold(body["turns"] == self.model.actor(key).turns, f"{body} at {key}")

    def _name(self, envelope: Envelope) -> tuple[str, int]:
        """Which message of the model it is."""
        method, _, about = envelope.then.partition("\n")
        if method == "answered" and envelope.timer and not envelope.answer:
            return "late", int(about)
        return (method, int(about)) if method else ("do", json.loads(envelope.record.body)["number"])

    async def _compare(self) -> None:
        model, outside = self.model, self.outside
        for key, actor in model.actors.items():
            snapshot = await self._store.load(actor_id("play.player", key))
            model.hold(len(snapshot.stash) == len(actor.stash), f"{snapshot.stash} set aside at {key}")
            model.hold(snapshot.ended == actor.has_ended, f"{key} has ended: {snapshot.ended}")
            if snapshot.state is not None:
                wanted = {"turns": actor.turns, "is_open": actor.is_open, "did": actor.did}
                model.hold(json.loads(snapshot.state.body) == wanted, f"{key}: {snapshot.state}, but {wanted}")
            view = await self._store.view("player", key)
            turns = None if view is None else json.loads(view.body or b"")
            model.hold(turns == ({"turns": actor.turns} if actor.turns else None), f"view {turns} of {key}")
        parked = Counter(
            (key_of(one.envelope.receiver), *self._name(one.envelope)) for one in await self._store.parked()
        )
        wanted_parked = Counter((key, mail.number) for key, mail in model.parked)
        model.hold(Counter((key, number) for key, _, number in parked.elements()) == wanted_parked, f"parked: {parked}")
        begun = Counter(
            {number: len({id for one, id, _ in outside.began if one == number}) for number, _, _ in outside.began}
        )
        model.hold(begun <= Counter(model.intended), f"effects {begun} have begun of {model.intended}")
        twice = [one for one, times in Counter(outside.began).items() if times > 1]
        model.hold(not twice, f"effects have begun twice in one life: {twice}")
        open_effects = Counter(
            (key_of(one.actor), int(one.then.partition("\n")[2])) for one in await self._store.effects()
        )
        self.model.hold(
            open_effects <= Counter((one.actor, one.number) for one in model.intents), f"open effects {open_effects}"
        )
        self._look_at_replies()

    def _look_at_replies(self) -> None:
        for task, mail in tuple(self._asked):
            if task.done():
                self._asked.remove((task, mail))
                said = self._said(task)
                self.model.hold(not said or said in mail.replies, f"reply {said} to {mail.number}: {mail.replies}")
            else:
                self.model.hold(not mail.replies, f"no reply yet to {mail.number}: {mail.replies}")

    def _said(self, task: asyncio.Task[int]) -> str:
        """The reply, or `failed`; nothing when the host was left without one."""
        try:
            return str(task.result())
        except MessageParked:
            return "failed"
        except AskTimeout:
            return ""

    async def _hang_up(self, clean: bool) -> None:
        """The process is gone: who waits for a reply has been told so."""
        await settled()
        for task, mail in self._asked:
            self.model.hold(task.done(), f"the asker of {mail.number} waits for a process that is gone")
            if isinstance(task.exception(), SystemStopped):
                continue
            said = self._said(task)
            self.model.hold(not clean or not said or bool(mail.replies) or True, "")
        if clean:
            self.model.heard(self._sent)
        self._sent.clear()
        self._asked.clear()
        self._was_clean = clean

    async def _check_end(self) -> None:
        """Nothing is left but what was set aside or parked, or what goes on for ever."""
        model, outside = self.model, self.outside
        model.hold(not model.intents, f"effects without a result: {model.intents}")
        for number, times in model.intended.items():
            ids = Counter(id for one, id, _ in outside.began if one == number)
            if model.kinds[number] == OnInterrupt.UNKNOWN.value:
                model.hold(all(times == 1 for times in ids.values()), f"an effect that cannot be undone began {ids}")
            else:
                model.hold(len(ids) == times, f"effect {number} began {ids}, intended {times} times")
        if isinstance(self._store, SqliteStore):
            found = await self._store.verify()
            model.hold(found.problems == (), f"verify finds {found.problems}")
        self.turns = sum(actor.turns for actor in model.actors.values())


def run(program: list[Step], store: Callable[[], Store], seed: int = 0, steps: int = 1_000_000) -> World:
    """Run the program where only two of the three players fit into memory, so that idle ones are dropped.

    Raises:
        Broken: with the program in a note.
    """
    world = World(store)
    try:
        with patch("choragus.actors.population.CELLS", 2):
            simulate(lambda: world.play(program), seed=seed, steps=steps)
    except BaseException as error:
        error.add_note(f"with seed {seed}, in the program\n{told(program)}")
        raise
    return world
