"""Which unfinished runs a runtime does not go on with: those whose agent is missing, or is not what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs
import msgspec

from choragus.mailbox.address import key_of, type_of
from choragus.mailbox.codec import decode
from choragus.mailbox.errors import CorruptRecord, UnknownRecord
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Envelope

from .inspection import runs, unfinished
from .message import ORCHESTRATOR, ForkRun, StartRun
from .stream import run_stream
from .version.difference import Change, differences, in_a_word, told
from .version.keeping import Versions
from .version.message import MigrateRun, Refusal
from .version.migration import Migration, chosen
from .version.reading import content_of, digests_of, identity_of

OnChange = Literal["refuse", "warn"]

FIRST = 10
"""Entries at its beginning among which the identity stands of a run of earlier versions."""


@attrs.frozen
class HeldRun:
    """An unfinished run that this runtime does not go on with, and why.

    `was` and `now` are the hashes of what its agent was and is, `now` empty where it is missing; `changes` what differs
    between them, as far as the file knows what it was. `above` is the run that it is a sub-run of, when that is held.
    """

    run: str
    agent: str
    reason: str
    was: str = ""
    now: str = ""
    changes: tuple[Change, ...] = ()
    above: str = ""

    @property
    def difference(self) -> list[str]:
        """The changes as lines to read."""
        return told(self.changes)

    def refusal(self, *, warned: bool = False) -> Refusal:
        """The same as it is stored."""
        fields = tuple(change.field for change in self.changes)
        return Refusal(
            run=self.run, agent=self.agent, why=self.reason, was=self.was, now=self.now, changes=fields, warned=warned
        )


@attrs.frozen(kw_only=True)
class Unfinished:
    """What becomes of the unfinished runs whose agent is not what it was: they are held, warned about, or migrated."""

    held: tuple[HeldRun, ...] = ()
    warned: tuple[HeldRun, ...] = ()
    migrated: tuple[tuple[str, MigrateRun], ...] = ()


@attrs.define
class _Sorting:
    """One look at the unfinished runs; what differs is found once for each pair of identities."""

    store: Store
    versions: Versions
    on_change: OnChange
    migrations: Sequence[Migration]
    held: list[HeldRun] = attrs.field(factory=list)
    warned: list[HeldRun] = attrs.field(factory=list)
    migrated: list[tuple[str, MigrateRun]] = attrs.field(factory=list)
    _above: dict[str, HeldRun] = attrs.field(factory=dict)
    _seen: dict[tuple[str, str], tuple[Mapping[str, object] | None, tuple[Change, ...]]] = attrs.field(factory=dict)

    async def look(self, run: str, agent: str, was: str, parent: str, *, unbegun: bool = False) -> None:
        """Decide about one by itself."""
        if parent:
            self._above[run] = HeldRun(run, agent, held_above(parent), was, was, above=parent)
        if agent not in self.versions.agents:
            self.held.append(HeldRun(run, agent, missing(agent), was))
            return
        now = self.versions.manifest(agent).hash
        if now == was:
            return
        identity, changes = await self._difference(run, agent, was, now)
        migration, elsewhere = chosen(self.migrations, agent, was, now, identity)
        if migration is not None:
            by, why, renamed = migration.by, migration.why, dict(migration.renamed)
            patch = MigrateRun(was=was, to=now, by=by, why=why, renamed=renamed, unbegun=unbegun)
            self.migrated.append((run, patch))
            return
        one = HeldRun(run, agent, changed(agent, was, now, changes) + elsewhere, was, now, changes)
        (self.warned if self.on_change == "warn" else self.held).append(one)

    def found(self) -> Unfinished:
        """All together: what is below a run that is held is held too."""
        held = {one.run: one for one in self.held}
        fresh = set(held)
        while fresh:
            fresh = {run for run, one in self._above.items() if one.above in fresh}
            for run in fresh:
                one = held.get(run)
                held[run] = self._above[run] if one is None else attrs.evolve(one, above=self._above[run].above)
        return Unfinished(
            held=tuple(held.values()),
            warned=tuple(one for one in self.warned if one.run not in held),
            migrated=tuple((run, patch) for run, patch in self.migrated if run not in held),
        )

    async def _difference(
        self, run: str, agent: str, was: str, now: str
    ) -> tuple[Mapping[str, object] | None, tuple[Change, ...]]:
        if (was, now) not in self._seen:
            identity = await _identity(self.store, run, was)
            found: tuple[Change, ...] = ()
            today = self.versions.manifest(agent).as_dict()
            if identity is not None:
                texts = self.versions.contents(agent)
                for digest in digests_of(identity) - texts.keys():
                    if (text := await content_of(self.store, digest)) is not None:
                        texts[digest] = text
                found = differences(identity, today, texts.get)
            self._seen[was, now] = identity, found
        return self._seen[was, now]


async def sorted_runs(
    store: Store, versions: Versions, on_change: OnChange, now: float, migrations: Sequence[Migration] = ()
) -> Unfinished:
    """What becomes of the unfinished runs, also of those that were started and had not taken their first turn."""
    sorting = _Sorting(store, versions, on_change, migrations)
    begun = await runs(store)
    for summary in unfinished(begun):
        await sorting.look(summary.run, summary.agent, summary.manifest, summary.parent)
    known = {summary.run for summary in begun}
    for actor in await store.waiting(now):
        run = key_of(actor)
        if type_of(actor) == ORCHESTRATOR and run not in known:
            for envelope in await store.fetch(actor, 1, now):
                start = _start(envelope)
                if start:
                    parent = start.parent if isinstance(start, StartRun) else ""
                    await sorting.look(run, start.agent, start.manifest, parent, unbegun=True)
    return sorting.found()


def objection(name: str, was: str, versions: Versions, on_change: OnChange) -> str:
    """Why a run of that agent is not gone on with, or nothing; `was` is the agent's manifest when the run began."""
    if name not in versions.agents:
        return missing(name)
    now = versions.manifest(name).hash
    return "" if on_change == "warn" or now == was else changed(name, was, now)


def missing(name: str) -> str:
    """What is said of a run whose agent is not here."""
    return f"its agent {name!r} is not among the runtime's: pass it in Runtime(agents=[...])"


def held_above(parent: str) -> str:
    """What is said of a sub-run of a run that is held: it draws on that budget, and its answer is for that run."""
    return f"run {parent}, which it is a sub-run of, is not gone on with: what moves that one moves this one too"


def changed(name: str, was: str, now: str, changes: Sequence[Change] = ()) -> str:
    """What is said of a run whose agent is another."""
    differs = f"; what differs: {in_a_word(changes)}" if changes else ""
    return (
        f"agent {name!r} has changed since it began (manifest {was[:12]} then, {now[:12]} now{differs}): open it with "
        "the agent as it was, declare a Migration, fork it with changed=True, or cancel it; "
        "Runtime(on_change='warn') goes on all the same"
    )


async def _identity(store: Store, run: str, hash: str) -> Mapping[str, object] | None:
    """What the agent was; the runs of earlier versions have it in their own logbook."""
    found = await identity_of(store, hash)
    if found is not None:
        return found
    for entry in await store.read(run_stream(run), 0, FIRST):
        if entry.kind == "run.manifest":
            said = msgspec.json.decode(entry.body).get("identity")
            return said if isinstance(said, Mapping) else None
    return None


def _start(envelope: Envelope) -> StartRun | ForkRun | None:
    """The start that waits; anything else is for the actor to deal with."""
    try:
        message = decode(envelope.record)
    except (UnknownRecord, CorruptRecord):
        return None
    return message if isinstance(message, StartRun | ForkRun) else None
