"""`choragus diff`: on what two runs ran, or a run and the agent as it is now, and what differs. It only reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import NamedTuple

from choragus.agents.stream import run_stream
from choragus.agents.version.difference import Change, differences, told, walked
from choragus.agents.version.record import CONTENT, MANIFEST, PROVENANCE, REFUSED

from .command import RUN, Commands, reading
from .exit import Exit, Refused
from .glance import Glance
from .text import visible

NOT_KNOWN = "the file does not hold it: it was written by an earlier version"


class Side(NamedTuple):
    """One of the two: what it is called, and on what it ran; `contents` is what the file does not hold."""

    what: str
    agent: str
    hash: str
    identity: Mapping[str, object]
    provenance: Mapping[str, object]
    contents: Mapping[str, str] = {}
    foreign: tuple[str, ...] = ()


def declare(commands: Commands) -> None:
    """`diff`."""
    one = reading(
        commands,
        "diff",
        diff,
        "First what makes the identity of the two: settings, the prompt line by line, tools, policies in their\n"
        "order, limits. A run goes on only while that is the same. Then where the code came from: versions\n"
        "of choragus, Python and packages, git revisions; that is recorded and holds nothing up.\n\n"
        "With one RUN it is compared with its agent as it is in the application that --app names; without\n"
        "--app with the agent for which the run was refused when the file was last opened.",
        "choragus diff runs.db 5f2c 81aa\n  choragus diff runs.db 5f2c --app myservice:runtime",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("other", metavar="OTHER", nargs="?", default="", help="another run")
    one.add_argument("--app", metavar="MODULE:NAME", default="", help="where the Runtime is made; it is not opened")
    one.add_argument("--json", action="store_true", help="the same as JSON")


def diff(glance: Glance) -> Exit:
    """Print what differs."""
    asked = glance.asked
    if asked.other and asked.app:
        raise Refused("a run is compared with another run, or with --app: leave one of them out")
    was = _run(glance, asked.run)
    now = _run(glance, asked.other) if asked.other else _app(asked.app, was) if asked.app else _refused(glance, was)
    was = _without(was, now.foreign)
    contents = {**was.contents, **now.contents}
    changes = differences(was.identity, now.identity, lambda key: contents.get(key) or _content(glance, key))
    beside = tuple(walked("", was.provenance, now.provenance))
    if asked.json:
        print(json.dumps(_as_json(was, now, changes, beside)))
        return Exit.OK
    for line in _lines(was, now, changes, beside):
        print(visible(line))
    return Exit.OK


def _lines(was: Side, now: Side, changes: tuple[Change, ...], beside: tuple[Change, ...]) -> Iterator[str]:
    yield f"- {was.what} of agent {was.agent}"
    yield f"+ {now.what} of agent {now.agent}"
    if changes or was.hash != now.hash:
        yield f"identity: {was.hash[:12]} -> {now.hash[:12]}"
        yield from (f"  {line}" for line in told(changes))
        if not changes:
            yield f"  what differs is not known: {NOT_KNOWN}"
    else:
        yield f"identity: {was.hash[:12]}, the same"
    if now.foreign:
        yield f"  (tools of servers are not compared: {', '.join(now.foreign)}*)"
    if beside:
        yield "provenance (recorded only, it holds nothing up):"
        yield from (f"  {line}" for line in told(beside))
    else:
        yield "provenance: the same"


def _as_json(was: Side, now: Side, changes: tuple[Change, ...], beside: tuple[Change, ...]) -> dict[str, object]:
    def side(one: Side) -> dict[str, object]:
        return {"what": one.what, "agent": one.agent, "hash": one.hash}

    return {
        "was": side(was),
        "now": side(now),
        "same": was.hash == now.hash,
        "identity": [one.as_dict() for one in changes],
        "provenance": [one.as_dict() for one in beside],
    }


def _run(glance: Glance, id: str) -> Side:
    """A run, on what it was last."""
    row = glance.run(id)
    data: dict[str, object] = {}
    provenance, hash = "", str(row.data["manifest"])
    for entry in glance.reader.read(run_stream(row.key)):
        if entry.kind == "run.manifest" and not data:
            data = entry.data
            provenance = str(data.get("provenance", ""))
        elif entry.kind == "run.continued":
            provenance = str(entry.data.get("provenance", provenance))
    kept = glance.reader.view(MANIFEST, hash)
    inline = data.get("identity") if data.get("hash") == hash else None
    identity = kept.data["identity"] if kept is not None else inline
    agent = str(row.data["agent"])
    said = _beside(_provenance(glance, provenance), data.get("prompt"))
    return Side(f"run {row.key}", agent, hash, identity if isinstance(identity, dict) else {}, said)


def _refused(glance: Glance, was: Side) -> Side:
    """What the agent was when the run was refused."""
    run = was.what.removeprefix("run ")
    row = glance.reader.view(REFUSED, run)
    now = "" if row is None else str(row.data.get("now", ""))
    kept = glance.reader.view(MANIFEST, now) if now else None
    if kept is None:
        why = "is not refused" if row is None else "is refused for its agent is missing" if not now else ""
        why = why and f"{why}, so there is no other version to compare it with"
        raise Refused(
            f"run {run} {why or f'is refused for version {now[:12]}, which the file does not hold'}: name another run, "
            "or the application with --app MODULE:NAME"
        )
    identity = kept.data["identity"]
    assert isinstance(identity, dict)
    return Side("the agent as it was when the file was last opened", was.agent, now, identity, was.provenance)


def _app(place: str, was: Side) -> Side:
    """The agent as it is now; only this imports the application, and the runtime."""
    now = import_module("choragus.agents.version.today").today(place, was.agent)
    said = _beside(now.provenance, now.prompt)
    return Side(f"{place}, as it is now,", was.agent, now.hash, now.identity, said, now.contents, now.foreign)


def _without(side: Side, foreign: tuple[str, ...]) -> Side:
    """Without the tools that only an open runtime knows."""
    tools = side.identity.get("tools")
    if not foreign or not isinstance(tools, list):
        return side
    left = [one for one in tools if not str(one.get("name")).startswith(foreign)]
    return side._replace(identity={**side.identity, "tools": left})


def _beside(provenance: Mapping[str, object], prompt: object) -> dict[str, object]:
    """Where the code came from, and what people call the prompt."""
    named = {name: prompt[name] for name in ("name", "version") if prompt.get(name)} if isinstance(prompt, dict) else {}
    code = {"code": _commits(provenance["code"])} if "code" in provenance else {}
    return {**provenance, **code, **({"prompt": named} if named else {})}


def _commits(code: object) -> str:
    """The revisions of the working trees, as people say them."""
    said = {None: " (changed or not: unknown)", True: " with changes", False: ""}
    trees = [one for one in code if isinstance(one, dict)] if isinstance(code, list) else []
    told = [f"{str(one.get('commit'))[:12]}{said.get(one.get('dirty'), '')}" for one in trees]
    return ", ".join(told) or "in no git working tree"


def _provenance(glance: Glance, hash: str) -> dict[str, object]:
    row = glance.reader.view(PROVENANCE, hash) if hash else None
    found = None if row is None else row.data.get("provenance")
    return found if isinstance(found, dict) else {}


def _content(glance: Glance, key: str) -> str | None:
    row = glance.reader.view(CONTENT, key)
    if row is None:
        return None
    text = row.data.get("text")
    return text if isinstance(text, str) else json.dumps(row.data.get("schema"), indent=2, sort_keys=True)
