"""`choragus settle` and `cancel`: a person's word on a call of unknown outcome, and on a run."""

from __future__ import annotations

from choragus.agents.inspection import Unknown, unknowns
from choragus.agents.message import ORCHESTRATOR, TOOL_GATEWAY, CancelRun, SettleCall
from choragus.agents.visit import Handled, post, recorded
from choragus.mailbox.address import actor_id

from .command import RUN, Commands, add_json, add_person, add_reason, command
from .exit import Exit, Refused
from .request import arguments
from .session import Session

AFTER = {
    "happened": "the model is given the result and the run goes on",
    "not": "the call is run now",
    "give_up": "the run ends as failed",
}
AFTER_UNDO = {
    "happened": "nothing is left to take back of it, and the unwinding goes on",
    "not": "it is taken back now",
    "give_up": "the unwinding ends, and what remains is left",
}
TOO_LATE = "the run has ended, so it stands in the logbook and changes nothing else"


def declare(commands: Commands) -> None:
    """`settle` and `cancel`."""
    one = command(
        commands,
        "settle",
        settle,
        "The process died in the middle of a call that cannot be undone. Nobody guesses: look whether it\n"
        "happened, and say so. `choragus approvals` lists such calls.",
        "choragus settle runs.db 5f2c 2.1 --happened --result '\"receipt 17\"' --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("call", metavar="CALL", help="the call's number in the run, such as 2.1")
    ways = one.add_mutually_exclusive_group(required=True)
    for option, outcome, meaning in (
        ("--happened", "happened", "it happened: it is not run again, and the model is given the result"),
        ("--not", "not", "it did not happen: it is run now"),
        ("--give-up", "give_up", "it cannot be found out: end the run as failed"),
    ):
        ways.add_argument(option, dest="outcome", action="store_const", const=outcome, help=meaning)
    one.add_argument(
        "--result",
        metavar="TEXT",
        help="with --happened: what the call gave back, as JSON or text; else just that it is done",
    )
    add_person(one)
    add_json(one, "what became of it, as JSON")
    one = command(
        commands,
        "cancel",
        cancel,
        "End a run as cancelled, also while a call is in flight.",
        "choragus cancel runs.db 5f2c --by mia --reason 'wrong week'",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    add_person(one)
    add_reason(one)
    add_json(one, "what became of it, as JSON")


async def settle(session: Session) -> Exit:
    """Post what became of a call of unknown outcome."""
    outcome: str = session.asked.outcome
    if session.asked.result is not None and outcome != "happened":
        raise Refused("--result says what a call gave back, so it goes with --happened only")
    summary = await session.run(session.asked.run)
    by = session.by
    lost = {one.call: one for one in await unknowns(session.store, summary.run)}
    call = lost.get(session.asked.call)
    if call is None:
        there = f"the calls of unknown outcome are: {', '.join(lost)}" if lost else "no call of this run is"
        raise Refused(f"call {session.asked.call!r} of run {summary.run} is not of unknown outcome: {there}")
    if earlier := await _settled(session, call):
        raise Refused(f"call {call.call} of run {call.run} is already settled by {earlier.by}: {session.later}")
    session.say(f"call {call.call} of run {call.run}: {call.tool}", *arguments(call.arguments))
    message = SettleCall(
        call=call.call, outcome=outcome, by=by, result=session.asked.result or "", attempt=call.attempt
    )
    fate = await post(session.store, actor_id(TOOL_GATEWAY, summary.run), message)
    is_undo = call.call.endswith("/undo")
    then = AFTER_UNDO[outcome] if is_undo else TOO_LATE if summary.status.is_final else AFTER[outcome]
    return session.report(fate, f"settled by {by}: {then}", run=summary.run, call=call.call)


async def cancel(session: Session) -> Exit:
    """Post the end of a run."""
    summary = await session.run(session.asked.run)
    session.check_alive(summary, "cancel")
    message = CancelRun(by=session.by, reason=session.asked.reason)
    fate = await post(session.store, actor_id(ORCHESTRATOR, summary.run), message)
    if fate == Handled(False):
        raise Refused(f"run {summary.run} has ended just now: there is nothing to cancel")
    return session.report(fate, f"run {summary.run} is cancelled by {message.by}", run=summary.run)


async def _settled(session: Session, lost: Unknown) -> SettleCall | None:
    """A settlement that is recorded and that no runtime has taken up yet."""
    left = await recorded(session.store, actor_id(TOOL_GATEWAY, lost.run), SettleCall)
    return next((one for one in left if one.call == lost.call), None)
