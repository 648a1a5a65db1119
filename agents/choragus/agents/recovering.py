"""How the steps of a plan are tried, tried again, done another way, given up, or put to a person."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from choragus.actors.actor import M
from choragus.mailbox.address import actor_id

from .admission import narrowed
from .control import StartChild
from .ending import R
from .flow.label import RUNTIME
from .message import GUARDRAIL, MEMORY, ORCHESTRATOR, Perceive, StartRun, Verdict
from .model import ChatMessage
from .naming import run_id
from .nesting import Nesting
from .plan import book as kinds
from .plan.book import Book, StepStatus
from .plan.cursor import Cursor, Mode
from .plan.message import AdvancePlan, PutQuestion
from .plan.planning import Planning
from .plan.recovery import (
    AskPerson,
    Fallback,
    LastResort,
    UseAgent,
    UseModel,
    UseTool,
    next_move,
)
from .plan.step import Done
from .plan.wording import asks_again, asks_for_answer, asks_for_step, asks_person, asks_what_becomes
from .state import Phase, Status
from .stream import SHOWN, plan_stream

CHOICES = ("retry", "skip", "end")
"""What a person may say of a step that is escalated."""


class Recovering(Nesting[R, M]):
    """What of the orchestrator tries steps, and knows what follows when one fails."""

    @property
    def _cursor(self) -> Cursor:
        assert self.state.plan is not None
        return self.state.plan

    @property
    def _planning(self) -> Planning:
        """As the agent has it now; one that does not plan any more, and whose run goes on all the same, as usual."""
        return self.services.agent(self.state.agent).planning or Planning()

    def _note(self, book: Book, kind: str, **fields: object) -> None:
        """Enter what has happened in the plan and, without the texts of its steps, in the logbook."""
        cursor, steps = self._cursor, fields.get("steps")
        cursor.entries += 1
        self.append(plan_stream(self.key), kind, fields)
        shown = {**fields, "steps": len(steps)} if isinstance(steps, list | tuple) else fields
        self.log(kind, plan=cursor.entries, **shown)
        book.take(kind, fields)
        cursor.total, cursor.number = len(book.steps), min(book.over + 1, len(book.steps))
        cursor.degraded = book.is_degraded

    def _set_down(self, *lines: ChatMessage) -> None:
        """Append to the conversation; the model reads it when it is asked next."""
        if lines:
            self._cursor.behind += len(lines)
            self.tell(MEMORY, Perceive(0, lines))

    def _advance(self, *, outcome: str = "", failure: str = "", choice: str = "", by: str = "") -> None:
        """Have the plan gone on with, in a turn that may read it."""
        entries = self._cursor.entries
        self.tell(ORCHESTRATOR, AdvancePlan(entries=entries, outcome=outcome, failure=failure, choice=choice, by=by))

    def _next(self, book: Book) -> None:
        """Begin the next step, or have the model give its answer."""
        while blocked := list(book.blocked()):
            for status, missing in blocked:
                self._note(book, kinds.SKIPPED, step=status.step.id, reason=f"step {missing} was skipped")
        ready = book.ready
        if ready is not None:
            self._arrange(ready)
            self._attempt(book, kinds.STARTED, ready, asks_for_step(book, ready))
            return
        cursor = self._cursor
        self._use_base_model()
        cursor.told_at = self.state.upto + cursor.behind + 1
        cursor.mode, cursor.step, cursor.goal, cursor.granted, cursor.behind = Mode.ANSWER, "", "", (), 0
        self._perceive(ChatMessage("user", asks_for_answer(book), labels=(RUNTIME,)))

    def _failed(self, book: Book, id: str, why: str) -> bool:
        """An attempt has failed: do what follows; False when the step is over, and the next one can begin."""
        recovery = self._planning.recovery_of(book.steps[id].step)
        while True:
            status = book.steps[id]
            move = next_move(status.way, status.tries, recovery)
            if move.then is not None:
                return self._give_up_step(book, status, move.then, why)
            if move.by is None:
                self._attempt(book, kinds.RETRIED, status, asks_again(self._as_tried(status), why), reason=why)
                return True
            why = self._try(book, status, move.way, move.by, why)
            if not why:
                return True

    def _chosen(self, book: Book, status: StepStatus, choice: str, by: str, why: str) -> bool:
        """A person has said what becomes of a step; anything but the choices is taken for the end."""
        said = f"{by} says {choice}" if choice else why
        if choice == "retry":
            status = attrs.evolve(status, way=0)
            self._arrange(status)
            self._attempt(book, kinds.RETRIED, status, asks_again(status, said), reason=said, anew=True)
            return True
        return self._give_up_step(book, status, "skip" if choice == "skip" else "fail", f"{status.why}; {said}")

    def _try(self, book: Book, status: StepStatus, way: int, by: Fallback, why: str) -> str:
        """Do the step in another way; why that cannot be, or nothing."""
        fields: dict[str, object] = {"way": way, "by": by.told, "reason": why}
        status = attrs.evolve(status, way=way)
        if isinstance(by, UseModel | UseTool):
            self._arrange(status)
            text = asks_again(self._as_tried(status), why, by.told if isinstance(by, UseTool) else "")
            self._attempt(book, kinds.FALLBACK, status, text, **fields)
            return ""
        since = self.state.upto + self._cursor.behind
        self._note(book, kinds.FALLBACK, step=status.step.id, since=since, **fields)
        if isinstance(by, AskPerson):
            self._ask(asks_person(status), why, by)
            return ""
        return self._delegate(book, status, by)

    def _attempt(self, book: Book, kind: str, status: StepStatus, text: str, **fields: object) -> None:
        """Have the model try the step, from here on in the conversation."""
        cursor, step = self._cursor, status.step
        since, cursor.behind, cursor.errors = self.state.upto + cursor.behind, 0, 0
        cursor.mode, cursor.is_fresh, cursor.told_at = Mode.STEP, True, since + 1
        cursor.take(step)
        self._note(book, kind, step=step.id, since=since, **fields)
        self._perceive(ChatMessage("user", text, labels=(RUNTIME,)))

    def _arrange(self, status: StepStatus) -> None:
        """Give the model that is asked, and the tools, to the way in which the step is tried."""
        cursor, state, way = self._cursor, self.state, self._way(status)
        tools = (way.tool,) if isinstance(way, UseTool) else status.step.tools
        cursor.most_errors = self._planning.recovery_of(status.step).tool_errors
        cursor.granted = state.granted if tools is None else narrowed(state.granted, tools)
        self._use_base_model()
        if isinstance(way, UseModel) and way.model < len(self.services.agent(state.agent).models):
            cursor.base, state.first = state.first, way.model

    def _use_base_model(self) -> None:
        if self._cursor.base is not None:
            self.state.first, self._cursor.base = self._cursor.base, None

    def _way(self, status: StepStatus) -> Fallback | None:
        ways = self._planning.recovery_of(status.step).fallback
        return ways[status.way - 1] if 0 < status.way <= len(ways) else None

    def _as_tried(self, status: StepStatus) -> StepStatus:
        """With what proves it done in the way in which it is tried: the call of a tool that stands in for another."""
        way, step = self._way(status), status.step
        if not isinstance(way, UseTool) or step.done.kind != "called":
            return status
        return attrs.evolve(status, step=attrs.evolve(step, done=Done.called(way.tool), tools=(way.tool,)))

    def _delegate(self, book: Book, status: StepStatus, by: UseAgent) -> str:
        """Begin a sub-run that does the step; why it cannot, or nothing."""
        services, state = self.services, self.state
        if by.agent not in services.agents:
            return f"there is no agent {by.agent!r} in this runtime"
        is_followed = services.policies(state.agent).follows_information
        if is_followed and status.revision > 1:
            return f"agent {by.agent} would take a goal for the user's that was written after other things were read"
        goal = status.step.goal if is_followed else _with_findings(book, status)
        key = f"plan-{self._cursor.entries}"
        start = StartRun(agent=by.agent, goal=goal, key=key, manifest=services.manifest(by.agent).hash)
        id = run_id(by.agent, f"{self.key}/{key}")
        begun = self.start_child(StartChild(run=id, start=start))
        if isinstance(begun, Verdict):
            return begun.reason
        self._cursor.child = id
        self._enter(Phase.ACT, child=id)
        return ""

    def _give_up_step(self, book: Book, status: StepStatus, then: LastResort, why: str) -> bool:
        id = status.step.id
        match then:
            case "fail":
                self._note(book, kinds.FAILED, step=id, reason=why)
                self._end(Status.FAILED, f"step {id} of the plan failed: {why}")
                return True
            case "escalate":
                self._note(book, kinds.ESCALATED, step=id, reason=why)
                self._cursor.escalated = True
                self._ask(asks_what_becomes(status), why, AskPerson(options=CHOICES))
                return True
            case _:
                self._note(book, kinds.SKIPPED, step=id, reason=why, degraded=then == "degrade")
                return False

    def _ask(self, text: str, why: str, who: AskPerson) -> None:
        state, cursor = self.state, self._cursor
        cursor.question = f"plan-{cursor.entries}"
        self._enter(Phase.ACT, question=cursor.question)
        question = PutQuestion(
            subject=cursor.question,
            agent=state.agent,
            step=state.step,
            text=text,
            why=f"step {cursor.step}: {why}",
            options=who.options,
            approvers=who.approvers,
        )
        self.tell_at(actor_id(GUARDRAIL, self.key), question)


def _with_findings(book: Book, status: StepStatus) -> str:
    """The goal of a step for another agent, with what came out of the steps that it comes after."""
    before: Mapping[str, str] = {id: book.steps[id].outcome for id in status.step.after if book.steps[id].outcome}
    if not before:
        return status.step.goal
    found = "\n".join(f"- {id}: {outcome[:SHOWN]}" for id, outcome in before.items())
    return f"{status.step.goal}\n\nWhat came out before:\n{found}"
