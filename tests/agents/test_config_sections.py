"""What a file says of calls, plans, contexts, policies, providers and libraries, and what the code says beside it."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from choragus.agents.agent import Agent
from choragus.agents.config import Config, load_config
from choragus.agents.context.block import Block
from choragus.agents.context.option import SECTIONS, Context
from choragus.agents.context.retrieval import Retrieval, Retrieved
from choragus.agents.context.strategy import DropResults, MessageRule, Summarise, Window
from choragus.agents.errors import AgentFault, ConfigFault
from choragus.agents.knowledge.declaration import Library
from choragus.agents.manifest import manifest
from choragus.agents.model import ModelReply, ModelRequest, ToolCall
from choragus.agents.model_gateway.options import ModelOptions, ProviderLimits, RetryBudget
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.recovery import AskPerson, Fallback, Recovery, UseAgent, UseModel, UseTool
from choragus.agents.policy import LoopPolicy
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.tool import tool
from choragus.agents.toolbelt.options import Breaker, Rate, Retry

from .test_config import ODD

FILE = """\
[agent.clerk]
model = "big"
fallbacks = ["spare"]
repairs = 4
episodes = true

[agent.clerk.model_options]
retries = { times = 5, first = 2 }
timeout = 120
first_token = 20
hedge_after = 15
stream = false

[agent.clerk.planning]
steps = 50
revisions = 3
proposes = false

[agent.clerk.planning.recovery]
retries = 2
tool_errors = 4
then = "escalate"
fallback = [
  { model = 1 },
  { tool = "look" },
  { agent = "helper" },
  { person = true, approvers = ["mia"], options = ["yes", "no"] },
]

[agent.clerk.planning.recoveries."pay-*"]
retries = 0
then = "degrade"

[agent.clerk.context]
budget_tokens = 8_000
compaction = [
  { by = "drop_results", older_than = 6, keep = ["look"] },
  { by = "rule", then = "pin", role = "tool", contains = "IBAN" },
  "summarise",
  { by = "summarise", model = "small", keep_tokens = 900 },
  { by = "window", messages = 40 },
]

[agent.clerk.context.blocks.notes]
text = "none yet"
limit = 500

[agent.clerk.context.blocks.rules]
editable = false

[agent.clerk.policies.loop]
times = 4

[[agent.clerk.policies.rule]]
name = "large"
tools = ["pay"]
arguments.amount = { above = 100 }
verdict = "ask"
reason = "more than 100"

[agent.helper]
model = "small"

[provider.house]
concurrency = 8
rate = { times = 100, per = 60 }
tokens = { times = 200_000, per = 60 }
breaker = { failures = 4 }
retries = { share = 0.1, least = 5 }

[library.facts]
keep_seconds = 86_400
most_documents = 1000
chunk = 500

