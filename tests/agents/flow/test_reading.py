"""Where the arguments of a call come from, over one conversation, without any runtime."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choragus.agents.flow import reading as module
from choragus.agents.flow.declaration import PLAN, READS, Labels
from choragus.agents.flow.label import RUNTIME, Level
from choragus.agents.flow.policy import InformationFlow
from choragus.agents.flow.reading import Origins, Reading
from choragus.agents.model import ChatMessage, ToolCall
from choragus.agents.policy.check import Check, Stage
from choragus.agents.policy.verdict import Allow, Deny

from .bank import step, taken

MAIL = Labels(trusted=["$[*].id", "$[*].sender", "$[*].size"])
INBOX = [
    {"id": 1, "sender": "ann", "size": 10, "body": "write to bob@example.org, not later than 2026-03-01"},
    {"id": 2, "sender": "eve", "size": 30, "body": "the code is 4711"},
]
PAY = Labels(arguments={"subject": "inert"})


class Talk:
    """A conversation that is read as it is written."""

    def __init__(self, goal: str = "Pay ann 50 and greet her.") -> None:
        self.reading = Reading("You are a clerk of Acme.")
        self.reading.take(ChatMessage("user", goal))
        self.number = 0

    def plan(self, *calls: dict[str, object], **options: object) -> None:
        """The model commits a plan."""
        self.call("commit_plan", (PLAN,), "ok", calls=list(calls), **options)

    def call(
        self, name: str, labels: tuple[str, ...], result: object, /, *, is_error: object = False, **arguments: object
    ) -> None:
        """The model calls a tool, and reads its result."""
        self.number += 1
        asked = ToolCall(f"c{self.number}", name, arguments)
        text = result if is_error else msgspec.json.encode(result).decode()
        self.reading.take(ChatMessage("assistant", "", (asked,)))
        self.reading.take(
            ChatMessage("tool", str(text), call_id=asked.id, name=name, is_error=bool(is_error), labels=labels)
        )

    def read(self, **arguments: object) -> None:
        """It reads its mail."""
        self.call("mail", (*MAIL.stored("mail"), READS), INBOX, **arguments)

    def pay(self, **arguments: object) -> Origins:
        """Where a payment would come from now."""
        return self.reading.origins("pay", arguments, PAY)


def level(origins: Origins, argument: str) -> Level:
    """The level of one argument."""
    return origins.arguments[argument].label.level


def test_before_anything_untrusted_is_read_all_is_trusted() -> None:
    talk = Talk()

    origins = talk.pay(to="whoever", amount=1)

    assert origins.decision.label.is_trusted
    assert level(origins, "to") is Level.TRUSTED


def test_what_the_model_writes_behind_untrusted_text_has_the_join_of_all_labels() -> None:
    talk = Talk()
    talk.read()

    origins = talk.pay(to="http://evil.example", subject="hello", amount=7)

    assert origins.decision.label.sources == {"developer", "user", "untrusted mail", "tool mail"}
    assert not origins.decision.label.is_trusted
    assert (level(origins, "to"), level(origins, "subject")) == (Level.ANY, Level.INERT)


@pytest.mark.parametrize("value", ["ann", "ANN", "Acme", 2, "eve"], ids=str)
def test_word_for_word_in_a_trusted_place_is_only_a_choice_behind_untrusted_text(value: object) -> None:
    talk = Talk()
    talk.read()

    assert level(talk.pay(to=value), "to") is Level.CHOSEN


@pytest.mark.parametrize("value", ["bob@example.org", "an", "4711", 4711], ids=str)
def test_what_stands_in_no_trusted_place_proves_nothing(value: object) -> None:
    talk = Talk()
    talk.read()

    assert level(talk.pay(to=value), "to") >= Level.INERT


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("ann", "Ann", Level.TRUSTED),
        (taken("mail", "$[*].id", where={"sender": "eve"}), 2, Level.TRUSTED),
        (taken("mail", "$[*].id"), 2, Level.CHOSEN),
        (taken("mail", "$[0].id"), 1, Level.TRUSTED),
        (taken("mail", "$[*].id"), [1, 2], Level.TRUSTED),
        (taken("mail", "$[*].id"), [1], Level.CHOSEN),
        (taken("mail", "$[*].id", most="size"), 2, Level.TRUSTED),
        (taken("mail", "$[*].id", least="size"), 1, Level.TRUSTED),
        (taken("mail", "$[*].id", where={"body": "the code is 4711"}), 2, Level.NAMED),
        (taken("mail", "$[*].size", where={"id": 1}, times=0.5, plus=2), 7, Level.TRUSTED),
        (taken("mail", "$[*].body", kind="email"), "bob@example.org", Level.NAMED),
        (taken("mail", "$[*].body", kind="date"), "2026-03-01", Level.NAMED),
        (taken("mail", "$[*].body", kind="number"), 4711, Level.NAMED),
        (taken("mail", "$[1].body", kind="text"), "the code", Level.NAMED),
        ({"$one_of": ["ann", "eve"]}, "eve", Level.CHOSEN),
        ({"$text": "to {0}!", "with": [taken("mail", "$[0].sender")]}, "To ann!", Level.TRUSTED),
        ({"$written": True}, "all well", Level.INERT),
        ({"$written": True}, "call +49 170 1234567", Level.ANY),
        ([{"who": taken("mail", "$[0].sender")}], [{"who": "ann"}], Level.TRUSTED),
    ],
    ids=str,
)
def test_a_planned_argument_has_the_label_of_the_place_that_the_plan_names(
    argument: object, value: object, expected: Level
) -> None:
    talk = Talk()
    talk.plan(step("mail", "mail"), step("bill", "pay", to=argument))
    talk.read()

    origins = talk.pay(to=value)

    assert origins.slot == "bill"
    assert origins.decision.label.is_trusted
    assert level(origins, "to") is expected


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("ann", "anne"),
        (taken("mail", "$[*].id", where={"sender": "eve"}), 1),
        (taken("mail", "$[*].id"), 3),
        (taken("mail", "$[*].id"), [1, 3]),
        (taken("mail", "$[*].id"), []),
        (taken("mail", "$[*].size", where={"id": 1}, times=0.5), 10),
        (taken("mail", "$[*].body", kind="email"), "bob"),
        (taken("mail", "$[1].body", kind="text"), "he cod"),
        ({"$one_of": ["ann", "eve"]}, "bob"),
        ({"$text": "to {0}!", "with": [taken("mail", "$[0].sender")]}, "to eve!"),
        ({"$text": "to {0}!", "with": [taken("mail", "$[0].sender")]}, "to ann! and eve"),
    ],
    ids=str,
)
def test_a_call_with_another_value_is_not_the_planned_one(argument: object, value: object) -> None:
    talk = Talk()
    talk.plan(step("mail", "mail"), step("bill", "pay", to=argument))
    talk.read()

    origins = talk.pay(to=value)

    assert origins.slot == ""
    assert not origins.decision.label.is_trusted


def test_a_call_with_one_argument_more_is_not_the_planned_one() -> None:
    talk = Talk()
    talk.plan(step("mail", "mail"), step("bill", "pay", to="ann"))
    talk.read()

    assert talk.pay(to="ann", amount=9000).slot == ""


def test_a_planned_call_is_used_up_when_it_has_run_but_not_when_it_was_denied() -> None:
    talk = Talk()
    talk.plan(step("mail", "mail"), step("bill", "pay", to="ann"))
    talk.read()

    talk.call("pay", (RUNTIME,), "denied: not today", is_error=True, to="ann")
    assert talk.pay(to="ann").slot == "bill"

    talk.call("pay", PAY.stored("pay"), "paid", to="ann")
    assert talk.pay(to="ann").slot == ""


def test_a_planned_call_is_taken_for_the_other_calls_of_the_same_reply() -> None:
    talk = Talk()
    talk.plan(step("mail", "mail"), step("bill", "pay", to="ann"))
    talk.read()

    assert talk.reading.origins("pay", {"to": "ann"}, PAY, taken=["bill"]).slot == ""


def test_a_call_for_each_value_is_made_once_for_each() -> None:
    talk = Talk()
    talk.plan(step("mail", "mail"), step("bill", "pay", each=True, to=taken("mail", "$[*].sender")))
    talk.read()
    talk.call("pay", PAY.stored("pay"), "paid", to="ann")

    assert talk.pay(to="ann").slot == ""
    assert talk.pay(to="eve").slot == "bill"


def test_what_an_unplanned_call_brings_back_is_steered_by_who_decided_on_it() -> None:
    talk = Talk()
    talk.plan(step("mail", "mail"))
    talk.read()
    talk.call("account_of", (*Labels(trusted=["$"]).stored("account_of"), READS), "NO1", name="mallory")

    assert level(talk.pay(to="NO1"), "to") >= Level.INERT


def test_what_was_asked_for_is_in_the_label_of_what_came_back() -> None:
    talk = Talk()
    talk.plan(
        step("mail", "mail"),
        step("found", "search", query={"$written": True}),
        step("bill", "pay", to=taken("found", "$[0].id")),
    )
    talk.read()
    labels = (*Labels(trusted=["$[*].id"]).stored("search"), READS)
    talk.call("search", labels, [{"id": 13}], query="what mallory wants")

    assert level(talk.pay(to=13), "to") is Level.INERT


def test_text_that_a_call_only_carries_does_not_taint_what_the_tool_stamps() -> None:
    talk = Talk()
    talk.plan(
        step("mail", "mail"),
        step("file", "create", content={"$written": True}),
        step("bill", "pay", to=taken("file", "$.id"), subject=taken("file", "$.content")),
    )
    talk.read()
    labels = Labels(trusted=["$.id"], arguments={"content": "any"}).stored("create")
    talk.call("create", labels, {"id": 26, "content": "http://evil"}, content="http://evil")

    origins = talk.pay(to=26, subject="http://evil")

    assert level(origins, "to") is Level.TRUSTED
    assert level(origins, "subject") is Level.ANY


def test_what_was_read_twice_is_no_choice() -> None:
    talk = Talk()
    talk.plan(step("mail", "mail"), step("bill", "pay", to=taken("mail", "$[*].id", most="size")))
    talk.read()
    talk.read()

    assert level(talk.pay(to=2), "to") is Level.TRUSTED


def test_of_two_that_have_the_most_none_is_meant() -> None:
    talk = Talk()
    talk.plan(step("mail", "mail"), step("bill", "pay", to=taken("mail", "$[*].id", most="size")))
    talk.call("mail", (*MAIL.stored("mail"), READS), [{"id": 1, "size": 5}, {"id": 2, "size": 5}])

    assert talk.pay(to=1).slot == ""


def test_a_plan_behind_untrusted_text_is_none() -> None:
    talk = Talk()
    talk.read()

    talk.plan(step("theft", "pay", to="mallory"))

    assert not talk.reading.plan
    assert talk.pay(to="mallory").slot == ""


def test_a_plan_behind_untrusted_text_is_not_even_put_to_a_person() -> None:
    talk = Talk()
    talk.read()
    origins = talk.reading.origins("commit_plan", {"calls": []}, Labels(plans=True))
    check = Check(stage=Stage.CALL, run="r", agent="a", tool="commit_plan", risk="read", origins=origins)

    verdict = InformationFlow(unplanned="ask").judge(check)

    assert verdict == Deny("a plan is made before anything untrusted is read")


@pytest.mark.parametrize("text", ["look failed: ValueError: obey", "denied: obey", "denied by mia: obey"])
def test_an_error_is_untrusted_but_what_the_runtime_says_is_not(text: str) -> None:
    talk = Talk()
    talk.call("pai", (RUNTIME,), "there is no tool named 'pai'", is_error=True)
    talk.call("pay", (RUNTIME,), "denied by mia: no", is_error=True, to="x")
    assert talk.reading.context.is_trusted

    talk.call("look", Labels(trusted=["$"]).stored("look"), text, is_error=True)
    assert not talk.reading.context.is_trusted


def test_a_result_without_labels_is_untrusted_as_in_files_from_before_there_were_any() -> None:
    talk = Talk()

    talk.call("look", (), "something")

    assert not talk.reading.context.is_trusted


def test_words_of_the_runtime_are_not_words_of_the_user() -> None:
    talk = Talk()
    talk.reading.take(ChatMessage("user", "Your reply does not pass: mallory", labels=(RUNTIME,)))
    talk.read()

    assert level(talk.pay(to="mallory"), "to") is Level.INERT


def test_each_message_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run costs grows with what is said in it, not with its square."""
    parsed: list[str] = []
    monkeypatch.setattr(module, "_parsed", parsed.append)
    talk = Talk()

    for _ in range(200):
        talk.read()
        talk.pay(to="ann")

    assert len(parsed) == 200


@settings(max_examples=40)
@given(
    to=st.one_of(st.sampled_from(["ann", "eve", "bob@example.org", "1", 2]), st.text(max_size=20)),
    amount=st.one_of(st.sampled_from([50, 10, 30, 4711, 1, 2]), st.integers()),
    more=st.dictionaries(st.sampled_from(["subject", "cc"]), st.text(max_size=20), max_size=1),
)
def test_whatever_is_asked_for_only_the_planned_payment_passes(to: object, amount: int, more: dict[str, str]) -> None:
    talk = Talk()
    plan = step("bill", "pay", to=taken("mail", "$[*].sender", where={"id": 1}), amount=50)
    talk.plan(step("mail", "mail"), plan)
    talk.read()
    arguments = {"to": to, "amount": amount, **more}
    origins = talk.pay(**arguments)
    check = Check(
        stage=Stage.CALL, run="r", agent="a", tool="pay", risk="irreversible", arguments=arguments, origins=origins
    )

    verdict = InformationFlow(vouch=True).judge(check)

    is_planned = str(to).strip().casefold() == "ann" and amount == 50 and not more
    assert isinstance(verdict, Allow) == is_planned
