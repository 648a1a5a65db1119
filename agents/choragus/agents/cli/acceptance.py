"""`choragus accept`: what MCP servers offer that nobody has accepted, and a person's word on it."""

from __future__ import annotations

import json

from choragus.agents.mcp.pinbook import PINBOOK, AcceptTools
from choragus.agents.mcp.standing import Standing, standings
from choragus.agents.visit import post
from choragus.mailbox.address import actor_id

from .command import Commands, add_json, command
from .exit import Exit, Refused
from .session import Session
from .text import block, counted, moment, page, visible


def declare(commands: Commands) -> None:
    """`accept`."""
    one = command(
        commands,
        "accept",
        accept,
        "Tools of a server that are new, or not what was accepted, are refused until somebody accepts them.\n"
        "Without --by, show for each server what waits, line by line: `-` as it was accepted, `+` as it is\n"
        "offered. With --by, accept: one tool by its name, or all that the server offers. What is accepted\n"
        "is what is printed: --seen refuses when the server offers something else by then.",
        "choragus accept runs.db\n  choragus accept runs.db git git_diff --by mia",
    )
    one.add_argument("server", metavar="SERVER", nargs="?", default="", help="the server's name; by default all")
    one.add_argument("tool", metavar="TOOL", nargs="?", default="", help="the server's own name for it; by default all")
    one.add_argument("--seen", metavar="MARK", default="", help="as shown; refuse when it is another by now")
    one.add_argument("--by", metavar="NAME", help="who accepts; without it nothing is accepted")
    add_json(one, "what waits, one server to a line; or what became of it, as JSON")


async def accept(session: Session) -> Exit:
    """Print what waits, or accept it."""
    asked = session.asked
    known = await standings(session.store)
    if asked.server:
        known = {asked.server: session.pick(asked.server, known, "server", "accept")}
    if asked.by is not None:
        return await _accept(session, known)
    shown = [_lines(session, one) for one in known.values() if one.changed or one.new or one.gone]
    if session.is_json:
        for one in known.values():
            if one.changed or one.new or one.gone:
                names = {"changed": one.changed, "new": one.new, "gone": one.gone}
                print(json.dumps({"server": one.server, "mark": one.mark, "at": one.at, **names}))
        return Exit.OK
    if not shown:
        print(visible(f"nothing waits to be accepted in {session.file}"))
    print("\n\n".join("\n".join(lines) for lines in shown), end="\n" if shown else "")
    return Exit.OK


async def _accept(session: Session, known: dict[str, Standing]) -> Exit:
    asked = session.asked
    if not asked.server:
        raise Refused("which server? Name one: `choragus accept FILE SERVER --by NAME`")
    (one,) = known.values()
    what = f"tool {asked.tool} of server {one.server}" if asked.tool else f"all that server {one.server} offers"
    objection = one.objection(asked.tool, mark="")  # a word about something else is for the logbook
    if objection:
        raise Refused(objection)
    identity = {"method": "cli", "login": session.login}
    message = AcceptTools(by=session.by, tool=asked.tool, mark=asked.seen or one.mark, identity=identity)
    fate = await post(session.store, actor_id(PINBOOK, one.server), message)
    return session.report(fate, f"{what} is accepted by {session.by}", server=one.server)


def _lines(session: Session, one: Standing) -> list[str]:
    count = counted(len(one.changed) + len(one.new) + len(one.gone), "tool")
    lines = [visible(f"{one.server}  {count} not as accepted, seen {moment(one.at)}")]
    for how, names in (("changed", one.changed), ("new", one.new), ("not offered any more", one.gone)):
        for name in names:
            lines.append(visible(f"  {name}: {how}"))
            lines += block(one.difference(name), page())
    return [*lines, f"  {session.command('accept', one.server, '--seen', one.mark, '--by', session.login or 'NAME')}"]
