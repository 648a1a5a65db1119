"""Another system at the same plan, on the same stand: what it is given, and how it is fitted in."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias, cast

import attrs

from choragus.mailbox.sqlite import SqliteStore
from choragus.supervision.testing.ledger import Ledger
from choragus.supervision.testing.order import Scenario

from .interposer import Interposer

AT_CALL = "the world is changed after call "
"""What a process prints for each effect, with the number of storage calls before it."""


@attrs.frozen
class World:
    """What the steps change: a line of the ledger each, so that a step that was run twice is seen twice.

    Args:
        takes_keys: as a bank that takes idempotency keys: a second change with the same key changes nothing.
    """

    ledger: Ledger
    takes_keys: bool
    interposer: Interposer

    def change(self, number: int, key: str) -> str:
        """The effect of step `number`, with the key that the caller has for it; gives back its result."""
        print(f"{AT_CALL}{self.interposer.calls()}")
        self.ledger.note(f"step {number}", key=key if self.takes_keys else "")
        return f"result of {number}"


Work: TypeAlias = Callable[[Path, World, int], Awaitable[None]]
"""Opens the system on a file, brings the one plan of so many steps to its end, or on to it, and closes the system."""


@attrs.frozen(kw_only=True)
class Rival:
    """A system in the table.

    Args:
        name: what it is called there.
        key: where a step's idempotency key comes from, in words; empty when the world takes none.
        module: of `tests.faults`, with the function `work`.
        packages: the libraries that it needs, a parent before its parts.
        keeps: whether all that is promised of choragus is promised of this row too.
    """

    name: str
    module: str
    packages: tuple[str, ...] = ()
    key: str = ""
    keeps: bool = False
    work: str = "plan"

    @property
    def missing(self) -> str:
        """Why it cannot be tried here; empty when it can."""
        lacking = next((one for one in self.packages if find_spec(one) is None), "")
        return lacking and f"{self.name}: skipped, {lacking} is not installed; `pip install -e '.[peers]'` brings it"

    def scenario(self, steps: int) -> Scenario:
        """The plan, for a stand."""
        # by name, because the module cannot be imported where the library is missing
        work = cast("Work", getattr(import_module(f"{__package__}.{self.module}"), self.work))
        return partial(hosted, work=work, takes_keys=bool(self.key), steps=steps)


async def hosted(path: Path, ledger: Ledger, *, work: Work, takes_keys: bool, steps: int) -> dict[str, object]:
    """The plan on a file of its own, whose calls are counted; then an empty store of ours, for the judge opens one."""
    theirs = path.with_name(f"rival-{path.name}")
    interposer = Interposer()
    await work(theirs, World(ledger, takes_keys, interposer), steps)
    path.with_name("calls").write_text(str(interposer.calls()))
    interposer.begin("")
    store = await SqliteStore.open(path)
    await store.claim("stand", 1.0, time.time())
    await store.close()
    with closing(sqlite3.connect(theirs)) as connection:
        return {"integrity": connection.execute("PRAGMA integrity_check").fetchone()[0]}
