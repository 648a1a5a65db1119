"""`choragus parked`: messages that could not be handled."""

from __future__ import annotations

import json

from choragus.mailbox.reader_mail import ParkedRow, parked

from .command import Commands, add_json, reading
from .exit import Exit
from .glance import Glance
from .parked_id import parked_id
from .text import block, moment, page, visible


def declare(commands: Commands) -> None:
    """`parked`."""
    one = reading(
        commands,
        "parked",
        show_parked,
        "A message that its receiver fails on again and again is parked, so that it blocks nothing. Mend\n"
        "the cause, then requeue it.",
        "choragus parked runs.db",
    )
    add_json(one, "the same as JSON, one message to a line")


def show_parked(glance: Glance) -> Exit:
    """Print the parked messages, oldest first, each with the command that requeues it."""
    found = parked(glance.reader)
    if glance.asked.json:
        for one in found:
            print(
                json.dumps(
                    {"parked": parked_id(one.receiver, one.id), **one._replace(body=b"")._asdict(), "body": _json(one)}
                )
            )
        return Exit.OK
    if not found:
        print(visible(f"no parked messages in {glance.file}"))
    print("\n\n".join("\n".join(_lines(glance, one)) for one in found), end="\n" if found else "")
    return Exit.OK


def _lines(glance: Glance, one: ParkedRow) -> list[str]:
    id = parked_id(one.receiver, one.id)
    return [
        visible(f"{id}  {one.tag} to {one.receiver}, parked {moment(one.at)}"),
        visible(f"  message {one.id}"),
        visible(f"  from {one.sender or 'nobody'}"),
        *block([one.reason], page()),
        f"  {glance.command('requeue', id)}",
    ]


def _json(one: ParkedRow) -> object:
    try:
        return json.loads(one.body)
    except ValueError:  # damaged: its digest says so too
        return one.body.decode(errors="backslashreplace")
