"""Each single change of an agent is another identity, and is named; what does not matter changes nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choragus.agents.agent import Agent
from choragus.agents.approver import Approvals
from choragus.agents.checkpoint import BeforeAnswer
from choragus.agents.context.block import Block
from choragus.agents.context.option import Context
from choragus.agents.description import dedented
from choragus.agents.flow.declaration import Labels
from choragus.agents.knowledge.declaration import Library
from choragus.agents.knowledge.tools import episodes_tool
from choragus.agents.limits import Limits
from choragus.agents.manifest import manifest
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.plan.planning import Planning
from choragus.agents.policy import LoopPolicy, RatePolicy, load_policies
from choragus.agents.prompt import Prompt
from choragus.agents.scripted import FunctionModel, ScriptedModel
from choragus.agents.tool import Risk, Tool, tool
from choragus.agents.toolbelt.options import Breaker, Rate, Retry
from choragus.agents.toolbelt.source import normalised
from choragus.agents.version.difference import differences
from choragus.agents.version.keeping import Versions
from choragus.agents.version.provenance import provenance

Parts = dict[str, object]


@attrs.frozen
class Report:
    """What is answered."""

    text: str


def look(at: str) -> str:
    """Look at something."""
    return at


def look_again(at: str) -> str:
    """Look at something."""
    return at + "!"


def look_elsewhere(at: str, where: str = "") -> str:
    """Look at something."""
    return at


def cancel(what: str) -> str:
    """Cancel."""
    return what


def book(what: str) -> str:
    """Book."""
    return what


def model(name: str = "big", most: int = 100) -> FunctionModel:
    """A model with settings."""
    return FunctionModel(lambda request: "", name=name, max_output_tokens=most)


def looks(function: Callable[..., object] = look, risk: Risk = Risk.READ, **options: object) -> Tool:
    """The tool, declared anew."""
    made: Tool = tool(risk=risk, name="look", **options)(function)  # type: ignore[call-overload]  # as a test says it
    return made


def agent(**parts: object) -> Agent:
    """An agent with all that it may have, and these parts in place of its own."""
    whole: Parts = {
        "model": model(),
        "prompt": "Be brief.\nBe kind.",
        "tools": [looks(), tool(risk="reversible")(book)],
        "limits": Limits(steps=9),
        "policies": [LoopPolicy(), RatePolicy(calls=5, within=60.0)],
        **parts,
    }
    return Agent("clerk", **whole)  # type: ignore[arg-type]  # as Agent checks them


BOOK = tool(risk="reversible")(book)


def with_tool(**options: object) -> Parts:
    """The agent's first tool, otherwise declared."""
    return {"tools": [looks(**options), BOOK]}  # type: ignore[arg-type]  # what a test says of it


