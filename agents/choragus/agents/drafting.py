"""How what a run is told, says and answers is judged before it goes on with it."""

from __future__ import annotations

from choragus.actors.actor import M
from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed

from .answering import Answering
from .ending import R
from .flow.label import RUNTIME
from .message import GUARDRAIL, ORCHESTRATOR, Decided, JudgeText, Verdict
from .model import ChatMessage
from .policy.check import Stage
from .state import Draft, Phase, Status


class Drafting(Answering[R, M]):
    """What of the orchestrator has drafts judged."""

    @reply
    def judged(self, verdict: Verdict | AskFailed) -> None:
        """The guardrail's word on a draft. Silence is no."""
        draft = self.state.draft
        if self._is_over or draft is None or self.about != self._subject(draft):
            return
        if isinstance(verdict, AskFailed):
            self._end(Status.DENIED, f"{verdict.actor}: {verdict.reason}; without the guardrail nothing goes on")
            return
        self.state.sources = verdict.sources
        if verdict.wait:
            pass  # CallWaits says so, and the decision comes as Decided
        elif verdict.allowed:
            self._passed(draft, draft.text if verdict.text is None else verdict.text)
        elif verdict.ends or draft.stage == Stage.INPUT.value:
            self._end(Status.DENIED, verdict.reason)
        else:
            self._sent_back(draft, f"refused: {verdict.reason}")

    @handle
    def decided(self, message: Decided) -> None:
        """A person has decided about a draft, as the guardrail says; nobody else's word counts."""
        draft = self.state.draft
        if self._is_over or not self.hears(GUARDRAIL) or self._text_decided(message):
            return
        if draft is None or message.call != self._subject(draft):
            return
        why = f"denied by {message.by}" + (f": {message.reason}" if message.reason else "")
        if message.approved:
            self._passed(draft, draft.text)
        elif draft.stage == Stage.INPUT.value:
            self._end(Status.DENIED, why)
        else:
            self._sent_back(draft, why)

    def _perceive(self, *additions: ChatMessage) -> None:
        """The next step begins with these."""
        raise NotImplementedError

    def _act(self, draft: Draft, text: str) -> None:
        """The reply passes with this text."""
        raise NotImplementedError

    def _text_decided(self, message: Decided) -> bool:
        """Whether that was about a text that was sent to the run."""
        raise NotImplementedError

    def _subject(self, draft: Draft) -> str:
        """The name of a draft within the run."""
        return f"{draft.stage}-{self.state.step}"

    def _judge(self, draft: Draft) -> None:
        """The draft passes, once the guardrail has looked at it, if any policy looks at its stage."""
        state = self.state
        if draft.stage == Stage.OUTPUT.value and not self._fits(draft):
            return
        if not self.services.policies(state.agent).looks_at(Stage(draft.stage)):
            self._passed(draft, draft.text)
            return
        state.draft = draft
        self._enter(Phase.JUDGE, stage=draft.stage)
        self._show()
        judged = JudgeText(
            stage=draft.stage,
            subject=self._subject(draft),
            asker=ORCHESTRATOR,
            agent=state.agent,
            step=state.step,
            text=draft.text,
            upto=state.upto,
        )
        self.ask_guardrail(judged, then=self.judged, about=judged.subject)

    def _passed(self, draft: Draft, text: str) -> None:
        """Go on with the text: the goal is perceived, the reply acted upon, the answer given."""
        self.state.draft = None
        match Stage(draft.stage):
            case Stage.INPUT:
                self._perceive(ChatMessage("user", text, images=draft.images))
            case Stage.OUTPUT:
                self._answered(draft, text)
            case _:
                self._act(draft, text)

    def _sent_back(self, draft: Draft, why: str) -> None:
        """The model reads why what it said does not pass, and answers anew; its calls are not made."""
        self.state.draft = None
        self.log("reply.refused", step=self.state.step, stage=draft.stage, reason=why)
        if self.state.final:
            self._end_last(f"does not pass: {why}")
            return
        said = (ChatMessage("assistant", draft.text),) if draft.text else ()
        self._perceive(*said, ChatMessage("user", f"Your {draft.stage} does not pass: {why}", labels=(RUNTIME,)))
