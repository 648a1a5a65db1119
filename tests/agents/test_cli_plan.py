"""`choragus show` prints the plan of a run with the states of its steps."""

from __future__ import annotations

import json

import anyio
import pytest

from choragus.agents.cli import main
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.recovery import Recovery
from choragus.agents.runtime import Runtime

from .plan_play import by_call, given, gives_up, planner, proposes, revises
from .play import call, calls, until

SCRIPT = {
    "find": ("no", calls(call("look", at="door")), "found it, and a long story besides " * 9),
    "pay-the-bill-of-the-landlord": (revises("one more", given("extra")), calls(call("pay", amount=5)), "paid"),
    "odd": (gives_up("it is \x1b[2J closed"),),
}
PLAN = proposes(
    given("find", done=by_call("look")),
    given("odd"),
    {"id": "pay-the-bill-of-the-landlord", "goal": "Pay \u202ewhat is owed. " * 20},
    given("after", "odd"),
)


@pytest.fixture
def shown(file: str) -> list[str]:
    """What names a run that waits in the middle of its plan."""
    agent = planner(SCRIPT, PLAN, planning=Planning(recoveries={"odd": Recovery(retries=0, then="skip")}))

    async def play() -> str:
        async with Runtime(file, agents=[agent]) as runtime:
            run = await runtime.start(agent, "Go.", key="k")
            await until(run, "approval.requested")
            return run.id

    return [file, anyio.run(play)]


def test_the_plan_stands_above_the_timeline_in_eighty_columns(
    shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", *shown]) == 0

    out = capsys.readouterr().out.splitlines()
    begin = out.index("plan     3 of 5 steps over, revised 1 time")
    plan = out[begin : out.index("", begin)]
    assert plan[1:] == [
        "  succeeded  find                  Do find.",
        "             2 attempts",
        "  skipped    odd                   Do odd.",
        "             the model says: it is \\u001b[2J closed",
        "  running    pay-the-bill-of-t...  Pay \\u202ewhat is owed. Pay \\u202ewhat is...",
        "  skipped    after                 Do after.",
        "             step odd was skipped",
        "  open       extra                 Do extra.",
    ]
    assert max(map(len, plan)) <= 80
    assert "at       step 4 of 5: Pay \\u202ewhat is owed." in "\n".join(out)
    assert any("again" in line and "find: look was not called" in line for line in out)
    assert any("skipped" in line and "after: step odd was skipped" in line for line in out)


def test_the_plan_is_the_last_line_of_json(shown: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", *shown, "--json"]) == 0

    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    states = [(one["step"]["id"], one["state"]) for one in last["data"]["steps"]]
    assert last["kind"] == "plan"
    assert states[0] == ("find", "succeeded")
    assert last["data"]["revisions"][1]["reason"] == "one more"
