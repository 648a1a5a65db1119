"""How a run goes through its plan: proposed, checked, step by step, revised, and answered at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from choragus.actors.actor import M
from choragus.actors.dispatch import handle
from choragus.mailbox.address import actor_id

from .control import ChildEnded
from .ending import R
from .errand import CallModel
from .errors import BadArguments
from .flow.label import RUNTIME, UNTRUSTED
from .message import GUARDRAIL, ORCHESTRATOR, CallFinished, Decided, Spend
from .model import ChatMessage, ToolCall
from .plan import book as kinds
from .plan.book import Book, StepStatus, book_fields
from .plan.checking import faults_of_plan, faults_of_revision
from .plan.criterion import results_of, unmet
from .plan.cursor import Cursor, Mode
from .plan.message import AdvancePlan, PlanCall
from .plan.planning import RUNTIME_TOOLS
from .plan.proposal import plan_tools, steps_of
from .plan.reading import Entry, book_of
from .plan.step import Plan, PlanStep
from .plan.wording import ANSWER_FIRST, asks_for_plan, refused
from .policy.check import Stage
from .recovering import Recovering
from .spending import Spent
from .state import Draft, OpenCall, Phase, Status
from .stream import SHOWN, plan_stream
from .tool import Tool

PROPOSE, REVISE, FAIL = RUNTIME_TOOLS


class Stepping(Recovering[R, M]):
    """What of the orchestrator follows a plan."""

    @handle
    async def advance(self, message: AdvancePlan) -> None:
        """The step in hand has come to something, or none is in hand: go on."""
        cursor = self.state.plan
        if self._is_over or cursor is None or message.entries != cursor.entries or not self.hears(ORCHESTRATOR):
            return
        book = await self._book()
        status, was_escalated = book.running, cursor.escalated
        cursor.question, cursor.waits, cursor.child, cursor.escalated = "", "", "", False
        if status is None:
            goes_on = False
        elif was_escalated:
            goes_on = self._chosen(book, status, message.choice, message.by, message.failure)
        elif why := message.failure or await self._unmet(status, message):
            goes_on = self._failed(book, status.step.id, why)
        else:
            self._succeeded(book, status, message)
            goes_on = False
        if not goes_on:
            self._next(book)
        self._show()

    @handle
    async def plan_call(self, message: PlanCall) -> None:
        """The model proposes a plan, revises it, or gives a step up; what is wrong goes back to it."""
        call = self.state.call(message.call)
        if self._is_over or self.state.plan is None or call is None or not self.hears(ORCHESTRATOR):
            return
        said, faults = await self._carry_out(call.asked)
        text = refused("call", faults) if faults else said
        if faults:
            self.log("plan.refused", call=call.id, tool=call.asked.name, faults=faults)
            self._count_bad(call.id)
        self.log(
            "call.finished",
            call=call.id,
            tool=call.asked.name,
            agent=self.state.agent,
            end="failed" if faults else "returned",
            ran=False,
            is_error=bool(faults),
            text=text[:SHOWN],
            started=self.now,
            ended=self.now,
            whose=RUNTIME,
        )
        self.tell(ORCHESTRATOR, CallFinished(call=call.id, text=text, is_error=bool(faults), whose=RUNTIME))

    @handle
    def decided(self, message: Decided) -> None:
        """A person has answered what was asked about a step, or has decided about a draft."""
        cursor = self.state.plan
        if cursor is None or not cursor.question or message.call != cursor.question:
            super().decided(message)
        elif not self._is_over and self.hears(GUARDRAIL):
            answer = message.answer if message.approved and message.answer is not None else ""
            why = f": {message.reason}" if message.reason else ""
            failure = "" if answer else f"{message.by} gave no answer{why}"
            if cursor.escalated:
                self._advance(choice=answer, failure=failure, by=message.by)
            else:
                self._advance(outcome=answer, failure=failure, by=message.by)

    @handle
    def child_ended(self, message: ChildEnded) -> None:
        """A sub-run has its answer, which is the outcome of the step that it was to do."""
        super().child_ended(message)
        cursor = self.state.plan
        is_its_word = self._turn.sender == actor_id(ORCHESTRATOR, message.run)
        if self._is_over or cursor is None or message.run != cursor.child or not is_its_word:
            return
        if message.status == Status.COMPLETED.value:
            self._advance(outcome=message.outcome, by=f"run {message.run}")
        else:
            # Without its words: what it has read may be in them, and nobody has labelled them.
            self._advance(failure=f"run {message.run} ended as {message.status}")

    # What the orchestrator asks at its own transitions.

    def _plan_begins(self, plan: Plan | None) -> bool:
        """Whether the run can begin, on the plan that it was given, if any."""
        planning = self.services.agent(self.state.agent).planning
        if planning is None:
            return True
        self.state.plan = Cursor()
        if plan is not None:
            self._cursor.mode = Mode.STEP
            self._note(Book(), kinds.PROPOSED, **book_fields(1, "host", "", plan.steps))
        elif not planning.proposes:
            self._end(Status.FAILED, "the run was given no plan, and its model proposes none: start it with plan=")
            return False
        return True

    def _plan_goes_on(self, entries: Sequence[Entry]) -> None:
        """The run is a fork, with the plan of another as far as that had come."""
        if self.services.agent(self.state.agent).planning is None:
            return
        for kind, fields in entries:
            self.append(plan_stream(self.key), kind, dict(fields))
        cursor = self.state.plan = Cursor(entries=len(entries))
        if not entries:
            return
        book = book_of(entries)
        cursor.mode, cursor.total, cursor.degraded = Mode.STEP, len(book.steps), book.is_degraded
        cursor.number, cursor.revisions = min(book.over + 1, cursor.total), len(book.revisions) - 1
        running = book.running
        if running is not None:
            cursor.take(running.step)
            cursor.told_at = running.since + 1
            self._arrange(running)
        elif book.over == cursor.total:
            cursor.mode = Mode.ANSWER

    def _plan_said(self, draft: Draft, text: str) -> bool:
        """Whether a reply is the plan's: the outcome of a step, or words where a plan was wanted."""
        cursor = self.state.plan
        makes_calls = draft.calls and draft.stop not in ("length", "refusal")
        if cursor is None or makes_calls or cursor.mode is Mode.ANSWER:
            return False
        said = (ChatMessage("assistant", text, kept=self.state.kept),) if text else ()
        if cursor.mode is Mode.PROPOSE:
            self.log("plan.refused", faults=[f"the model stopped with {draft.stop!r}, and has proposed nothing"])
            self._count_bad(f"{self.state.step}.plan")
            self._perceive(*said, ChatMessage("user", ANSWER_FIRST, labels=(RUNTIME,)))
            return True
        self._set_down(*said)
        self._enter(Phase.CHECK, plan_step=cursor.step)
        failure = "" if draft.stop == "stop" else f"the model stopped with {draft.stop!r} instead of an outcome"
        self._advance(outcome=text, failure=failure)
        return True

    def _plan_updated(self, asked: ChatMessage, results: Sequence[ChatMessage]) -> bool:
        """Whether the results of a reply's calls move the plan: it has steps now, or the one in hand has failed."""
        cursor = self.state.plan
        if cursor is None:
            return False
        heard = {one.asked.name: one.asked for one in self.state.calls if not one.is_error}
        given_up = heard.get(FAIL)
        failure = "" if given_up is None else f"the model says: {given_up.arguments.get('reason')}"
        cursor.errors += sum(one.is_error and one.name not in RUNTIME_TOOLS for one in results)
        if not failure and cursor.mode is Mode.STEP and cursor.errors:
            failure = self._too_many_errors()
        if not failure and (cursor.step or not {PROPOSE, REVISE} & set(heard)):
            return False
        self._set_down(asked, *results)
        self.state.calls = []  # they stand in the conversation now, and are handed on with it
        self._advance(failure=failure)
        return True

    def _takes_itself(self, call: OpenCall) -> bool:
        """Whether a call is about the plan, and none of a tool."""
        if self.state.plan is None or call.asked.name not in RUNTIME_TOOLS:
            return False
        self.tell(ORCHESTRATOR, PlanCall(call.id))
        return True

    def _passed(self, draft: Draft, text: str) -> None:
        cursor = self.state.plan
        if cursor is None or draft.stage != Stage.INPUT.value:
            super()._passed(draft, text)
            return
        self.state.draft = None
        goal = ChatMessage("user", text)
        if cursor.entries:
            self._enter(Phase.UPDATE)
            self._set_down(goal)
            self._advance()
            self._show()
        else:
            asks = asks_for_plan(self._tools, self._planning)
            self._perceive(goal, ChatMessage("user", asks, labels=(RUNTIME,)))

    def _asked(self, final: str) -> CallModel:
        asked, cursor = super()._asked(final), self.state.plan
        if cursor is None:
            return asked
        granted = cursor.granted if cursor.mode is Mode.STEP else ()
        answers = bool(final) or cursor.mode is Mode.ANSWER
        return attrs.evolve(asked, granted=granted, plan=() if final else self._offered, answers=answers)

    def _offers(self) -> dict[str, object]:
        """What of the tools the model is shown in this step, where that is not the same in all."""
        if self.state.plan is None:
            return {}
        asked = self._asked("")
        granted: dict[str, object] = {} if asked.granted is None else {"granted": list(asked.granted)}
        return {**granted, "offered": list(asked.plan)}

    def _open_end(self) -> dict[str, object]:
        return {"judged": True} if self.state.plan is not None else super()._open_end()

    def _has_no_reply(self, why: str) -> None:
        cursor = self.state.plan
        if cursor is None or cursor.mode is not Mode.STEP or self.state.final:
            super()._has_no_reply(why)
        else:
            self._enter(Phase.CHECK, plan_step=cursor.step)
            self._advance(failure=why)

    # The parts of the handlers.

    @property
    def _tools(self) -> list[Tool]:
        granted = self.state.granted
        tools = self.services.agent(self.state.agent).tools
        return [one for one in tools if granted is None or one.name in granted]

    @property
    def _offered(self) -> tuple[str, ...]:
        """The tools for planning that the model has now."""
        cursor = self._cursor
        match cursor.mode:
            case Mode.PROPOSE:
                return (PROPOSE,)
            case Mode.STEP:
                return (*self._revisable, FAIL)
            case Mode.ANSWER:
                return self._revisable

    @property
    def _revisable(self) -> tuple[str, ...]:
        return (REVISE,) if self._cursor.revisions < self._planning.revisions else ()

    async def _book(self) -> Book:
        """The plan as it stands; one to change."""
        await self.committed()  # it is read from disk
        return (await self.services.plan(self.key, self._cursor.entries)).copy()

    async def _unmet(self, status: StepStatus, message: AdvancePlan) -> str:
        """Why the step in hand is not done, or nothing."""
        tried = self._as_tried(status)
        since = status.since if self._cursor.since is None else self._cursor.since
        lines = [] if message.by else await self.services.said(self.key, since, self.state.upto)
        return unmet(tried.step.done, message.outcome, results_of(lines), self._planning, by_model=not message.by)

    def _succeeded(self, book: Book, status: StepStatus, message: AdvancePlan) -> None:
        by, outcome = message.by or "model", message.outcome
        self._note(book, kinds.SUCCEEDED, step=status.step.id, outcome=outcome[:SHOWN], by=by)
        if message.by:
            label = f"{UNTRUSTED} {by}" if by.startswith("run ") else "person"
            text = f"Step {status.step.id} was done by {by}, who says:\n{outcome}"
            self._set_down(ChatMessage("user", text, labels=(label,)))

    async def _carry_out(self, asked: ToolCall) -> tuple[str, list[str]]:
        """What the model is told of its call about the plan, or why it cannot stand."""
        if asked.name not in self._offered:
            what = "the plan cannot be revised any more" if asked.name == REVISE else f"{asked.name} is not open now"
            return "", [f"{what}: go on with what there is"]
        try:
            arguments = plan_tools()[asked.name].parse(asked.arguments)
        except BadArguments as error:
            return "", [str(error)]
        if asked.name == FAIL:
            return "noted", []
        book = await self._book()
        if asked.name == PROPOSE:
            return self._propose(book, steps_of(arguments))
        return self._revise(book, arguments, steps_of(arguments))

    def _propose(self, book: Book, steps: Sequence[PlanStep]) -> tuple[str, list[str]]:
        if book.read:
            return "", ["there is a plan already: this one came twice"]
        faults = faults_of_plan(steps, self._planning, [one.name for one in self._tools])
        if not faults:
            self._note(book, kinds.PROPOSED, **book_fields(1, "model", "", steps))
        return f"The plan stands, with {len(steps)} steps.", faults

    def _revise(self, book: Book, arguments: Mapping[str, object], steps: Sequence[PlanStep]) -> tuple[str, list[str]]:
        drop = tuple(str(id) for id in arguments["drop"])  # type: ignore[attr-defined]  # parsed as a list of text
        faults = faults_of_revision(book, steps, drop, self._planning, [one.name for one in self._tools])
        if not faults:
            self._cursor.revisions += 1
            fields = book_fields(self._cursor.revisions + 1, "model", str(arguments["reason"]), steps)
            self._note(book, kinds.REVISED, **fields, dropped=drop)
        return f"The plan is revised, and has {len(book.steps)} steps. Go on with the step in hand.", faults

    def _too_many_errors(self) -> str:
        """Why the attempt in hand has failed by the errors of its calls, or nothing."""
        most, errors = self._cursor.most_errors, self._cursor.errors
        return "" if most is None or errors <= most else f"{errors} of its calls gave errors, and {most} may"

    def _count_bad(self, call: str) -> None:
        """What the model has written wrongly counts, so that it comes to an end."""
        self.tell(GUARDRAIL, Spend(token=f"bad-{call}", spent=Spent(bad_calls=1)))