CHANGES: Mapping[str, tuple[Parts, set[str]]] = {
    "model": ({"model": model("small")}, {"model"}),
    "settings": ({"model": model(most=101)}, {"settings.max_output_tokens"}),
    "provider": ({"model": ScriptedModel([], name="big")}, {"provider", "settings.max_output_tokens"}),
    "prompt": ({"prompt": "Be brief.\nBe stern."}, {"prompt"}),
    "no-prompt": ({"prompt": ""}, {"prompt"}),
    "tool-removed": ({"tools": [looks()]}, {"tools.book"}),
    "tool-added": ({"tools": [looks(), BOOK, tool(risk="read")(cancel)]}, {"tools.cancel"}),
    "risk": (with_tool(risk=Risk.REVERSIBLE), {"tools.look.risk"}),
    "source": (with_tool(function=look_again), {"tools.look.source"}),
    "schema": (with_tool(function=look_elsewhere), {"tools.look.schema", "tools.look.source"}),
    "timeout": (with_tool(timeout=5), {"tools.look.options.timeout"}),
    "idempotent": (with_tool(idempotent=True), {"tools.look.options.idempotent"}),
    "retries": (with_tool(retries=Retry(times=2)), {"tools.look.options.retries"}),
    "rate": (with_tool(rate=Rate(3)), {"tools.look.options.rate"}),
    "breaker": (with_tool(breaker=Breaker(failures=2)), {"tools.look.options.breaker"}),
    "isolation": (with_tool(isolation="process"), {"tools.look.options.isolation"}),
    "labels": (with_tool(labels=Labels(guarded=True)), {"tools.look.options.labels"}),
    "cost": (with_tool(cost_usd=0.1), {"tools.look.options.cost_usd"}),
    "secrets": (with_tool(secrets=("bank",)), {"tools.look.options.secrets"}),
    "constant-fallback": (with_tool(fallback="none"), {"tools.look.options.fallback"}),
    "fallback": (with_tool(fallback=tool(risk="read")(look_again)), {"tools.look.options.fallback"}),
    "version": (with_tool(version="2"), {"tools.look.options.version"}),
    "limits": ({"limits": Limits(steps=10)}, {"limits.steps"}),
    "ceiling": ({"limits": Limits(steps=9, per_tool={"book": 1})}, {"limits.per_tool.book"}),
    "at-limit": ({"limits": Limits(steps=9, at_limit="ask")}, {"limits.at_limit.*"}),
    "policy": ({"policies": [LoopPolicy(times=9), RatePolicy(calls=5, within=60.0)]}, {"policies.loop"}),
    "no-policy": ({"policies": [LoopPolicy()]}, {"policies.rate"}),
    "policies-order": ({"policies": [RatePolicy(calls=5, within=60.0), LoopPolicy()]}, {"policies"}),
    "checkpoint": ({"checkpoints": [BeforeAnswer()]}, {"policies.checkpoints"}),
    "approvals": ({"approvals": Approvals(quorum=2)}, {"approvals.quorum"}),
    "delegates": ({"delegates": ["other"]}, {"delegates"}),
    "fallbacks": ({"fallbacks": [model("spare")]}, {"fallbacks"}),
    "cheaper": ({"cheaper": model("small")}, {"cheaper"}),
    "model-options": ({"model_options": ModelOptions(timeout=9)}, {"model_options.timeout"}),
    "output": ({"output": Report}, {"output", "repairs"}),
    "context": ({"context": Context(budget_tokens=9_000)}, {"context"}),
    "planning": ({"planning": Planning()}, {"planning"}),
}
"""A change by name: the parts that are others, and what the difference names."""


@pytest.mark.parametrize("name", CHANGES)
def test_each_single_change_is_another_identity_and_is_named(name: str) -> None:
    parts, fields = CHANGES[name]
    before, after = agent(), agent(**parts)

    was, now = manifest(before), manifest(after)
    found = differences(was.as_dict(), now.as_dict())

    assert was.hash != now.hash
    assert {one.field for one in found} == fields
    assert {one.field for one in differences(now.as_dict(), was.as_dict())} == fields, "the other way round"


@given(st.sets(st.sampled_from(sorted(CHANGES)), max_size=4))
@settings(max_examples=20, deadline=None)
def test_changes_together_are_all_named_and_nothing_else(chosen: set[str]) -> None:
    parts: Parts = {}
    for name in sorted(chosen):
        parts = {**CHANGES[name][0], **parts}
    used = {name for name in chosen if all(parts[part] is value for part, value in CHANGES[name][0].items())}

    was, now = manifest(agent()), manifest(agent(**parts))
    found = {one.field.partition(".")[0] for one in differences(was.as_dict(), now.as_dict())}

    assert (was.hash == now.hash) == (found == set()) == (not chosen)
    assert found >= {field.partition(".")[0] for name in used for field in CHANGES[name][1]}
    assert found <= {field.partition(".")[0] for name in chosen for field in CHANGES[name][1]}


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({}, id="declared-anew"),
        pytest.param({"tools": [BOOK, looks()]}, id="order-of-tools"),
        pytest.param({"prompt": Prompt("Be brief.\nBe kind.", "clerk.md", "7")}, id="name-and-version-of-the-prompt"),
        pytest.param({"limits": Limits(steps=9, cost_usd=10)}, id="spelled-out"),
        pytest.param({"episodes": True}, id="episodes"),
        pytest.param({"model_options": ModelOptions(timeout=600)}, id="a-whole-number"),
        pytest.param({"tools": [looks(retries=None, timeout=30), BOOK]}, id="options-as-by-default"),
        pytest.param({"policies": load_policies("[loop]\n[[rate]]\ncalls = 5\nwithin = 60.0\n")}, id="file"),
    ],
)
def test_what_does_not_matter_changes_nothing(parts: Parts) -> None:
    assert manifest(agent(**parts)).hash == manifest(agent()).hash


