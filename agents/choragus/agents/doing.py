"""What a run does just now, in one line, from its state and the end of its logbook. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import msgspec

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import decode
from choragus.mailbox.store import Store
from choragus.mailbox.turn import LogEntry

from .errors import UnknownRun
from .message import ORCHESTRATOR
from .state import Phase, RunState
from .stream import run_stream

RETRY = 1.0
"""Seconds that a model rests after its first failure, then twice as many each time, where the logbook does not say."""

LOOKED_AT = 300
"""Entries at the end of the logbook in which the beginnings of what is under way are looked for."""

FIRST = 10
"""Entries at its beginning among which the manifest stands."""

TOLD = 5
"""Calls that are told of one by one."""


@attrs.define
class Traces:
    """When what is under way began, and until when it waits, as far as the logbook tells."""

    models: tuple[str, ...] = ()
    reserved: float = 0.0
    retry: float = 0.0
    tries: int = 0
    begun: dict[str, float] = attrs.field(factory=dict)
    due: dict[str, float] = attrs.field(factory=dict)

    def take(self, entry: LogEntry) -> None:
        """Go on by one entry."""
        if entry.kind not in _TELLING:
            return
        fields: dict[str, object] = msgspec.json.decode(entry.body)
        call = str(fields.get("call", ""))
        match entry.kind:
            case "budget.reserved" if str(fields["token"]).startswith("step-"):
                self.reserved, self.retry = entry.at, 0.0
            case "model.failed":
                self.tries = int(str(fields["tries"]))
                wait = fields.get("wait", RETRY * 2.0 ** (self.tries - 1))
                self.retry = entry.at + float(str(wait))
            case "call.intended":
                self.begun[call] = entry.at
                self.due.pop(call, None)
            case "call.retried" | "call.queued":
                self.begun.pop(call, None)
                self.due[call] = entry.at + float(str(fields["wait"]))
            case "run.manifest":
                named = fields.get("models")
                self.models = tuple(map(str, named)) if isinstance(named, list) else _models(fields.get("identity"))


_TELLING = frozenset(
    {"budget.reserved", "model.failed", "call.intended", "call.retried", "call.queued", "run.manifest"}
)


async def doing(store: Store, run: str, now: float) -> str:
    """One line such as "step 3: model call since 12 s on MODEL", as of the last commit.

    Raises:
        UnknownRun: when there is no run of that id.
    """
    snapshot = await store.load(actor_id(ORCHESTRATOR, run))
    state = None if snapshot.state is None else decode(snapshot.state)
    if not isinstance(state, RunState):
        raise UnknownRun(run, "the file")
    stream, traces = run_stream(run), Traces()
    last = (await store.extent(stream)).last
    entries = await store.read(stream, 0, FIRST) if last > LOOKED_AT else []
    for entry in [*entries, *await store.read(stream, max(0, last - LOOKED_AT), LOOKED_AT)]:
        traces.take(entry)
    return told(state, traces, now)


def told(state: RunState, traces: Traces, now: float) -> str:
    """The state in one line; pure."""
    if state.phase is Phase.NEW:
        return "it is about to begin"
    if state.status.is_final:
        after = f"; it goes on as run {state.talk.followed_by}" if state.talk and state.talk.followed_by else ""
        return f"nothing: it has ended ({state.status.value}) {_span(now - state.ended)} ago{after}"
    parts = [f"step {state.step}: {_under_way(state, traces, now)}"]
    if state.paused:
        parts.insert(0, "; ".join(state.paused.values()))
    if state.ceiling:
        parts.append(f"waits for {state.ceiling.rpartition(': ')[2]} of more than its limits")
    if state.unread:
        parts.append(f"{len(state.unread)} unread {'text' if len(state.unread) == 1 else 'texts'}")
    below = len(state.open_children)
    if below:
        parts.append(f"{below} {'sub-run goes' if below == 1 else 'sub-runs go'} on")
    return "; ".join(parts)


def _under_way(state: RunState, traces: Traces, now: float) -> str:
    match state.phase:
        case Phase.REASON if state.effect:
            last = " of the last answer" if state.final else ""
            return f"model call{last} since {_span(now - traces.reserved)} on {_model(state, traces)}"
        case Phase.REASON if traces.retry > traces.reserved and not state.paused:
            wait = _span(max(0.0, traces.retry - now))
            return f"waits to call the model again in {wait}, {_model(state, traces)} has failed {_times(traces.tries)}"
        case Phase.REASON:
            return "waits for its budget" if not state.paused else "the model is not called"
        case Phase.ACT | Phase.CHECK:
            return _calls(state, traces, now) or _planned(state)
        case Phase.JUDGE if state.draft is not None and state.draft.waits:
            return f"its {state.draft.stage} waits for {state.draft.waits}"
        case Phase.JUDGE if state.trial is not None:
            return "has answered; whether it succeeded is judged"
        case Phase.JUDGE if state.draft is None:
            waits = next((one.waits for one in state.unread if one.waits), "")
            return "has answered; a text that was sent to it " + (f"waits for {waits}" if waits else "is judged")
        case Phase.JUDGE:
            return f"its {'' if state.draft is None else state.draft.stage} is judged"
        case _:
            return "puts together what the model sees"


def _calls(state: RunState, traces: Traces, now: float) -> str:
    open_calls = [call for call in state.calls if not call.done]
    lines = []
    for call in open_calls[:TOLD]:
        what = f"call {call.id} {call.asked.name}"
        if call.waits:
            lines.append(f"{what} waits for {call.waits}")
        elif call.id in traces.due:
            lines.append(f"{what} runs again in {_span(max(0.0, traces.due[call.id] - now))}")
        elif call.id in traces.begun:
            lines.append(f"{what} since {_span(now - traces.begun[call.id])}")
        else:
            lines.append(f"{what} is judged")
    more = len(open_calls) - TOLD
    return ", ".join([*lines, *([f"{more} more calls"] if more > 0 else [])])


def _planned(state: RunState) -> str:
    """What the step in hand waits for, where no call is open."""
    plan = state.plan
    if plan is not None and plan.child:
        return f"run {plan.child} does its plan's step {plan.step}"
    if plan is not None and plan.question:
        return f"its plan's step {plan.step} waits for {plan.waits or 'a person'}"
    return "what came of it is looked at"


def _model(state: RunState, traces: Traces) -> str:
    """The model in hand; the last among those there are gives the last answer."""
    if not traces.models:
        return "its model"
    return traces.models[-1 if state.final and not state.model else min(state.model, len(traces.models) - 2)]


def _models(identity: object) -> tuple[str, ...]:
    """The model, its fallbacks, and what gives the last answer."""
    if not isinstance(identity, Mapping):
        return ()
    fallbacks = identity.get("fallbacks")
    names = [str(identity.get("model", ""))]
    names += [_name(one) for one in fallbacks] if isinstance(fallbacks, Sequence) else []
    cheaper = identity.get("cheaper")
    return (*names, _name(cheaper) if cheaper else names[0])


def _name(model: object) -> str:
    return str(model.get("model", "")) if isinstance(model, Mapping) else str(model)


def _times(times: int) -> str:
    return "once" if times == 1 else f"{times} times"


def _span(seconds: float) -> str:
    """Seconds as people say them."""
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"
