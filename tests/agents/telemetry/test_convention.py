"""What is told has the names, the types and the shapes of the conventions, as these have them themselves."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys

import pytest

pytest.importorskip("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as known
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes
from tests.agents.play import Ledger, call, calls, scripted, tools, until

from choragus.agents.agent import Agent
from choragus.agents.errors import ModelError
from choragus.agents.model import ModelReply, Usage
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.telemetry import convention
from choragus.agents.telemetry.content import Content
from choragus.agents.telemetry.convention import LATEST, V1_41, Convention, chosen
from choragus.agents.telemetry.fact import Facts, SpanFact
from choragus.agents.telemetry.metric import METRICS
from choragus.agents.toolbelt.options import Retry
from choragus.mailbox.memory import MemoryStore

from .telling import facts

ATTRIBUTES = {value for name, value in vars(known).items() if name.isupper()} | {error_attributes.ERROR_TYPE}
LATER = {"gen_ai.prompt.version", "gen_ai.memory.record.count", "gen_ai.memory.store.id"}
"""Names of later versions that the package does not have yet."""

WHOLE = re.compile(r"tokens$|count$")
LISTS = {"gen_ai.response.finish_reasons"}
AGENT_METRICS = {
    *("gen_ai.invoke_agent.duration", "gen_ai.execute_tool.duration", "gen_ai.invoke_workflow.duration"),
    *("gen_ai.invoke_agent.inference_calls", "gen_ai.invoke_agent.tool_calls"),
}
"""Metrics that came after the last set that was published as a whole."""

REQUIRED = {
    "chat": {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"},
    "invoke_agent": {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.agent.name"},
    "execute_tool": {"gen_ai.operation.name", "gen_ai.tool.name"},
}


async def everything(version: Convention, content: Content | None = None) -> Facts:
    """What a run tells that has tools, a question, a failure and an answer."""
    store = MemoryStore()
    usage = Usage(input_tokens=70, output_tokens=30, cached_tokens=40, cache_write_tokens=20, reasoning_tokens=10)
    asked = calls(call("look", at="x"), call("pay", amount=1), usage=usage)
    model = ScriptedModel(
        [ModelError("busy", retryable=True, kind="overloaded"), asked, ModelReply(text="done", id="r")]
    )
    agent = Agent("clerk", model=model, tools=tools(Ledger()), model_options=ModelOptions(retries=Retry(first=0.001)))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Mail ada@example.org.")
        await until(run, "approval.requested")
        await run.approve((await run.pending())[0], by="me")
        await run.result(timeout=5)
    return await facts(store, version, content)


@pytest.mark.parametrize("version", [V1_41, LATEST], ids=["1.41", "latest"])
async def test_attributes_are_those_of_the_conventions_or_our_own(version: Convention) -> None:
    told = (await everything(version)).spans

    named = {name for span in told for name in span.attributes}
    latest = {LATEST.cache_write_tokens} if version is LATEST else set()
    assert {name for name in named if not name.startswith("choragus.")} <= ATTRIBUTES | LATER | latest
    for span in told:
        for name, value in span.attributes.items():
            wanted = tuple if name in LISTS else int if WHOLE.search(name) else (str, int, float, bool)
            assert isinstance(value, wanted), name
            assert name in LISTS or not isinstance(value, tuple) or name.startswith("choragus.")


async def test_spans_have_what_their_kind_requires_and_the_kind_that_it_is_said_to_be() -> None:
    told = (await everything(V1_41)).spans

    for span in told:
        operation = str(span.attributes.get("gen_ai.operation.name", ""))
        assert REQUIRED.get(operation, set()) <= set(span.attributes)
        assert span.is_client == (operation == "chat")
        subject = {
            "chat": "gen_ai.request.model",
            "invoke_agent": "gen_ai.agent.name",
            "execute_tool": "gen_ai.tool.name",
        }
        if operation in subject:
            assert span.name == f"{operation} {span.attributes[subject[operation]]}"
    operations = {one.value for one in known.GenAiOperationNameValues}
    assert {span.attributes.get("gen_ai.operation.name") for span in told} - {None} <= operations


async def test_an_invocation_names_its_provider_only_where_the_version_has_that() -> None:
    def named(told: list[SpanFact]) -> set[bool]:
        return {"gen_ai.provider.name" in one.attributes for one in told if one.name.startswith("invoke_agent")}

    assert named((await everything(V1_41)).spans) == {True}
    assert named((await everything(LATEST)).spans) == {False}


@pytest.mark.parametrize(
    ("kind", "type"),
    [
        ("rate_limit", "rate_limit"),
        ("context_length", "context_length"),
        ("model 7 was busy at 12:01", "_OTHER"),
        ("", "_OTHER"),
    ],
)
async def test_the_type_of_an_error_is_one_of_a_few(kind: str, type: str) -> None:
    store, agent = MemoryStore(), scripted(ModelError("no", retryable=False, kind=kind))
    async with Runtime(store=store, agents=[agent]) as runtime:
        await until(await runtime.start(agent, "Go."), "run.ended")

    assert [span.error for span in (await facts(store)).spans] == [type, "failed"]


async def test_metrics_have_the_names_and_units_of_the_conventions() -> None:
    told = await everything(V1_41)

    ours = {point.metric for point in told.points}
    theirs = {value for name, value in vars(gen_ai_metrics).items() if name.isupper()}
    assert {name for name in ours if not name.startswith("choragus.")} <= theirs | AGENT_METRICS
    assert ours >= {"gen_ai.client.operation.duration", "gen_ai.client.token.usage", *AGENT_METRICS} - {
        "gen_ai.invoke_workflow.duration"
    }
    for name in ours & theirs:
        made = inspect.getsource(getattr(gen_ai_metrics, f"create_{name.replace('.', '_')}"))
        assert f'unit="{METRICS[name].unit}"' in made
        assert ("create_histogram" in made) == bool(METRICS[name].buckets)


async def test_the_latest_names_are_used_where_the_environment_opts_in() -> None:
    told = await everything(LATEST)

    metrics = {point.metric for point in told.points}
    assert "gen_ai.client.inference.duration" in metrics
    assert not metrics & {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    assert "gen_ai.usage.cache_write.input_tokens" in {name for span in told.spans for name in span.attributes}


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("", V1_41),
        ("gen_ai", V1_41),
        ("gen_ai_latest_experimental_more", V1_41),
        ("gen_ai_latest_experimental", LATEST),
        ("http/dup, gen_ai_latest_experimental", LATEST),
    ],
)
def test_the_version_is_chosen_by_the_variable_of_opentelemetry(said: str, version: Convention) -> None:
    assert chosen({"OTEL_SEMCONV_STABILITY_OPT_IN": said}) is version


def test_names_are_spelled_in_the_table_alone() -> None:
    folder = inspect.getfile(convention).rpartition("/")[0]

    found = subprocess.run(["grep", "-rlE", "--include=*.py", '"gen_ai\\.', folder], capture_output=True, text=True)

    assert found.stdout.split() == [inspect.getfile(convention)]


PARTS: dict[str, tuple[dict[str, type], set[str]]] = {
    "text": ({"content": str}, set()),
    "tool_call": ({"name": str}, {"id", "arguments"}),
    "tool_call_response": ({"response": object}, {"id"}),
}
"""Of each kind of part that is used: what it must have, and what it may have beside its type."""

FINISH_REASONS = {"stop", "length", "content_filter", "tool_call", "error"}


def check_message(message: dict[str, object], *, output: bool) -> None:
    """Hold a message against the conventions' schema of it."""
    assert set(message) == {"role", "parts"} | ({"finish_reason"} if output else set())
    assert message["role"] in ("user", "assistant", "tool", "system")
    assert not output or message["finish_reason"] in FINISH_REASONS
    parts = message["parts"]
    assert isinstance(parts, list)
    for part in parts:
        required, more = PARTS[part["type"]]
        assert {"type", *required} <= set(part) <= {"type", *required, *more}
        assert all(isinstance(part[name], kind) for name, kind in required.items())


