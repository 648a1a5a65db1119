"""`choragus doctor`: what stands in a file's way, and the remedy."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from choragus.mailbox.reader import SCHEMA, Reader
from choragus.mailbox.reader_mail import parked

from .command import Commands, add_json, reading
from .exit import Exit
from .flight import Flight, in_flight
from .glance import Glance
from .owner import owner_of
from .paint import painted
from .record import asked_rows, run_of, unknown_rows
from .refusing import refusals, told_in_short
from .row import text_of
from .text import chunks, counted, duration, page, size, visible

OK, NOTE, NEEDS = "ok", "note", "needs you"

LARGE_WAL = 64_000_000
"""Bytes of a log that ought to have been emptied."""

FREE = 0.25
"""Part of the file that may be empty pages."""

LITTLE_ROOM = 1_000_000_000
"""Bytes of disk that ought to be free, or as many as the file has."""

SECONDS = 0.5
"""Between two looks for mail that nobody takes."""

EXTRAS = {
    "cli": ("rich",),
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "mcp": ("mcp",),
    "otlp": ("opentelemetry-exporter-otlp-proto-http",),
    "prices": ("genai-prices",),
    "vector": ("numpy",),
    "web": ("starlette", "uvicorn"),
    "yaml": ("pyyaml",),
}
"""The distributions behind each extra."""


class Finding(NamedTuple):
    """Something that was looked at, how it is, and what to do about it."""

    about: str
    level: str
    told: str
    remedy: str = ""


def declare(commands: Commands) -> None:
    """`doctor`."""
    one = reading(
        commands,
        "doctor",
        doctor,
        "Look at the file, its owner and the disk: who owns it, what waits for a person, what was parked, what\n"
        "nobody takes up, how large the log is, which extras are installed. Each finding has its remedy. Exits\n"
        "with 1 when something needs a person. choragus verify looks at every record.",
        "choragus doctor runs.db",
    )
    add_json(one, "findings as JSON, one to a line")


def doctor(glance: Glance) -> Exit:
    """Print what is found; 1 when something needs a person."""
    found: list[Finding] = []
    for look in _LOOKS:
        for one in look(glance):
            found.append(one)
            for line in [json.dumps(one._asdict())] if glance.asked.json else _lines(one):
                print(line)
    needs = [one for one in found if one.level == NEEDS]
    if not glance.asked.json:
        print()
        told = f"{counted(len(needs), 'finding')} for a person" if needs else "nothing needs a person"
        print(visible(f"{glance.file}: {told}"))
    return Exit.PROBLEMS if needs else Exit.OK


def _lines(one: Finding) -> Iterator[str]:
    style = {OK: "green", NOTE: "yellow", NEEDS: "red"}[one.level]
    begin = f"{one.level:<9}  {one.about:<10}  "
    for number, piece in enumerate(chunks(visible(one.told), page() - len(begin))):
        yield (painted(f"{one.level:<9}", style) + begin[9:] if number == 0 else " " * len(begin)) + piece.rstrip()
    if one.remedy:
        yield " " * len(begin) + visible(f"-> {one.remedy}")  # whole, however narrow the page: it is copied


def _schema(glance: Glance) -> Iterator[Finding]:
    yield Finding("schema", OK, f"schema {SCHEMA}, SQLite {sqlite3.sqlite_version}")


def _owner(glance: Glance) -> Iterator[Finding]:
    owner = owner_of(glance.reader)
    going = [one for one in map(run_of, glance.reader.views("run", "")) if one.status == "running"]
    runs = f"{counted(len(going), 'run')} running"
    if owner is None:
        yield Finding("owner", OK, "nobody has ever owned it")
    elif owner.lives:
        yield Finding("owner", OK, f"{owner.told()}; {runs}")
    elif owner.is_silent:
        remedy = f"look at process {owner.pid}; when it hangs, end it, and start the service again"
        yield Finding("owner", NEEDS, owner.told(), remedy)
    elif going:
        remedy = "start the service again, or: choragus serve --app MODULE:NAME"
        yield Finding("owner", NEEDS, f"{owner.told()}; {runs}, which nobody goes on with", remedy)
    else:
        yield Finding("owner", OK, owner.told())


def _people(glance: Glance) -> Iterator[Finding]:
    asked, lost = asked_rows(glance), unknown_rows(glance)
    if asked:
        oldest = duration(time.time() - min(one.asked for one in asked))
        told = f"{counted(len(asked), 'decision')} to be made by a person, the oldest asked for {oldest} ago"
        yield Finding("approvals", NEEDS, told, glance.command("approvals"))
    else:
        yield Finding("approvals", OK, "nothing waits for a decision")
    cut = _cut_off(glance)
    if lost:
        told = (
            f"{counted(len(lost), 'call')} of unknown outcome: {', '.join(f'{one.run} {one.call}' for one in lost[:5])}"
        )
        yield Finding("outcomes", NEEDS, told, glance.command("approvals"))
    if cut:
        listed = ", ".join(f"{one.run} {one.call} {one.what}" for one in cut[:5])
        told = f"{counted(len(cut), 'call')} cut off that cannot be repeated: {listed}"
        yield Finding("outcomes", NEEDS, told, f"start the service again, then: {glance.command('approvals')}")
    if not lost and not cut:
        yield Finding("outcomes", OK, "the outcome of every call is known")


def _cut_off(glance: Glance) -> list[Flight]:
    """Calls of unknown outcome that no process has found yet: theirs has died, and none has opened the file since."""
    owner = owner_of(glance.reader)
    if owner is not None and (owner.lives or owner.is_silent):
        return []
    return [one for one in in_flight(glance.reader) if not one.is_repeatable]


def _mail(glance: Glance) -> Iterator[Finding]:
    found = parked(glance.reader)
    if found:
        who = ", ".join(sorted({one.receiver for one in found})[:3])
        told = f"{counted(len(found), 'message')} parked, the oldest for {duration(time.time() - found[0].at)}: {who}"
        yield Finding("parked", NEEDS, told, f"mend the cause, then requeue: {glance.command('parked')}")
    else:
        yield Finding("parked", OK, "no message is parked")
    owner = owner_of(glance.reader)
    if owner is None or not owner.lives:
        return
    before = _due(glance.reader)
    if before:
        time.sleep(SECONDS)
    stuck = sorted(name for name, first in _due(glance.reader).items() if before.get(name) == first)
    if stuck:
        told = f"{counted(len(stuck), 'actor')} with mail that is not taken up: {', '.join(stuck[:3])}"
        remedy = (
            "its run is held (its agent is missing or has changed) or the actor is suspended: the owner's log says why"
        )
        yield Finding("mail", NEEDS, told, remedy)
    else:
        yield Finding("mail", OK, "all mail is taken up")


def _due(reader: Reader) -> dict[str, int]:
    """The actors that have mail that is due, with the first of it."""
    rows = reader.rows("SELECT receiver, min(seq) FROM message WHERE due <= ? GROUP BY receiver", time.time())
    return {str(receiver): int(str(seq)) for receiver, seq in rows}


def _refused(glance: Glance) -> Iterator[Finding]:
    """The runs that the last opening has not gone on with."""
    for run, row in refusals(glance.reader).items():
        if not row.get("warned"):
            remedy = glance.command("show", run)
            yield Finding("refused", NEEDS, f"run {run}: {' '.join(told_in_short(row))}", remedy)


def _servers(glance: Glance) -> Iterator[Finding]:
    for row in glance.reader.views("mcp"):
        data = row.data
        offered, accepted, wanted = data.get("offered"), data.get("accepted"), data.get("wanted")
        if isinstance(offered, dict) and isinstance(accepted, dict) and isinstance(wanted, list):
            waiting = [name for name, offer in offered.items() if name in wanted and accepted.get(name) != offer]
            if waiting:
                server = text_of(data, "server")
                told = f"MCP server {server} offers what nobody has accepted: {', '.join(waiting[:5])}"
                yield Finding("tools", NEEDS, told, glance.command("accept", server))


def _room(glance: Glance) -> Iterator[Finding]:
    path = glance.file
    whole, wal = os.path.getsize(path), _size(f"{path}-wal")
    told = f"{size(whole)}, log {size(wal)}"
    if wal > LARGE_WAL:
        remedy = "something reads for very long and keeps the log from being emptied: end it"
        yield Finding("size", NOTE, told, remedy)
    else:
        yield Finding("size", OK, told)
    free, page_size = (int(str(glance.reader.rows(f"PRAGMA {name}")[0][0])) for name in ("freelist_count", "page_size"))
    empty = free * page_size
    if empty > FREE * whole and empty > 10_000_000:
        yield Finding("pages", NOTE, f"{size(empty)} of it is empty", f"with nobody on it: {glance.command('compact')}")
    disk = shutil.disk_usage(os.path.dirname(os.path.abspath(path))).free
    if disk < max(LITTLE_ROOM, whole):
        yield Finding(
            "disk",
            NEEDS,
            f"{size(disk)} free",
            f"make room, or take away what is old: {glance.command('prune', '--older-than', '30d')}",
        )
    else:
        yield Finding("disk", OK, f"{size(disk)} free")


def _extras(glance: Glance) -> Iterator[Finding]:
    there, missing = [f"choragus {_version('choragus') or 'from a source tree'}"], list[str]()
    for extra, names in EXTRAS.items():
        found = [f"{name} {known}" for name in names if (known := _version(name))]
        if len(found) == len(names):
            there += found
        else:
            missing.append(extra)
    hint = f"as far as you need them: pip install 'choragus[{','.join(missing)}]'" if missing else ""
    yield Finding(
        "versions", OK, ", ".join(there) + (f"; without the extras {', '.join(missing)}" if missing else ""), hint
    )


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


_LOOKS: tuple[Callable[[Glance], Iterator[Finding]], ...] = (
    _schema,
    _owner,
    _people,
    _refused,
    _mail,
    _servers,
    _room,
    _extras,
)
