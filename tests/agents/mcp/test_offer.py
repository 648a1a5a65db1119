"""What a server says of a tool: hashed as it came, cleaned before it is shown, refused when nobody can use it."""

from __future__ import annotations

import re

import attrs
import pytest

from choragus.agents.errors import ToolError
from choragus.agents.mcp.offer import LARGEST_OFFER, Offer, difference, objection, qualified, visible
from choragus.agents.mcp.result import value_of
from choragus.agents.mcp.standing import Standing, by_name

ADD = Offer(
    name="add",
    title="Add",
    description="Add two numbers.",
    parameters={"type": "object", "properties": {"a": {"type": "integer", "description": "one\u202e"}}},
    output={"type": "object"},
    annotations={"readOnlyHint": True},
)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "sum"},
        {"title": "Sum"},
        {"description": "Add two numbers.\u200b"},
        {"parameters": {"type": "object"}},
        {"output": None},
        {"annotations": {}},
    ],
)
def test_s15_any_change_of_what_is_said_of_a_tool_is_another_hash(change: dict[str, object]) -> None:
    assert attrs.evolve(ADD, **change).hash != ADD.hash  # type: ignore[arg-type]  # fields of an Offer


def test_s17_what_nobody_sees_is_taken_out_of_every_text_of_a_schema() -> None:
    shown = ADD.shown_parameters

    assert shown == {"type": "object", "properties": {"a": {"type": "integer", "description": "one"}}}
    assert visible("a\u200bb\x1b[2J\ufb01\U000e0041\n\tc\ud800") == "ab[2Jfi\n\tc?"


def test_a_tool_that_says_nothing_of_itself_is_shown_so() -> None:
    assert Offer(name="x").shown_description == "The tool x says nothing of itself."


@pytest.mark.parametrize("name", ["a.b", "a/b", "x" * 100, "A.B"])
def test_s16_a_name_that_has_to_be_changed_is_told_apart_by_its_hash(name: str) -> None:
    made = qualified("files", name)

    assert len(made) <= 64
    assert made.startswith("files__")
    assert made != qualified("files", name.translate({46: 47, 47: 46, 120: 121}))
    assert made.isascii()


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (attrs.evolve(ADD, name="\uff41dd"), r"^its name '\\uff41dd' is none"),
        (attrs.evolve(ADD, name="a b"), r"^its name 'a b' is none"),
        (
            attrs.evolve(ADD, description="x" * LARGEST_OFFER),
            r"^its description and schemas have 64,\d+ bytes, and 64,000",
        ),
        (attrs.evolve(ADD, parameters={"type": "string"}), r"^its arguments are no object"),
    ],
)
def test_a_tool_that_nobody_can_use_says_why(offer: Offer, why: str) -> None:
    assert re.match(why, objection(offer))
    assert objection(ADD) == ""


def test_a_difference_shows_what_was_and_what_is() -> None:
    shown = difference(ADD, attrs.evolve(ADD, description="Add.\nAnd obey."))

    assert [line for line in shown if line.startswith(("-", "+"))] == [
        "-description: Add two numbers.",
        "+description: Add.",
        "+    And obey.",
    ]
    assert difference(ADD, None)[0] == "-name: add"


def test_s16_of_two_tools_of_one_name_neither_is_there() -> None:
    other = attrs.evolve(ADD, name="other")

    assert by_name((ADD, other, attrs.evolve(ADD, description="Obey."))) == {"other": other}


def test_a_standing_says_what_waits() -> None:
    changed, new = attrs.evolve(ADD, description="Obey."), attrs.evolve(ADD, name="new")
    gone, hidden = attrs.evolve(ADD, name="gone"), attrs.evolve(ADD, name="hidden")
    standing = Standing(
        server="s",
        accepted={"add": ADD, "gone": gone},
        offered={"add": changed, "new": new, "hidden": hidden},
        wanted=("add", "new"),
    )

    assert (standing.changed, standing.new, standing.gone) == (("add",), ("new", "hidden"), ("gone",))
    assert standing.waiting == ("add", "new")
    assert standing.refusal("gone") == "server s does not offer gone any more"
    assert standing.refusal("add").startswith("add of server s is not what was accepted")


@pytest.mark.parametrize(
    ("result", "value"),
    [
        ({"content": [{"type": "text", "text": "hi"}]}, "hi"),
        ({"content": []}, ""),
        ({"content": [{"type": "text", "text": '{"a":1}'}], "structuredContent": {"a": 1}}, {"a": 1}),
        ({"content": [{"type": "text", "text": "1"}], "structuredContent": {"result": 1}}, {"result": 1}),
        (
            {"content": [{"type": "text", "text": "obey"}], "structuredContent": {"a": 1}},
            {"structured": {"a": 1}, "content": "obey"},
        ),
        (
            {
                "content": [
                    {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"},
                    {"type": "resource_link", "uri": "file:///x", "name": "x"},
                    {"type": "resource", "resource": {"uri": "file:///x", "text": "y"}},
                    {"type": "resource", "resource": {"uri": "file:///x", "blob": "AAAA", "mimeType": "a/b"}},
                    {"type": "hologram"},
                ]
            },
            [
                "[audio audio/wav, 3 bytes: not shown]",
                {"link": "file:///x", "name": "x"},
                {"resource": "file:///x", "text": "y"},
                "[resource file:///x a/b, 3 bytes: not shown]",
                "[hologram: not shown]",
            ],
        ),
    ],
)
def test_a_result_becomes_a_value(result: dict[str, object], value: object) -> None:
    assert value_of(result) == value


def test_an_error_of_the_server_is_a_tool_error_with_its_words() -> None:
    with pytest.raises(ToolError, match=r"^no such page$"):
        value_of({"isError": True, "content": [{"type": "text", "text": "no such page"}]})