async def test_content_has_the_shapes_of_the_conventions() -> None:
    told = (await everything(V1_41, Content(lambda text: text))).spans

    chats = [span for span in told if span.name.startswith("chat") and not span.error]
    for span in chats:
        for name, output in (("gen_ai.input.messages", False), ("gen_ai.output.messages", True)):
            messages = json.loads(str(span.attributes[name]))
            assert messages
            for message in messages:
                check_message(message, output=output)
    first, last = (json.loads(str(span.attributes["gen_ai.input.messages"])) for span in chats)
    assert first == [{"role": "user", "parts": [{"type": "text", "content": "Mail ada@example.org."}]}]
    assert [message["role"] for message in last] == ["user", "assistant", "tool", "tool"]
    assert json.loads(str(chats[0].attributes["gen_ai.output.messages"]))[0]["finish_reason"] == "tool_call"
    (looked,) = [span for span in told if span.name == "execute_tool look"]
    assert json.loads(str(looked.attributes["gen_ai.tool.call.arguments"])) == {"at": "x"}
    assert looked.attributes["gen_ai.tool.call.result"] == '"seen x"'


def test_a_long_conversation_loses_its_oldest_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = [{"role": "user", "text": f"{number:03d}" * 10_000, "calls": []} for number in range(20)]

    told = Content(lambda text: text).of_a_model_call(heard, {})

    kept = json.loads(str(told["gen_ai.input.messages"]))
    assert [message["parts"][0]["content"][:3] for message in kept] == ["017", "018", "019"]


def test_nothing_of_opentelemetry_is_imported_before_it_is_used() -> None:
    code = (
        "import sys; from choragus.agents import Agent, Runtime, ScriptedModel, Telemetry; "
        "Runtime(agents=[Agent('a', model=ScriptedModel(['b']))], telemetry=Telemetry()); "
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_environment())

    assert said.stdout == "[]\n", said.stderr


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(path for path in sys.path if path)}