def test_the_order_in_which_options_are_written_does_not_matter() -> None:
    one = looks(labels=Labels(trusted=["$.a", "$.b"], arguments={"at": "any", "b": "named"}), secrets=("x", "y"))
    two = looks(secrets=("y", "x"), labels=Labels(arguments={"b": "named", "at": "any"}, trusted=["$.b", "$.a"]))

    assert manifest(agent(tools=[one])).hash == manifest(agent(tools=[two])).hash


def test_what_helps_a_tool_is_part_of_it() -> None:
    def undone(**options: object) -> str:
        undo = tool(risk="reversible", **options)(cancel)  # type: ignore[call-overload]  # what a test says of it
        return manifest(agent(tools=[tool(risk="reversible", undo=undo)(book)])).hash

    assert len({undone(), undone(timeout=9), undone(name="other"), manifest(agent(tools=[BOOK])).hash}) == 4


def test_a_library_tool_knows_whose_library_it_searches() -> None:
    """Its source is the same for all: what it has caught counts all the same."""

    def whose(context: object) -> str:
        return "x"

    shelves = [
        Library("facts").tools(),
        Library("other").tools(),
        Library("facts").tools(namespace="tenant-b"),
        Library("facts").tools(namespace=whose),
    ]
    episodes = [[episodes_tool("clerk")], [episodes_tool("scribe")]]

    reading = [[shelf[0]] for shelf in shelves]
    writing = [[shelf[1]] for shelf in shelves]

    for tools, many in ((reading, 4), (writing, 4), (episodes, 2)):
        assert len({manifest(agent(tools=each)).hash for each in tools}) == many


def test_the_blocks_of_a_context_are_shown_one_by_one() -> None:
    def with_block(text: str) -> dict[str, object]:
        return manifest(agent(context=Context(budget_tokens=9_000, blocks=[Block("house", text=text)]))).as_dict()

    (one,) = differences(with_block("Old."), with_block("New."))

    assert one.field == "context.blocks"


# The source of a tool.


LAID_OUT = '''
    @tool(risk="read")
    def pick(at: str, *, n: int = 1) -> str:
        """Pick."""
        # why
        text = f"{at!r:>{n}} {f'{n}'} {{}}"  # more

        return (
            text)
'''
TIGHT = '''
@tool( risk = "read" )
def pick(at: str,
         *, n: int = 1) -> str:
  """Pick."""
  text = f"{at!r:>{n}} {f'{n}'} {{}}"
  return (text)'''


def test_comments_and_layout_are_no_part_of_the_source() -> None:
    assert normalised(LAID_OUT.lstrip("\n")) == normalised(TIGHT.lstrip("\n"))


@pytest.mark.parametrize(
    ("before", "after"),
    [("n: int = 1", "n: int = 2"), ("Pick.", "Choose."), ("!r:>", "!s:>"), ('"read"', '"write"'), ("return", "yield")],
)
def test_anything_else_is_a_part_of_it(before: str, after: str) -> None:
    assert before in TIGHT

    assert normalised(TIGHT.replace(before, after)) != normalised(TIGHT)


def test_where_a_block_ends_is_a_part_of_it() -> None:
    inside = "def f(x):\n    if x:\n        a()\n        b()\n"
    behind = "def f(x):\n    if x:\n        a()\n    b()\n"

    assert normalised(inside) != normalised(behind)


def test_a_decorator_that_wraps_counts() -> None:
    def loud(function: Callable[[str], str]) -> Callable[[str], str]:
        @wraps(function)
        def louder(at: str) -> str:
            return function(at).upper()

        return louder

    def plain(at: str) -> str:
        """Look."""
        return at

    @loud
    def wrapped(at: str) -> str:
        """Look."""
        return at

    sources = {tool(risk="read", name="look")(one).own_source for one in (plain, wrapped)}

    assert len(sources) == 2


