"""An agent is changed while its runs wait: they are refused with what differs, and one of them is let go on.

Two runs of a clerk and one of a scribe wait for a person when the service is stopped. It comes back with another prompt
and another ceiling for the clerk. The scribe's run goes on; the clerk's are refused, and the file opens all the same.
One of them is ended, the other is forked onto the new clerk. With a declared patch the rest would go on as they are.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import anyio

from choragus.agents import (
    Agent,
    ApprovalRequested,
    Held,
    Limits,
    Migration,
    ModelReply,
    Run,
    Runtime,
    ScriptedModel,
    ToolCall,
    tool,
)


@tool(risk="irreversible")
async def pay(invoice: str) -> str:
    """Pay one invoice."""
    return f"paid {invoice}"


def agent(name: str, prompt: str, steps: int) -> Agent:
    """Its model is a script, so that no key and no network are needed."""
    asks = ModelReply(calls=(ToolCall("a", "pay", {"invoice": "A-17"}),))
    model = ScriptedModel([asks, f"{name}: all is paid."])
    return Agent(name, model=model, prompt=prompt, tools=[pay], limits=Limits(steps=steps))


OLD = agent("clerk", "Pay what is due.\nBe brief.", steps=30)
NEW = agent("clerk", "Pay what is due.\nBe kind.", steps=20)
SCRIBE = agent("scribe", "Write it down.", steps=30)


async def waiting(run: Run) -> None:
    """Until a person is asked."""
    async for event in run.events():
        if isinstance(event, ApprovalRequested):
            return


async def approved(run: Run) -> str:
    """Say yes to what waits, and wait for the end."""
    await waiting(run)
    for approval in await run.pending():
        await approval.approve(by="mia")
    return await run.result()


async def main(path: Path) -> None:
    async with Runtime(path, agents=[OLD, SCRIBE]) as runtime:
        runs = [await runtime.start(OLD, "Pay A-17.", key=key) for key in ("one", "two", "three")]
        runs.append(await runtime.start(SCRIBE, "Note A-17.", key="note"))
        for run in runs:
            await waiting(run)
    one, two, three, note = [run.id for run in runs]

    async with Runtime(path, agents=[NEW, SCRIBE]) as runtime:
        print(f"opened with another clerk: {len(runtime.refused())} runs are refused. What differs:")
        for line in runtime.refused()[0].difference:
            print(f"   {line}")
        print(f"the others go on: {await approved(await runtime.run(note))}")
        try:
            await (await runtime.run(one)).result()
        except Held:
            print("nobody waits for ever: result() of a refused run raises Held")

        await (await runtime.run(one)).cancel(by="mia", reason="paid by hand")
        fork = await runtime.fork(two, changed=True, by="mia")
        print(f"ended: {one}; forked onto the new clerk: {await approved(fork)}")
        await (await runtime.run(two)).cancel(by="mia", reason="its fork has paid")
        was, now = runtime.refused()[0].was, runtime.identity(NEW).hash

    patch = Migration(agent="clerk", from_=was, to=now, by="mia", why="only the tone and the ceiling have changed")
    async with Runtime(path, agents=[NEW, SCRIBE], migrations=[patch]) as runtime:
        run = await runtime.run(three)
        print(f"with a declared patch {len(runtime.refused())} are refused: {await approved(run)}")
        async for event in run.past():
            if event.kind == "run.migrated":
                print(f"its logbook says by {event.data['by']}: {event.data['why']}")


if __name__ == "__main__":
    try:
        with tempfile.TemporaryDirectory() as folder:
            anyio.run(main, Path(folder) / "runs.db")
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
