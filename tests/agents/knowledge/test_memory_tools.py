"""A library in an agent's hands: what it remembers, what it finds, and whose word that is for its later runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.agents.play import call, calls, data, scripted

from choragus.agents.agent import Agent
from choragus.agents.errors import ToolFault
from choragus.agents.flow.declaration import Labels
from choragus.agents.flow.policy import InformationFlow
from choragus.agents.knowledge.declaration import Library
from choragus.agents.knowledge.tools import episodes_tool
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.tool import Risk, ToolContext, tool

FACTS = Library("facts")
ACCOUNT = "XX6600000000666"
FLOW = InformationFlow(vouch=True)
PAID: list[str] = []


@tool(risk="irreversible", labels=Labels())
async def pay(to: str) -> str:
    """Pay."""
    PAID.append(to)
    return "paid"


def writer() -> Agent:
    """Reads a page that anybody may write, and remembers what it says."""

    @tool(risk="read")
    async def read_page() -> str:
        """Read the page."""
        return f"The account of the shop is {ACCOUNT}."

    said = call("remember", text=f"The account of the shop is {ACCOUNT}.")
    return scripted(calls(call("read_page")), calls(said), "noted", tools=[read_page, *FACTS.tools()], name="writer")


def reader() -> Agent:
    """Looks the account up, and pays there."""
    replies: tuple[Answer, ...] = (
        calls(call("search_memory", query="account of the shop")),
        calls(call("pay", to=ACCOUNT)),
        "done",
    )
    return scripted(*replies, tools=[*FACTS.tools(write=False), pay], name="reader")


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    PAID.clear()


async def test_s22_what_a_run_kept_of_an_untrusted_page_is_untrusted_in_a_later_run(tmp_path: Path) -> None:
    writes, reads = writer(), reader()
    async with Runtime(tmp_path / "runs.db", agents=[writes], libraries=[FACTS]) as runtime:
        assert await (await runtime.start(writes, "Note the account.")).result() == "noted"

    async with Runtime(tmp_path / "runs.db", agents=[writes, reads], libraries=[FACTS], policies=[FLOW]) as runtime:
        run = await runtime.start(reads, "Pay the shop.")
        await run.result()

        (found,) = await runtime.library("facts").search("account")
        assert found.labels == (f"untrusted run {found.provenance.run}",)
        (denied,) = [one for one in await data(run, "call.judged") if one["tool"] == "pay"]
        assert (denied["verdict"], denied["policy"]) == ("deny", "information-flow")
        (told,) = [line for line in await runtime.store.read(f"conversation/{run.id}") if line.kind == "tool"][:1]
        assert f"untrusted run {found.provenance.run}".encode() in told.body
    assert PAID == []


async def test_s22_what_a_trusted_host_put_keeps_its_label_and_may_be_acted_upon() -> None:
    reads = reader()
    async with Runtime(agents=[reads], libraries=[FACTS], policies=[FLOW]) as runtime:
        await runtime.library("facts").add(f"The account of the shop is {ACCOUNT}.", labels=["developer"])

        await (await runtime.start(reads, "Pay the shop.")).result()

    assert PAID == [ACCOUNT]


async def test_s22_one_untrusted_part_among_trusted_ones_taints_what_follows() -> None:
    reads = reader()
    async with Runtime(agents=[reads], libraries=[FACTS], policies=[FLOW]) as runtime:
        await runtime.library("facts").add(f"The account of the shop is {ACCOUNT}.", labels=["developer"])
        await runtime.library("facts").add("The shop moved.", source="mail")

        await (await runtime.start(reads, "Pay the shop.")).result()

    assert PAID == []


async def test_s23_an_agents_tools_reach_their_own_namespace_only() -> None:
    queries = ["*", "secret OR plan", "tenant-a", "' OR 1=1 --", 'text:"secret"', "NEAR(secret plan)"]
    asked = [calls(call("search_memory", f"q{n}", query=query)) for n, query in enumerate(queries)]
    agent = scripted(*asked, "done", tools=FACTS.tools(namespace="tenant-b"))
    async with Runtime(agents=[agent], libraries=[FACTS]) as runtime:
        await runtime.library("facts", namespace="tenant-a").add("the secret plan")
        run = await runtime.start(agent, "Find it.")
        await run.result()

        results = [one["text"] for one in await data(run, "call.finished")]

    assert results == ["[]"] * len(queries)


async def test_the_namespace_may_follow_from_the_call_and_not_from_the_model() -> None:
    def tenant(context: ToolContext) -> str:
        return f"of-{context.run}"

    agent = scripted(calls(call("remember", text="rain", subject="bob")), "done", tools=FACTS.tools(namespace=tenant))
    async with Runtime(agents=[agent], libraries=[FACTS]) as runtime:
        run = await runtime.start(agent, "Note it.")
        await run.result()

        (found,) = await runtime.library("facts", namespace=f"of-{run.id}").search("rain")

        assert (found.subject, found.provenance.run, found.provenance.call) == ("bob", run.id, "1.1")
        assert await runtime.library("facts").search("rain") == []


async def test_what_cannot_be_remembered_is_told_to_the_model() -> None:
    agent = scripted(calls(call("remember", text=" ")), "done", tools=FACTS.tools())
    async with Runtime(agents=[agent], libraries=[FACTS]) as runtime:
        run = await runtime.start(agent, "Note it.")
        await run.result()

        (ended,) = await data(run, "call.finished")
    assert "the text has 1 characters: give 1 to 4,000,000, and not only white space" in str(ended["text"])


def test_the_tools_are_what_they_are_declared_as() -> None:
    search, remember = FACTS.tools()
    others = FACTS.tools(called="notes")

    assert (search.risk, remember.risk, remember.repeatable) == (Risk.READ, Risk.REVERSIBLE, True)
    assert [one.name for one in (search, remember, *others)] == [
        "search_memory",
        "remember",
        "search_notes",
        "remember_notes",
    ]
    assert [one.name for one in FACTS.tools(write=False)] == ["search_memory"]
    assert episodes_tool("clerk").risk is Risk.READ
    with pytest.raises(ToolFault, match="is no name for a tool"):
        FACTS.tools(called="a b")


async def test_a_tool_outside_of_a_runtime_says_so() -> None:
    search = FACTS.tools()[0]
    context = ToolContext(run="r", call="1.1", idempotency_key="k")

    with pytest.raises(LookupError, match=r"^no library 'facts' here: this context was made by hand"):
        await search.call({"query": "x", "limit": 1}, context)
