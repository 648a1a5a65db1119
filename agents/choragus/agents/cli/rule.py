"""`choragus rules`: the standing rules of a file, and their end."""

from __future__ import annotations

import time

from choragus.agents.rulebook import MAIN, RULEBOOK, RevokeRule, Rule, rules
from choragus.agents.visit import post
from choragus.mailbox.address import actor_id

from .command import Commands, add_person, command
from .exit import Exit
from .request import arguments
from .session import Session
from .text import counted, moment, visible


def declare(commands: Commands) -> None:
    """`rules`."""
    one = command(
        commands,
        "rules",
        show_rules,
        "Each rule by which calls with exactly these arguments run without a question: whose it is, until\n"
        "when, how often still. `choragus approve --always N` makes one.",
        "choragus rules runs.db\n  choragus rules runs.db --revoke 7f3a --by mia",
    )
    one.add_argument("--revoke", metavar="ID", help="take this rule back")
    add_person(one)


async def show_rules(session: Session) -> Exit:
    """Print the rules that hold, or post the end of one."""
    now = time.time()
    found = {one.id: one for one in await rules(session.store) if one.expires is None or one.expires > now}
    if session.asked.revoke is not None:
        rule = session.pick(session.asked.revoke, found, "rule", "rules")
        fate = await post(session.store, actor_id(RULEBOOK, MAIN), RevokeRule(rule.id, session.by))
        return session.report(fate, f"rule {rule.id} is taken back by {session.by}")
    if not found:
        print(visible(f"no standing rules in {session.file}"))
    print("\n\n".join("\n".join(_lines(session, one)) for one in found.values()), end="\n" if found else "")
    return Exit.OK


def _lines(session: Session, rule: Rule) -> list[str]:
    left = "" if rule.uses is None else f", {counted(rule.uses, 'use')} left"
    until = "" if rule.expires is None else f", until {moment(rule.expires)}"
    whose = f" of agent {rule.agent}" if rule.agent else ""
    return [
        visible(f"{rule.id}  {rule.tool}{whose}: runs without a question, says {rule.by}{until}{left}"),
        *arguments(rule.arguments),
        f"  {session.command('rules', '--revoke', rule.id)}",
    ]
