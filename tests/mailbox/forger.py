"""Somebody who knows the form of a file and writes its logbook as he likes, as thoroughly as he likes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from enum import IntEnum
from pathlib import Path
from random import Random

import attrs

from choragus.mailbox.digest import GENESIS, chain, chain_batch, digest
from choragus.mailbox.phrase import shortened, spelled_out
from choragus.mailbox.turn import Entry


class Care(IntEnum):
    """What he makes to fit again."""

    NOTHING = 0
    DIGESTS = 1
    HASHES = 2
    """Also the hash of the entry that he changed."""
    CHAINS = 3
    """Also those of all behind it in its stream, and the stream's head."""
    EVERYTHING = 4
    """Also the batches, and the count of entries."""


@attrs.define
class Line:
    """An entry as he has it on his desk; `stream` is its name, `forged`: he has been at it."""

    seq: int
    stream: str
    position: int
    kind: str
    at: float
    body: bytes
    batch: int
    hash: bytes
    digest: bytes
    forged: bool = False


@attrs.define
class Forgery:
    """What was done to which entry: what `verify` must name, one of these."""

    what: str
    names: tuple[tuple[str, int], ...]


class Forger:
    """Reads a file, changes its entries, writes them back."""

    def __init__(self, path: Path, random: Random, care: Care) -> None:
        self._path, self._random, self._care = path, random, care
        with closing(sqlite3.connect(path)) as connection:
            self.numbers: dict[str, int] = dict(connection.execute("SELECT stream, number FROM head").fetchall())
            self.heads = {name: row for name, *row in connection.execute("SELECT stream, position, hash FROM head")}
            self.batches = connection.execute("SELECT number, at, hash FROM batch ORDER BY number").fetchall()
            names = {number: name for name, number in self.numbers.items()}
            self.lines = [
                Line(seq, names[stream], position, kind, at, spelled_out(names[stream], body), *rest)
                for seq, stream, position, kind, at, body, *rest in connection.execute(
                    "SELECT * FROM entry ORDER BY seq"
                )
            ]

    def forge(self, what: str) -> Forgery:
        """Do it and write it down."""
        names: tuple[tuple[str, int], ...] = getattr(self, f"_{what}")()
        if self._care >= Care.HASHES:
            self._mend()
        self._write()
        return Forgery(what, names)

    def _changed(self) -> tuple[tuple[str, int], ...]:
        line = self._random.choice(self.lines)
        match self._random.choice(("body", "kind", "at")):
            case "body":
                line.body = line.body.replace(b"line", b"LINE")
            case "kind":
                line.kind = "test.forged"
            case _:
                line.at += 1.0
        line.forged = True
        return ((line.stream, line.position),)

    def _removed(self) -> tuple[tuple[str, int], ...]:
        numbers = [line.batch for line in self.lines]
        alone = () if self._care < Care.EVERYTHING else [line for line in self.lines if numbers.count(line.batch) == 1]
        line = self._random.choice([line for line in self.lines if line not in alone])  # its batch would be empty
        self.lines.remove(line)
        self._renumber(line.stream)
        return ((line.stream, line.position),)

    def _reordered(self) -> tuple[tuple[str, int], ...]:
        """The contents of two entries of a stream change places."""
        name = self._random.choice([name for name, (last, _) in self.heads.items() if last > 1])
        one, two = self._random.sample([line for line in self.lines if line.stream == name], 2)
        one.kind, two.kind, one.at, two.at = two.kind, one.kind, two.at, one.at
        one.body, two.body = two.body, one.body
        if self._care is not Care.CHAINS:
            one.hash, two.hash = two.hash, one.hash
        one.forged = two.forged = True
        return ((name, one.position), (name, two.position))

    def _inserted(self) -> tuple[tuple[str, int], ...]:
        """One that was never there, or one that was there already, at the end of a stream, in the last batch."""
        name = self._random.choice(sorted(self.heads))
        last = [line for line in self.lines if line.stream == name][-1]
        seq, batch = self.lines[-1].seq + 1, self.lines[-1].batch
        line = attrs.evolve(last, seq=seq, batch=batch, position=last.position + 1, forged=True)
        if self._random.random() < 0.5:
            line.body = b'{"line":"never written"}'
        self.lines.append(line)
        return ((name, line.position),)

    def _misplaced(self) -> tuple[tuple[str, int], ...]:
        """Two streams have changed their names."""
        one, two = self._random.sample(sorted(self.heads), 2)
        for line in self.lines:
            line.stream = {one: two, two: one}.get(line.stream, line.stream)
            line.forged = line.forged or line.stream in (one, two)
        self.heads[one], self.heads[two] = self.heads[two], self.heads[one]
        self.numbers[one], self.numbers[two] = self.numbers[two], self.numbers[one]
        return ((one, 1), (two, 1))

    def _truncated(self) -> tuple[tuple[str, int], ...]:
        """The last batches are gone, and with them what they wrote."""
        first = self._random.randint(2, len(self.batches))
        gone = [line for line in self.lines if line.batch >= first]
        self.lines = [line for line in self.lines if line.batch < first]
        self.batches = self.batches[: first - 1]
        return tuple((line.stream, line.position) for line in gone)

    def _renumber(self, stream: str) -> None:
        if self._care >= Care.CHAINS:
            for position, line in enumerate((line for line in self.lines if line.stream == stream), 1):
                line.position = position

    def _mend(self) -> None:
        """Hashes, as far as his care goes."""
        heads: dict[str, tuple[int, bytes]] = {}
        for line in self.lines:
            before = heads.get(line.stream, (0, GENESIS))[1]
            if line.forged or self._care >= Care.CHAINS:
                line.hash = chain(before, line.position, Entry(line.stream, line.kind, line.at, line.body))
            heads[line.stream] = (line.position, line.hash)
        if self._care >= Care.CHAINS:
            self.heads = {name: list(head) for name, head in heads.items()}
        if self._care is Care.EVERYTHING:
            self._mend_batches()
            for seq, line in enumerate(self.lines, 1):
                line.seq = seq

    def _mend_batches(self) -> None:
        before, mended = GENESIS, []
        for number, at, _ in self.batches:
            lines = [line for line in self.lines if line.batch == number]
            if lines or number < self.batches[-1][0]:
                left = {line.stream: (line.stream, line.position, line.hash) for line in lines}
                before = chain_batch(before, number, at, left.values())
                mended.append((number, at, before))
        self.batches = mended

    def _write(self) -> None:
        def sealed(size: int, *fields: object) -> tuple[object, ...]:
            return (*fields, digest(*fields)[:size])  # type: ignore[arg-type]  # as SQLite takes them

        with closing(sqlite3.connect(self._path)) as connection:
            connection.executescript(
                "DELETE FROM entry; DELETE FROM head; DELETE FROM batch; DROP INDEX entry_position"
            )
            for line in self.lines:
                fields = (line.seq, self.numbers[line.stream], line.position, line.kind, line.at)
                row = (*fields, shortened(line.stream, line.body), line.batch, line.hash)
                full = sealed(8, *row) if self._care >= Care.DIGESTS else (*row, line.digest)
                connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", full)
            for name, head in self.heads.items():
                connection.execute(
                    "INSERT INTO head VALUES (?, ?, ?, ?, ?)", sealed(16, self.numbers[name], name, *head)
                )
            for batch in self.batches:
                connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?)", sealed(8, *batch))
            connection.execute("CREATE INDEX entry_position ON entry (stream, position)")
            if self._care is Care.EVERYTHING:
                last = self.lines[-1].seq
                connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'entry'", (last,))
            connection.execute("COMMIT")
