"""How a memory lets the agent change its blocks: one edit after the other, each once, with the labels of its source."""

from __future__ import annotations

import hashlib

from choragus.actors.actor import M
from choragus.actors.dispatch import handle

from .block import Block, changed
from .compacting import Compacting
from .condensing import S
from .decision import Edited
from .errand import BlockAnswer, ChangeBlock, EditBlock
from .label import shown_besides, sources
from .working import Working


class Editing(Compacting[S, M]):
    """What of the memory changes blocks."""

    @handle
    async def edit(self, message: EditBlock) -> BlockAnswer:
        """Change a block, or say why not; what comes again for the same call changes nothing."""
        if self.state.over:
            return BlockAnswer("the run has ended", is_error=True)
        working = await self.working()
        done = working.calls.get(message.call)
        if done is not None:
            return BlockAnswer(done.answer)
        block = self._editable(message)
        if isinstance(block, BlockAnswer):
            return block
        labels = await self._labels()
        if block.shared:
            return BlockAnswer("", change=self._change_of(block, message, labels))
        try:
            text = changed(block.label, block.limit, working.text_of(block.label), message.old, message.new)
        except ValueError as error:
            return BlockAnswer(str(error), is_error=True)
        return self._change(block, working, message, text, labels)

    def _editable(self, message: EditBlock) -> Block | BlockAnswer:
        context = self.services.agent(message.agent).context
        blocks = () if context is None else context.blocks
        found = next((each for each in blocks if each.label == message.label), None)
        if found is not None and found.editable:
            return found
        names = ", ".join(each.label for each in blocks if each.editable) or "none"
        what = "is read-only" if found is not None else "is not there"
        return BlockAnswer(f"block {message.label[:64]!r} {what}; those that can be changed: {names}", is_error=True)

    async def _labels(self) -> tuple[str, ...]:
        """Where all that the model has been shown comes from."""
        state = self.state
        lines = (await self.services.conversation(self.key, state.length))[: state.length]
        besides = shown_besides(await self.services.contexts.decisions(self.key, state.version), state.length)
        return tuple(sorted(sources(lines) | besides))

    def _change_of(self, block: Block, message: EditBlock, labels: tuple[str, ...]) -> ChangeBlock:
        return ChangeBlock(
            agent=message.agent,
            label=block.label,
            text=block.text,
            limit=block.limit,
            old=message.old,
            new=message.new,
            by=f"{self.key}/{message.call}",
            labels=labels,
        )

    def _change(
        self, block: Block, working: Working, message: EditBlock, text: str, labels: tuple[str, ...]
    ) -> BlockAnswer:
        before = working.blocks.get(block.label)
        decision = Edited(
            step=message.step,
            upto=self.state.length,
            label=block.label,
            text=text,
            call=message.call,
            labels=labels,
            number=1 if before is None else before.number + 1,
            answer=f"block {block.label} has {len(text):,} of {block.limit:,} characters now",
        )
        self.note(decision)
        self.log(
            "block.edited",
            label=block.label,
            call=message.call,
            number=decision.number,
            characters=len(text),
            hash=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
            labels=decision.labels,
        )
        return BlockAnswer(decision.answer)
