"""How a run is a conversation: what is said to it while it goes on is read next, and what is said later begins another.

A text is taken in the turn in which it comes, and stands in the state from then on: it is judged as a goal is, and the
model reads it with the next step, behind the results of the calls under way.
"""

from __future__ import annotations

from choragus.actors.actor import M
from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed
from choragus.mailbox.address import actor_id

from .ending import R
from .errors import AgentFault, NotEvaluated
from .following import carried, next_run, said_key, thread_stream
from .fork import ledgers_of
from .message import (
    MEMORY,
    ORCHESTRATOR,
    CallWaits,
    Decided,
    JudgeText,
    Perceive,
    StartRun,
    TakeOver,
    Verdict,
)
from .model import ChatMessage
from .plan.giving import check_plan
from .policy.check import Stage
from .sender import from_outside
from .speech import AskBegun, Heard, Place, Said, SendText, Talk
from .state import Phase, Status
from .stepping import Stepping
from .stream import SHOWN

MOST_WAITING = 100
"""How many texts may wait to be read in one run."""


class Conversing(Stepping[R, M]):
    """What of the orchestrator listens."""

    @handle
    async def hear(self, message: SendText) -> Heard:
        """Take a text, unless it was taken before, or say where the conversation goes on."""
        state = self.state
        if not from_outside(self._turn.sender):
            why = f"{self._turn.sender} is an actor, and only the host and people speak to a run: return it as a result"
            return Heard(run=self.key, reason=why)
        if state.phase is Phase.NEW:
            return Heard(run=self.key, reason=f"run {self.key} has not begun")
        if message.key and (run := await self._known(message.key)):
            return Heard(run=run, is_taken=True)
        if self._is_over:
            return await self._pass_on(message)
        if message.plan is not None:
            why = "it goes on, and a plan is for a run that begins: wait for its end, or send the text without a plan"
            return Heard(run=self.key, reason=why)
        if len(state.unread) >= MOST_WAITING:
            why = f"{MOST_WAITING} texts wait already to be read, and no more may: send it again in a while"
            return Heard(run=self.key, reason=why)
        return self._take(message)

    @handle
    def begun(self, message: AskBegun) -> bool:
        """Whether the run has begun."""
        return self.state.phase is not Phase.NEW

    @reply
    def text_judged(self, verdict: Verdict | AskFailed) -> None:
        """The guardrail's word on a text. Silence is no."""
        said = self._waiting(self.about)
        if said is None:
            return
        if isinstance(verdict, AskFailed):
            self._refuse(said, f"{verdict.actor}: {verdict.reason}; without the guardrail nothing passes")
        elif verdict.wait:
            pass  # CallWaits says so, and the decision comes as Decided
        elif verdict.allowed:
            self._pass_text(said, said.text if verdict.text is None else verdict.text)
        else:
            self._refuse(said, verdict.reason)
            if verdict.ends and not self._is_over:
                self._end(Status.DENIED, verdict.reason)

    # Hooks of the loop.

    def _text_decided(self, message: Decided) -> bool:
        said = self._waiting(message.call)
        if said is None:
            return False
        if message.approved:
            self._pass_text(said, said.text)
        else:
            self._refuse(said, f"denied by {message.by}" + (f": {message.reason}" if message.reason else ""))
        return True

    def _text_waits(self, message: CallWaits) -> None:
        """A text waits for a person, or no longer does."""
        said = self._waiting(message.call)
        if said is not None:
            said.waits = message.reason
            self._show()

    def _conclude(self, text: str) -> None:
        """The answer stands. Whoever has said more by then has none yet, and the run goes on."""
        state = self.state
        if state.final or not state.unread:
            self._end(Status.COMPLETED, text)
        elif state.unread[0].is_ready:
            self._enter(Phase.UPDATE)
            kept = state.kept if text == state.text else ()
            self._perceive(ChatMessage("assistant", text, kept=kept))
        else:
            self._talk.answer = text
            self._enter(Phase.JUDGE, stage=Stage.INPUT.value)
            self._show()

    def _taken_up(self) -> tuple[ChatMessage, ...]:
        """The texts that the model reads now: in the order in which they came, up to the first that is not judged."""
        talk = self._talk
        ready = next((at for at, one in enumerate(talk.unread) if not one.is_ready), len(talk.unread))
        taken, talk.unread = talk.unread[:ready], talk.unread[ready:]
        if taken:
            self.log("text.read", texts=[one.id for one in taken], step=self.state.step)
        return tuple(one.line for one in taken)

    def _leave_unread(self, status: Status) -> None:
        """What passed stays in the conversation, for the run that follows; what is not judged yet is refused."""
        talk = self._talk
        lines = [ChatMessage("assistant", talk.answer)] if talk.answer is not None else []
        for said in tuple(talk.unread):
            if said.is_ready:
                lines.append(said.line)
            else:
                self._refuse(said, f"the run has ended ({status.value}) before it was judged: send it again")
        if lines:
            self.tell(MEMORY, Perceive(0, tuple(lines)))
        talk.unread, talk.answer = [], None

    def _take_place(self, start: StartRun) -> None:
        """In the thread that the run is part of, behind the run that it follows."""
        place = start.place
        if place is None:
            return
        self.state.talk = Talk(thread=place.thread, name=place.name, follows=place.follows, carried=place.carried)
        self.state.upto = len(place.context)
        self.append(thread_stream(place.thread), "run", {"run": self.key})
        if place.said:
            self._remember(place.said)
        if place.context:
            self.tell(MEMORY, TakeOver(place.context))

    def _placed(self) -> dict[str, object]:
        """The same for the logbook; `messages` is how much of the conversation there is with the goal."""
        talk = self.state.talk
        if talk is None:
            return {}
        place: dict[str, object] = {"thread": talk.thread, "name": talk.name}
        if not talk.follows:
            return place
        return {**place, "follows": talk.follows, "carried": talk.carried, "messages": self.state.upto + 1}

    # Taking a text.

    @property
    def _talk(self) -> Talk:
        """Made when the first text comes."""
        if self.state.talk is None:
            self.state.talk = Talk()
        return self.state.talk

    def _take(self, message: SendText) -> Heard:
        state, talk = self.state, self._talk
        talk.texts += 1
        said = Said(id=f"text-{talk.texts}", text=message.text, by=message.by, images=message.images, key=message.key)
        talk.unread.append(said)
        fields: dict[str, object] = {"images": len(said.images)} if said.images else {}
        self.log("text.received", text=said.id, by=said.by, said=said.text[:SHOWN], step=state.step, **fields)
        if message.key:
            self._remember(message.key)
        is_judged = self.services.policies(state.agent).looks_at(Stage.INPUT)
        if is_judged:
            judged = JudgeText(
                stage=Stage.INPUT.value,
                subject=said.id,
                asker=ORCHESTRATOR,
                agent=state.agent,
                step=state.step,
                text=said.text,
                upto=state.upto,
            )
            self.ask_guardrail(judged, then=self.text_judged, about=said.id)
        else:
            said.is_ready = True
        return Heard(run=self.key, is_taken=True, text=said.id if is_judged else "")

    def _waiting(self, id: str) -> Said | None:
        """The text of that name that is not judged yet."""
        return next((one for one in self.state.unread if one.id == id and not one.is_ready), None)

    def _pass_text(self, said: Said, text: str) -> None:
        said.text, said.is_ready, said.waits = text, True, ""
        self._go_on_listening()

    def _refuse(self, said: Said, reason: str) -> None:
        self._talk.unread = [one for one in self._talk.unread if one is not said]
        self.log("text.refused", text=said.id, by=said.by, reason=reason)
        if not self._is_over:
            self._go_on_listening()

    def _go_on_listening(self) -> None:
        """The answer that was held back for it goes its way."""
        answer, self._talk.answer = self._talk.answer, None
        if answer is not None:
            self._conclude(answer)
        else:
            self._show()

    # What comes behind the end.

    async def _pass_on(self, message: SendText) -> Heard:
        """Begin the run that follows, in this one turn, with what this one leaves; or say which it is."""
        state, services, talk = self.state, self.services, self._talk
        if talk.followed_by:
            return Heard(run=talk.followed_by)
        if state.agent not in services.agents:
            why = f"its agent {state.agent!r} is not among the runtime's: pass it in Runtime(agents=[...])"
            return Heard(run=self.key, reason=why)
        try:
            services.check_evaluated(state.agent)
            check_plan(services.agent(state.agent), message.plan, state.granted)
        except (AgentFault, NotEvaluated) as fault:
            return Heard(run=self.key, reason=str(fault))
        await self.committed()  # the conversation is read from disk
        left = await carried(services, self.key, state)
        talk.followed_by = next_run(self.key)
        if not talk.thread:
            talk.thread = self.key
            self.append(thread_stream(self.key), "run", {"run": self.key})
        start = StartRun(
            agent=state.agent,
            goal=message.text,
            images=message.images,
            plan=message.plan,
            key="",
            manifest=services.manifest(state.agent).hash,
            ledgers=await ledgers_of(services.store, state),
            room=state.room,
            tools=state.granted,
            tenant=state.tenant,
            place=Place(
                thread=talk.thread,
                name=talk.name,
                said=message.key,
                follows=self.key,
                context=left.lines,
                carried=left.carried,
            ),
        )
        self.tell_at(actor_id(ORCHESTRATOR, talk.followed_by), start)
        self.log("run.followed", run=talk.followed_by, by=message.by)
        self._show()
        return Heard(run=talk.followed_by, is_taken=True)

    async def _known(self, key: str) -> str:
        """The run of this thread that has taken the text of that key, or nothing."""
        await self.committed()  # the row is read from disk
        row = await self.services.store.view("said", said_key(self._talk.thread or self.key, key))
        return "" if row is None else row.scope

    def _remember(self, key: str) -> None:
        """Remember the text of that key for as long as the run is kept."""
        self.view("said", said_key(self._talk.thread or self.key, key), {}, scope=self.key, sort=self.now)
