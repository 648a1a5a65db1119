"""`choragus draw`: the supervision tree, of an application or as it stands in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from .command import Commands, Owns, add_json, reading
from .exit import Exit, Refused
from .glance import Glance
from .owner import owner_of, told
from .text import counted, page, short, visible

PARTS = ("orchestrator", "guardrail", "memory", "tool_gateway")
"""The parts of a run; each is restarted by itself."""


class Node(NamedTuple):
    """What stands in the tree, what is to be said of it, and what stands below it."""

    name: str
    note: str = ""
    below: tuple[Node, ...] = ()


def declare(commands: Commands) -> None:
    """`draw`."""
    one = reading(
        commands,
        "draw",
        draw,
        "The supervision tree: of a file with how many actors there are, what is parked and how often each part\n"
        "has failed; with --app of your runtime as it would be opened, with its agents and their tools, without\n"
        "opening it. As text, or as a diagram in Mermaid's language.",
        "choragus draw runs.db\n  choragus draw --app myservice:runtime --mermaid",
        needs_file=False,
    )
    one.add_argument("--app", metavar="MODULE:NAME", action=Owns, owns="sketch:draw", help="your runtime; no FILE then")
    one.add_argument("--mermaid", action="store_true", help="as a Mermaid diagram, for a page or a README")
    add_json(one, "the tree as one JSON object")


def draw(glance: Glance) -> Exit:
    """Draw what is in the file."""
    show(_of_file(glance), glance.asked.mermaid, glance.asked.json)
    return Exit.OK


def show(root: Node, mermaid: bool, raw: bool) -> None:
    """Print a tree."""
    if raw and mermaid:
        raise Refused("--json and --mermaid were both given: give one of them")
    if raw:
        print(json.dumps(_fields(root)))
    else:
        print("\n".join(_mermaid(root) if mermaid else [*_lines(root, "", page())]))


def _of_file(glance: Glance) -> Node:
    rows = glance.reader.rows(
        "SELECT substr(id, 1, instr(id, '/') - 1) AS type, count(*) FROM actor WHERE ended = 0 GROUP BY 1 ORDER BY 1"
    )
    counts = {str(type): int(str(count)) for type, count in rows}
    parked = {
        str(type): int(str(count))
        for type, count in glance.reader.rows(
            "SELECT substr(receiver, 1, instr(receiver, '/') - 1) AS type, count(*) FROM parked GROUP BY type"
        )
    }
    runs = tuple(_region(f"choragus.{name}", counts, parked) for name in PARTS)
    inside = {f"choragus.{name}" for name in PARTS}
    shared = tuple(_region(name, counts, parked) for name in counts if name not in inside)
    below = (
        Node("runs", counted(glance.reader.count("run"), "run") + " kept, each part restarted by itself", runs),
        Node("shared", "one actor each, by key", shared),
    )
    return Node(glance.file, f"owned by {told(owner_of(glance.reader))}", below)


def _region(name: str, counts: dict[str, int], parked: dict[str, int]) -> Node:
    note = counted(counts.get(name, 0), "actor")
    if name in parked:
        note += f", {counted(parked[name], 'message')} parked"
    return Node(name, note)


def _lines(node: Node, lines: str, width: int) -> Iterator[str]:
    yield short(visible(f"{lines}{node.name}" + (f"  {node.note}" if node.note else "")), width)
    stem = lines.replace("|- ", "|  ").replace("`- ", "   ")
    for number, one in enumerate(node.below, 1):
        yield from _lines(one, stem + ("`- " if number == len(node.below) else "|- "), width)


def _mermaid(root: Node) -> list[str]:
    lines = ["graph TD"]

    def put(node: Node, above: str) -> None:
        id = f"n{len(lines)}"
        text = visible(node.name + (f": {node.note}" if node.note else "")).replace('"', "#quot;").replace("<", "#lt;")
        lines.append(f'  {id}["{text}"]' if not above else f'  {above} --> {id}["{text}"]')
        for one in node.below:
            put(one, id)

    put(root, "")
    return lines


def _fields(node: Node) -> dict[str, object]:
    return {"name": node.name, "note": node.note, "below": [_fields(one) for one in node.below]}
