"""The messages by which runs change their identity, and by which it is noted that they may not go on."""

from __future__ import annotations

import attrs

from choragus.mailbox.codec import stored

REGISTRAR = "choragus.registrar"


@stored("choragus.migrate_run")
@attrs.frozen(kw_only=True)
class MigrateRun:
    """To an orchestrator: a declared patch says that the run, which began on `was`, may go on as `to`.

    `unbegun`: it was to begin on `was`, and its start waits before this message.
    """

    was: str
    to: str
    by: str
    why: str
    renamed: dict[str, str] = attrs.field(factory=dict)
    unbegun: bool = False


@stored("choragus.refusal")
@attrs.frozen(kw_only=True)
class Refusal:
    """A run that is not gone on with: `was` and `now` are the hashes of its agent, `now` empty when that is missing.

    `changes` are the names of what differs. `warned`: it goes on all the same, for the runtime was told to.
    """

    run: str
    agent: str
    why: str
    was: str = ""
    now: str = ""
    changes: tuple[str, ...] = ()
    warned: bool = False


@stored("choragus.note_refused")
@attrs.frozen
class NoteRefused:
    """To the registrar: these are refused, and had not been; the runs that are `gone` are refused no longer."""

    refusals: tuple[Refusal, ...] = ()
    gone: tuple[str, ...] = ()
