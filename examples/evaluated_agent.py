"""An agent is tried with cases; then it is changed, and the baseline shows what has become worse.

The model is a function, and the judge is one too. Nothing needs a key or a network. The same from the command line:

    choragus eval eval.db --app evaluated_agent:careful --cases evaluated_cases.jsonl --save-baseline base.json
    choragus eval eval.db --app evaluated_agent:hasty --cases evaluated_cases.jsonl --baseline base.json
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import anyio

from choragus.agents import Agent, EndedRun, FunctionModel, Judge, ModelReply, ModelRequest, ToolCall, tool
from choragus.agents.evaluation import AtMost, Baseline, Exact, Trajectory, evaluate, printed, read_cases

CASES = Path(__file__).with_name("evaluated_cases.jsonl")


@tool(risk="read")
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def calculates(request: ModelRequest) -> ModelReply | str:
    """A model that adds with the tool, or says that it cannot."""
    last = request.messages[-1]
    if last.role == "tool":
        return last.text
    a, _, b = last.text.partition(" + ")
    if not (a.isdigit() and b.isdigit()):
        return "I cannot read that."
    return ModelReply(calls=(ToolCall("1", "add", {"a": int(a), "b": int(b)}),))


def guesses(request: ModelRequest) -> ModelReply | str:
    """A model that adds small numbers in its head, and large ones badly."""
    a, _, b = request.messages[-1].text.partition(" + ")
    if a.isdigit() and b.isdigit() and int(a) > 500:
        return "1000"
    return calculates(request)


def judges(request: ModelRequest) -> str:
    """A judge of tone that finds no fault; a real one would be a model that reads the rubric."""
    answer = json.loads(request.messages[-1].text)["answer"]
    return json.dumps({"reason": f"{answer!r} is polite.", "score": 1.0, "passed": True})


def answered(run: EndedRun) -> bool:
    """What success is for this agent: an answer, and no call that went wrong."""
    return bool(run.answer) and not any(call.is_error for call in run.calls)


careful = Agent("adder", model=FunctionModel(calculates), tools=[add], prompt="Add.", success=answered)
hasty = Agent("adder", model=FunctionModel(guesses), tools=[add], prompt="Be quick.", success=answered)
scorers = [
    Exact(),
    Trajectory(),
    AtMost(steps=3),
    Judge(FunctionModel(judges), "The answer is polite.", name="tone"),
]


async def main(folder: Path) -> None:
    """One evaluation that becomes the baseline, and one that is held against it."""
    cases = read_cases(CASES)
    before = await evaluate(careful, cases, scorers=scorers, file=folder / "eval.db")
    Baseline.of(before).save(folder / "base.json")
    print(f"before: {before.passes.k} of {before.passes.n} trials passed")

    after = await evaluate(hasty, cases, scorers=scorers, file=folder / "eval.db", baseline=folder / "base.json")
    print(f"after:  {after.passes.k} of {after.passes.n} trials passed\n")
    for line in printed(after).splitlines():
        if not line.startswith(("evaluation", "time", "cost")):
            print(line)
    print("\na regression" if after.passed is False else "\nall is well")


if __name__ == "__main__":
    try:
        with tempfile.TemporaryDirectory() as folder:
            anyio.run(main, Path(folder))
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
