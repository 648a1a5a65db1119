"""From where a run can be forked, and what it held there. Reads only.

Nothing is kept for this beside what a run leaves anyway: where it stood is found from its logbook, and what was said
from its conversation, or, for the step in hand, from its orchestrator and what is on its way between its parts.
"""

from __future__ import annotations

import time
from typing import TypeVar

import attrs

from choragus.mailbox.address import actor_id
from choragus.mailbox.citation import Citation, citation
from choragus.mailbox.codec import Record, decode, decode_as, tag_of
from choragus.mailbox.store import Store

from .context.decision import Edited, Note, decision_of
from .errors import AgentFault, NotForkable, UnknownRun
from .history import Called, Fate, Standing
from .inspection import RunSummary, find_run
from .limits import Limits
from .message import MEMORY, ORCHESTRATOR, CallFinished, Perceive
from .model import ChatMessage
from .naming import run_id
from .plan.reading import Entry, plan_entries
from .state import OpenCall, RunState
from .stream import SHOWN, context_stream, conversation_stream, run_stream

PAGE = 500

WINDOW = 10_000
"""Messages of one mailbox that are looked through."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Interrupted:
    """What was under way when the run was forked: a model call, or with `call` and `tool` a tool call."""

    effect: str
    call: str = ""
    tool: str = ""


@attrs.frozen(kw_only=True)
class ForkPoint:
    """A run at one position of its logbook.

    `conversation` is what the model sees in `step`. When it has answered by then, `text` and `calls` are the answer;
    calls without a result are open, those that were under way have one that says so. `decisions` are those about what
    the model sees of it. `granted` are the tools that the run has been narrowed to by now: a fork never has more. It
    draws on the `ledgers` that the run drew on, and is for the same `tenant`. `plan` are the entries of its plan.
    """

    run: str
    cited: Citation
    goal: str
    agent: str
    manifest: str
    step: int
    conversation: tuple[ChatMessage, ...]
    text: str
    calls: tuple[OpenCall, ...]
    interrupted: tuple[Interrupted, ...]
    granted: tuple[str, ...] | None = None
    ledgers: tuple[str, ...] = ()
    decisions: tuple[Note, ...] = ()
    plan: tuple[Entry, ...] = ()
    kept: tuple[dict[str, object], ...] = ()
    """What the provider wants back with the answer."""
    tenant: str = ""

    def citing(self, by: str) -> dict[str, object]:
        """The first entry of the fork: what it cites, and with what it begins."""
        return {
            **self.cited.fields(),
            "run": self.run,
            "by": by,
            "step": self.step,
            "messages": len(self.conversation),
            **({"context": len(self.decisions)} if self.decisions else {}),
            "calls": [{"call": one.id, "tool": one.asked.name, "done": one.done} for one in self.calls],
            **({"plan": len(self.plan)} if self.plan else {}),
        }


async def fork_point(store: Store, run: str, at: int | None, place: str) -> ForkPoint:
    """The run at a position; None is the last one at which it had not come to its end.

    Raises:
        UnknownRun: when there is no run of that id.
        NotForkable: when it was pruned, or cannot be forked at that position.
        CorruptRecord: when what has to be read for it is damaged.
    """
    summary = await parent(store, run, place)
    standing = await standing_at(store, summary.run, at)
    asked = await _answer(store, summary.run, standing)
    # While the goal is judged nobody has heard it yet; a fork has it judged anew.
    conversation = await whole_conversation(store, summary.run)
    if standing.step == 1 and len(conversation) == standing.messages - 1:
        conversation.append(ChatMessage("user", summary.goal))
    await _check_whole(store, summary.run)  # it may have been pruned while it was read
    if len(conversation) < standing.messages:
        raise NotForkable(
            summary.run, f"the conversation up to position {standing.position} is not there: see `verify`"
        )
    return ForkPoint(
        run=summary.run,
        cited=Citation(stream=run_stream(summary.run), position=standing.position, hash=standing.hash),
        goal=summary.goal,
        agent=summary.agent,
        manifest=summary.manifest,
        step=standing.step,
        conversation=tuple(conversation[: standing.messages]),
        text=asked.text if asked else "",
        kept=asked.kept if asked else (),
        calls=tuple(_taken_over(summary.run, standing, call, asked) for call in standing.calls) if asked else (),
        interrupted=_interrupted(standing),
        granted=None if (state := await _state(store, summary.run)) is None else state.granted,
        ledgers=await ledgers_of(store, state),
        decisions=await _decisions(store, summary.run, standing),
        plan=tuple(await plan_entries(store, summary.run, upto=standing.plan)) if standing.plan else (),
        tenant=summary.tenant,
    )


async def parent(store: Store, run: str, place: str) -> RunSummary:
    """The run of that id, or of the only id that begins so, that nothing was pruned of.

    Raises:
        UnknownRun: when there is none.
        NotForkable: when it was pruned.
    """
    try:
        summary = await find_run(store, run, place)
    except UnknownRun:
        await _check_whole(store, run)
        raise
    await _check_whole(store, summary.run)
    return summary


async def origin(store: Store, run: str) -> Citation | None:
    """Where a run was forked from; None when it was not, or when that is pruned."""
    entries = await store.read(run_stream(run), 0, PAGE)
    return next((cited for entry in entries if (cited := citation(entry))), None)


async def fork_id(store: Store, of: RunSummary, at: int | None, key: str) -> tuple[str, Citation | None]:
    """The id of a fork, drawn by chance when there is no key, and what it cites if it has begun already.

    Raises:
        NotForkable: when the key is another run's.
    """
    while True:
        id = run_id(of.agent, key)
        is_whole = (await store.extent(run_stream(id))).first == 1
        if is_whole and await store.view("run", id) is None:  # it may have failed to begin
            return id, None
        if key:
            there = await origin(store, id)
            if is_fork(there, of.run, at):
                return id, there
            raise taken(of.run, key, id)


def is_fork(there: Citation | None, run: str, at: int | None) -> bool:
    """Whether what a run was forked from is `run`, at that position (None: at any)."""
    return there is not None and there.stream == run_stream(run) and at in (None, there.position)


def taken(run: str, key: str, by: str) -> NotForkable:
    """A key cannot name a fork of `run`: another run has it."""
    return NotForkable(run, f"key {key!r} already names run {by}, which is no such fork of it: give another key")


def check_fork(at: object, key: object, limits: object, by: object) -> None:
    """Refuse what no fork can begin with; raises AgentFault."""
    if at is not None and type(at) is not int:
        raise AgentFault(
            f"at={at!r} is no position: give a whole number, as in RunEvent.position, or None for the last"
        )
    for name, text in (("key", key), ("by", by)):
        if not isinstance(text, str):
            raise AgentFault(f"{name}={text!r} must be text")
    if limits is not None and not isinstance(limits, Limits):
        raise AgentFault(f"limits={limits!r} are no Limits: give Limits(steps=...), or None for the agent's")


async def _check_whole(store: Store, run: str) -> None:
    extent = await store.extent(run_stream(run))
    if extent.first > 1:
        raise NotForkable(
            run, f"it was pruned: its logbook is gone up to position {extent.first - 1}, fork another run"
        )


async def standing_at(store: Store, run: str, at: int | None) -> Standing:
    """Where the run of that very id stood at a position; None is the last one at which it had not come to its end.

    Raises:
        NotForkable: when it cannot be forked at that position.
    """
    standing, stream, has_ended = Standing(), run_stream(run), False
    while not has_ended and (page := await store.read(stream, standing.position, PAGE)):
        for entry in page:
            has_ended = not standing.take(entry)
            if has_ended or standing.position == at:
                break
        if standing.position == at:
            break
    if at is not None and standing.position != at:
        last = (await store.extent(stream)).last
        what = f"its logbook has positions 1 to {last}" if not 1 <= at <= last else f"it had come to its end by {at}"
        raise NotForkable(run, f"not at {at}: {what}; fork it at 1 to {standing.position}")
    return standing


@attrs.frozen
class _Answer:
    """The model's answer in a step, and the results that its calls have had so far, by their number in the step."""

    text: str
    calls: tuple[OpenCall, ...]
    kept: tuple[dict[str, object], ...]


