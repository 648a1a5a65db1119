"""`choragus ui`: the runs of a file in a browser."""

from __future__ import annotations

import os
import secrets
from importlib import import_module

from .command import Commands, reading
from .exit import Exit, Refused
from .glance import Glance

TOKEN = "CHORAGUS_UI_TOKEN"
"""The variable that has the token where the command line should not show it."""


def declare(commands: Commands) -> None:
    """`ui`."""
    one = reading(
        commands,
        "ui",
        show_page,
        "Serves a page with the runs of the file: their timelines, what waits for a person, with forms that decide it, "
        "failures and evaluations; it follows what a service writes. Open the printed address: its token lets you in. "
        "Needs the extra `web`.",
        "choragus ui runs.db\n  choragus ui runs.db --read-only --port 9000",
    )
    one.add_argument(
        "--host", metavar="HOST", default="127.0.0.1", help="where to listen; this machine alone by default"
    )
    one.add_argument("--port", metavar="PORT", type=int, default=8765, help="8765 by default")
    words = f"what lets people in; drawn anew by default, and taken from {TOKEN} where that is set"
    one.add_argument("--token", metavar="TOKEN", help=words)
    words = "another name that it answers to, as that of a proxy before it; may be repeated"
    one.add_argument("--name", metavar="NAME", action="append", default=[], help=words)
    one.add_argument("--read-only", action="store_true", help="show everything, decide nothing")


def show_page(glance: Glance) -> Exit:
    """Serve until Ctrl-C."""
    asked = glance.asked
    if not 0 < asked.port < 65_536:
        raise Refused(f"--port {asked.port} is none: give one of 1 to 65535")
    given = os.environ.get(TOKEN, "") if asked.token is None else asked.token
    try:
        serving = import_module("choragus.agents.web.serving")
        serving.check_place(asked.host, given)
        token = given or secrets.token_urlsafe(24)
        told = f"{glance.file} is shown at {serving.address(asked.host, asked.port, token)}\nCtrl-C ends it"
        serving.serve(
            glance.reader.path,
            host=asked.host,
            port=asked.port,
            token=token,
            read_only=asked.read_only,
            names=asked.name,
            told=told,
        )
    except (ImportError, ValueError) as error:
        raise Refused(str(error)) from None
    return Exit.OK
