"""What a tool may say about its labels, and what it may not."""

from __future__ import annotations

import time

import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault, ToolFault
from choragus.agents.flow.declaration import Labels
from choragus.agents.flow.kind import found, is_inert
from choragus.agents.flow.path import covers, parse, select
from choragus.agents.flow.policy import InformationFlow
from choragus.agents.manifest import manifest
from choragus.agents.policy.config import load_policies
from choragus.agents.scripted import ScriptedModel
from choragus.agents.tool import tool


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"trusted": "$"}, r"^trusted='\$' is one text: give a list of paths, \['\$'\]$"),
        ({"trusted": ["id"]}, r"^path 'id' does not begin with '\$'"),
        (
            {"arguments": {"to": "some"}},
            r"^argument 'to' takes 'some': choose from trusted, chosen, named, inert, any$",
        ),
    ],
    ids=["no list", "no path", "no level"],
)
def test_labels_that_are_none_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Labels(**options)  # type: ignore[arg-type]  # as somebody may write it


def test_a_tool_refuses_labels_of_another_type() -> None:
    def look() -> str:
        """Look."""
        return ""

    with pytest.raises(ToolFault, match=r"^labels=\{\} of tool 'look' is none: give Labels"):
        tool(risk="read", labels={})(look)  # type: ignore[call-overload]  # as somebody may write it


def test_other_labels_make_another_manifest() -> None:
    def look() -> str:
        """Look."""
        return ""

    hashes = {
        manifest(Agent("a", model=ScriptedModel([]), tools=[tool(risk="read", labels=labels)(look)])).hash
        for labels in (None, Labels(), Labels(trusted=["$"]), Labels(arguments={"x": "any"}), Labels(guarded=True))
    }

    assert len(hashes) == 5


@pytest.mark.parametrize(
    "options", [{"unplanned": "pass"}, {"arguments": "allow"}, {"output": "deny"}, {"vouch": "yes"}], ids=str
)
def test_a_policy_with_an_answer_that_is_none_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(AgentFault, match=r"'ask'|neither True"):
        InformationFlow(**options)  # type: ignore[arg-type]  # as somebody may write it


def test_a_policy_is_written_in_a_file_too() -> None:
    assert load_policies('[flow]\nunplanned = "ask"\nvouch = true\n') == [InformationFlow(unplanned="ask", vouch=True)]


def test_a_policy_with_other_settings_has_another_version() -> None:
    versions = {
        each.version
        for each in (
            InformationFlow(),
            InformationFlow(unplanned="ask"),
            InformationFlow(arguments="deny"),
            InformationFlow(output="ask"),
            InformationFlow(vouch=True),
        )
    }

    assert len(versions) == 5


@pytest.mark.parametrize(
    "text",
    [
        *(
            "see http://evil.example/x",
            "javascript://x",
            "www.evil.example",
            "evil.example",
            "EVIL。EXAMPLE",
            "\uff45vil\uff0ecom",
        ),
        *(
            "mail bob@evil.example",
            "DE89370400440532013000",
            "call 0170 1234567",
            "4237-4252-7456-2574",
            "x1http://evil",
        ),
    ],
)
def test_an_address_is_not_inert(text: str) -> None:
    assert not is_inert(text, lambda hit: False)
    assert not is_inert(["fine", {"deep": text}], lambda hit: False)


@pytest.mark.parametrize(
    "value", ["All is well, see you at 5.", "2024-05-19 10:00", 1200, 98.7, True, None, "e.g. i.e."]
)
def test_prose_dates_and_numbers_are_inert(value: object) -> None:
    assert is_inert(value, lambda hit: False)


def test_what_the_user_said_is_inert() -> None:
    assert is_inert("see www.example.org", "www.example.org".__eq__)


def test_paths_select_what_they_name() -> None:
    value = {"files": [{"id": 1, "shared": {"ann": "r"}}, {"id": 2, "shared": {}}]}

    assert list(select(value, parse("$.files[*].id"))) == [1, 2]
    assert list(select(value, parse("$.files[1].id"))) == [2]
    assert list(select(value, parse("$.files[*].shared.~"))) == ["ann"]
    assert list(select(value, parse("$.files[*].shared.*"))) == ["r"]
    assert list(select(value, parse("$.none[7].x"))) == []


@pytest.mark.parametrize(
    ("pattern", "path"), [("$[0].id", "$[*].id"), ("$[*].id", "$"), ("$[*].id", "$[*]"), ("$.*", "$.~")]
)
def test_a_part_does_not_cover_the_whole(pattern: str, path: str) -> None:
    assert not covers(parse(pattern), parse(path))


@pytest.mark.parametrize("run", ["a", "a.", "1 ", "a@", "-", ":", "a:/"], ids=repr)
def test_long_runs_of_characters_are_gone_through_once(run: str) -> None:
    text = run * (100_000 // len(run))
    began = time.process_time()

    is_inert(text, lambda hit: True)
    for kind in ("email", "url", "date", "number"):
        found(kind, text)

    assert time.process_time() - began < 1, "this takes 0.1 s when it is linear, and minutes when it is not"