PROGRAM = """
import importlib.util, sys
found = importlib.util.spec_from_file_location("source", sys.argv[1])
module = importlib.util.module_from_spec(found)
found.loader.exec_module(module)
import hashlib
print(hashlib.sha256(module.normalised(sys.stdin.read()).encode()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_reads_the_same_source(version: str) -> None:
    """An f-string is one token up to 3.11 and many behind it."""
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"there is no Python {version} here")
    path = sys.modules["choragus.agents.toolbelt.source"].__file__
    assert path is not None

    run = [str(one) for one in (found[0], "-c", PROGRAM, path)]
    read = [
        subprocess.run(run, input=text.lstrip("\n"), capture_output=True, text=True, check=True)
        for text in (TIGHT, LAID_OUT)
    ]

    known = "b9e2e7dfb8e6293d"
    assert read[0].stdout == read[1].stdout
    assert read[0].stdout.startswith(known)


def told(text: str) -> type[object]:
    """A type with that docstring."""

    @attrs.frozen
    class Note:
        text: str

    Note.__doc__ = text
    return Note


def test_the_indentation_of_a_docstring_is_no_part_of_a_schema() -> None:
    """Python keeps it up to 3.12, and not behind it."""
    before, behind = told("A note.\n\n    With more.\n    "), told("A note.\n\nWith more.\n")

    def take(note: object) -> str:
        """Take a note."""
        return ""

    made = []
    for kind in (before, behind):
        take.__annotations__["note"] = kind
        took = tool(risk="read")(take)
        made.append(manifest(agent(output=kind, tools=[took], planning=Planning(types={"note": kind}))).hash)

    assert made[0] == made[1]


def test_only_descriptions_are_looked_at() -> None:
    schema: dict[str, object] = {
        "description": "A.\n    B.",
        "default": {"description": "A.\n    B."},
        "properties": {"description": {"description": "A.\n    B.", "enum": ["A.\n    B."]}},
        "anyOf": [{"description": "A.\n    B."}],
    }

    assert dedented(schema) == {
        "description": "A.\nB.",
        "default": {"description": "A.\n    B."},
        "properties": {"description": {"description": "A.\nB.", "enum": ["A.\n    B."]}},
        "anyOf": [{"description": "A.\nB."}],
    }


# The difference, as people read it.


def test_the_prompt_is_shown_line_by_line_and_a_schema_too() -> None:
    before, after = agent(), agent(**{**CHANGES["prompt"][0], **CHANGES["schema"][0]})
    texts = {**Versions({"clerk": before}).contents("clerk"), **Versions({"clerk": after}).contents("clerk")}

    found = {
        one.field: one.lines for one in differences(manifest(before).as_dict(), manifest(after).as_dict(), texts.get)
    }

    assert {"-Be kind.", "+Be stern."} <= set(found["prompt"])
    assert any('"where"' in line for line in found["tools.look.schema"])


def test_options_are_named_one_by_one() -> None:
    before = agent(tools=[looks(timeout=5, cost_usd=0.1)])
    after = agent(tools=[looks(timeout=6, cost_usd=0.1)])

    (one,) = differences(manifest(before).as_dict(), manifest(after).as_dict())

    assert (one.field, one.was, one.now) == ("tools.look.options.timeout", 5.0, 6.0)


def test_provenance_is_no_part_of_the_identity() -> None:
    told = provenance(agent()).as_dict()

    assert not {"python", "packages", "code"} & manifest(agent()).as_dict().keys()
    assert {"choragus", "python", "implementation", "packages", "code"} == told.keys()


def test_a_line_of_millions_of_characters_is_shown_in_part() -> None:
    texts = {"a": "x" * 3_000_000, "b": "y" * 3_000_000}

    (change,) = differences({"prompt": "a"}, {"prompt": "b"}, texts.get)

    assert all(
        len(line) < 2_100 and line.endswith("xy"[i] * 9 + " (3,000,001 characters)")
        for i, line in enumerate(change.lines[1:])
    )
