"""The messages by which budgets move between runs and ledgers, and by which runs are held, gone on with and nested."""

from __future__ import annotations

import attrs

from choragus.actors.message import Request
from choragus.mailbox.codec import stored

from .limits import Limits
from .message import StartRun, Verdict
from .spending import Spent

# Budgets.


@stored("choragus.draw")
@attrs.frozen(kw_only=True)
class Draw:
    """May this much be spent by another account's run? `asker`, an address, is told with Drawn, be it later.

    What is granted is set aside under `token` until a Spend of the same token.
    """

    token: str
    most: Spent
    asker: str
    final: bool = False


@stored("choragus.drawn")
@attrs.frozen(kw_only=True)
class Drawn:
    """What a Draw, or a Reserve that had to wait, has come to; `by` is the address of the account."""

    token: str
    verdict: Verdict
    by: str


@stored("choragus.call_judged")
@attrs.frozen(kw_only=True)
class CallJudged:
    """The verdict on a call for which there was no room before."""

    call: str
    verdict: Verdict


@stored("choragus.serve")
@attrs.frozen
class Serve:
    """To a guardrail, by itself: look whether there is room for those who wait for some."""


@stored("choragus.limits_raised")
@attrs.frozen(kw_only=True)
class LimitsRaised:
    """A person has raised the run's ceilings."""

    limits: Limits


# Holding and going on.


@stored("choragus.pause_run")
@attrs.frozen(kw_only=True)
class PauseRun(Request[bool]):
    """Start nothing new in the run and its sub-runs; False when it has ended.

    `source` says on whose account ("" for the run itself, "parent", "runtime"): each is taken back by itself.
    """

    by: str
    reason: str = ""
    source: str = ""


@stored("choragus.resume_run")
@attrs.frozen(kw_only=True)
class ResumeRun(Request[bool]):
    """Go on with a run that was paused on that account; False when it was not."""

    by: str
    source: str = ""


@stored("choragus.hold")
@attrs.frozen
class Hold:
    """The run is paused, or no longer."""

    paused: bool


# Sub-runs.


@stored("choragus.start_child")
@attrs.frozen(kw_only=True)
class StartChild(Request[StartRun | Verdict]):
    """To a parent's orchestrator: begin a sub-run of that id. The reply is what it begins with, or why it does not."""

    run: str
    start: StartRun


@stored("choragus.child_ended")
@attrs.frozen(kw_only=True)
class ChildEnded:
    """To a parent's orchestrator: a sub-run has ended so."""

    run: str
    status: str
    outcome: str
