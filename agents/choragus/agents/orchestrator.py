"""The orchestrator: the six-step loop of one run, as a state machine in code.

    perceive -> reason -> act -> check -> update -> perceive ... or stop

Every transition is a turn, and its state stands in the run's logbook. The model proposes; what happens next is decided
here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed
from choragus.mailbox.address import actor_id
from choragus.mailbox.citation import FORKED
from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.turn import SYSTEM_STREAM

from .answers import CEILING
from .context.decision import Note
from .control import ChildEnded, Drawn, LimitsRaised, PauseRun, ResumeRun, StartChild
from .correction import CorrectRun
from .errors import AgentError
from .flow.label import RUNTIME
from .fork import ForkPoint, fork_point, is_fork, origin, taken
from .judging import JudgeAnswer, Judging
from .limits import Limits
from .manifest import Manifest
from .message import (
    GUARDRAIL,
    MEMORY,
    ORCHESTRATOR,
    RESULT,
    TOOL_GATEWAY,
    CallFinished,
    CallWaits,
    CancelRun,
    Decided,
    ForkRun,
    GiveUpRun,
    GrantTools,
    Perceive,
    Perceived,
    RetryModel,
    RunCall,
    Scope,
    SetLimits,
    StartRun,
    TakeOver,
    WallReached,
)
from .model import ChatMessage, ToolCall
from .part import PATIENCE
from .plan.message import AdvancePlan, PlanCall
from .policy.check import Stage
from .speech import AskBegun, SendText
from .state import Draft, Halt, OpenCall, Phase, RunState, Status
from .stream import SHOWN
from .version.message import MigrateRun


class Orchestrator(
    Judging[
        RunState,
        StartRun
        | ForkRun
        | Perceived
        | CallFinished
        | CallWaits
        | Decided
        | GiveUpRun
        | CancelRun
        | WallReached
        | RetryModel
        | Drawn
        | LimitsRaised
        | PauseRun
        | ResumeRun
        | StartChild
        | ChildEnded
        | AdvancePlan
        | PlanCall
        | SendText
        | AskBegun
        | CorrectRun
        | JudgeAnswer
        | MigrateRun,
    ],
    name=ORCHESTRATOR,
):
    """Decides what a run does next. One per run, keyed by its id."""

    @handle
    def start(self, message: StartRun) -> bool:
        """Begin, on the agent as it is now; a second start of the same run changes nothing."""
        if self.state.phase is not Phase.NEW or self.key in self.services.condemned:
            return False
        state = self.state
        state.parent, state.ledgers, state.room = message.parent, message.ledgers, message.room
        state.tenant = message.tenant
        self._take_place(message)
        self._begin(message.agent, message.goal, message.key, granted=message.tools, trace=message.trace)
        if self._plan_begins(message.plan):
            self._judge(Draft(stage=Stage.INPUT.value, text=message.goal, images=message.images))
        return True

    @handle
    async def fork(self, message: ForkRun) -> str:
        """Begin as a fork, in this one turn; what the parent leaves is only read."""
        store = self.services.store
        if self.state.phase is not Phase.NEW:
            await self.committed()  # its first entry is read from disk
            there = await origin(store, self.key)
            return "" if is_fork(there, message.run, message.at) else str(taken(message.run, message.key, self.key))
        try:
            self.services.check_agent(message.run, message.agent, message.manifest)
            self.services.check_evaluated(message.agent)
            point = await fork_point(store, message.run, message.at, "the file")
        except (AgentError, CorruptRecord) as error:
            # Whoever asked may be gone, and the run that was to be has no logbook.
            self.append(SYSTEM_STREAM, "fork.refused", {"run": self.key, "by": message.by, "reason": str(error)})
            return str(error)
        self.log(FORKED, **point.citing(message.by))
        for one in point.interrupted:
            self.log("effect.interrupted", effect=one.effect, call=one.call, tool=one.tool)
        self.state.ledgers, self.state.tenant = point.ledgers, point.tenant
        self._begin(message.agent, point.goal, message.key, message.limits, point.granted)
        self._plan_goes_on(point.plan)
        self._go_on_from(point)
        return ""

    @handle
    async def perceived(self, message: Perceived) -> None:
        """The context stands: reserve what the model call may cost."""
        if not message.spent.is_nothing:
            self.state.spent = self.state.spent.add(message.spent)
            self._show()
        if self._is_over or self.state.phase is not Phase.PERCEIVE or message.step != self.state.step:
            return
        if message.excess:
            self._end(Status.LIMIT, message.excess)
            return
        self.state.upto, self.state.version = message.upto, message.version
        if self.state.plan is not None:
            self.state.plan.perceived(message.upto)
        self.state.tries = 0
        self._from_the_first()
        self._enter(Phase.REASON, **self._offers())
        await self._reserve()

    @handle
    def finished(self, message: CallFinished) -> None:
        """A call has its result: check it, and when all have theirs, update and go on."""
        call = self.state.call(message.call)
        if self._is_over or call is None:
            return
        call.done, call.text, call.is_error, call.waits = True, message.text, message.is_error, ""
        call.whose = message.whose
        self._enter(Phase.CHECK, call=call.id, tool=call.asked.name, is_error=call.is_error)
        if all(one.done for one in self.state.calls):
            self._update()
        else:
            self._enter(Phase.ACT)
            self._show()

    @handle
    def waits(self, message: CallWaits) -> None:
        """A call waits for a person, or no longer does."""
        call, draft = self.state.call(message.call.removeprefix(RESULT)), self.state.draft
        if self._is_over:
            return
        self.state.questions += bool(message.reason)
        if call is not None:
            call.waits = message.reason
            self._show()
        elif draft is not None and message.call == self._subject(draft):
            draft.waits = message.reason
            self._show()
        elif self.state.plan is not None and message.call == self.state.plan.question:
            self.state.plan.waits = message.reason
            self._show()
        elif message.call.startswith(CEILING):
            self.state.ceiling = message.reason and f"{message.call}: {message.reason}"
            self._show()
        else:
            self._text_waits(message)

    def _begin(
        self,
        agent: str,
        goal: str,
        key: str,
        limits: Limits | None = None,
        granted: tuple[str, ...] | None = None,
        trace: str = "",
    ) -> None:
        """On the agent as it is now, with nothing spent."""
        state, identity = self.state, self.services.manifest(agent)
        state.agent, state.goal, state.key = agent, goal, key
        state.manifest, state.limits, state.started = identity.hash, limits or identity.limits, self.now
        depth = state.limits.depth
        state.room = depth if state.room is None else state.room if depth is None else min(state.room, depth)
        self.log(
            "run.started",
            agent=state.agent,
            goal=state.goal,
            key=state.key,
            manifest=state.manifest,
            limits=state.limits.said(),
            **self._placed(),
            **({"tenant": state.tenant} if state.tenant else {}),
            **({"parent": state.parent} if state.parent else {}),
            **({"trace": trace} if trace else {}),
        )
        self.services.traces.begins(self.key, state.parent, trace)
        source = self.services.agent(agent).configured
        read = {} if source is None else {"configured": attrs.asdict(source)}
        state.ran_on = identity.hash, self.services.versions.provenance(agent)
        self._write_version()
        self.log("run.manifest", **self._version(identity), **read)
        self.tell(
            GUARDRAIL,
            SetLimits(
                limits=state.limits,
                started=self.now,
                agent=state.agent,
                parent=state.parent,
                ledgers=state.ledgers,
            ),
        )
        if granted is not None:
            state.granted = granted
            self.log("run.granted", tools=list(granted))
            self.tell(TOOL_GATEWAY, GrantTools(granted))
        if state.limits.wall_seconds is not None:
            self.timer("wall", WallReached(), after=state.limits.wall_seconds)

    def _version(self, identity: Manifest) -> dict[str, object]:
        """On what the run begins: by hash, for what these stand for is a row of its own."""
        models = [identity.model, *(one.model for one in identity.fallbacks)]
        provenance = self.services.versions.provenance(self.state.agent)
        told: dict[str, object] = {"hash": identity.hash, "provenance": provenance}
        told["models"] = [*models, identity.cheaper.model if identity.cheaper else identity.model]
        prompt = self.services.agent(self.state.agent).prompt.said()
        said = {name: prompt[name] for name in ("name", "version") if name in prompt}
        return {**told, "prompt": said} if said else told

    def _go_on_from(self, point: ForkPoint) -> None:
        """With the step in hand: the model is asked for it, or its calls are made, or it is done."""
        state = self.state
        if not point.calls:
            state.step = point.step - 1
            goal = _goal_in(point.conversation)
            if point.step > 1 or goal + 1 < len(point.conversation):
                self._perceive(*point.conversation, decisions=point.decisions)
                return
            if goal:  # it began with what another had left
                self.tell(MEMORY, TakeOver(point.conversation[:goal]))
            last = point.conversation[goal]
            self._judge(Draft(stage=Stage.INPUT.value, text=last.text, images=last.images))
            return
        state.step, state.upto, state.text = point.step, len(point.conversation), point.text
        state.calls, state.kept = list(point.calls), point.kept
        self._enter(Phase.PERCEIVE)
        self._show()
        memory = actor_id(MEMORY, self.key)
        asked = TakeOver(point.conversation, point.decisions)
        self.ask_at(memory, asked, then=self.taken_over, about=str(state.step), timeout=PATIENCE)

    @reply
    async def taken_over(self, stands: bool | AskFailed) -> None:
        """The conversation of a fork stands, so that whoever judges its open calls can read it."""
        state = self.state
        if self._is_over:
            return
        if isinstance(stands, AskFailed):
            self._end(Status.FAILED, f"{stands.actor}: {stands.reason}")
            return
        await self.committed()
        if all(call.done for call in state.calls):
            self._update()
        elif any(call.done for call in state.calls):
            self._call_tools()
        else:
            asked = tuple(call.asked for call in state.calls)
            state.calls = []
            draft = Draft(stage=Stage.REPLY.value, text=state.text, calls=asked, stop="tool_calls", kept=state.kept)
            self._judge(draft)

    def _perceive(self, *additions: ChatMessage, decisions: tuple[Note, ...] = ()) -> None:
        self.state.step += 1
        self.state.calls = []
        self._enter(Phase.PERCEIVE)
        self._show()
        texts = self._taken_up() if self.state.unread else ()
        self.services.hearing.listen(self.key)
        self.tell(MEMORY, Perceive(self.state.step, (*additions, *texts), self._scope(), decisions))

    def _scope(self) -> Scope | None:
        """For whom the memory assembles a context; None: it is the whole conversation."""
        state = self.state
        if not self._has_context:
            return None
        bound = (state.limits.bounds_calls or state.parent or state.ledgers) and state.limits.unbounded == "refuse"
        asked = self._asked("")
        return Scope(
            agent=state.agent,
            granted=asked.granted,
            goal=state.goal,
            bound=bool(bound),
            heard=state.heard,
            plan=asked.plan,
            answers=asked.answers,
            in_hand=0 if state.plan is None else state.plan.told_at,
        )

    def _act(self, draft: Draft, text: str) -> None:
        state = self.state
        state.text = text
        state.kept = draft.kept if text == draft.text else ()  # what was rewritten stands in them as it was
        if state.final:
            self._answer_last(draft, text)
        elif self._plan_said(draft, text):
            pass
        elif draft.calls and draft.stop not in ("length", "refusal"):
            state.calls = [
                OpenCall(f"{state.step}.{n}", call) for n, call in enumerate(_named(state.step, draft.calls), 1)
            ]
            self._call_tools()
        elif draft.stop == "stop":
            self._judge(Draft(stage=Stage.OUTPUT.value, text=text))
        else:
            self._end(Status.FAILED, f"the model stopped with {draft.stop!r} instead of an answer: {text[:200]}")

    def _answer_last(self, draft: Draft, text: str) -> None:
        """A degraded run answers with what there is; calls in its last reply are not made."""
        if text and draft.stop in ("stop", "length", "tool_calls"):
            self._judge(Draft(stage=Stage.OUTPUT.value, text=text))
        else:
            self._end_last("was empty")

    def _call_tools(self) -> None:
        state = self.state
        if state.paused:
            state.halt = Halt.ACT
            return
        self._enter(Phase.ACT, calls=[call.id for call in state.calls])
        self._show()
        for call in state.calls:
            if not call.done and not self._takes_itself(call):
                asked = RunCall(
                    call=call.id,
                    agent=state.agent,
                    asked=call.asked,
                    step=state.step,
                    reason=state.text[:SHOWN],
                    parallel=state.limits.parallel or 0,
                    granted=None if state.plan is None else state.plan.granted,
                    upto=state.upto,
                    plan=0 if state.plan is None else state.plan.entries,
                )
                self.tell(TOOL_GATEWAY, asked)

    def _update(self) -> None:
        state = self.state
        self._enter(Phase.UPDATE)
        asked = ChatMessage("assistant", state.text, tuple(call.asked for call in state.calls), kept=state.kept)
        results = tuple(
            ChatMessage(
                "tool",
                call.text,
                call_id=call.asked.id,
                name=call.asked.name,
                is_error=call.is_error,
                labels=self.services.labels(state.agent, call.asked.name, call.whose, call.text),
            )
            for call in state.calls
        )
        if not self._plan_updated(asked, results):
            self._perceive(asked, *results)


def _goal_in(conversation: Sequence[ChatMessage]) -> int:
    """Where the latest line of the user is in it; behind it stands what the runtime has said."""
    said = [at for at, line in enumerate(conversation) if line.role == "user" and RUNTIME not in line.labels]
    return said[-1] if said else len(conversation) - 1


def _named(step: int, calls: Sequence[ToolCall]) -> Iterator[ToolCall]:
    """The calls with an id each: a model that gives none, or one twice, could not tell their results apart."""
    given, seen = {call.id for call in calls}, {""}
    for number, call in enumerate(calls, start=1):
        id = call.id
        if id in seen:
            id = f"call-{step}.{number}"
            while id in given:
                id += "'"
        seen.add(id)
        yield attrs.evolve(call, id=id)
