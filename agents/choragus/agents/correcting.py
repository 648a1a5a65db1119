"""How a run that has ended takes a person's word on what it should have answered."""

from __future__ import annotations

from choragus.actors.actor import M
from choragus.actors.dispatch import handle

from .conversing import Conversing
from .correction import Correction, CorrectRun, fault_of_correction
from .ending import R
from .sender import from_outside
from .state import Phase


class Correcting(Conversing[R, M]):
    """What of the orchestrator is corrected. The run stays as it ended: a correction is told beside its answer."""

    @handle
    def correct(self, message: CorrectRun) -> str:
        """Take the correction, which replaces an earlier one, or say why not. The same again changes nothing."""
        state, last = self.state, self.state.correction
        if state.phase is Phase.NEW:
            return f"there is no run {self.key}"
        if refusal := self._no_correction(message):
            self.log("correction.refused", by=message.by, reason=refusal, sender=self._turn.sender)
            return refusal
        if last is not None and (last.answer, last.by, last.reason) == (message.answer, message.by, message.reason):
            return ""
        number = 1 if last is None else last.number + 1
        state.correction = Correction(
            answer=message.answer, by=message.by, reason=message.reason, at=self.now, number=number
        )
        is_known = state.agent in self.services.agents
        self.log(
            "run.corrected",
            answer=message.answer,
            by=message.by,
            reason=message.reason,
            number=number,
            **({} if is_known else {"checked": False}),
        )
        self._show()
        return ""

    def _no_correction(self, message: CorrectRun) -> str:
        """Why this is no correction of the run, or nothing."""
        state = self.state
        if not from_outside(self._turn.sender):
            return f"{self._turn.sender} is an actor, and only people correct a run: through the runtime or `choragus`"
        if not state.status.is_final:
            return (
                f"run {self.key} goes on ({state.status.value}) and has no answer yet: wait for its end, or cancel it"
            )
        if fault := fault_of_correction(message):
            return fault
        output = self.services.output(state.agent)
        fault = "" if output is None else output.fault(message.answer)
        return (
            fault and f"agent {state.agent!r} answers with a {output.name if output else ''}, and this is none: {fault}"
        )
