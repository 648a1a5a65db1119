"""Taking back what the calls of an ended run have done: in reverse order, each as an effect with a key of its own."""

from __future__ import annotations

from typing import Generic

import attrs
import msgspec

from choragus.actors.actor import M
from choragus.actors.dispatch import handle

from .call import Call, GatewayState, Stage, Unwinding
from .calling import Caller, G
from .message import UndoNext, UnwindRun
from .sender import from_outside
from .stream import SHOWN, results_stream
from .toolbelt.companion import RESULT

PAGE = 500


@attrs.frozen(kw_only=True)
class Undoable:
    """What a call has done, as it was written down when it had."""

    undo: str
    call: str
    agent: str
    tool: str
    role: str
    arguments: dict[str, object]
    result: str
    is_sure: bool

    def given(self, parameters: tuple[str, ...]) -> dict[str, object]:
        """What an undo with these parameters is called with."""
        known = dict(self.arguments)
        if self.result:
            known[RESULT] = msgspec.json.decode(self.result)
        return {name: known[name] for name in parameters if name in known}


class Unwinder(Caller[G, M], Generic[G, M]):
    """A part of a run that takes calls back."""

    @handle
    def unwind(self, message: UnwindRun) -> str:
        """Begin, or go on after it was given up; what cannot be begun is said and changes nothing."""
        actor = "" if from_outside(self._turn.sender) else f"{self._turn.sender} is an actor, and only people take back"
        refusal = actor or self._why_not(self.state)
        if refusal:
            self.log("unwind.refused", by=message.by, reason=refusal)
            return refusal
        earlier = self.state.unwinding
        if earlier is not None and not earlier.over and not earlier.stopped:
            return ""
        done = [] if earlier is None else earlier.done
        left = [one for one in self.state.undoable if one not in done]
        self.state.unwinding = Unwinding(by=message.by, done=done, left=left)
        self.log("unwind.begun", by=message.by, calls=left[::-1])
        self._go_on()
        return ""

    @handle
    async def undo_next(self, message: UndoNext) -> None:
        """Take back the last call that is left."""
        unwinding = self.state.unwinding
        if unwinding is None or not unwinding.left or unwinding.left[-1] in self.state.calls:
            return
        await self.committed()  # what was written down is read from disk
        record = await self._undoable(unwinding.left[-1])
        undo = self.services.tool_in_role(record.agent, record.tool, record.role)
        arguments = record.arguments if undo is None else record.given(undo.parameters)
        call = Call(record.undo, record.agent, record.tool, arguments, role=record.role, undoes=record.call)
        self.state.calls[call.id] = call
        call.repeatable = undo is not None and undo.repeatable
        if undo is None:
            self.stick(call, f"tool {record.tool!r} has no undo any more")
        elif not record.is_sure:
            why = f"call {record.call} ({record.tool}) was cut off: nobody knows whether there is anything to take back"
            self.stick(call, why)
        elif call.id in self.state.doubtful and not call.repeatable:
            self.stick(call, "it was given up when it may have happened: nobody knows whether it has to run again")
        else:
            self.begin(call)

    def undone(self, call: Call) -> None:
        """A call has been taken back."""
        unwinding = self.state.unwinding
        assert unwinding is not None
        unwinding.left.remove(call.id)
        unwinding.done.append(call.id)
        unwinding.stopped = ""
        self._go_on()

    def take_up(self, call: Call) -> None:
        """Run a call that has not happened, as a person has said."""
        if call.undoes and self.state.unwinding is not None:
            self.state.unwinding.stopped = ""
            self._show()
        self.begin(call)

    def stick(self, call: Call, why: str) -> None:
        """It does not go on by itself: a person is shown why, and what remains."""
        unwinding = self.state.unwinding
        assert unwinding is not None
        call.stage = Stage.UNKNOWN
        behind = ", ".join(one for one in reversed(unwinding.left) if one != call.id) or "nothing"
        unwinding.stopped = f"{call.id}: {why}; behind it remains {behind}"
        self.log("unwind.stopped", call=call.id, tool=self.name_of(call), reason=why[:SHOWN], left=unwinding.left[::-1])
        how = "happened: nothing is left to take back, go on; not: run it now; give_up: leave it and what remains"
        self.raise_attention(call, unwinding.stopped, check=how)
        self._show()

    def leave(self, call: Call, by: str) -> None:
        """A person has given up on a call that was to be taken back."""
        unwinding = self.state.unwinding
        assert unwinding is not None
        del self.state.calls[call.id]
        if call.may_have and call.id not in self.state.doubtful:
            self.state.doubtful.append(call.id)
        unwinding.stopped, unwinding.over = f"{by} gave up on {call.id}", True
        self.log("unwind.left", call=call.id, by=by, left=unwinding.left[::-1])
        self._show()

    def _why_not(self, state: GatewayState) -> str:
        if not state.over:
            return f"run {self.key} has not ended: cancel it first"
        for call in state.calls.values():
            if call.stage is Stage.UNKNOWN:
                return f"nobody knows what became of call {call.id} of run {self.key}: settle it first"
            if not call.undoes:
                return f"call {call.id} of run {self.key} still runs: try it again when it has ended"
        return ""

    def _go_on(self) -> None:
        unwinding = self.state.unwinding
        assert unwinding is not None
        if unwinding.left:
            self.tell_at(self.id, UndoNext())
        else:
            unwinding.over = True
            self.log("unwind.ended", by=unwinding.by, calls=unwinding.done)
        self._show()

    def _show(self) -> None:
        unwinding = self.state.unwinding
        assert unwinding is not None
        self.view("unwinding", self.key, attrs.asdict(unwinding), sort=self.now)

    async def _undoable(self, undo: str) -> Undoable:
        after = 0
        while page := await self.services.store.read(results_stream(self.key), after, PAGE):
            for entry in page:
                after = entry.position
                if entry.kind == "call.undoable":
                    record = msgspec.json.decode(entry.body, type=Undoable)
                    if record.undo == undo:
                        return record
        raise LookupError(f"what {undo} of run {self.key} takes back is not in its file: see `choragus verify`")