[library.plain]
"""


def named(name: str) -> FunctionModel:
    """A model of that name."""
    return FunctionModel(lambda request: "done", name=name)


MODELS = {name: named(name) for name in ("big", "spare", "small")}


@tool(risk="read")
async def look(at: str) -> str:
    """Look."""
    return at


def said_well(outcome: str, results: object) -> bool:
    """Whether anything was said."""
    return bool(outcome)


def clerk(config: Config, **code: object) -> Agent:
    """The agent of the file."""
    return config.agent("clerk", models=MODELS, **{"tools": [look], **code})


def test_every_section_comes_to_the_agent() -> None:
    made = clerk(load_config(FILE))

    assert (made.repairs, made.episodes) == (4, True)
    assert made.model_options == ModelOptions(
        retries=Retry(times=5, first=2), timeout=120, first_token=20, hedge_after=15, stream=False
    )
    ways: list[Fallback] = [
        UseModel(1),
        UseTool("look"),
        UseAgent("helper"),
        AskPerson(approvers=["mia"], options=["yes", "no"]),
    ]
    assert made.planning == Planning(
        steps=50,
        revisions=3,
        proposes=False,
        recovery=Recovery(retries=2, tool_errors=4, then="escalate", fallback=ways),
        recoveries={"pay-*": Recovery(retries=0, then="degrade")},
    )
    assert made.context == Context(
        budget_tokens=8_000,
        compaction=[
            DropResults(older_than=6, keep=["look"]),
            MessageRule(then="pin", role="tool", contains="IBAN"),
            Summarise(),
            Summarise(model=MODELS["small"], keep_tokens=900),
            Window(messages=40),
        ],
        blocks=[Block("notes", "none yet", limit=500), Block("rules", editable=False)],
    )
    assert [one.name for one in made.policies] == ["loop", "large"]


def test_providers_and_libraries_are_what_a_runtime_takes() -> None:
    config = load_config(FILE)

    assert config.providers == {
        "house": ProviderLimits(
            concurrency=8,
            rate=Rate(100, per=60),
            tokens=Rate(200_000, per=60),
            breaker=Breaker(failures=4),
            retries=RetryBudget(share=0.1, least=5),
        )
    }
    facts = Library("facts", keep_seconds=86_400, most_documents=1000, chunk=500)
    assert config.libraries == (facts, Library("plain"))


async def test_a_runtime_opens_with_all_of_a_file() -> None:
    config = load_config(FILE.replace("proposes = false", "").replace("[provider.house]", "[provider.function]"))
    agents = [clerk(config), config.agent("helper", models=MODELS)]
    provider = agents[0].model.provider

    async with Runtime(
        agents=agents, providers={provider: config.providers["function"]}, libraries=config.libraries
    ) as runtime:
        facts = runtime.library("facts")
        await facts.add("bolts are in bay 3")
        (found,) = await facts.search("bolts")

    assert "bay 3" in found.text


def test_the_values_count_in_the_identity() -> None:
    plain = manifest(clerk(load_config(FILE))).hash

    for before, after in (
        ("steps = 50", "steps = 51"),
        ("{ model = 1 },", ""),
        ("budget_tokens = 8_000", "budget_tokens = 9_000"),
        ("limit = 500", "limit = 600"),
        ("timeout = 120", "timeout = 121"),
        ("above = 100", "above = 101"),
    ):
        assert manifest(clerk(load_config(FILE.replace(before, after)))).hash != plain, after


def test_the_code_gives_what_no_file_can_say() -> None:
    class Shelf:
        name = "shelf"

        async def retrieve(self, query: str, *, run: str, agent: str, limit: int) -> list[Retrieved]:
            return []

    planning = Planning(checks={"well": said_well}, types={"money": float})
    context = Context(budget_tokens=8_000, retrieve=[Retrieval(Shelf())])

    made = clerk(load_config(FILE), planning=planning, context=context)

    assert made.planning is not None
    assert (made.planning.steps, list(made.planning.checks), list(made.planning.types)) == (50, ["well"], ["money"])
    assert made.context is not None
    assert ([one.label for one in made.context.blocks], len(made.context.retrieve)) == (["notes", "rules"], 1)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ({"planning": Planning(steps=7)}, "config:15: agent.clerk.planning.steps: the code gives steps=7, and the"),
        ({"planning": Planning(recovery=Recovery(retries=9))}, "config:19: agent.clerk.planning.recovery: the code"),
        ({"planning": "yes"}, "config:14: agent.clerk.planning: the code gives 'yes': give Planning"),
        ({"context": Context(budget_tokens=3)}, "config:35: agent.clerk.context.budget_tokens: the code gives"),
        ({"model_options": ModelOptions(timeout=3)}, "config:7: agent.clerk.model_options: the code gives"),
        ({"repairs": 1}, "config:4: agent.clerk.repairs: the code gives repairs=1, and the file 4: say it in one"),
        ({"episodes": False}, "config:5: agent.clerk.episodes: the code gives episodes=False"),
        ({"tools": []}, "config:14: agent.clerk.planning: UseTool\\(tool='look'\\) of agent 'clerk' names no tool"),
        ({"fallbacks": ["spare", "x"]}, "config:3: agent.clerk.fallbacks: the code gives"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_the_code_contradicts_is_an_error(code: dict[str, object], error: str) -> None:
    with pytest.raises(ConfigFault, match=f"^{error}"):
        clerk(load_config(FILE), **code)


def test_what_is_said_twice_may_be_the_same() -> None:
    made = clerk(load_config(FILE))

    again = clerk(load_config(FILE), planning=made.planning, context=made.context, model_options=made.model_options)

    assert manifest(again) == manifest(made)


def test_a_budget_may_stand_in_code() -> None:
    config = load_config('[agent.clerk]\nmodel = "big"\n[agent.clerk.context]\ncompaction = ["window"]\n')

    made = clerk(config, context=Context(budget_tokens=900))

    assert made.context == Context(budget_tokens=900, compaction=[Window()])
    with pytest.raises(ConfigFault, match=r"^config:3: agent.clerk.context: budget_tokens is missing: write budget"):
        clerk(config)


def test_the_place_of_a_model_that_is_not_there_is_told() -> None:
    config = load_config(FILE.replace('fallbacks = ["spare"]', "fallbacks = []"))

    with pytest.raises(ConfigFault, match=r"^config:14: agent.clerk.planning: UseModel\(model=1\) of agent 'clerk'"):
        clerk(config)


def test_what_the_code_alone_plans_wrongly_is_not_the_files() -> None:
    config = load_config('[agent.clerk]\nmodel = "big"\n')

    with pytest.raises(AgentFault, match=r"^UseModel\(model=3\) of agent 'clerk' is no place"):
        clerk(config, planning=Planning(recovery=Recovery(fallback=[UseModel(3)])))


def test_policies_for_all_stand_before_those_of_the_agent_and_of_the_code() -> None:
    config = load_config(f'{FILE}\n[policies.risk]\nreversible = "ask"\n')

    made = config.agent("helper", models=MODELS, policies=[LoopPolicy()])
    other = clerk(config)

    assert [one.name for one in made.policies] == ["risk", "loop"]
    assert [one.name for one in other.policies] == ["risk", "loop", "large"]


async def test_routed_models_answer_in_their_order_and_the_cheaper_one_at_the_limit() -> None:
    said: list[str] = []

    def model(name: str, *, fails: bool = False) -> FunctionModel:
        def answer(request: ModelRequest) -> ModelReply:
            said.append(name)
            if fails:
                raise ConnectionError("down")
            wants = ToolCall("1", "look", {"at": "x"})
            return ModelReply(text=name, calls=(wants,) if request.tools else ())

        return FunctionModel(answer, name=name)

    config = load_config(
        '[routing]\nmodel = "big"\nfallbacks = ["spare", "small"]\ncheaper = "small"\nagents = { b = "spare" }\n'
        "[agent.a]\nmodel_options = { retries = false }\n"
        "[agent.b]\n[agent.c]\nlimits = { steps = 1, at_limit = 'degrade' }\n"
    )
    models = {"big": model("big", fails=True), "spare": model("spare"), "small": model("small")}
    agents = {name: config.agent(name, models=models, tools=[look] * (name == "c")) for name in "abc"}

    assert [one.name for one in agents["b"].models] == ["spare", "small"], "no model is a fallback of itself"
    async with Runtime(agents=agents.values()) as runtime:
        for name in "abc":
            run = await runtime.start(agents[name], "Go.")
            said.append(f"{name}: {await run.result(5)}")

    assert said == ["big", "spare", "a: spare", "spare", "b: spare", "small", "c: small"]


BAD = [
    ("model_options = { timeout = 0 }", "2: agent.clerk.model_options.timeout: ModelOptions(timeout=0"),
    ("model_options = { timeout = 5, first_token = 9 }", "2: agent.clerk.model_options.first_token: ModelOptions("),
    ("model_options = { retries = 'often' }", "2: agent.clerk.model_options.retries: "),
    ("model_options = { retry = 3 }", "2: agent.clerk.model_options.retry: unknown key; known are retries, timeout"),
    ("model_options = { stream = 1 }", "2: agent.clerk.model_options.stream: ModelOptions(stream=1) is neither"),
    ("repairs = -1", "2: agent.clerk.repairs: -1 is no count: give a whole number, 0 or more"),
    ("repairs = true", "2: agent.clerk.repairs: True is no count"),
    ("episodes = 'yes'", "2: agent.clerk.episodes: 'yes' is neither true nor false"),
    ("planning = 3", "2: agent.clerk.planning: 3 is no table"),
    ("planning = { checks = {} }", "2: agent.clerk.planning.checks: unknown key; known are steps, revisions, "),
    ("planning = { steps = 0 }", "2: agent.clerk.planning.steps: Planning(steps=0): give a whole number, 1 or more"),
    ("planning = { proposes = 1 }", "2: agent.clerk.planning.proposes: 1 is neither true nor false"),
    ("planning.recovery = { then = 'explode' }", "2: agent.clerk.planning.recovery.then: Recovery(then='explode')"),
    ("planning.recovery = { retries = -1 }", "2: agent.clerk.planning.recovery.retries: Recovery(retries=-1)"),
    ("planning.recovery.fallback = 'x'", "2: agent.clerk.planning.recovery.fallback: 'x' is no list: write it in"),
    ("planning.recovery.fallback = [3]", "2: agent.clerk.planning.recovery.fallback[0]: 3 is no table"),
    ("planning.recovery.fallback = [{}]", "2: agent.clerk.planning.recovery.fallback[0]: {} is not one way: write"),
    (
        "planning.recovery.fallback = [{ model = 1 }, { model = 1, tool = 'a' }]",
        "2: agent.clerk.planning.recovery.fallback[1]: {'model': 1, 'tool': 'a'} is not one way: write one of",
    ),
    ("planning.recovery.fallback = [{ model = 'x' }]", "2: agent.clerk.planning.recovery.fallback[0].model: 'x' is"),
    ("planning.recovery.fallback = [{ model = true }]", "2: agent.clerk.planning.recovery.fallback[0].model: True"),
    ("planning.recovery.fallback = [{ person = false }]", "2: agent.clerk.planning.recovery.fallback[0]: {'person"),
    (
        "planning.recovery.fallback = [{ tool = 'a', options = ['b'] }]",
        "2: agent.clerk.planning.recovery.fallback[0]: {'tool': 'a', 'options': ['b']}: only person = true has",
    ),
    ("context = { budget_tokens = 0 }", "2: agent.clerk.context.budget_tokens: budget_tokens=0 is no budget"),
    ("context = { retrieve = [] }", "2: agent.clerk.context.retrieve: unknown key; known are budget_tokens, order"),
    ("context = { order = ['recent'] }", "2: agent.clerk.context.order: order=['recent'] is none: give each of"),
    ("context = { compaction = ['forget'] }", "2: agent.clerk.context.compaction[0]: by = 'forget' is no strategy"),
    ("context = { compaction = [{ messages = 3 }] }", "2: agent.clerk.context.compaction[0]: by = None is no strate"),
    (
        "context = { compaction = [{ by = 'window', messages = 3, tokens = 3 }] }",
        "2: agent.clerk.context.compaction[0].messages: Window(messages=3, tokens=3) has both",
    ),
    (
        "context = { compaction = [{ by = 'summarise', prompt = 'Obey.' }] }",
        "2: agent.clerk.context.compaction[0].prompt: unknown key; known are keep_tokens",
    ),
    ("context.blocks.notes = { limit = 0 }", "2: agent.clerk.context.blocks.notes.limit: limit=0 of block 'notes'"),
    ("context.blocks.notes = { label = 'x' }", "2: agent.clerk.context.blocks.notes.label: its label is the table's"),
    ("context.blocks.'a b' = {}", "2: agent.clerk.context.blocks.a b: 'a b' is no label of a block"),
    ("policies.risks = {}", "agent.clerk.policies.risks: unknown key"),
    ("policies.file = 'x'", "agent.clerk.policies.file: unknown key"),
    ("[[agent.clerk.policies.rule]]\nname = 'x'", "2: agent.clerk.policies.rule[0].verdict: None is none of"),
    ("[library.facts]\nchunk = 3", "3: library.facts.chunk: Library(chunk=3): give characters, from 100 to"),
    ("[library.facts]\nkeep_seconds = 0", "3: library.facts.keep_seconds: Library(keep_seconds=0) is no time"),
    ("[library.facts]\nname = 'x'", "3: library.facts.name: its name is the table's, 'facts': leave it out"),
    ("[library.facts]\nembedder = 'x'", "3: library.facts.embedder: unknown key; known are "),
    ("[library.'a b']", "2: library.a b: 'a b' is no name for a library"),
    ("[provider.x]\nretries = { share = 3 }", "3: provider.x.retries.share: RetryBudget(share=3) is no share"),
    ("[provider.x]\ntokens = 3", "3: provider.x.tokens: 3 is no table"),
]


@pytest.mark.parametrize(("line", "error"), BAD, ids=[line.partition("\n")[2] or line for line, _ in BAD])
def test_what_is_wrong_is_told_with_its_place(line: str, error: str, tmp_path: Path) -> None:
    path = tmp_path / "agents.toml"
    path.write_text(f"[agent.clerk]\n{line}\n", encoding="utf-8")

    with pytest.raises(ConfigFault) as caught:
        load_config(path)

    assert str(caught.value).startswith(f"{path}:{'' if error[0].isdigit() else ' '}{error}")


def test_the_line_of_a_policy_is_told_whatever_the_agent_is_called() -> None:
    text = '[agent.my-Clerk_2]\n\n[[agent.my-Clerk_2.policies.rule]]\nname = "x"\n'

    with pytest.raises(ConfigFault, match=r"^config:3: agent\.my-Clerk_2\.policies\.rule\[0\]\.verdict: "):
        load_config(text)


KEYS = [number for number, line in enumerate(FILE.splitlines()) if re.match(r"\w+ = ", line)]


@pytest.mark.parametrize("number", KEYS)
def test_whatever_stands_in_a_section_is_read_or_refused(number: int) -> None:
    for odd in ODD:
        lines = FILE.splitlines()
        lines[number] = f"{lines[number].partition(' = ')[0]} = {odd}"
        with contextlib.suppress(ConfigFault):
            clerk(load_config("\n".join(lines)))


def test_the_order_of_a_context_can_be_said() -> None:
    order = [SECTIONS[0], *reversed(SECTIONS[1:])]
    config = load_config(f'[agent.clerk]\nmodel = "big"\ncontext = {{ budget_tokens = 900, order = {order!r} }}\n')

    made = clerk(config)

    assert made.context is not None
    assert made.context.order == tuple(order)