async def _answer(store: Store, run: str, standing: Standing) -> _Answer | None:
    """Read in the order in which it moves on, so that nothing is missed: mail, state, conversation."""
    if not standing.calls:
        return None
    results = {one.call: one for one in await _mail(store, run, ORCHESTRATOR, CallFinished)}
    snapshot = await store.load(actor_id(ORCHESTRATOR, run))
    state = None if snapshot.state is None else decode(snapshot.state)
    if isinstance(state, RunState) and state.step == standing.step and state.calls:
        calls = [_with_result(call, results.get(call.id)) for call in state.calls]
        return _Answer(state.text, tuple(calls), state.kept)
    said = (await whole_conversation(store, run))[standing.messages :]
    count = len(standing.calls)
    if len(said) <= count or len(said[0].calls) != count:
        raise NotForkable(
            run, f"what the model was told after step {standing.step} is not there: see `choragus verify`"
        )
    calls = [
        OpenCall(call.id, asked, True, line.text, line.is_error)
        for call, asked, line in zip(standing.calls, said[0].calls, said[1:], strict=False)
    ]
    return _Answer(said[0].text, tuple(calls), said[0].kept)


async def _state(store: Store, run: str) -> RunState | None:
    snapshot = await store.load(actor_id(ORCHESTRATOR, run))
    state = None if snapshot.state is None else decode(snapshot.state)
    return state if isinstance(state, RunState) else None


