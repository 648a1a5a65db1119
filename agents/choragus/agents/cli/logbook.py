"""`choragus show`: the logbook of one run, as a timeline or raw, once or as it grows."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from heapq import merge
from importlib import import_module
from itertools import islice
from operator import attrgetter

from choragus.mailbox.reader import EntryRow, Reader

from .age import count_of
from .command import RUN, Commands, add_json, reading
from .exit import Exit, Refused
from .flight import in_flight
from .glance import Glance
from .owner import owner_of
from .paint import painted, state
from .record import RunRow, asked_rows, named_run
from .refusing import refusal, told_whole
from .request import request
from .text import block, chunks, counted, duration, moment, money, page, visible
from .timeline import HEADER, SYSTEM_STREAM, Timeline

HEAD = 9
"""Columns of the names above the timeline."""

LOOK = 0.05
"""Seconds between two looks for what is new."""

FIRST = 40
"""Entries after which what there is so far is shown, however long the rest takes."""

BEFORE = 200
"""Entries before the first that is shown that are read too, for what it refers to."""


def declare(commands: Commands) -> None:
    """`show`."""
    one = reading(
        commands,
        "show",
        show,
        "The run's timeline: model calls with tokens, cost and time; tool calls with arguments, verdict,\n"
        "who decided, and result; failures, restarts, reopened files; the outcome. A run that follows a plan\n"
        "begins with it: each step, its state, and what went wrong. Long texts are cut; --json prints\n"
        "everything, one logbook entry to a line, and a plan behind them.",
        "choragus show runs.db 5f2c --follow\n  choragus show runs.db 5f2c --tail 20\n"
        "  choragus show runs.db 5f2c --json | jq .kind",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    add_json(one, "the raw entries, as JSON lines")
    one.add_argument("-f", "--follow", action="store_true", help="go on printing until the run ends")
    where = one.add_mutually_exclusive_group()
    where.add_argument("--tail", metavar="N", type=count_of, help="only the last N entries of the logbook")
    from_help = "only from this position on, as it stands in the column AT"
    where.add_argument("--from", metavar="POSITION", type=count_of, dest="start", help=from_help)


def show(glance: Glance) -> Exit:
    """Print what the logbook of a run holds, and with `--follow` what it comes to hold until the run ends."""
    one = named_run(glance, glance.asked.run)
    raw: bool = glance.asked.json
    start = _start(glance, one)
    timeline = Timeline(page())
    if not raw:
        plan = _plan(glance.reader, one, raw)
        print("\n".join([*_head(one), *(["", *plan] if plan else []), "", painted(HEADER, "bold")]))
        sys.stdout.flush()
    if raw:
        _print_raw(glance, one, start)
    elif _print_timeline(glance, one, timeline, start):
        return Exit.OK
    if not raw:
        lines = timeline.unjudged(time.time()) + _under_way(glance, one, timeline)
        for asked in asked_rows(glance, one.run):
            lines += ["", *request(asked, time.time())]
        told = told_whole(glance, refusal(glance.reader, one.run))
        print("\n".join([*lines, *_foot(glance, named_run(glance, one.run)), *told]))
    return Exit.OK


def _start(glance: Glance, one: RunRow) -> int:
    """Behind which position of the run's logbook what is shown begins."""
    last = glance.reader.last(f"run/{one.run}")
    if glance.asked.tail is not None:
        return max(0, last - int(glance.asked.tail))
    start: int = glance.asked.start or 1
    if start > max(1, last) and not glance.asked.follow:
        raise Refused(f"the logbook of run {one.run} ends at {last}, before --from {start}")
    return max(0, start - 1)


def _print_timeline(glance: Glance, one: RunRow, timeline: Timeline, start: int) -> bool:
    """Print rows; True once the run has ended."""
    reader = glance.reader
    if start:
        first = next(reader.read(f"run/{one.run}", 0, 1), None)
        before = max(0, start - BEFORE)
        timeline.skip(([first] if first and before else []) + [*reader.read(f"run/{one.run}", before, start - before)])
    for number, entry in enumerate(_entries(glance, one, start), 1):
        for line in timeline.lines([entry]) if entry is not None else ():
            print(line)
        if entry is None or number == FIRST:
            sys.stdout.flush()
        if timeline.ended and glance.asked.follow:
            break
    return timeline.ended


