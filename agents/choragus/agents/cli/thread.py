"""`choragus thread`: what was said in a conversation, over all of its runs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from choragus.mailbox.reader import EntryRow

from .command import Commands, add_json, reading
from .exit import Exit, Refused
from .glance import Glance
from .record import RunRow, find_run, named_run, run_of
from .row import Fields, text_of
from .text import GOES_ON, block, chunks, counted, moment, page, visible


def declare(commands: Commands) -> None:
    """`thread`."""
    one = reading(
        commands,
        "thread",
        thread,
        "All lines of a conversation over its runs, in order. Foreign text stands behind a margin. Without a\n"
        "name, list the conversations of the file.",
        "choragus thread runs.db alice\n  choragus thread runs.db 5f2c",
    )
    one.add_argument("name", metavar="NAME", nargs="?", default="", help="its name, or the id of one of its runs")
    add_json(one, "the same as JSON: one line of the conversation, or one conversation, to a line")


def thread(glance: Glance) -> Exit:
    """Print all that was said in a conversation; without a name, which conversations there are."""
    name: str = glance.asked.name
    every = [run_of(row) for row in glance.reader.views("run", "")]
    if not name:
        return _list(glance, every)
    found = {one.thread for one in every if one.thread and one.name == name}
    if not found and not any(one.run.startswith(name) for one in every):
        listing = f"list them with `{glance.command('thread')}` or `{glance.command('runs')}`"
        raise Refused(f"no conversation or run {name!r} in {glance.file}: {listing}")
    if not found:
        one = named_run(glance, name)
        found = {one.thread or one.run}
    for id in sorted(found):
        _show(glance, id)
    return Exit.OK


def _list(glance: Glance, every: list[RunRow]) -> Exit:
    """Print each conversation that has a name or more than one run, by the latest of its runs."""
    several: dict[str, list[RunRow]] = {}
    for one in every:
        if one.thread:
            several.setdefault(one.thread, []).append(one)
    if not several and not glance.asked.json:
        print(visible(f"no conversations in {glance.file}: a run that was told no more is shown by its id"))
    for id, of in several.items():
        last = of[-1]
        name = last.name or of[0].run
        if glance.asked.json:
            print(json.dumps({"thread": id, "name": last.name, "agent": last.agent, "runs": [one.run for one in of]}))
            continue
        print(visible(f"{name}  agent {last.agent}, {counted(len(of), 'run')}, the last {last.run} {last.status}"))
    return Exit.OK


def _runs(glance: Glance, thread: str) -> Iterator[RunRow]:
    """Its runs that are not pruned, in their order."""
    stream = f"thread/{thread}"
    if not glance.reader.last(stream) and (alone := find_run(glance, thread)):
        yield alone
    for line in glance.reader.read(stream):
        one = find_run(glance, text_of(line.data, "run"))
        if one is not None:
            yield one


def _show(glance: Glance, id: str) -> None:
    before = ""
    for one in _runs(glance, id):
        after = one.carried if one.follows == before else 0
        before, is_first = one.run, True
        for line in glance.reader.read(f"conversation/{one.run}", after):
            if glance.asked.json:
                print(json.dumps({"run": one.run, "position": line.position, "at": line.at, **_told(line.data)}))
                continue
            if is_first:
                print(visible(f"run {one.run}, agent {one.agent}: {one.status}, began {moment(one.started)}"))
                is_first = False
            _print(line)


def _print(line: EntryRow) -> None:
    message = line.data
    who = f"{text_of(message, 'role')} {text_of(message, 'name')}".strip()
    asked = [f"calls {name}" for name in _calls(message)]
    head = f"  {moment(line.at)}  {who}" + (f" ({', '.join(asked)})" if asked else "")
    first, *more = chunks(visible(head), page() - len(GOES_ON))
    print("\n".join([first, *(f"{GOES_ON}{piece}" for piece in more)]))
    for said in block(text_of(message, "text").splitlines(), page()):
        print(said)


def _calls(message: Fields) -> list[str]:
    calls = message.get("calls")
    return [str(one.get("name")) for one in calls if isinstance(one, dict)] if isinstance(calls, list) else []


def _told(message: Fields) -> Fields:
    """A line without its pictures, which are large."""
    return {name: value for name, value in message.items() if name not in ("images", "kept")}