async def ledgers_of(store: Store, state: RunState | None) -> tuple[str, ...]:
    """Those that the run draws on: of a sub-run those of the topmost, from whose budget the fork does not spend."""
    while state is not None and state.parent:
        state = await _state(store, state.parent)
    return () if state is None else state.ledgers


def _with_result(call: OpenCall, result: CallFinished | None) -> OpenCall:
    if call.done or result is None:
        return call
    return attrs.evolve(call, done=True, text=result.text, is_error=result.is_error, whose=result.whose)


def _taken_over(run: str, standing: Standing, call: Called, answer: _Answer) -> OpenCall:
    """The call as the fork has it."""
    known = next(one for one in answer.calls if one.id == call.id)
    match call.fate:
        case Fate.ASKED:
            return OpenCall(call.id, known.asked)
        case Fate.BEGUN:
            text = (
                f"interrupted: {call.tool} was under way in run {run} when this run was forked from it at position "
                f"{standing.position}; it is not run here, and what became of it is not known here"
            )
            return OpenCall(call.id, known.asked, True, text, True)
        case Fate.FINISHED if known.done:
            return OpenCall(call.id, known.asked, True, known.text, known.is_error, whose=call.whose)
        case Fate.FINISHED if len(call.text) < SHOWN:
            return OpenCall(call.id, known.asked, True, call.text, call.is_error, whose=call.whose)
        case _:
            raise NotForkable(run, f"the run ended before the result of call {call.id} was kept: fork it before that")


def _interrupted(standing: Standing) -> tuple[Interrupted, ...]:
    model = [Interrupted(effect=standing.model)] if standing.model else []
    begun = [call for call in standing.calls if call.fate is Fate.BEGUN]
    return (*model, *(Interrupted(effect=call.effect, call=call.id, tool=call.tool) for call in begun))


async def _decisions(store: Store, run: str, standing: Standing) -> tuple[Note, ...]:
    """What was decided about the context of the step, and the edits of blocks that have come to their end in it."""
    done = {call.id for call in standing.calls if call.fate is Fate.FINISHED}
    found: list[Note] = []
    after = 0
    while standing.version and (page := await store.read(context_stream(run), after, PAGE)):
        after = page[-1].position
        for entry in page:
            decision = decision_of(entry)
            if entry.position <= standing.version or (isinstance(decision, Edited) and decision.call in done):
                found.append(Note.of(decision))
    return tuple(found)


async def whole_conversation(store: Store, run: str) -> list[ChatMessage]:
    """The whole conversation, with what is on its way to the memory."""
    while True:
        coming = await _mail(store, run, MEMORY, Perceive)
        lines: list[ChatMessage] = []
        while page := await store.read(conversation_stream(run), len(lines), PAGE):
            lines += [decode_as(ChatMessage, Record("json", 1, entry.body)) for entry in page]
        if coming == await _mail(store, run, MEMORY, Perceive):
            return [*lines, *(line for one in coming for line in one.additions)]


async def _mail(store: Store, run: str, part: str, kind: type[T]) -> list[T]:
    """The messages of a class that wait for a part of the run, and then those that it could not handle."""
    receiver = actor_id(part, run)
    waiting = await store.fetch(receiver, WINDOW, time.time())
    waiting += [one.envelope for one in await store.parked() if one.envelope.receiver == receiver]
    found = [decode(one.record) for one in waiting if one.record.tag == tag_of(kind)]
    return [one for one in found if isinstance(one, kind)]
