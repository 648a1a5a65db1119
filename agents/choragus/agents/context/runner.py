"""What contexts have done outside of the turns of a run: their effects, and the edits of blocks."""

from __future__ import annotations

from collections.abc import Callable

from choragus.actors.effect import Runner
from choragus.agents.memory import Memory
from choragus.agents.service import Services
from choragus.supervision.system import System

from .errand import BlockAnswer, EditBlock
from .looking import Looking
from .sharing import SharedBlock, shared_key
from .summarising import Summariser
from .tool import Editor


def context_runners(services: Services) -> dict[str, Runner]:
    """The effects of contexts by the names under which the system runs them: summaries, and what is looked up."""
    return {"summary": Summariser(services).call, "retrieve": Looking(services).call}


def block_editor(system: Callable[[], System]) -> Editor:
    """Who has a run's memory change a block, or, when it is shared, the block's own actor."""

    async def edit(run: str, asked: EditBlock) -> BlockAnswer:
        said = await system().ref(Memory, run).ask(asked)
        if said.change is None:
            return said
        return await system().ref(SharedBlock, shared_key(asked.agent, asked.label)).ask(said.change)

    return edit
