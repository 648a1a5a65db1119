"""How a memory lets the agent change its blocks: one edit after the other, each once, with the labels of its source."""

from __future__ import annotations

import hashlib

from choragus.actors.actor import M
from choragus.actors.dispatch import handle

from .block import Block, appended, edited
from .compacting import Compacting
from .condensing import S
from .decision import Edited
from .errand import BlockAnswer, EditBlock
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
        text = self._text(block, working, message)
        if isinstance(text, BlockAnswer):
            return text
        return await self._change(block, working, message, text)

    def _editable(self, message: EditBlock) -> Block | BlockAnswer:
        context = self.services.agent(message.agent).context
        blocks = () if context is None else context.blocks
        found = next((each for each in blocks if each.label == message.label), None)
        if found is not None and found.editable:
            return found
        names = ", ".join(each.label for each in blocks if each.editable) or "none"
        what = "is read-only" if found is not None else "is not there"
        return BlockAnswer(f"block {message.label[:64]!r} {what}; those that can be changed: {names}", is_error=True)

    def _text(self, block: Block, working: Working, message: EditBlock) -> str | BlockAnswer:
        """The new text, or why there is none."""
        before = working.text_of(block.label)
        try:
            text = appended(before, message.new) if message.old is None else edited(before, message.old, message.new)
        except ValueError as error:
            return BlockAnswer(f"block {block.label!r} is as it was: {error}", is_error=True)
        if len(text) > block.limit:
            reason = (
                f"block {block.label!r} is as it was: it may have {block.limit:,} characters, has {len(before):,} and "
                f"would have {len(text):,}: write less, or take something out first"
            )
            return BlockAnswer(reason, is_error=True)
        return text

    async def _change(self, block: Block, working: Working, message: EditBlock, text: str) -> BlockAnswer:
        state, before = self.state, working.blocks.get(block.label)
        lines = (await self.services.conversation(self.key, state.length))[: state.length]
        besides = shown_besides(await self.services.contexts.decisions(self.key, state.version), state.length)
        decision = Edited(
            step=message.step,
            upto=state.length,
            label=block.label,
            text=text,
            call=message.call,
            labels=tuple(sorted(sources(lines) | besides)),
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
