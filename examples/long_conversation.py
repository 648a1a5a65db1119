"""An agent reads forty reports with a model that sees 1,500 tokens at a time, keeps notes, and says what it saw.

Offline: both models are functions. Run it with `python examples/long_conversation.py`.
"""

from __future__ import annotations

import sys

import anyio

from choragus.agents import (
    Agent,
    Block,
    Context,
    DropResults,
    Explanation,
    FunctionModel,
    ModelReply,
    ModelRequest,
    Runtime,
    Summarise,
    ToolCall,
    Window,
    tool,
)

REPORTS = 40


@tool(risk="read")
def read_report(number: int) -> str:
    """Read a report."""
    finding = f"The pump in hall {number} leaks." if number % 13 == 0 else "Nothing of note."
    return f"Report {number}. {finding} " + "The weather was fine. " * 25


def inspector(request: ModelRequest) -> ModelReply:
    """Reads the next report, and notes what it has found in the one that it has just read."""
    read = max((int(line.call_id[5:]) for line in request.messages if line.name == "read_report"), default=0)
    newest = [line.text for line in request.messages if line.name == "read_report"][-1:]
    calls = [ToolCall(f"read-{read + 1}", "read_report", {"number": read + 1})]
    if newest and "leaks" in newest[0]:
        note = newest[0].partition(". ")[2].partition(". ")[0]
        calls.insert(0, ToolCall(f"note-{read}", "append_to_block", {"label": "findings", "text": note}))
    if read == REPORTS:
        notes = request.instructions.partition("---\n")[2].partition("\n</block>")[0]
        return ModelReply("All is read. " + notes.replace("\n", ". ") + ".")
    return ModelReply(calls=tuple(calls))


def clerk(request: ModelRequest) -> str:
    """The cheaper model, which summarises."""
    return f"{request.messages[0].text.count('read_report {')} more reports were read."


def printed(told: Explanation) -> None:
    """Some of what there is to say about one model call."""
    print(f"step {told.step}: {told.tokens} of {told.budget_tokens} tokens, {told.messages} lines so far")
    for piece in told.pieces:
        if piece.section in ("blocks", "pinned", "summary"):
            print(f"  {piece.section}: {piece.tokens} tokens, {piece.why}")
    lines = [piece.position for piece in told.pieces if piece.section == "recent"]
    print(f"  recent: lines {lines[0]} to {lines[-1]}")
    print(f"  left out: {sum(one.last - one.first + 1 for one in told.left_out)} lines")


async def main() -> None:
    """Read them all."""
    context = Context(
        budget_tokens=1_500,
        compaction=[
            DropResults(older_than=3),
            Summarise(model=FunctionModel(clerk, name="clerk"), keep_tokens=600),
            Window(),
        ],
        blocks=[Block("findings", limit=500, description="What was found, one finding to a line.")],
    )
    agent = Agent(
        "inspector",
        model=FunctionModel(inspector),
        prompt="Read every report.",
        tools=[read_report],
        context=context,
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, f"What do reports 1 to {REPORTS} say?")
        print(await run.result())
        largest = 0
        async for event in run.past():
            if event.kind == "memory.assembled":
                largest = max(largest, int(str(event.data["tokens"])))
        print(f"the largest of its {(await run.status()).steps} calls had {largest} tokens")
        printed(await run.explain())


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