def _print_raw(glance: Glance, one: RunRow, start: int) -> None:
    for number, entry in enumerate(_entries(glance, one, start), 1):
        if entry is not None and entry.stream != SYSTEM_STREAM:
            print(_raw(entry))
        if entry is None or number == FIRST:
            sys.stdout.flush()
        if entry is not None and entry.kind == "run.ended" and glance.asked.follow:
            break
    for line in _plan(glance.reader, one, True):
        print(line)


def _entries(glance: Glance, one: RunRow, start: int) -> Iterator[EntryRow | None]:
    """What the streams of the run and of the file hold, in commit order; with `--follow` for ever what comes, and None
    before each wait."""
    reader, stream = glance.reader, f"run/{one.run}"
    first = next(reader.read(stream, start, 1), None)
    read = {stream: start, SYSTEM_STREAM: _system_before(reader, first.seq if first else None)}
    while True:
        for entry in merge(*(reader.read(name, after) for name, after in read.items()), key=attrgetter("seq")):
            read[entry.stream] = entry.position
            yield entry
        if not glance.asked.follow:
            return
        yield None
        while not reader.changed():
            time.sleep(LOOK)


def _system_before(reader: Reader, seq: int | None) -> int:
    """The last position of the system's stream before that `seq` of the file."""
    low, high = 0, reader.last(SYSTEM_STREAM)
    while seq is not None and low < high:
        middle = (low + high + 1) // 2
        there = next(islice(reader.read(SYSTEM_STREAM, middle - 1, 1), 1), None)
        if there is not None and there.seq > seq:
            high = middle - 1
        else:
            low = middle if there is None or there.position == middle else min(high, there.position)
    return low


def _plan(reader: Reader, one: RunRow, raw: bool) -> list[str]:
    """The run's plan in lines, as far as it has one: only then is imported what puts plans together."""
    stream = f"plan/{one.run}"
    if not reader.last(stream):
        return []
    plan = import_module(f"{__package__}.plan")
    made = plan.plan_of([(entry.kind, entry.data) for entry in reader.read(stream)])
    if raw:
        return [json.dumps({"kind": "plan", "data": plan.plan_json(made)})]
    lines: list[str] = plan.plan_lines(made, page())
    return lines


def _raw(entry: EntryRow) -> str:
    fields = {"seq": entry.seq, "stream": entry.stream, "position": entry.position, "kind": entry.kind, "at": entry.at}
    return json.dumps({**fields, "data": entry.data})


def _head(one: RunRow) -> list[str]:
    end = one.ended or time.time()
    took = f"{'took' if one.ended else 'so far'} {duration(end - one.started)}"
    tokens = f"{one.input_tokens} + {one.output_tokens} tokens"
    used = f"{counted(one.steps, 'step')}, {tokens}, {money(one.cost_usd)}"
    if one.questions:
        used += f", {counted(one.questions, 'question')} to people"
    lines = {
        "run": f"{one.run} of agent {one.agent}" + (f", key {one.key}" if one.key else ""),
        "goal": one.goal,
        "status": one.status,
        "started": f"{moment(one.started)}, {took}",
        "used": used,
    }
    if one.plan:
        lines["at"] = one.plan
    if one.sources:
        lines["answer"] = "from " + ", ".join(one.sources)
    room = page() - HEAD
    return [
        f"{name if number == 0 else '':<{HEAD}}{state(piece) if name == 'status' else piece}"
        for name, text in lines.items()
        for number, piece in enumerate(chunks(visible(text), room))
    ]


def _under_way(glance: Glance, one: RunRow, timeline: Timeline) -> list[str]:
    """The calls that have begun and not ended, and what becomes of them."""
    found = in_flight(glance.reader, one.run)
    is_owned = _is_owned(glance) if found else False
    return timeline.added(flight.row(time.time(), is_owned) for flight in found)


def _is_owned(glance: Glance) -> bool:
    owner = owner_of(glance.reader)
    return owner is not None and (owner.lives or owner.is_silent)


def _foot(glance: Glance, one: RunRow) -> list[str]:
    lines = ["", f"{one.status} at step {one.step} ({one.phase})"]
    if one.waits:
        lines += [*block(one.waits, page()), glance.command("approvals")]
    if one.status == "running" and not _is_owned(glance):
        lines.append("nobody owns the file: the run goes on when it is next opened")
    return lines
