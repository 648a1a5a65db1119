"""How the answer of a run becomes one of its agent's type: what does not fit goes back to the model, so often."""

from __future__ import annotations

import msgspec

from choragus.actors.actor import M

from .ending import Ending, R
from .output import bare
from .state import Draft, Status


class Answering(Ending[R, M]):
    """What of the orchestrator holds an answer against the type that its agent has."""

    def _sent_back(self, draft: Draft, why: str) -> None:
        """The model reads why the draft does not pass."""
        raise NotImplementedError

    def _conclude(self, text: str) -> None:
        """The answer stands."""
        raise NotImplementedError

    def _fits(self, draft: Draft) -> bool:
        """Whether an answer may be judged: without its fence it is of its type. If not, it has gone back."""
        if self.services.output(self.state.agent) is None:
            return True
        draft.text = bare(draft.text)
        return self._stands(draft, draft.text)

    def _answered(self, draft: Draft, text: str) -> None:
        """The answer has passed; a policy that has rewritten it may have left what does not fit."""
        if text == draft.text or self._stands(draft, text):
            self.state.repairs = 0
            self._conclude(text)

    def _stands(self, draft: Draft, text: str) -> bool:
        """Whether the text is of its type. If not, it goes back, or the run ends."""
        state = self.state
        output = self.services.output(state.agent)
        fault = "" if output is None else output.fault(text)
        if output is None or not fault:
            return True
        most = self.services.agent(state.agent).repairs
        state.draft = None
        state.repairs += 1
        if state.final or state.repairs <= most:
            schema = msgspec.json.encode(output.schema).decode()
            self._sent_back(draft, f"{fault}. Answer with nothing but JSON of this schema: {schema}")
            return False
        self.log("reply.refused", step=state.step, stage=draft.stage, reason=fault)
        times = "once" if state.repairs == 1 else f"{state.repairs} times"
        self._end(Status.FAILED, f"the answer was no {output.name} {times}: {fault}")
        return False
