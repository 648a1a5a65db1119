"""`choragus heads`: export where the chain of a file stands."""

from __future__ import annotations

import time

from choragus.mailbox.heads import key_in

from .command import Commands, reading
from .exit import Exit
from .glance import Glance


def declare(commands: Commands) -> None:
    """`heads`."""
    one = reading(
        commands,
        "heads",
        heads,
        "Print where the file's chain of hashes stands, as JSON. Keep it where whoever can write to the\n"
        "file cannot: `choragus verify FILE --heads` then shows that nothing up to there was written anew\n"
        "or removed since. With --sign it says who has exported it: a code over it by the key (HMAC-SHA256).",
        "choragus heads runs.db --streams --sign audit.key > heads.json",
    )
    one.add_argument("--streams", action="store_true", help="also the head of every run, so that what differs is named")
    one.add_argument("--sign", metavar="KEYFILE", help="sign with the key in this file: `openssl rand -hex 32`")


def heads(glance: Glance) -> Exit:
    """Print them."""
    key = None if glance.asked.sign is None else key_in(glance.asked.sign)
    print(glance.reader.heads(time.time(), streams=glance.asked.streams).dumped(key))
    return Exit.OK
