"""How a run is held and gone on with: what is in flight ends and is recorded, and nothing new starts."""

from __future__ import annotations

from choragus.actors.actor import M
from choragus.actors.dispatch import handle
from choragus.mailbox.address import actor_id

from .control import Hold, PauseRun, ResumeRun
from .ending import R
from .message import GUARDRAIL, MEMORY, ORCHESTRATOR, TOOL_GATEWAY
from .reasoning import Reasoning
from .state import Halt

PARENT = "parent"
"""The account of a pause that came from the run above."""


class Pausing(Reasoning[R, M]):
    """What of the orchestrator holds a run."""

    @handle
    def pause(self, message: PauseRun) -> bool:
        """Start nothing new, in this run and its sub-runs, until it is resumed on the same account."""
        if self._is_over:
            return False
        was_held = bool(self.state.paused)
        said = f"paused by {message.by}" + (f": {message.reason}" if message.reason else "")
        self.state.paused[message.source] = said
        self.log("run.paused", by=message.by, reason=message.reason, source=message.source)
        if not was_held:
            self._hold(True)
            for child in self.state.open_children:
                held = PauseRun(by=message.by, reason=message.reason, source=PARENT)
                self.tell_at(actor_id(ORCHESTRATOR, child), held)
        self._show()
        return True

    @handle
    async def resume(self, message: ResumeRun) -> bool:
        """Go on, unless it is held on another account too."""
        if self._is_over or message.source not in self.state.paused:
            return False
        del self.state.paused[message.source]
        self.log("run.resumed", by=message.by, source=message.source)
        if not self.state.paused:
            self._hold(False)
            for child in self.state.open_children:
                self.tell_at(actor_id(ORCHESTRATOR, child), ResumeRun(by=message.by, source=PARENT))
            await self._go_on()
        self._show()
        return True

    def _call_tools(self) -> None:
        """Make the model's calls."""
        raise NotImplementedError

    def _hold(self, paused: bool) -> None:
        self.tell(TOOL_GATEWAY, Hold(paused))
        self.tell(GUARDRAIL, Hold(paused))
        if self._has_context:
            self.tell(MEMORY, Hold(paused))

    async def _go_on(self) -> None:
        halt, self.state.halt = self.state.halt, Halt.NOWHERE
        match halt:
            case Halt.RESERVE:
                await self._reserve()
            case Halt.ACT:
                self._call_tools()
            case Halt.NOWHERE:
                pass  # what was in flight is, or a person is waited for
