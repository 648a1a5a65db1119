"""A desk clerk who remembers: what a host put, what earlier runs noted, how they ended, and what is forgotten again.

The first run notes what a guest likes. The second, of the same agent, finds it, and what the first run has left. Each
text keeps the label of whoever wrote it: a rule of the house is the developer's word, what a run noted is not. Then the
guest asks to be forgotten: all of the guest's texts go in one transaction, and the library's logbook says so.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import anyio

from choragus.agents import (
    Agent,
    FunctionModel,
    Library,
    ModelReply,
    ModelRequest,
    Runtime,
    ToolCall,
    episodes_tool,
)

HOUSE = Library("house", keep_seconds=365 * 86_400)


def clerk(request: ModelRequest) -> ModelReply | str:
    """A model that notes what a guest says, and looks things up when it is asked to prepare a room."""
    goal, heard = request.messages[0].text, [one for one in request.messages if one.role == "tool"]
    if goal.startswith("Guest 17 says"):
        note = ToolCall("a", "remember", {"text": "Guest 17 sleeps badly beside the lift.", "subject": "guest-17"})
        return "Noted." if heard else ModelReply(calls=(note,))
    if not heard:
        return ModelReply(
            calls=(
                ToolCall("a", "search_memory", {"query": "guest 17 room rules"}),
                ToolCall("b", "search_episodes", {"goal": goal}),
            )
        )
    return "A room far from the lift, and quiet after ten."


async def main(path: Path) -> None:
    """Two lives of a process over one file."""
    tools = [*HOUSE.tools(), episodes_tool("clerk")]
    agent = Agent("clerk", model=FunctionModel(clerk), tools=tools, episodes=True)

    async with Runtime(path, agents=[agent], libraries=[HOUSE]) as runtime:
        house = runtime.library("house")
        await house.add("Room rules: quiet after ten.", source="handbook", labels=["developer"])
        first = await runtime.start(agent, "Guest 17 says: I sleep badly beside the lift.")
        print("first run: ", await first.result())

    async with Runtime(path, agents=[agent], libraries=[HOUSE]) as runtime:
        house = runtime.library("house")
        second = await runtime.start(agent, "Prepare a room for guest 17.")
        print("second run:", await second.result())

        print("\nwhat it found:")
        for found in await house.search("guest 17 room rules"):
            who = ", ".join(label.replace(first.id, "RUN") for label in found.labels)
            print(f"  [{who}] {found.text}")
        for episode in await runtime.episodes(agent).search("sleep badly", limit=1):
            print(f"  [{episode.status}, with {', '.join(episode.tools)}] {episode.goal}")

        gone = await house.forget(subject="guest-17")
        print(f"\nforgotten: {gone.documents} document of guest 17")
        print("left:", [record["text"] async for record in house.export()])
        print("the library's logbook:", [line.kind for line in await runtime.store.read("library/main/house")])


if __name__ == "__main__":
    try:
        with tempfile.TemporaryDirectory() as folder:
            anyio.run(main, Path(folder) / "runs.db")
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
