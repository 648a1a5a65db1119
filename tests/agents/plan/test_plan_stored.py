"""What is stored of plans: old states have none, and a plan survives the way to bytes and back."""

from __future__ import annotations

import msgspec

from choragus.agents.errand import CallModel
from choragus.agents.message import JudgeCall, RunCall, StartRun
from choragus.agents.model import ToolCall
from choragus.agents.plan.cursor import Cursor, Mode
from choragus.agents.plan.message import AdvancePlan, PlanCall, PutQuestion
from choragus.agents.plan.step import Done, Plan, PlanStep
from choragus.agents.state import RunState
from choragus.mailbox.codec import Record, decode, encode

PLAN = Plan(
    [
        PlanStep("a", "Look."),
        PlanStep("b", "Pay.", after=["a"], done=Done.called("pay", amount=5, to=["x"]), tools=["pay"], optional=True),
        PlanStep("c", "Wait.", tools=[]),
    ]
)


def test_a_state_of_an_earlier_version_has_no_plan() -> None:
    record = encode(RunState(agent="clerk", goal="Go."))
    fields = msgspec.json.decode(record.body)
    del fields["plan"]

    old = decode(Record(record.tag, record.version, msgspec.json.encode(fields)))

    assert isinstance(old, RunState)
    assert old == RunState(agent="clerk", goal="Go.")
    assert "plan" not in old.row("r", 0.0)


def test_messages_of_an_earlier_version_have_no_plan() -> None:
    for one in (
        StartRun(agent="clerk", goal="Go.", key="", manifest=""),
        CallModel(run="r", agent="clerk", step=1, upto=1),
        RunCall(call="1.1", agent="clerk", asked=ToolCall("1", "look", {})),
        JudgeCall(call="1.1", tool="look", risk="read", arguments={}),
    ):
        record = encode(one)
        fields = msgspec.json.decode(record.body)
        del fields["plan"]

        assert decode(Record(record.tag, record.version, msgspec.json.encode(fields))) == one


def test_what_is_stored_of_a_plan_comes_back_as_it_was() -> None:
    for one in (
        StartRun(agent="clerk", goal="Go.", key="", manifest="", plan=PLAN),
        RunState(plan=Cursor(entries=3, mode=Mode.STEP, step="b", granted=("pay",), base=1, most_errors=0)),
        RunState(plan=Cursor(granted=None)),
        AdvancePlan(entries=3, outcome="done", by="mia"),
        PlanCall("1.1"),
        PutQuestion(subject="plan-3", agent="clerk", step=2, text="How?", why="so", options=("a",), approvers=("mia",)),
    ):
        assert decode(encode(one)) == one
