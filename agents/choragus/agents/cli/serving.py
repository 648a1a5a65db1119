"""`choragus serve`: declared here; what it does is in `service.py`, which imports the runtime."""

from __future__ import annotations

from .command import Commands, add_json, owning


def declare(commands: Commands) -> None:
    """`serve`."""
    one = owning(
        commands,
        "serve",
        "service:serve",
        "Open the file of your runtime, go on with every run in it, and serve what other commands leave in it,\n"
        "until SIGTERM or Ctrl-C: then calls that can be repeated are stopped and others come to their end, and\n"
        "the next process goes on from there; a second Ctrl-C ends at once. After choragus drain it ends when\n"
        "no run is running any more.",
        "choragus serve --app myservice:runtime",
    )
    add_json(one, "what it does, as JSON lines")
