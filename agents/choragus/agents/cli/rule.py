"""`choragus rules`: the standing rules of a file, and their end."""

from __future__ import annotations

import json
import time

from .command import Commands, Posts, add_json, add_person, reading
from .exit import Exit
from .glance import Glance
from .request import arguments
from .row import Fields, number_of, text_of, whole_of
from .text import counted, moment, visible


def declare(commands: Commands) -> None:
    """`rules`."""
    one = reading(
        commands,
        "rules",
        show_rules,
        "Each rule by which calls with exactly these arguments run without a question: whose it is, until\n"
        "when, how often still. `choragus approve --always N` makes one.",
        "choragus rules runs.db\n  choragus rules runs.db --revoke 7f3a --by mia",
    )
    one.add_argument("--revoke", metavar="ID", action=Posts, posts="revoking:revoke", help="take this rule back")
    add_person(one)
    add_json(one, "the same as JSON, one rule to a line; or what became of the end of one")


def show_rules(glance: Glance) -> Exit:
    """Print the rules that hold."""
    now = time.time()
    every = (row.data for row in glance.reader.views("rule"))
    found = [one for one in every if one.get("expires") is None or number_of(one, "expires") > now]
    if glance.asked.json:
        for one in found:
            print(json.dumps(one))
        return Exit.OK
    if not found:
        print(visible(f"no standing rules in {glance.file}"))
    print("\n\n".join("\n".join(_lines(glance, one)) for one in found), end="\n" if found else "")
    return Exit.OK


def _lines(glance: Glance, rule: Fields) -> list[str]:
    left = "" if rule.get("uses") is None else f", {counted(whole_of(rule, 'uses'), 'use')} left"
    until = "" if rule.get("expires") is None else f", until {moment(number_of(rule, 'expires'))}"
    whose = f" of agent {text_of(rule, 'agent')}" if rule.get("agent") else ""
    id, given = text_of(rule, "id"), rule.get("arguments")
    by = text_of(rule, "by")
    return [
        visible(f"{id}  {text_of(rule, 'tool')}{whose}: runs without a question, says {by}{until}{left}"),
        *arguments(given if isinstance(given, dict) else {}),
        f"  {glance.command('rules', '--revoke', id)}",
    ]
