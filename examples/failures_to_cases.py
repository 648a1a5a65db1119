"""From production to a dataset: figures with intervals, a person's correction, a failure that becomes a case.

An agent adds up orders, and its first version gets some of them wrong. The figures show how many, a person says what
one of the answers should have been, and a run that failed becomes a regression case. The first version fails on both
cases; the second one passes. Nothing here needs a key or a network.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from choragus.agents import Agent, AgentError, FunctionModel, ModelError, ModelRequest, Runtime
from choragus.agents.figures import Redaction, append, cases, production, regression, write
from choragus.mailbox import Reader

ORDERS = ("3 and 4", "10 and 5", "1, 2 and 3", "8", "2 and 2")


def hasty(request: ModelRequest) -> str:
    """The first version: adds up the first two numbers, and has no idea of one alone."""
    numbers = [int(one) for one in re.findall(r"\d+", request.messages[0].text)]
    if len(numbers) == 1:
        raise ModelError("one number is no sum", retryable=False)
    return str(numbers[0] + numbers[1])


def careful(request: ModelRequest) -> str:
    """The second version: adds up all."""
    return str(sum(int(one) for one in re.findall(r"\d+", request.messages[0].text)))


first, second = (Agent("adder", model=FunctionModel(version)) for version in (hasty, careful))


async def answer(runtime: Runtime, agent: Agent, goal: str) -> str | None:
    """What the agent answers; None when it fails."""
    try:
        return await (await runtime.start(agent, goal)).result()
    except AgentError:
        return None


async def production_day(path: Path) -> None:
    """The first version works; at the end of the day a person looks at an answer."""
    async with Runtime(path, agents=[first]) as runtime:
        for order in ORDERS:
            print(f"  {order}: {await answer(runtime, first, f'Add {order}.')}")
        three = next(one for one in await runtime.runs() if "1, 2 and 3" in one.goal)
        await (await runtime.run(three.run)).correct("6", by="mia", reason="all of them")


async def passes(agent: Agent, case: dict[str, object]) -> bool:
    """Whether the agent answers as the case expects; one that expects nothing only has to be answered."""
    async with Runtime(agents=[agent]) as runtime:
        given = await answer(runtime, agent, str(case["inputs"]))
    return given is not None and case["expected_output"] in (None, given)


def make_cases(path: Path, out: Path) -> None:
    """The figures, then the corrected run and the failed one as cases."""
    with Reader(path) as reader:
        found = production(reader).total
        rate = found.completion
        assert rate.low is not None
        assert rate.high is not None
        print(f"completed: {rate.k} of {rate.n}, 95 % interval {rate.low:.2f} to {rate.high:.2f}")
        print(f"errors: {found.errors.k} of {found.errors.n}; needed a person: {found.escalation.k}")
        redact = Redaction().case
        print(f"corrected: {write(out, cases(reader, 'corrected'), redact)} case")
        failed = next(one for one in reader.views("run") if one.data["status"] == "failed")
        append(out, redact(regression(reader, failed, name="one-number", expected="8")))


def main() -> None:
    """A day, its figures, and the two versions on the cases."""
    with TemporaryDirectory() as folder:
        path, out = Path(folder) / "runs.db", Path(folder) / "cases.jsonl"
        print("the first version adds:")
        anyio.run(production_day, path)
        make_cases(path, out)
        made = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        for case in made:
            print(f"case: {case['inputs']} expects {case['expected_output']}, {', '.join(case['labels'])}")
        for name, agent in (("first", first), ("second", second)):
            passed = [anyio.run(passes, agent, case) for case in made]
            print(f"the {name} version passes {sum(passed)} of {len(passed)}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
